"""Check a policy file, or ask what the policy says to an action at a place. Both work without a running server.

`check` reads AWF_POLICY_FILE when no file is named; `explain` answers as the watcher would, from the same file.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from awf.cli._client import add_output, show
from awf.cli._places import add_place, place_of
from awf.core.incidents import SEVERITIES
from awf.errors import InvalidInput

HELP = "check the policy, or explain what it says to an action"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", choices=("check", "explain"))
    parser.add_argument("what", nargs="?", default="", help="the file to check, or the action to explain")
    add_place(parser)
    parser.add_argument(
        "--severity", choices=(*SEVERITIES, "none"), default="critical", help="of the incident"
    )
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.watcher import action_specs, policy_of

    settings = load()
    if args.verb == "check" and args.what:
        settings = settings.model_copy(update={"policy_file": Path(args.what)})
    specs = action_specs(settings)
    policy = policy_of(settings, specs)
    if args.verb == "check":
        source = str(settings.policy_file or "the built-in table")
        answer = {"policy": source, "rules": len(policy.rules), "hash": policy.hash}
        return show(args, answer, [(f"{source}: {len(policy.rules)} rules, hash {policy.hash[:12]}",)], "")
    if args.what not in specs:
        raise InvalidInput(
            f"there is no action {args.what!r}", hint=f"Actions are {', '.join(sorted(specs))}."
        )
    decision = policy.decide(
        args.what, place_of(args), reversible=specs[args.what].is_reversible, severity=args.severity
    )
    return show(args, asdict(decision), list(asdict(decision).items()), "")
