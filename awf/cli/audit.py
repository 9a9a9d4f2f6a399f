"""Show the audit log, or verify that no entry of its hash chain was changed or removed."""

from __future__ import annotations

import argparse

from awf.cli._client import add_output, call, show

HELP = "show or verify the audit log"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("show", "verify"), default="show")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    if args.verb == "verify":
        answer = call("GET", "/audit/verify")
        return show(args, answer, [(f"{answer['entries']} entries, the chain is whole.",)], "")
    page = call("GET", "/audit")
    rows = [
        (item["seq"], item["at"], item["actor"], item["event"], item["subject"]) for item in page["items"]
    ]
    return show(args, page, rows, "The audit log is empty.")
