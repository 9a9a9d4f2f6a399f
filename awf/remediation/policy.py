"""May this action be taken here? Ordered rules; the first that matches answers, otherwise a person is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from awf.core.incidents import PolicyDecision, Target, Verdict
from awf.errors import ConfigError
from awf.remediation.matching import HINT, Places, one_or_many, read_entries, read_file

WHAT = "policy"

# It changes nothing. A policy that forgets it must not keep the watcher from telling people.
ALWAYS_ALLOWED = "notify_oncall"

_SAYS = {
    Verdict.ALLOW: "allows it without asking",
    Verdict.ASK: "wants a person to decide on it",
    Verdict.DENY: "forbids it",
}


class Rule(BaseModel):
    """One rule: every matcher that it has must match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    action: tuple[str, ...] = ("*",)
    severity: tuple[str, ...] = ("*",)
    target: Places = Places()
    reversible: bool | None = None
    decision: Verdict
    approvals: int = Field(default=1, ge=1, le=10)
    role: Literal["", "approver", "admin"] = ""
    reason: str = ""

    @field_validator("action", "severity", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return one_or_many(value)

    def matches(self, action: str, target: Target, *, reversible: bool, severity: str) -> bool:
        return (
            any(fnmatchcase(action, glob) for glob in self.action)
            and any(fnmatchcase(severity, glob) for glob in self.severity)
            and self.reversible in (None, reversible)
            and self.target.matches(target)
        )


class RulePolicy:
    """Implements `Policy`. Two policies with the same rules have the same hash."""

    def __init__(self, rules: Iterable[Rule], *, default: Verdict = Verdict.ASK) -> None:
        self.rules = tuple(rules)
        self._default = default
        body = [rule.model_dump(mode="json", exclude_defaults=True) for rule in self.rules]
        canonical = json.dumps({"rules": body, "default": default.value}, sort_keys=True)
        self.hash = hashlib.sha256(canonical.encode()).hexdigest()

    def decide(self, action: str, target: Target, *, reversible: bool, severity: str) -> PolicyDecision:
        for rule in self.rules:
            if rule.matches(action, target, reversible=reversible, severity=severity):
                reason = rule.reason or f"rule {rule.name!r} of the policy {_SAYS[rule.decision]}"
                return PolicyDecision(
                    rule.decision, rule.name, reason, self.hash, approvals=rule.approvals, role=rule.role
                )
        reason = f"no rule of the policy matches, and its default {_SAYS[self._default]}"
        return PolicyDecision(self._default, "default", reason, self.hash)


def default_policy(defaults: Iterable[tuple[str, Verdict]]) -> RulePolicy:
    """Return the policy that each registered action brings with it."""
    return RulePolicy(_built_in(defaults))


def _built_in(defaults: Iterable[tuple[str, Verdict]]) -> list[Rule]:
    return [
        Rule(
            name=f"built-in: {name}", action=(name,), decision=verdict,
            reason=f"the built-in policy {_SAYS[verdict]}",
        )
        for name, verdict in defaults
    ]  # fmt: skip


def load_policy(path: Path, actions: Collection[str]) -> RulePolicy:
    """Read a policy file. Raises ConfigError naming the rule and the field that is wrong."""
    body = read_file(path, WHAT, ("rules", "default"))
    rules = read_entries(path, WHAT, "rule", body["rules"], Rule)
    _check_actions(path, rules, set(actions))
    if ALWAYS_ALLOWED in actions:  # behind every written rule, before the default
        rules += _built_in([(ALWAYS_ALLOWED, Verdict.ALLOW)])
    return RulePolicy(rules, default=_read_default(path, body.get("default", Verdict.ASK.value)))


def _read_default(path: Path, value: object) -> Verdict:
    try:
        return Verdict(str(value))
    except ValueError as error:
        raise ConfigError(
            f"the policy {path}: default is {value!r}, expected allow, ask or deny", hint=HINT
        ) from error


def _check_actions(path: Path, rules: Iterable[Rule], known: set[str]) -> None:
    # A misspelt action in a deny rule would silently allow what it was meant to stop.
    for rule in rules:
        for glob in rule.action:
            if not any(fnmatchcase(name, glob) for name in known):
                raise ConfigError(
                    f"the policy {path}: rule {rule.name!r}: action {glob!r} matches no action "
                    f"({', '.join(sorted(known))})",
                    hint=HINT,
                )
