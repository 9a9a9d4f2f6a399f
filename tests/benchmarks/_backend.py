"""The embedded backend in a process of its own, on free ports, with nothing but what is sent to it.

Run as a program it is that process: it prints its addresses and how long it took to start as JSON, and stops when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from _process import cpu_s, peak_mb, size_mb


class Backend:
    """Runs while the `with` block does; its data stays in `folder`.

    `start_s` is how long the server took to open its data and listen, `open_s` the same with Python's own start.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addresses: dict[str, str] = {}
        self.start_s = self.open_s = 0.0

    def __enter__(self) -> Self:
        began = time.monotonic()
        command = [sys.executable, __file__, str(self.folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.addresses, self.start_s = told["addresses"], told["start_s"]
        self.open_s = time.monotonic() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.communicate(timeout=60)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def cpu_s(self) -> float:
        return cpu_s(self.pid)

    def peak_mb(self) -> float:
        return peak_mb(self.pid)

    def disk_mb(self) -> float:
        return size_mb(self.folder)

    def query(self, query: str, at_s: float | None = None) -> list[Any]:
        """Return the result of an instant PromQL query."""
        parameters = {"query": query} if at_s is None else {"query": query, "time": str(at_s)}
        url = f"{self.addresses['mimir']}/prometheus/api/v1/query"
        answer = httpx.get(url, params=parameters, timeout=120).json()
        assert answer["status"] == "success", answer
        found: list[Any] = answer["data"]["result"]
        return found


async def _serve(folder: Path) -> None:
    from awf.embedded.query_pool import share_the_interpreter
    from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports

    share_the_interpreter()
    rules = Path(tempfile.mkdtemp(dir=folder))
    server = EmbeddedServer(EmbeddedConfig(folder, rules, ports=Ports(0, 0, 0, 0, 0, 0)))
    began = time.monotonic()
    await server.start()
    told = {"addresses": server.addresses, "start_s": time.monotonic() - began}
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
