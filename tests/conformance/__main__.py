"""`make conformance DIR=path`: run every *.test file of a directory against the embedded PromQL engine.

Exit codes: 0 every case passed or is not answered, 1 something failed, 2 there is nothing to run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.runner import FileReport, Outcome, run_file

OWN_CASES = Path(__file__).parent / "promql"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the files and print the outcome."""
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument(
        "directory", nargs="?", type=Path, default=OWN_CASES, help="where the *.test files are"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--all", action="store_true", help="print every failed case, not the first of each file"
    )
    options = parser.parse_args(arguments)
    paths = sorted(options.directory.glob("*.test")) if options.directory.is_dir() else []
    if not paths:
        print(f"{options.directory} has no *.test files", file=sys.stderr)
        return 2
    reports = [run_file(path) for path in paths]
    print(_as_json(reports) if options.json else _as_table(reports, every=options.all))
    return 0 if all(report.is_good for report in reports) else 1


def _as_table(reports: Sequence[FileReport], *, every: bool) -> str:
    width = max(len("total"), *(len(report.path.name) for report in reports))
    lines = [f"{'file':{width}}  passed  failed  not answered"]
    for report in reports:
        lines.append(f"{report.path.name:{width}}{_counts([report])}")
        if report.unreadable:
            lines.append(f"    cannot be read: {report.unreadable}")
        failed = [case for case in report.cases if case.outcome is Outcome.FAILED]
        lines += [
            f"    line {case.line}: {case.query}\n        {case.why}"
            for case in failed[: None if every else 1]
        ]
    lines.append(f"{'total':{width}}{_counts(reports)}")
    lines += [f"{count:6} not answered: {why}" for why, count in _reasons(reports)]
    return "\n".join(lines)


def _counts(reports: Sequence[FileReport]) -> str:
    passed, failed, unanswered = (sum(report.count(outcome) for report in reports) for outcome in Outcome)
    return f"{passed:8}{failed + sum(bool(report.unreadable) for report in reports):8}{unanswered:14}"


def _reasons(reports: Sequence[FileReport]) -> list[tuple[str, int]]:
    cases = (case for report in reports for case in report.cases)
    return Counter(case.why for case in cases if case.outcome is Outcome.NOT_ANSWERED).most_common()


def _as_json(reports: Sequence[FileReport]) -> str:
    return json.dumps(
        {
            "files": [
                {
                    "path": str(report.path),
                    **{outcome.value.replace(" ", "_"): report.count(outcome) for outcome in Outcome},
                    "unreadable": report.unreadable or None,
                    "failures": [
                        {"line": case.line, "query": case.query, "why": case.why}
                        for case in report.cases
                        if case.outcome is Outcome.FAILED
                    ],
                }
                for report in reports
            ],
            **{
                outcome.value.replace(" ", "_"): sum(report.count(outcome) for report in reports)
                for outcome in Outcome
            },
            "unreadable": sum(bool(report.unreadable) for report in reports),
            "reasons": dict(_reasons(reports)),
        },
        indent=2,
    )


if __name__ == "__main__":
    raise SystemExit(main())
