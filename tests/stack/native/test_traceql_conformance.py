"""The recorded answers to TraceQL are those of a real Tempo. With AWF_TEST_RECORD set they are written anew."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.native._programs import require
from tests.stack.native._tempo_answers import Tempo
from tests.unit.embedded.traceql import _conformance
from tests.unit.embedded.traceql._answers import difference, moved
from tests.unit.embedded.traceql._asking import comparable
from tests.unit.embedded.traceql._telemetry import SECOND, SPREAD_NS, export_request

MINUTE = 60 * SECOND


@pytest.fixture(scope="module")
def tempo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tempo, int]]:
    require("tempo")
    t0_ns = (time.time_ns() - SPREAD_NS - MINUTE) // MINUTE * MINUTE
    tempo = Tempo(tmp_path_factory.mktemp("tempo"))
    try:
        tempo.start().take(export_request(_conformance.SEED, t0_ns, _conformance.TRACES), t0_ns)
        yield tempo, t0_ns
    finally:
        tempo.stop()


@pytest.mark.parametrize("name", _conformance.KINDS)
def test_tempo_gives_the_answers_that_are_recorded(tempo: tuple[Tempo, int], name: str) -> None:
    server, t0_ns = tempo
    answers = {
        query: {kind: _answer(server, kind, query, t0_ns) for kind in _conformance.KINDS[name]}
        for query in _conformance.queries(name)
    }
    if os.environ.get("AWF_TEST_RECORD"):
        _conformance.write(name, answers)
        about = {"version": server.version, "on": time.strftime("%Y-%m-%d", time.gmtime())}
        (Path(_conformance.FOLDER) / "recorded.json").write_text(json.dumps(about) + "\n")
    assert difference(answers, _conformance.recorded(name)) == ""


def _answer(server: Tempo, kind: str, query: str, t0_ns: int) -> Any:
    """Return what was answered, its times counted from the beginning of the data, or the status of a refusal."""
    response = server.ask(kind, query, t0_ns)
    if response.status_code != 200:
        return response.status_code
    return moved(comparable(kind, response.json()), -t0_ns)
