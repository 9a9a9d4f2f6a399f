"""Show what would be masked in telemetry, or what a mask of this machine stands for.

`check` reads standard input when no text is given, and exits 1 when it masked something. `reveal` takes tokens
or whole masks, as they are in telemetry; it needs AWF_REDACT_REVERSIBLE to have been on when they were masked.
"""

from __future__ import annotations

import argparse
import json
import sys

HELP = "show what is masked in telemetry, or reveal a mask"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    check = verbs.add_parser("check", help="show a text as it would leave the process")
    check.add_argument("words", nargs="*", metavar="TEXT", help="the text (default: standard input)")
    reveal = verbs.add_parser("reveal", help="show what masks of this machine stand for")
    reveal.add_argument("words", nargs="+", metavar="TOKEN", help="3fa9c1d20b7e or [email:3fa9c1d20b7e]")
    for verb in (check, reveal):
        verb.add_argument("--json", action="store_true", help="print JSON for a machine to read")


def run(args: argparse.Namespace) -> int:
    return _check(args) if args.verb == "check" else _reveal(args)


def _check(args: argparse.Namespace) -> int:
    from awf.core.counters import Counters
    from awf.core.redact import Redactor
    from awf.settings import load
    from awf.wiring.redaction import redact_rules

    # Without tokens, whatever the settings say: trying it out keeps nothing.
    rules, counters = redact_rules(load()), Counters()
    redactor = Redactor(rules.patterns, secret_names=rules.secret_names, counters=counters)
    text = " ".join(args.words) if args.words else sys.stdin.buffer.read().decode("utf-8", "replace")
    masked = redactor.text(text)
    kinds = {labels["kind"]: int(count) for _, labels, count in counters.snapshot()}
    if args.json:
        print(json.dumps({"text": masked, "masked": kinds}))
    else:
        print(masked.removesuffix("\n"))
        said = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        print(f"masked: {said}" if kinds else "nothing to mask", file=sys.stderr)
    return 1 if kinds else 0


def _reveal(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.redaction import secret_token_store

    store = secret_token_store(load())
    found = {token: store.reveal(token) for token in args.words}
    if args.json:
        print(json.dumps(found))
    else:
        for token, secret in found.items():
            print(f"{token}  {secret}" if len(found) > 1 else secret)
    return 0
