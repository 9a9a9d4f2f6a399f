"""List executions, show one, or start one of a workflow that a running engine serves."""

from __future__ import annotations

import argparse
import json
from urllib.parse import quote

from awf.cli._client import add_output, call, show
from awf.errors import InvalidInput

HELP = "list, show or start executions"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("execution", nargs="?", help="id of the execution to show")
    parser.add_argument("--start", metavar="WORKFLOW", help="start an execution of this workflow")
    parser.add_argument("--input", default="{}", help="its input, a JSON object (default: {})")
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    if args.start:
        answer = call(
            "POST", f"/workflows/{quote(args.start, safe='')}/executions", body={"input": _input(args)}
        )
        return show(args, answer, [(answer["id"], answer["status"])], "")
    if args.execution:
        record = call("GET", f"/executions/{quote(args.execution, safe='')}")
        return show(args, record, [(key, record[key]) for key in sorted(record)], "")
    page = call("GET", "/executions")
    rows = [(item["id"], item["workflow_id"], item["status"], item["started_at"]) for item in page["items"]]
    return show(args, page, rows, "No executions. Start one with --start WORKFLOW, or run `awf demo`.")


def _input(args: argparse.Namespace) -> dict[str, object]:
    try:
        value = json.loads(args.input)
    except ValueError as error:
        raise InvalidInput(
            f"--input is not JSON: {error}", hint='Write it as \'{"topic": "rain"}\'.'
        ) from error
    if not isinstance(value, dict):
        raise InvalidInput(f"--input is a {type(value).__name__}, expected a JSON object")
    return value
