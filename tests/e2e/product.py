"""The whole product as a user runs it: `awf up` in a process of its own, on ports of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

PORT_SETTINGS = ("API", "GRAFANA", "MIMIR", "LOKI", "TEMPO", "OTLP_GRPC", "OTLP_HTTP")


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Product:
    """One `awf up`. Its output is kept in `terminal`; stop it with `stop`."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.ports = dict(zip(PORT_SETTINGS, free_ports(len(PORT_SETTINGS)), strict=True))
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("AWF_", "OTEL_"))
        } | {f"AWF_{name}_PORT": str(port) for name, port in self.ports.items()}
        self.environ |= {"AWF_DATA_DIR": str(data_dir), **settings}
        self.terminal = data_dir.with_suffix(".terminal")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start it; returns at once."""
        with self.terminal.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "awf", "up", *arguments],
                env=self.environ, stdout=stream, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def stop(self) -> float:
        """Press Ctrl-C, wait for the end and return how many seconds that took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=20)
        finally:
            self._process.kill()
        return time.monotonic() - began

    def url(self, setting: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[setting]}{path}"

    def api(self, method: str, path: str, *, token: str | None = None, **arguments: Any) -> httpx.Response:
        """Call the API with the admin's token, or with another."""
        bearer = token or (self.data_dir / "admin-token").read_text().strip()
        headers = {"Authorization": f"Bearer {bearer}"}
        return httpx.request(method, self.url("API", path), headers=headers, timeout=20, **arguments)

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the items of a list of the API, none while it does not answer."""
        try:
            response = self.api("GET", path)
        except (httpx.HTTPError, FileNotFoundError):
            return []
        return list(response.json()["items"]) if response.status_code == 200 else []

    def query(self, setting: str, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return a query's JSON, nothing while the backend does not answer."""
        try:
            response = httpx.get(self.url(setting, path), params=dict(parameters), timeout=10)
        except httpx.HTTPError:
            return {}
        return dict(response.json()) if response.status_code == 200 else {}

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        try:
            return httpx.get(self.url("API", "/readyz"), timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def login_link(self) -> str:
        """Return a link that logs a browser in, once."""
        return str(self.api("POST", "/api/v1/login-codes").json()["url"])

    def annotations(self, tags: list[str]) -> list[dict[str, Any]]:
        response = httpx.get(self.url("GRAFANA", "/api/annotations"), params={"tags": tags}, timeout=10)
        return list(response.json()) if response.status_code == 200 else []

    def fault(self, name: str, *, verb: str = "fault") -> None:
        """Inject a fault into the running demo, or end one with the verb `heal`."""
        command = [sys.executable, "-m", "awf", "demo", verb, name]
        subprocess.run(command, env=self.environ, check=True, timeout=30, capture_output=True)

    def wait_for(self, what: str, look: Callable[[], T | None], timeout_s: float) -> T:
        """Look every half second until there is something; fail with the terminal's last lines."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            assert self._process is None or self._process.poll() is None, f"awf up ended: {self._tail()}"
            time.sleep(0.5)
        raise AssertionError(f"no {what} within {timeout_s:.0f} s. {self._tail()}")

    def _tail(self) -> str:
        lines = self.terminal.read_text(errors="replace").splitlines()
        logs = "".join(
            f"\n--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-8:])
            for path in sorted((self.data_dir / "logs").glob("*.log"))
        )
        return "The terminal said:\n" + "\n".join(lines[-40:]) + logs
