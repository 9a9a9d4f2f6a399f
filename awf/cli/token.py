"""List, create or revoke API tokens. A token is shown once, when it is made; only its hash is kept."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from awf.cli._client import add_output, call, show
from awf.errors import InvalidInput

HELP = "list, create or revoke API tokens"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("list", "create", "revoke"), default="list")
    parser.add_argument("name", nargs="?", help="who or what the token is for")
    parser.add_argument(
        "--role", choices=("viewer", "worker", "operator", "approver", "admin"), default="viewer"
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    if args.verb == "list":
        page = call("GET", "/api/v1/tokens")
        return show(args, page, [(item["name"], item["role"]) for item in page["items"]], "No tokens.")
    if not args.name:
        raise InvalidInput(
            f"`awf token {args.verb}` needs a name", hint="awf token create alice --role approver"
        )
    if args.verb == "create":
        answer = call("POST", "/api/v1/tokens", body={"name": args.name, "role": args.role})
        return show(args, answer, [(answer["token"],)], "")
    call("DELETE", f"/api/v1/tokens/{quote(args.name, safe='')}")
    return show(args, {"revoked": args.name}, [(f"The token of {args.name} is revoked.",)], "")
