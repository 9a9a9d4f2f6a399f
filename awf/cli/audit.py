"""Show the audit log, export all of it as JSON Lines, or verify that no entry of its hash chain was changed or removed.

`verify FILE` checks what `export` wrote, without a server: keep exports where those who run AWF cannot write.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from awf.cli._client import add_output, call, show
from awf.errors import InvalidInput

HELP = "show, export or verify the audit log"
PAGE = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("show", "export", "verify"), default="show")
    parser.add_argument("file", nargs="?", type=Path, help="where to export to, or an export to verify")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    if args.verb == "export":
        return _export(args)
    if args.verb == "verify":
        answer = call("GET", "/audit/verify") if args.file is None else _verify(args.file)
        return show(args, answer, [(f"{answer['entries']} entries, the chain is whole.",)], "")
    page = call("GET", "/audit")
    rows = [
        (item["seq"], item["at"], item["actor"], item["event"], item["subject"]) for item in page["items"]
    ]
    return show(args, page, rows, "The audit log is empty.")


def _export(args: argparse.Namespace) -> int:
    """Write oldest first, as the chain runs; the server lists newest first."""
    lines = [json.dumps(entry, ensure_ascii=False) for entry in _entries()]
    text = "".join(f"{line}\n" for line in reversed(lines))
    if args.file is None:
        sys.stdout.write(text)
        return 0
    try:
        with args.file.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidInput(
            f"{args.file} cannot be written: {error.strerror}", hint="Name a new file."
        ) from error
    return show(args, {"file": str(args.file), "entries": len(lines)}, [(f"{len(lines)} entries",)], "")


def _entries() -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = call("GET", f"/audit?limit={PAGE}" + (f"&cursor={quote(cursor)}" if cursor else ""))
        yield from page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return


def _verify(path: Path) -> dict[str, Any]:
    from awf.core.audit_chain import Chain

    chain = Chain()
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    chain.follow(json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidInput(f"{path}: line {number} is no audit entry: {error}") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    return {"status": "intact", "entries": chain.length}
