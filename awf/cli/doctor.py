"""Find out where telemetry ends: settings, service, Grafana, datasources, one synthetic workflow read back from all
three stores, every panel's query, rules, the contact point, clocks and versions; each with what to do.

exit codes of this command:
  0  nothing failed (with --strict: nothing to warn of either)
  1  something failed; the first FAIL is the one to mend first
  2  a wrong setting or argument
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from awf.cli._progress import progress

if TYPE_CHECKING:
    from awf.wiring.doctor import Finding, Report

HELP = "find out where telemetry ends, and what to do"
AREAS = (
    "settings", "service", "grafana", "datasources", "telemetry", "dashboards", "rules", "notifications",
    "clocks", "versions",
)  # fmt: skip
_MARKS = {"ok": "ok", "warn": "WARN", "fail": "FAIL", "skip": "skip"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for a machine to read")
    parser.add_argument("--verbose", "-v", action="store_true", help="show the particulars of every check")
    parser.add_argument(
        "--only", action="append", choices=AREAS, default=[], metavar="AREA",
        help=f"look at this area and what it needs; may be repeated ({', '.join(AREAS)})",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=_seconds, default=60.0, metavar="SECONDS",
        help="how long the synthetic workflow may take to appear (default: 60)",
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings, too")


def run(args: argparse.Namespace) -> int:
    from awf.settings import load
    from awf.wiring.doctor import Status, examine

    tell, clear = progress(quiet=args.json)
    try:
        report = asyncio.run(examine(load(), only=args.only, timeout_s=args.timeout, tell=tell))
    finally:
        clear()
    if args.json:
        print(json.dumps(report.as_dict()))
    else:
        _print(report, verbose=args.verbose)
    bad = {Status.FAIL, Status.WARN} if args.strict else {Status.FAIL}
    return 1 if report.status in bad else 0


def _print(report: Report, *, verbose: bool) -> None:
    area = ""
    for finding in report.findings:
        if finding.area != area:
            area = finding.area
            print(area)
        _line(finding, verbose=verbose)
    counts = report.counts
    parts = [f"{counts['ok']} ok"]
    for status, one, many in (
        ("warn", "warning", "warnings"),
        ("fail", "failure", "failures"),
        ("skip", "skipped", "skipped"),
    ):
        if counts[status]:
            parts.append(f"{counts[status]} {one if counts[status] == 1 else many}")
    print(f"{', '.join(parts)} in {report.took_s:.1f} s")


def _line(finding: Finding, *, verbose: bool) -> None:
    _wrapped(f"  {_MARKS[finding.status]:<5} {finding.what:<34} ", finding.detail)
    if finding.hint:
        _wrapped(" " * 8 + "-> ", finding.hint)
    if verbose:
        for item in finding.items:
            _wrapped(" " * 11, item)


def _wrapped(lead: str, text: str) -> None:
    """Print a text after its lead: in the width of a terminal, as one line anywhere else (for grep)."""
    if not sys.stdout.isatty():
        print(f"{lead}{text}")
        return
    width = max(shutil.get_terminal_size().columns, 72)
    indent = " " * (len(lead) if len(lead) < width // 2 else 11)
    print(
        textwrap.fill(
            text,
            width,
            initial_indent=lead,
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,
        )
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return value
