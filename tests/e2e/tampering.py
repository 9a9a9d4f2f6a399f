"""An HTTP proxy before a server that lets a test change answers: refuse a path, empty a body, move the clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

DROPPED = {"transfer-encoding", "content-length", "content-encoding", "connection", "server", "date"}


@dataclass
class Answer:
    """What goes back to the client. `body` is bytes; `json` reads and writes it."""

    path: str
    method: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @json.setter
    def json(self, value: Any) -> None:
        self.body = json.dumps(value).encode()
        self.headers["content-type"] = "application/json"

    def refuse(self, status: int, message: str) -> None:
        self.status = status
        self.json = {"message": message}


Tamper = Callable[[Answer], None]


@dataclass
class TamperingProxy:
    """Forwards to `target`; every answer passes `tamper` first. Use it as a context manager."""

    target: str
    tamper: Tamper = field(default=lambda answer: None)

    def __enter__(self) -> TamperingProxy:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                length = int(self.headers.get("content-length", 0))
                content = self.rfile.read(length)
                headers = {
                    name: value
                    for name, value in self.headers.items()
                    if name.lower() not in {"host", *DROPPED}
                }
                found = proxy._client.request(
                    self.command, f"{proxy.target}{self.path}", content=content, headers=headers
                )
                kept = {name: value for name, value in found.headers.items() if name.lower() not in DROPPED}
                kept["date"] = found.headers.get("date", "")
                answer = Answer(self.path, self.command, found.status_code, kept, found.content)
                proxy.tamper(answer)
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_DELETE = _forward

            def log_message(self, *_: object) -> None:
                pass

        self._client = httpx.Client(timeout=30, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self._client.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"
