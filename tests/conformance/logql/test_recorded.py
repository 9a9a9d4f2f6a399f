"""Our LogQL gives what a real Loki gave: the answers in recorded.yaml, about the same lines at another time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ._compare import compare
from ._recorded import Case, load
from ._sides import Ours, ours

BASE_NS = 1_800_000_000_000_000_000 // 3_600_000_000_000 * 3_600_000_000_000
CASES = list(load(Path(__file__).with_name("recorded.yaml")))


@pytest.fixture(scope="module")
def own() -> Iterator[Ours]:
    with ours(BASE_NS) as side:
        yield side


@pytest.mark.parametrize("case", CASES, ids=[str(index) for index in range(len(CASES))])
def test_answer(own: Ours, case: Case) -> None:
    found = own.ask(case.query, instant_s=case.instant_s, categorize=case.query.startswith("{"))
    text = compare(case.query, case.answer, found)
    assert not text, f"{case.query}\n{text}"


def test_enough_is_recorded() -> None:
    assert len(CASES) >= 300
    assert {next(iter(case.answer)) for case in CASES} >= {"streams", "vector", "matrix", "error"}
