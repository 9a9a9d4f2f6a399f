"""Our LogQL gives what a real Loki gives for the same lines. Skips unless AWF_TEST_LOKI_BIN names one.

With AWF_TEST_RECORD=1 the answers to some of the queries become `recorded.yaml`, which CI checks without Loki.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.native._programs import require

from ._compare import compare
from ._data import SECOND
from ._queries import REFUSED_HERE, generated, written
from ._recorded import record
from ._sides import Loki, Ours, loki, ours

INSTANT_S = 1_500
GENERATED = 1_000
SEED = 3


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Loki, Ours]]:
    """Both with the same half hour of lines, which began two hours ago."""
    require("loki")
    base_ns = (int(time.time()) - 7_200) // 3_600 * 3_600 * SECOND
    with loki(base_ns, tmp_path_factory.mktemp("loki")) as real, ours(base_ns) as own:
        yield real, own


def _differences(sides: tuple[Loki, Ours], queries: Iterator[str]) -> tuple[list[str], int]:
    real, own = sides
    found: list[str] = []
    asked = 0
    for query in queries:
        is_metric = not query.startswith("{")
        for instant_s in (None, INSTANT_S) if is_metric else (None,):
            expected = real.ask(query, instant_s=instant_s, categorize=not is_metric)
            answer = own.ask(query, instant_s=instant_s, categorize=not is_metric)
            asked += 1
            if text := compare(query, expected, answer):
                found.append(f"{query} [{'range' if instant_s is None else 'instant'}]{text}")
    return found, asked


def test_written_queries(sides: tuple[Loki, Ours]) -> None:
    found, _ = _differences(sides, written())
    assert not found, "\n".join(found)


def test_what_is_refused_only_here_has_no_answer_there(sides: tuple[Loki, Ours]) -> None:
    for query in REFUSED_HERE:
        assert not any(sides[0].ask(query).get(kind) for kind in ("streams", "matrix")), query
        assert sides[1].ask(query) == {"error": True}, query


def test_generated_queries(sides: tuple[Loki, Ours]) -> None:
    found, asked = _differences(sides, generated(GENERATED, SEED))
    print(f"{asked} answers compared, {len(found)} differ")
    assert not found, "\n".join(found[:20])
    assert asked >= GENERATED


def test_recording(sides: tuple[Loki, Ours]) -> None:
    if not os.environ.get("AWF_TEST_RECORD"):
        pytest.skip("records only with AWF_TEST_RECORD=1")
    record(sides[0], Path(__file__).with_name("recorded.yaml"), INSTANT_S)
