"""The real programs as processes on loopback: where they are, how one is started, killed and started again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

T = TypeVar("T")

VARIABLES = {
    "loki": "AWF_TEST_LOKI_BIN",
    "tempo": "AWF_TEST_TEMPO_BIN",
    "mimir": "AWF_TEST_MIMIR_BIN",
    "alloy": "AWF_TEST_ALLOY_BIN",
    "prometheus": "AWF_TEST_PROMETHEUS_BIN",
    "grafana": "AWF_TEST_GRAFANA_HOME",
}


def given(name: str) -> str:
    """Return the path that was given for a program, or nothing."""
    return os.environ.get(VARIABLES[name], "")


def require(*names: str) -> None:
    """Skip, saying which variables to set, unless all of these programs are given and exist."""
    missing = [name for name in names if not Path(given(name) or "/nothing").exists()]
    if missing:
        which = ", ".join(f"{VARIABLES[name]} to {name}'s {_what(name)}" for name in missing)
        pytest.skip(f"needs the real {' and '.join(missing)}: set {which}")


def _what(name: str) -> str:
    return "home directory" if name == "grafana" else "program"


def wait_for(
    what: str, look: Callable[[], T | None], limit_s: float, explain: Callable[[], str] = lambda: ""
) -> T:
    """Look again and again until there is something; fail with what is missing and an explanation."""
    give_up_at = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if found := look():
                return found
        assert time.monotonic() < give_up_at, f"no {what} within {limit_s:.0f} s. {explain()}"
        time.sleep(0.25)


@dataclass(slots=True)
class Program:
    """One process. `start` waits until `ready_url` answers 200; what it prints is in `log`."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    ready_url: str
    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def launch(self) -> None:
        """Start it and return at once."""
        assert not self.is_running, f"{self.name} runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(
                self.command, env=dict(self.environ), cwd=self.folder, stdout=stream, stderr=stream
            )

    def wait_ready(self, limit_s: float = 60) -> None:
        def ready() -> bool:
            assert self.is_running, f"{self.name} ended: {self.tail()}"
            return httpx.get(self.ready_url, timeout=2).status_code == 200

        wait_for(f"ready {self.name} at {self.ready_url}", ready, limit_s, self.tail)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def stop(self, limit_s: float = 10) -> None:
        """Ask it to end, and kill it when it takes too long, as Tempo may."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines: int = 25) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"{self.log} ends with:\n" + "\n".join(text.splitlines()[-lines:])
