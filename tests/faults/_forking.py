"""A program that forks while it records: `python _forking.py ENDPOINT PROTOCOL SPOOL COUNT FORKS ACCEPTED`."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

from awf.orchestration.otel_exporter import OTelExporter
from tests.unit.orchestration.telemetry._events import completed

ENDPOINT, PROTOCOL, SPOOL, COUNT, FORKS, ACCEPTED = sys.argv[1:]


def record(exporter: OTelExporter, prefix: str) -> None:
    """Record many events, and write down what was accepted."""
    with Path(f"{ACCEPTED}.{prefix}").open("w") as file:
        for number in range(int(COUNT)):
            for event in completed(f"{prefix}{number}", steps=1):
                if exporter.record(event):
                    file.write(
                        f"{event.execution_id} {event.type.value} {event.step_id or '-'} {event.attempt} 0\n"
                    )
            time.sleep(0.001)


async def end(exporter: OTelExporter) -> int:
    is_all_sent = await exporter.flush(30)
    await exporter.shutdown()
    return 0 if is_all_sent else 3


def main() -> int:
    exporter = OTelExporter(ENDPOINT, protocol=PROTOCOL, service_name="engine", spool=SPOOL or None)
    # Another thread records all the time: forks find locks taken and requests under way.
    busy = threading.Thread(target=record, args=(exporter, "busy"))
    busy.start()
    children = []
    for number in range(int(FORKS)):
        time.sleep(0.15)
        if (child := os.fork()) == 0:
            code = 4
            try:
                record(exporter, f"child{number}x")
                code = asyncio.run(end(exporter))
            finally:
                os._exit(code)
        children.append(child)
    record(exporter, "parent")
    busy.join()
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    code = asyncio.run(end(exporter))
    print(codes, code)
    return max(code, *codes)


if __name__ == "__main__":
    sys.exit(main())
