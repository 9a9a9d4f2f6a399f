"""The embedded PromQL engine answers our own cases in Prometheus' test language, one file a topic."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.__main__ import OWN_CASES
from tests.conformance.runner import Outcome, run_file


@pytest.mark.parametrize("path", sorted(OWN_CASES.glob("*.test")), ids=lambda path: path.stem)
def test_every_case_passes(path: Path) -> None:
    report = run_file(path)
    assert not report.unreadable
    assert report.cases
    assert [case for case in report.cases if case.outcome is not Outcome.PASSED] == []
