"""Runs a program of the operator's within bounds: a folder, an environment, time, memory, output and network of its own.

It bounds accidents. A program that means harm runs as this user and can read what this user can (docs/threat-model.md).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from subprocess import PIPE, run
from typing import Final

from awf.remediation import _launcher

LAUNCHER: Final = str(Path(_launcher.__file__))
FILE_BYTES: Final = 64 * 1024 * 1024
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a program may use. `may_stay_open`: it runs even where its network cannot be closed."""

    timeout_s: float
    memory_bytes: int
    output_bytes: int
    network: bool
    may_stay_open: bool
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code, None when it was stopped, and then `why`."""

    code: int | None
    output: str
    errors: str
    why: str = ""


class _TooMuch(Exception):
    pass


@cache
def can_close_network() -> bool:
    """Whether this machine lets us put a program where there is no network. Asked once: it starts a program."""
    task = _task("/bin/true", Bounds(5, 2**30, 1, network=False, may_stay_open=False, environment={}))
    try:
        done = run(_command(task), env={"PATH": PATH}, capture_output=True, timeout=10, check=False)  # noqa: S603
    except (OSError, TimeoutError):
        return False
    return done.returncode == 0


async def run_confined(program: Path, given: bytes, bounds: Bounds) -> Ended:
    """Run a program with `given` on its standard input, and return how it ended. Nothing of it is left running."""
    with tempfile.TemporaryDirectory(prefix="awf-action-", ignore_cleanup_errors=True) as folder:
        environment = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder}
        process = await asyncio.create_subprocess_exec(
            *_command(_task(str(program), bounds)),
            cwd=folder, env={**bounds.environment, **environment},
            stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True,
        )  # fmt: skip
        output, errors = bytearray(), bytearray()
        try:
            async with asyncio.timeout(bounds.timeout_s):
                await asyncio.gather(
                    _feed(process.stdin, given),
                    _drain(process.stdout, output, bounds.output_bytes),
                    _drain(process.stderr, errors, bounds.output_bytes),
                )
                code, why = await process.wait(), ""
        except TimeoutError:
            code, why = None, f"it was stopped after {bounds.timeout_s:g} s"
        except _TooMuch:
            code, why = None, f"it was stopped: it wrote more than {bounds.output_bytes} bytes"
        finally:
            await _end(process)
    return Ended(code, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"), why)


def _task(program: str, bounds: Bounds) -> str:
    return json.dumps(
        {
            "program": program,
            "network": bounds.network,
            "may_stay_open": bounds.may_stay_open,
            "memory_bytes": bounds.memory_bytes,
            "cpu_s": ceil(bounds.timeout_s) + 1,
            "file_bytes": FILE_BYTES,
        }
    )


def _command(task: str) -> list[str]:
    return [sys.executable, "-I", "-S", LAUNCHER, task]


async def _feed(stream: asyncio.StreamWriter | None, given: bytes) -> None:
    if stream is None:
        return
    try:
        stream.write(given)
        await stream.drain()
        stream.close()
    except (BrokenPipeError, ConnectionResetError):  # it does not read what it is given
        return


async def _drain(stream: asyncio.StreamReader | None, kept: bytearray, limit: int) -> None:
    while stream is not None and (chunk := await stream.read(65_536)):
        kept += chunk
        if len(kept) > limit:
            del kept[limit:]
            raise _TooMuch


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the program's process group, and wait for its first process."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
