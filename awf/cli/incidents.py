"""List incidents, or show one with its hypotheses and timeline."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote

from awf.cli._client import add_output, call, show

HELP = "list incidents or show one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("incident", nargs="?", help="id of the incident to show")
    parser.add_argument("--status", help="only incidents of this status")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    if args.incident:
        return _show_one(args, call("GET", f"/incidents/{quote(args.incident, safe='')}"))
    path = "/incidents" + (f"?status={quote(args.status)}" if args.status else "")
    page = call("GET", path)
    rows = [(item["opened_at"], item["id"], item["status"], item["title"]) for item in page["items"]]
    return show(args, page, rows, "No incidents. One appears when an alert reaches the watcher.")


def _show_one(args: argparse.Namespace, incident: dict[str, Any]) -> int:
    rows: list[tuple[object, ...]] = [
        (entry["at"], entry["kind"], entry["text"]) for entry in incident["timeline"]
    ]
    if not args.json:
        print(f"{incident['id']}  {incident['status']}  {incident['title']}")
        for hypothesis in incident["hypotheses"][:3]:
            print(f"  {hypothesis['score']:.2f}  {hypothesis['summary']}")
    return show(args, incident, rows, "Nothing happened yet.")
