"""May this action be taken here? Ordered rules; the first that matches answers, otherwise a person is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from awf.core.incidents import PolicyDecision, Target, Verdict
from awf.errors import ConfigError

HINT = "docs/watcher-agent-configuration.md describes the policy file."

# It changes nothing. A policy that forgets it must not keep the watcher from telling people.
ALWAYS_ALLOWED = "notify_oncall"

_SAYS = {
    Verdict.ALLOW: "allows it without asking",
    Verdict.ASK: "wants a person to decide on it",
    Verdict.DENY: "forbids it",
}


class _Places(BaseModel):
    """Globs; a part that the target does not have matches only `*`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workflow_id: str = "*"
    step_id: str = "*"
    agent_id: str = "*"
    provider: str = "*"

    def matches(self, target: Target) -> bool:
        return all(fnmatchcase(getattr(target, name), glob) for name, glob in self.model_dump().items())


class Rule(BaseModel):
    """One rule: every matcher that it has must match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    action: tuple[str, ...] = ("*",)
    severity: tuple[str, ...] = ("*",)
    target: _Places = _Places()
    reversible: bool | None = None
    decision: Verdict
    reason: str = ""

    @field_validator("action", "severity", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

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
        self._rules = tuple(rules)
        self._default = default
        body = [rule.model_dump(mode="json") for rule in self._rules]
        canonical = json.dumps({"rules": body, "default": default.value}, sort_keys=True)
        self.hash = hashlib.sha256(canonical.encode()).hexdigest()

    def decide(self, action: str, target: Target, *, reversible: bool, severity: str) -> PolicyDecision:
        for rule in self._rules:
            if rule.matches(action, target, reversible=reversible, severity=severity):
                reason = rule.reason or f"rule {rule.name!r} of the policy {_SAYS[rule.decision]}"
                return PolicyDecision(rule.decision, rule.name, reason, self.hash)
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
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the policy {path} cannot be read: {error}", hint=HINT) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"the policy {path} is not YAML: {error}", hint=HINT) from error
    if not isinstance(body, dict) or not isinstance(body.get("rules"), list):
        raise ConfigError(f"the policy {path} has no list `rules`", hint=HINT)
    if odd := set(body) - {"rules", "default"}:
        raise ConfigError(f"the policy {path} has an unknown field {min(map(str, odd))!r}", hint=HINT)
    rules = [_read_rule(path, number, entry) for number, entry in enumerate(body["rules"], 1)]
    _check_actions(path, rules, set(actions))
    if ALWAYS_ALLOWED in actions:  # behind every written rule, before the default
        rules += _built_in([(ALWAYS_ALLOWED, Verdict.ALLOW)])
    return RulePolicy(rules, default=_read_default(path, body.get("default", Verdict.ASK.value)))


def _read_rule(path: Path, number: int, entry: object) -> Rule:
    try:
        return Rule.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        name = entry.get("name") if isinstance(entry, dict) else None
        where = ".".join(str(part) for part in first["loc"]) or "the rule"
        raise ConfigError(
            f"the policy {path}: rule {number} ({name or 'no name'}): {where}: {first['msg']}, "
            f"got {first['input']!r:.80}",
            hint=HINT,
        ) from error


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
