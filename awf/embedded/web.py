"""Several ASGI applications in one event loop, each on a socket that is bound already."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

STOP_GRACE_S = 1
KEEP_ALIVE_S = 60
"""Longer than clients keep an idle connection (httpx: 5 s): else both ends close at the same moment, and a request
that is just being sent is lost."""
START_TIMEOUT_S = 10.0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever owns the process."""
        yield


class WebServers:
    """Start and stop together."""

    def __init__(self) -> None:
        self._running: list[tuple[_Server, asyncio.Task[None]]] = []

    async def start(self, app: ASGIApp, sock: socket.socket) -> None:
        """Serve one application; returns once it accepts requests."""
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=STOP_GRACE_S,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[sock]))
        self._running.append((server, task))
        async with asyncio.timeout(START_TIMEOUT_S):
            while not server.started:
                if task.done():
                    task.result()
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Let running requests finish within a second, then cut them off."""
        for server, _ in self._running:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._running))
        self._running.clear()
