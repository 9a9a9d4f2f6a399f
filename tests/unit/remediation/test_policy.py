from __future__ import annotations

from pathlib import Path

import pytest

from awf.core.incidents import Target, Verdict
from awf.core.registry import discover
from awf.errors import ConfigError
from awf.remediation.policy import RulePolicy, default_policy, load_policy
from awf.remediation.spec import ActionSpec

SPECS = discover("awf.remediation.actions", ActionSpec)
POLICY = """
rules:
  - name: never touch billing
    action: "*"
    target: {workflow_id: "billing-*"}
    decision: deny
    reason: finance said so
  - name: small things alone
    action: [switch_fallback, retry_step]
    severity: [warning, critical]
    decision: allow
  - {name: reversible is fine, reversible: true, decision: allow}
default: ask
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return path


def decide(
    policy: RulePolicy, action: str, target: Target, *, reversible: bool = False, severity: str = "critical"
) -> Verdict:
    return policy.decide(action, target, reversible=reversible, severity=severity).verdict


def test_the_built_in_policy_lets_small_things_pass_and_asks_for_large_ones() -> None:
    policy = default_policy((name, spec.default) for name, spec in SPECS.items())
    verdicts = {name: decide(policy, name, Target()) for name in SPECS}
    assert verdicts == {
        "disable_agent": Verdict.ASK, "scale_workers": Verdict.ASK, "switch_fallback": Verdict.ALLOW,
        "increase_timeout": Verdict.ALLOW, "restart_workflow": Verdict.ALLOW, "retry_step": Verdict.ALLOW,
        "notify_oncall": Verdict.ALLOW,
    }  # fmt: skip
    assert decide(policy, "something_else", Target()) is Verdict.ASK


def test_a_decision_says_why_in_plain_words(tmp_path: Path) -> None:
    def why(policy: RulePolicy, action: str) -> str:
        return policy.decide(action, Target(), reversible=True, severity="warning").reason

    built_in = default_policy((name, spec.default) for name, spec in SPECS.items())
    assert why(built_in, "scale_workers") == "the built-in policy wants a person to decide on it"
    own = load_policy(write(tmp_path, POLICY), SPECS)
    assert why(own, "retry_step") == "rule 'small things alone' of the policy allows it without asking"
    assert why(RulePolicy([]), "x").startswith("no rule of the policy matches, and its default wants")


@pytest.mark.parametrize("default", ["ask", "deny"])
def test_people_are_told_unless_a_rule_says_otherwise(tmp_path: Path, default: str) -> None:
    silent = load_policy(write(tmp_path, f"rules: []\ndefault: {default}"), SPECS)
    assert decide(silent, "notify_oncall", Target()) is Verdict.ALLOW
    assert decide(silent, "switch_fallback", Target()) is Verdict(default)
    text = "rules: [{name: quiet, action: notify_oncall, decision: deny}]"
    assert decide(load_policy(write(tmp_path, text), SPECS), "notify_oncall", Target()) is Verdict.DENY


def test_the_first_matching_rule_answers(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, POLICY), SPECS)
    billing = Target(workflow_id="billing-eu", step_id="pay")
    decision = policy.decide("switch_fallback", billing, reversible=True, severity="critical")
    assert (decision.verdict, decision.rule, decision.reason) == (
        Verdict.DENY, "never touch billing", "finance said so",
    )  # fmt: skip
    assert decide(policy, "switch_fallback", Target(workflow_id="docs")) is Verdict.ALLOW
    assert decide(policy, "switch_fallback", Target(workflow_id="docs"), severity="info") is Verdict.ASK
    assert decide(policy, "disable_agent", Target(agent_id="a"), reversible=True) is Verdict.ALLOW
    assert decide(policy, "restart_workflow", Target()) is Verdict.ASK


def test_the_hash_names_the_rules_not_the_file(tmp_path: Path) -> None:
    first = load_policy(write(tmp_path, POLICY), SPECS)
    second = load_policy(write(tmp_path, POLICY + "# a comment\n"), SPECS)
    third = load_policy(write(tmp_path, POLICY.replace("default: ask", "default: deny")), SPECS)
    assert first.hash == second.hash != third.hash


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: [{name: a, decision: alow}]", r"rule 1 \(a\): decision: .*'alow'"),
        ("rules: [{decision: allow}]", r"rule 1 \(no name\): name: Field required"),
        ("rules: [{name: a, decision: ask, targets: {}}]", r"targets: Extra inputs"),
        ("rules: [{name: a, decision: ask, target: {workflow: x}}]", r"target\.workflow"),
        ("rules: [{name: a, action: swich_fallback, decision: deny}]", "'swich_fallback' matches no action"),
        ("rules: [nonsense]", "rule 1"),
        ("rules: {}", "no list `rules`"),
        ("rules: []\nrule: []", "unknown field 'rule'"),
        ("rules: []\ndefault: maybe", "default is 'maybe'"),
        ("rules: [", "is not YAML"),
        ("", "no list `rules`"),
    ],
)
def test_a_wrong_file_is_named_with_its_rule_and_field(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_policy(write(tmp_path, text), SPECS)
    assert "policy.yaml" in str(caught.value)


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(tmp_path / "none.yaml", SPECS)
