"""Check a playbook file, show the plays that hold, or explain what would be tried against a cause at a place. All work
without a running server.

`check` reads AWF_PLAYBOOK_FILE when no file is named. `explain` says of each candidate what the policy answers; whether
it is possible at all (a fallback agent exists, an engine is there) shows only with an incident.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from awf.cli._client import add_output, show
from awf.cli._places import add_place, place_of
from awf.errors import InvalidInput

if TYPE_CHECKING:
    from awf.remediation.playbook import PlaybookRules
    from awf.remediation.policy import RulePolicy
    from awf.remediation.spec import ActionSpec

HELP = "check the playbook, or explain what it would try"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verb", nargs="?", choices=("show", "check", "explain"), default="show")
    parser.add_argument("what", nargs="?", default="", help="the file to check, or the cause to explain")
    add_place(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.watcher import action_specs, playbook_of, policy_of

    settings = load()
    if args.verb == "check" and args.what:
        settings = settings.model_copy(update={"playbook_file": Path(args.what)})
    specs = action_specs(settings)
    playbook = playbook_of(settings, specs)
    if args.verb == "explain":
        return _explain(args, playbook, policy_of(settings, specs), specs)
    source = str(settings.playbook_file or "the built-in plays")
    plays = [play.model_dump(mode="json", exclude_defaults=True) for play in playbook.plays]
    if args.verb == "check":
        return show(args, {"playbook": source, "plays": len(plays)}, [(f"{source}: {len(plays)} plays",)], "")
    rows = [
        (play.name, ", ".join(play.cause), _where(play), ", ".join(play.actions)) for play in playbook.plays
    ]
    return show(args, {"plays": plays}, rows, "")


def _where(play: Any) -> str:
    set_parts = play.target.model_dump(exclude_defaults=True)
    return ", ".join(f"{name}={glob}" for name, glob in set_parts.items()) or "anywhere"


def _explain(
    args: argparse.Namespace, playbook: PlaybookRules, policy: RulePolicy, specs: dict[str, ActionSpec]
) -> int:
    from awf.core.incidents import CauseClass, Hypothesis

    if args.what not in list(CauseClass):
        raise InvalidInput(f"there is no cause {args.what!r}", hint=f"Causes are {', '.join(CauseClass)}.")
    place = place_of(args)
    found = playbook.candidates(Hypothesis(CauseClass(args.what), place, 1.0, ""))
    rows: list[tuple[str, str, str]] = []
    for name in found.actions:
        decision = policy.decide(name, place, reversible=specs[name].is_reversible, severity="critical")
        rows.append((name, decision.verdict.value, decision.reason))
    if not args.json:
        print(f"{found.play}:")
    answer = {
        "play": found.play,
        "candidates": [dict(zip(("action", "verdict", "reason"), row, strict=True)) for row in rows],
    }
    return show(args, answer, rows, "nothing is tried; people are told")
