"""Which actions a playbook names, and how a wrong file is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from awf.core.incidents import CauseClass, Hypothesis, Target
from awf.errors import ConfigError
from awf.remediation.playbook import BUILT_IN, PlaybookRules, load_playbook
from tests.unit.remediation._scene import SPECS

PLAYBOOK = """
plays:
  - {name: billing is for people, target: {workflow_id: "billing-*"}, actions: []}
  - {name: slow models get time, cause: agent_latency, target: {agent_id: writer}, actions: increase_timeout}
  - {name: no switching here, cause: [rate_limit, provider_outage], actions: [disable_agent, switch_fallback]}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "playbook.yaml"
    path.write_text(text)
    return path


def actions(playbook: PlaybookRules, cause: CauseClass, *places: Target) -> tuple[str, ...]:
    return playbook.candidates(Hypothesis(cause, places[0], 0.9, "", affected=places[1:])).actions


def test_built_in_plays_name_registered_actions_only() -> None:
    assert {name for play in BUILT_IN for name in play.actions} <= set(SPECS)
    assert actions(PlaybookRules(), CauseClass.UNKNOWN, Target()) == ()


def test_the_first_play_that_matches_answers_and_the_built_in_ones_come_last(tmp_path: Path) -> None:
    playbook = load_playbook(write(tmp_path, PLAYBOOK), SPECS)
    writer, other = Target(agent_id="writer"), Target(agent_id="other")
    billing = Target("billing-eu", "pay", "writer")
    assert actions(playbook, CauseClass.AGENT_LATENCY, writer) == ("increase_timeout",)
    assert actions(playbook, CauseClass.AGENT_LATENCY, other) == ("switch_fallback", "increase_timeout")
    assert actions(playbook, CauseClass.RATE_LIMIT, other) == ("disable_agent", "switch_fallback")
    assert actions(playbook, CauseClass.AGENT_LATENCY, writer, billing) == (), (
        "one of its places is billing's"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plays: [{name: a, cause: agent_eror, actions: []}]", r"play 1 \(a\): cause\.0: .*'agent_eror'"),
        ("plays: [{actions: []}]", r"play 1 \(no name\): name: Field required"),
        ("plays: [{name: a}]", r"play 1 \(a\): actions: Field required"),
        ("plays: [{name: a, actions: [swich_fallback]}]", "no action 'swich_fallback'"),
        ("plays: [{name: a, actions: [], where: {}}]", "where: Extra inputs"),
        ("plays: {}", "no list `plays`"),
        ("plays: []\nrules: []", "unknown field 'rules'"),
        ("plays: [", "is not YAML"),
    ],
)
def test_a_wrong_file_is_named_with_its_play_and_field(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_playbook(write(tmp_path, text), SPECS)
    assert "playbook.yaml" in str(caught.value)
