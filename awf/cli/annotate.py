"""Mark a moment in Grafana: a deployment, so that dashboards show what changed when something begins to fail."""

from __future__ import annotations

import argparse
import json

from awf.cli._client import add_output
from awf.errors import InvalidInput

HELP = "mark a deployment on the dashboards"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=["deployment"], help="what the mark is")
    parser.add_argument("text", help="what was deployed, for example 'billing-agent 1.4.2'")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="one more tag; may be repeated"
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    import asyncio

    from awf.settings import load
    from awf.wiring.marks import mark

    if not args.text.strip() or not all(tag.strip() for tag in args.tag):
        raise InvalidInput(
            "the text or a tag of the mark is empty",
            hint="Say what was deployed: awf annotate deployment 'billing-agent 1.4.2'. Is a variable not set?",
        )
    tags = ["awf", args.kind, *args.tag]
    number = asyncio.run(mark(load(), args.text, tags))
    if args.json:
        print(json.dumps({"id": number, "text": args.text, "tags": tags}))
    else:
        print(f"Marked in Grafana as annotation {number}.")
    return 0
