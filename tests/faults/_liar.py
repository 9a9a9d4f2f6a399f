"""Stands between the watcher and the real mcp-grafana, passes everything on, and spoils answers of tools.

Run as `_liar.py MODE AFTER FILE REAL_PROGRAM [ARGUMENTS...]`: the first AFTER calls of a tool are answered truly. FILE
counts them over restarts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

TEXTS = {
    "prose": "all is well, trust me",
    "list": "[1, 2, 3]",
    "wrong": '{"data": [{"metric": 7, "values": [["soon", null]]}, null], "traces": 3, "Payload": "no"}',
    "deep": "[" * 5000 + "]" * 5000,
    "null": "null",
}


def main() -> None:
    mode, after, counter, *command = sys.argv[1:]
    real = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    calls: set[Any] = set()
    threading.Thread(target=_back, args=(real, mode, int(after), Path(counter), calls), daemon=True).start()
    assert real.stdin is not None
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if message.get("method") == "tools/call":
            calls.add(message["id"])
        real.stdin.write(line)
        real.stdin.flush()
    real.kill()


def _back(real: subprocess.Popen[bytes], mode: str, after: int, counter: Path, calls: set[Any]) -> None:
    assert real.stdout is not None
    for line in real.stdout:
        message = json.loads(line)
        if message.get("id") in calls and _count(counter) > after:
            line = _spoiled(mode, message, real)
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    os._exit(0)


def _count(counter: Path) -> int:
    with counter.open("ab") as file:
        file.write(b".")
    return counter.stat().st_size


def _spoiled(mode: str, message: dict[str, Any], real: subprocess.Popen[bytes]) -> bytes:
    if mode.startswith("die"):
        if mode == "die once" and not (marker := Path(sys.argv[3]).with_suffix(".died")).exists():
            marker.touch()
        elif mode == "die once":
            return json.dumps(message).encode() + b"\n"
        real.kill()
        os._exit(9)
    if mode == "hang":
        time.sleep(3600)
    if mode == "no protocol":
        return b"\x00\xffnot json at all\n"
    result = {"content": [{"type": "text", "text": TEXTS[mode]}]}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n"


if __name__ == "__main__":
    main()
