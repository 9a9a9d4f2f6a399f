"""The runner reads the language, notices differences, and says what is not answered."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.conformance.__main__ import main
from tests.conformance.notation import STALE, Native, NotationError, read_series, write_value
from tests.conformance.runner import Outcome, run_script
from tests.conformance.script import ScriptError, read_script

DATA = 'load 1m\n  m{a="1"} 1+1x5\n  h {{schema:0 sum:1 count:1}}x3\n\n'


def outcomes(text: str) -> list[tuple[Outcome, str]]:
    return [(case.outcome, case.why) for case in run_script(DATA + text)]


def test_the_notation_repeats_steps_and_leaves_out() -> None:
    assert read_series("m 1+2x3 _x2 _ -1-0.5x1 7x1").values == (1, 3, 5, 7, None, None, None, -1, -1.5, 7, 7)
    assert read_series('{"with dots.x", "b-c"=`d`, e="\\x41\\n"} 1').labels == {
        "__name__": "with dots.x", "b-c": "d", "e": "A\n",
    }  # fmt: skip
    values = read_series("m stale NaN Inf -Inf 1e3 .5").values
    assert [write_value(value) for value in values if isinstance(value, float)] == [
        "stale", "NaN", "inf", "-inf", "1000", "0.5",
    ]  # fmt: skip
    assert math.isnan(STALE)
    assert (
        read_series("m {{sum:1 count:2}}+{{sum:1}}x2 5").values[:3]
        == (Native("{{sum:1 count:2}}+{{sum:1}}x2"),) * 3
    )


@pytest.mark.parametrize("text", ["m 1..2", 'm{a="1" 5', "m{a} 5", "= 5", "m 1x", "m 1x99999999"])
def test_what_is_no_notation_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        read_series(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("load 1m\n  m 1\n\nnonsense", "line 4: no command"),
        ("eval instant at x m", "line 1: 'x' is no duration"),
        ("eval instant at 0 m\n  expect what", "expects nothing known"),
        ("eval instant at 0 m\n  m{ 1", "line 1: a label is missing"),
        ("eval instant at 0 m\n  expect fail regex: (", "line 1"),
    ],
)
def test_a_script_that_cannot_be_read_names_the_line(text: str, named: str) -> None:
    with pytest.raises(ScriptError, match=named):
        read_script(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('eval instant at 1m m\n  m{a="1"} 3', "3 is expected, not 2"),
        ("eval instant at 1m m", "is not expected"),
        ('eval instant at 1m m\n  m{a="1"} 2\n  m{a="2"} 2', "is expected and missing"),
        ("eval instant at 1m m\n  5", "a scalar is expected"),
        ("eval instant at 1m 4\n  5", "5 is expected, not 4"),
        ("eval instant at 1m m\n  expect fail", "a failure is expected"),
        ("eval instant at 1m m + on (a) n(\n  m 5", "it fails"),
        (
            "eval_fail instant at 1m topk(NaN, m)\n  expected_fail_message other",
            "another failure is expected",
        ),
        ('eval range from 0 to 2m step 1m m\n  m{a="1"} 1 2', "is expected, not 1@0 2@60000 3@120000"),
        ('eval range from 0 to 2m step 1m m\n  m{a="1"} 1 _ 3', "is expected, not"),
        ('eval instant at 1m "a"\n  expect string "b"', "'b' is expected"),
        ('eval_ordered instant at 1m m or vector(1)\n  {} 1\n  m{a="1"} 2', "another order"),
    ],
)
def test_a_difference_fails_the_case_and_is_said(text: str, why: str) -> None:
    [(outcome, said)] = outcomes(text)
    assert outcome is Outcome.FAILED
    assert why in said


def test_native_histograms_are_not_answered_wherever_they_are_needed() -> None:
    reads = "eval instant at 1m sum(h)\n  {} 5\n\n"
    returns = 'eval instant at 1m m\n  m{a="1"} {{sum:1}}\n\n'
    neither = 'eval instant at 1m m\n  m{a="1"} 2\n'
    assert outcomes(reads + returns + neither) == [
        (Outcome.NOT_ANSWERED, "native histograms are not kept by the store"),
        (Outcome.NOT_ANSWERED, "native histograms are not kept by the store"),
        (Outcome.PASSED, ""),
    ]


def test_later_loads_add_and_clear_removes() -> None:
    again = 'load 1m\n  m{a="2"} 9\n\neval instant at 0 m\n  m{a="1"} 1\n  m{a="2"} 9\n\n'
    assert outcomes(again + "clear\neval instant at 0 m\n") == [(Outcome.PASSED, ""), (Outcome.PASSED, "")]


def test_a_directory_is_summed_up_and_decides_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    (tmp_path / "good.test").write_text("eval instant at 0 1 + 1\n  2\n")
    assert main([str(tmp_path), "--json"]) == 0
    capsys.readouterr()
    (tmp_path / "bad.test").write_text("eval instant at 0 1 + 1\n  3\n")
    (tmp_path / "worse.test").write_text("?")
    assert main([str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"], found["unreadable"]) == (1, 1, 1)
    assert main([str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "line 1: 1 + 1\n        3 is expected, not 2" in shown
    assert "cannot be read: line 1: no command" in shown
