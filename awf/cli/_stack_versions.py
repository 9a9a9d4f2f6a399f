"""`awf stack versions` and `awf stack upgrade-check`: gather what is pinned and what runs, and print it."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping

from awf.cli._client import show
from awf.errors import InvalidInput
from awf.stack.pins import Pin, read_pins
from awf.stack.programs import Running
from awf.stack.upgrades import Advice, advise, load_facts
from awf.stack.version import numbers


def versions(args: argparse.Namespace, at: Mapping[str, str]) -> int:
    """Print one line a program. Returns 0: a program that does not answer is a fact, not a failure."""
    pins = read_pins(args.file)
    pinned, running = _pinned(pins), _running(at)
    items = [
        {
            "program": name,
            "pinned": pinned.get(name, ""),
            "digest": pins[name].digest if name in pins else "",
            "running": running.get(name, Running()).version,
            "trouble": running.get(name, Running()).trouble,
        }
        for name in dict.fromkeys([*pinned, *running])
    ]
    rows = [(_row(item)) for item in items]
    return show(args, {"items": items}, [("PROGRAM", "PINNED", "RUNNING", ""), *rows], "")


def upgrade_check(args: argparse.Namespace, at: Mapping[str, str], told: Mapping[str, str]) -> int:
    """Print what to know before the pinned versions are started. Returns 1 when something comes first."""
    facts = load_facts()
    _check(told, known=list(facts))
    answers = _running(at)
    running = {name: answer.version for name, answer in answers.items()} | dict(told)
    found = advise(facts, running, _pinned(read_pins(args.file)))
    unknown = sorted(name for name in facts if not running.get(name))
    if args.json:
        print(json.dumps({"items": [advice.as_dict() for advice in found], "unknown": unknown}, indent=2))
    else:
        _print(found, unknown)
    return 1 if any(advice.first for advice in found) else 0


def _check(told: Mapping[str, str], *, known: list[str]) -> None:
    """Raise InvalidInput for what would be passed over: a typing error must not look like "nothing to do"."""
    for program, version in told.items():
        if program not in known:
            raise InvalidInput(
                f"--running {program}={version} names no program that is known",
                hint=f"Programs: {', '.join(sorted(known))}.",
            )
        if numbers(version) is None:
            raise InvalidInput(
                f"--running {program}={version} has no version number", hint=f"For example {program}=3.1.0."
            )


def _print(found: list[Advice], unknown: list[str]) -> None:
    for advice in found:
        way = f"{advice.running or '?'} -> {advice.wanted}"
        print(f"{'FIRST' if advice.first else 'note '}  {advice.program} {way}: {advice.what}")
        print(f"       {advice.do}")
    if unknown:
        print(
            f"Not known which version runs of {', '.join(unknown)}: only what is pinned was checked. "
            "Name one with --running PROGRAM=VERSION, or an address with --at PROGRAM=URL."
        )
    if not any(advice.first for advice in found):
        print("Nothing has to be done first.")


def _row(item: Mapping[str, str]) -> tuple[str, str, str, str]:
    pinned, running = numbers(item["pinned"]), numbers(item["running"])
    note = item["trouble"]
    if pinned and running:
        note = "" if pinned == running else "differs"
    return item["program"], item["pinned"] or "-", item["running"] or "?", note


def _pinned(pins: Mapping[str, Pin]) -> dict[str, str]:
    from awf.agents._mcp_tools import PINNED_VERSION

    # What awf is built on does not run by itself; mcp-grafana comes with awf, from its lock file.
    pinned = {name: pin.tag for name, pin in pins.items() if name != "python"}
    return pinned | {"mcp-grafana": PINNED_VERSION}


def _running(at: Mapping[str, str]) -> dict[str, Running]:
    from awf.settings import load
    from awf.wiring.stack_versions import running_versions

    return asyncio.run(running_versions(load(), at))
