"""List what waits for a person, show one question, approve or reject it."""

from __future__ import annotations

import argparse
import json
from urllib.parse import quote

from awf.cli._client import add_output, call, show
from awf.errors import InvalidInput

HELP = "list, show, approve or reject what the watcher asks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("list", "show", "approve", "reject"), default="list")
    parser.add_argument("approval", nargs="?", help="id of the approval")
    parser.add_argument("--reason", default="", help="why; required to reject")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    if args.verb == "list":
        page = call("GET", "/approvals/pending")
        rows = [
            (item["id"], item["action"]["name"], item["summary"], item["expires_at"])
            for item in page["items"]
        ]
        return show(args, page, rows, "Nothing waits for a decision.")
    if not args.approval:
        raise InvalidInput(
            f"`awf approvals {args.verb}` needs the id of an approval", hint="awf approvals list"
        )
    path = f"/approvals/{quote(args.approval, safe='')}"
    if args.verb == "show":
        answer = call("GET", path)
    else:
        answer = call("POST", f"{path}/{args.verb}", body={"reason": args.reason} if args.reason else {})
    fields = [(key, value if isinstance(value, str) else json.dumps(value)) for key, value in answer.items()]
    return show(args, answer, fields, "")
