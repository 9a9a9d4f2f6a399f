"""Run `awf` as a person does: a process of its own, nothing in its environment but what a test gives."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

from awf.settings import PREFIX
from awf.wiring.ports import PORTS

REPOSITORY = Path(__file__).parents[3]
# An address of loopback that no other test uses: every port on it is free.
HOST = f"127.77.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250 + 1}"


def environ(home: Path, **settings: object) -> dict[str, str]:
    """Return a clean environment with `home` for everything that is written."""
    given = {name: str(value) for name, value in settings.items()}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "AWF_DATA_DIR": str(home / "data")} | given


def free_ports() -> dict[str, int]:
    """Return the port settings with ports that are free on `HOST`."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server((HOST, 0))) for _ in PORTS]
        return {
            f"{PREFIX}{name.upper()}": each.getsockname()[1]
            for name, each in zip(PORTS, sockets, strict=True)
        }


def awf(
    home: Path, *arguments: str, cwd: Path | None = None, python: tuple[str, ...] = (), **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, at most a minute."""
    return subprocess.run(
        [sys.executable, *python, "-m", "awf", *arguments],
        cwd=cwd or home, env=environ(home, **settings), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
