"""A service that is told to end ends, whatever hangs."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys, time
from awf.cli._run import run_service

async def quick():
    print("stopped", flush=True)

async def hangs():
    while True:  # as a driver does that waits for its server while it is cancelled
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def busy_thread():
    asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)

async def start():
    print("started", flush=True)
    return {"quick": quick, "hangs": hangs, "busy thread": busy_thread}[sys.argv[1]]

sys.exit(run_service(start))
"""


@pytest.mark.parametrize(("kind", "code"), [("quick", 0), ("hangs", 1), ("busy thread", 1)])
def test_a_signal_ends_the_service_though_its_stop_or_a_thread_hangs(kind: str, code: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, kind], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == code
    finally:
        process.kill()
        process.communicate()
