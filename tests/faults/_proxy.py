"""A TCP proxy in front of a collector that breaks connections, and a peer that never answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class CuttingProxy:
    """Passes bytes on, and cuts each connection when it has sent as many towards the collector as `budget()`
    says for it; None lets it be."""

    def __init__(self, target: int, budget: Callable[[], int | None]) -> None:
        self._target = target
        self._budget = budget
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> CuttingProxy:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        target = ("127.0.0.1", self._target)
        with contextlib.suppress(OSError), client, socket.create_connection(target) as server:
            threading.Thread(target=_copy, args=(server, client, None), daemon=True).start()
            if not _copy(client, server, self._budget()):
                self.cuts += 1


def _copy(source: socket.socket, sink: socket.socket, budget: int | None) -> bool:
    """Pass bytes on until the source ends (True) or the budget is spent, when both are cut."""
    try:
        while data := source.recv(4096):
            if budget is not None:
                data = data[:budget]
                budget -= len(data)
            sink.sendall(data)
            if budget == 0:
                return False
    except OSError:
        pass
    finally:
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
    return True


class HalfOpenPeer:
    """Accepts connections and never says a word."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port: int = self._server.getsockname()[1]
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        for peer in (self._server, *self._clients):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()

    def __enter__(self) -> HalfOpenPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._clients.append(self._server.accept()[0])
