"""`awf policy` and `awf playbooks` without a server: what the files say, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli._program import awf
from tests.unit.remediation._scripts import write

POLICY = "rules: [{name: by people, action: disable_agent, target: {agent_id: writer}, decision: deny}]"
PLAYBOOK = "plays: [{name: ours, cause: agent_error, target: {agent_id: writer}, actions: [disable_agent]}]"


def test_a_policy_is_checked_and_explained(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    assert "2 rules" in awf(tmp_path, "policy", "check", str(path)).stdout
    ask = ("policy", "explain", "disable_agent", "--agent", "writer", "--json")
    assert json.loads(awf(tmp_path, *ask).stdout)["verdict"] == "ask"
    told = json.loads(awf(tmp_path, *ask, AWF_POLICY_FILE=path).stdout)
    assert (told["verdict"], told["rule"]) == ("deny", "by people")


def test_a_playbook_is_checked_shown_and_explained_with_the_policys_answer(tmp_path: Path) -> None:
    path, policy = tmp_path / "playbook.yaml", tmp_path / "policy.yaml"
    path.write_text(PLAYBOOK)
    policy.write_text(POLICY)
    assert "plays" in awf(tmp_path, "playbooks", "check", str(path)).stdout
    files = {"AWF_PLAYBOOK_FILE": path, "AWF_POLICY_FILE": policy}
    assert awf(tmp_path, "playbooks", **files).stdout.startswith("ours ")
    told = awf(tmp_path, "playbooks", "explain", "agent_error", "--agent", "writer", **files).stdout
    assert told.startswith("ours:\ndisable_agent  deny")
    told = awf(tmp_path, "playbooks", "explain", "token_surge").stdout
    assert "people are told" in told


def test_mistakes_are_told_in_one_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("plays: [{name: a, actions: [nothing]}]")
    told = awf(tmp_path, "playbooks", "check", str(wrong))
    assert (told.returncode, "no action 'nothing'" in told.stderr) == (2, True)
    told = awf(tmp_path, "policy", "explain", "rm")
    assert told.returncode != 0
    assert "switch_fallback" in told.stderr
    assert "agent_error" in awf(tmp_path, "playbooks", "explain", "bad_luck").stderr


def test_actions_of_ones_own_are_known_to_both(tmp_path: Path) -> None:
    own = write(tmp_path / "own", "true", network=True)
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{name: ours, action: restart_pods, severity: critical, decision: allow}]")
    ask = ("policy", "explain", "restart_pods", "--agent", "writer", "--json")
    assert json.loads(awf(tmp_path, *ask, AWF_ACTIONS_DIR=own).stdout)["verdict"] == "ask"
    told = awf(tmp_path, *ask, AWF_ACTIONS_DIR=own, AWF_POLICY_FILE=policy)
    assert json.loads(told.stdout)["verdict"] == "allow"
    playbook = tmp_path / "playbook.yaml"
    playbook.write_text("plays: [{name: ours, cause: agent_error, actions: [restart_pods]}]")
    assert awf(tmp_path, "playbooks", "check", str(playbook)).returncode == 2
    assert awf(tmp_path, "playbooks", "check", str(playbook), AWF_ACTIONS_DIR=own).returncode == 0
    (own / "restart_pods.sh").chmod(0o644)
    told = awf(tmp_path, *ask, AWF_ACTIONS_DIR=own)
    assert (told.returncode, "is no program" in told.stderr, "Traceback" in told.stderr) == (2, True, False)
