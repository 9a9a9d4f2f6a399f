"""Runs scripts against the embedded engine and tells, case by case, what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from awf.embedded.promql import Engine, Notes
from awf.embedded.promql.parser import selectors
from awf.errors import AwfError, UnsupportedQuery
from tests.conformance.samples import Samples
from tests.conformance.script import Clear, Eval, Load, ScriptError, read_script
from tests.conformance.verdict import difference, note_difference


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_ANSWERED = "not answered"


@dataclass(frozen=True, slots=True)
class Case:
    """One evaluation of a script; `why` says what differs, or what is not answered."""

    line: int
    query: str
    outcome: Outcome
    why: str = ""


@dataclass(slots=True)
class FileReport:
    path: Path
    cases: list[Case] = field(default_factory=list)
    unreadable: str = ""

    def count(self, outcome: Outcome) -> int:
        return sum(case.outcome is outcome for case in self.cases)

    @property
    def is_good(self) -> bool:
        return not self.unreadable and not self.count(Outcome.FAILED)


def run_file(path: Path) -> FileReport:
    """Run every case of a script."""
    report = FileReport(path)
    try:
        report.cases.extend(run_script(path.read_text(encoding="utf-8")))
    except (ScriptError, UnicodeDecodeError, OSError) as error:
        report.unreadable = str(error)
    return report


def run_script(text: str) -> Iterator[Case]:
    """Yield the outcome of each evaluation. Raises ScriptError before the first."""
    samples = Samples()
    for command in read_script(text):
        match command:
            case Clear():
                samples.clear()
            case Load():
                samples.load(command)
            case Eval():
                yield _judge(command, samples)


def _judge(wanted: Eval, samples: Samples) -> Case:
    if unkept := _unkept(wanted, samples):
        return Case(wanted.line, wanted.query, Outcome.NOT_ANSWERED, f"{unkept} are not kept by the store")
    try:
        why = _evaluate(wanted, samples)
    except UnsupportedQuery as error:
        return Case(wanted.line, wanted.query, Outcome.NOT_ANSWERED, error.message)
    return Case(wanted.line, wanted.query, Outcome.FAILED if why else Outcome.PASSED, why or "")


def _unkept(wanted: Eval, samples: Samples) -> str | None:
    """Say what the case needs and the store does not keep: in the series it reads, or in its result."""
    if any(series.is_native for series in wanted.series):
        return "native histograms"
    try:
        reads = selectors(wanted.query)
    except AwfError:
        return None
    return next((what for matchers in reads if (what := samples.unkept(matchers))), None)


def _evaluate(wanted: Eval, samples: Samples) -> str | None:
    engine = Engine(samples.reader(), delays_names=True)
    notes = Notes(wanted.query)
    failures = wanted.expects("fail")
    try:
        if wanted.is_range:
            result = engine.range(wanted.query, wanted.start_ms, wanted.end_ms, wanted.step_ms, notes)
        else:
            result = engine.instant(wanted.query, wanted.end_ms, notes)
    except UnsupportedQuery:
        raise
    except AwfError as error:
        if not failures:
            return f"it fails: {error.message}"
        unmet = [item for item in failures if not item.met_by(error.message)]
        return f"another failure is expected than {error.message!r}" if unmet else None
    if failures:
        return "a failure is expected"
    return (
        difference(wanted, result)
        or note_difference(wanted, "warn", notes.warnings())
        or note_difference(wanted, "info", notes.infos())
    )
