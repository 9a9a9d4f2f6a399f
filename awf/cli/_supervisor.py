"""Start the product's processes in order, relay what they tell people, and stop them all.

Each child has standard input connected to us: when we are gone, however that happened, it reads the end
of that and stops. Its log goes to a file of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from awf.cli._run import PARENT_FLAG
from awf.errors import AwfError, Unavailable

STOP_TIMEOUT_S = 4.5


@dataclass(slots=True)
class Child:
    """One process of the product and where its log is."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    relay: asyncio.Task[None]


@dataclass(slots=True)
class Supervisor:
    """Runs `python -m awf NAME` children. `tell` receives each line a child prints for people."""

    log_dir: Path
    environ: Mapping[str, str]
    tell: Callable[[str], None]
    children: list[Child] = field(default_factory=list)

    async def start(self, name: str, arguments: Sequence[str] = ()) -> Child:
        """Start one child; what it writes to standard error goes to `log_dir/NAME.log`."""
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log_dir / f"{name}.log"
        with log.open("ab") as stream:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "awf", name, PARENT_FLAG, *arguments,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=stream,
                env={**os.environ, **self.environ},
                # Ctrl-C goes to us alone; we stop the children in order.
                start_new_session=True,
            )  # fmt: skip
        child = Child(name, process, log, asyncio.create_task(self._relay(process)))
        self.children.append(child)
        return child

    async def wait_ready(self, child: Child, url: str, timeout_s: float) -> None:
        """Wait until `url` answers 200. Raises Unavailable with the end of the child's log."""
        import httpx

        deadline = asyncio.get_running_loop().time() + timeout_s
        async with httpx.AsyncClient(timeout=2.0) as http:
            while asyncio.get_running_loop().time() < deadline:
                if child.process.returncode is not None:
                    raise self._died(child)
                try:
                    if (await http.get(url)).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)
        raise Unavailable(
            f"{child.name} was not ready at {url} after {timeout_s:.0f} s", hint=f"Its log is {child.log}."
        )

    async def first_death(self) -> AwfError:
        """Wait until any child ends and return why."""
        waits = {asyncio.create_task(child.process.wait()): child for child in self.children}
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return self._died(waits[done.pop()])

    async def stop(self) -> None:
        """Stop all children, the newest first, and kill those that have not gone in time."""
        for child in reversed(self.children):
            if child.process.returncode is None:
                child.process.send_signal(signal.SIGTERM)
        waits = [asyncio.create_task(child.process.wait()) for child in self.children]
        if waits:
            await asyncio.wait(waits, timeout=STOP_TIMEOUT_S)
        for child in self.children:
            if child.process.returncode is None:
                child.process.kill()
                await child.process.wait()
            child.relay.cancel()

    async def _relay(self, process: asyncio.subprocess.Process) -> None:
        while process.stdout and (line := await process.stdout.readline()):
            self.tell(line.decode(errors="replace").rstrip())

    def _died(self, child: Child) -> AwfError:
        code = child.process.returncode
        lines = child.log.read_text(errors="replace").splitlines()
        said = next((line for line in reversed(lines) if line.startswith("awf: ")), "").removeprefix("awf: ")
        error = Unavailable(
            said or f"{child.name} stopped with exit code {code}", hint=f"Its log is {child.log}."
        )
        if code is not None and 0 < code < 128:
            error.exit_code = code
        return error
