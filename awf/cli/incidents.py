"""List incidents, show one with its hypotheses and timeline, or write it as a postmortem in Markdown.

awf incidents                        list them
awf incidents ID                     show one
awf incidents report ID > inc.md     what happened, why, what was done, and room for what people learn
"""

from __future__ import annotations

import argparse
import sys
from typing import Any
from urllib.parse import quote

from awf.cli._client import add_output, call, call_for_text, show
from awf.core.escape import printable
from awf.errors import InvalidInput

HELP = "list incidents, show one, or write its report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "incident", nargs="*", metavar="[report] ID", help="the incident to show or to report"
    )
    parser.add_argument("--status", help="only incidents of this status")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    match args.incident:
        case []:
            return _list(args)
        case [incident]:
            return _show_one(args, call("GET", f"/incidents/{quote(incident, safe='')}"))
        case ["report", incident]:
            sys.stdout.write(call_for_text(f"/incidents/{quote(incident, safe='')}/report"))
            return 0
    raise InvalidInput(f"awf incidents {' '.join(args.incident)}: expected nothing, ID, or report ID")


def _list(args: argparse.Namespace) -> int:
    path = "/incidents" + (f"?status={quote(args.status)}" if args.status else "")
    page = call("GET", path)
    rows = [(item["opened_at"], item["id"], item["status"], item["title"]) for item in page["items"]]
    return show(args, page, rows, "No incidents. One appears when an alert reaches the watcher.")


def _show_one(args: argparse.Namespace, incident: dict[str, Any]) -> int:
    rows: list[tuple[object, ...]] = [
        (entry["at"], entry["kind"], entry["text"]) for entry in incident["timeline"]
    ]
    if not args.json:
        print(printable(f"{incident['id']}  {incident['status']}  {incident['title']}"))
        for hypothesis in incident["hypotheses"][:3]:
            print(printable(f"  {hypothesis['score']:.2f}  {hypothesis['summary']}"))
    return show(args, incident, rows, "Nothing happened yet.")
