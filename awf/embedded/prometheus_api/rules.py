"""The ruler's view of itself, filtered and paged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from awf.embedded.model import Matcher
from awf.embedded.prometheus_api.answers import Answer, plain
from awf.embedded.promql.parameters import Parameters, invalid

Json = dict[str, Any]


class RulesView(Protocol):
    """What the ruler shows of itself, in the shapes of Prometheus' /api/v1/rules and /api/v1/alerts."""

    def groups(self) -> list[Json]: ...

    def alerts(self) -> list[Json]: ...


class RuleEndpoints:
    """Each method answers one endpoint."""

    def __init__(self, rules: RulesView) -> None:
        self._rules = rules

    def rules(self, parameters: Parameters) -> Answer:
        names, files = parameters.all("rule_group[]"), parameters.all("file[]")
        is_shown = _rule_filter(parameters)
        hidden = {"alerts"} if _flag(parameters, "exclude_alerts") else set[str]()
        groups = []
        for group in self._rules.groups():
            if (names and group["name"] not in names) or (files and group["file"] not in files):
                continue
            rules = [_without(rule, hidden) for rule in group["rules"] if is_shown(rule)]
            if rules:
                groups.append({**group, "rules": rules})
        return plain(_page(groups, parameters))

    def alerts(self, _: Parameters) -> Answer:
        return plain({"alerts": self._rules.alerts()})


def _rule_filter(parameters: Parameters) -> Callable[[Json], bool]:
    kind = {"alert": "alerting", "record": "recording"}.get(
        parameters.choice("type", ("alert", "record")), ""
    )
    names, selectors = parameters.all("rule_name[]"), parameters.matchers()

    def is_shown(rule: Json) -> bool:
        return (
            (not kind or rule["type"] == kind)
            and (not names or rule["name"] in names)
            and (not selectors or any(_accepts(matchers, rule.get("labels", {})) for matchers in selectors))
        )

    return is_shown


def _accepts(matchers: Sequence[Matcher], labels: dict[str, str]) -> bool:
    return all(matcher.accepts(labels) for matcher in matchers)


def _without(rule: Json, hidden: set[str]) -> Json:
    return {name: value for name, value in rule.items() if name not in hidden}


def _flag(parameters: Parameters, name: str) -> bool:
    text = parameters.choice(name, ("true", "false", "1", "0"))
    return text in {"true", "1"}


def _page(groups: list[Json], parameters: Parameters) -> Json:
    """Return at most `group_limit` groups from `group_next_token` on, and the token of the next page."""
    token = parameters.text("group_next_token")
    if not parameters.text("group_limit"):
        if token:
            raise invalid("group_next_token", "group_limit needs to be present to page over the groups")
        return {"groups": groups}
    size = parameters.count("group_limit")
    if not size:
        raise invalid("group_limit", "it needs to be greater than 0")
    tokens = [_token(group) for group in groups]
    if token and token not in tokens:
        raise invalid("group_next_token", "no group has this token; the rules may have changed")
    first = tokens.index(token) if token else 0
    page: Json = {"groups": groups[first : first + size]}
    return page | ({"groupNextToken": tokens[first + size]} if first + size < len(tokens) else {})


def _token(group: Json) -> str:
    return hashlib.sha256(f"{group['file']};{group['name']}".encode()).hexdigest()
