"""The facts about upgrades, and what is said about the way from one version to another."""

from __future__ import annotations

import pytest

from awf.agents._mcp_tools import PINNED_VERSION
from awf.errors import ConfigError
from awf.stack.pins import read_pins
from awf.stack.upgrades import Advice, advise, load_facts, parse_facts
from awf.stack.version import numbers
from tests.unit.cli._program import REPOSITORY

FACTS = load_facts()
PINS = read_pins(REPOSITORY / "compose.yaml")


def say(program: str, running: str, wanted: str) -> list[Advice]:
    return advise(FACTS, {program: running}, {program: wanted})


def test_there_are_facts_about_every_program_of_the_stack() -> None:
    assert set(FACTS) == set(PINS) - {"awf", "python"} | {"mcp-grafana"}


def test_awf_works_with_what_compose_pins() -> None:
    for program, facts in FACTS.items():
        pinned = PINS[program].tag if program in PINS else PINNED_VERSION
        assert numbers(pinned) in facts.supported, program


def test_what_runs_as_it_is_pinned_needs_no_word() -> None:
    pinned = {name: pin.tag for name, pin in PINS.items()}
    assert advise(FACTS, pinned, pinned) == []


@pytest.mark.parametrize(
    ("program", "running", "wanted", "word"),
    [
        ("mimir", "2.14.0", "3.2.1", "one step"),
        ("mimir", "3.0.2", "3.2.1", "one step"),
        ("tempo", "2.6.1", "3.1.0", "refuses configurations of 2"),
        ("tempo", "3.1.0", "2.9.0", "no way back"),
        ("loki", "3.7.8", "4.0.0", "read, write and backend"),
        ("alloy", "v1.5.1", "v1.20.1", "block_on_overflow"),
        ("postgres", "17.6", "18.6-trixie", "does not read"),
        ("grafana", "13.2.3", "12.4.0", "does not change it back"),
    ],
)
def test_what_must_be_done_first_is_said_first(program: str, running: str, wanted: str, word: str) -> None:
    found = say(program, running, wanted)
    assert found[0].first
    assert any(word in advice.what for advice in found if advice.first)
    assert all(advice.do for advice in found)


def test_one_step_of_mimir_through_3_1_is_allowed() -> None:
    assert not any(advice.first and "one step" in advice.what for advice in say("mimir", "2.14.0", "3.1.2"))
    assert not any(advice.first for advice in say("mimir", "3.1.2", "3.2.1"))


def test_what_only_needs_to_be_known_stops_nothing() -> None:
    found = say("grafana", "12.4.0", "13.2.3")
    assert [advice.first for advice in found] == [False]


def test_a_pinned_version_that_awf_does_not_work_with_comes_first_even_if_nothing_runs() -> None:
    (found,) = say("mcp-grafana", "", "2.2.0")
    assert found.first
    assert "==2.1.1" in found.do


def test_a_running_version_that_awf_does_not_work_with_is_named_with_the_way_out() -> None:
    found = say("loki", "3.2.0", "3.7.8")
    assert any(not advice.first and "Upgrade to 3.7.8" in advice.do for advice in found)


def test_facts_with_a_hole_name_the_program() -> None:
    with pytest.raises(ConfigError, match="facts about loki have no 'do'"):
        parse_facts({"loki": {"supported": "", "why": "", "steps": [{"from": "", "to": "", "what": "x"}]}})
