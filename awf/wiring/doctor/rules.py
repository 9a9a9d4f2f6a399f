"""Rules as AWF generates them, and how those that a server has loaded differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from awf.embedded.promql.parser import format_query
from awf.errors import QueryError
from awf.settings import Settings
from awf.wiring.doctor.grafana import Grafana

RIGHT: Final = "Give the token's service account the right alert.rules.external:read, or the role Editor."


@dataclass(frozen=True, slots=True)
class Loaded:
    """One rule as a server tells it."""

    name: str
    expr: str
    health: str
    error: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Names of rules: not loaded, loaded but not ours, with another expression, and failing (with why)."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    changed: tuple[str, ...]
    failing: Mapping[str, str]


def generated(kind: str, settings: Settings) -> dict[str, list[str]]:
    """Return what AWF generates, from the SLOs of the settings: a rule's name -> its expressions. `kind` is record
    or alert. Raises ConfigError for a file of SLOs that cannot be used."""
    from awf.generate.output import render_rules
    from awf.generate.slo import load_slos

    found: dict[str, list[str]] = {}
    for text in render_rules(settings.public_base, load_slos(settings.slo_file)).values():
        for group in (yaml.safe_load(text) or {}).get("groups") or ():
            for rule in group.get("rules") or ():
                if kind in rule:
                    found.setdefault(rule[kind], []).append(str(rule["expr"]))
    return found


def loaded(groups: Iterable[Mapping[str, Any]], kind: str) -> list[Loaded]:
    """Return the rules in the answer of a rules API; `kind` is recording or alerting."""
    return [
        Loaded(str(rule.get("name", "")), str(rule.get("query", "")), str(rule.get("health", "")), str(rule.get("lastError") or ""))
        for group in groups
        for rule in group.get("rules") or ()
        if rule.get("type", kind) == kind
    ]  # fmt: skip


def compare(
    ours: Mapping[str, Collection[str]],
    theirs: Iterable[Loaded],
    *,
    with_expressions: bool,
    prefixes: tuple[str, ...],
) -> Comparison:
    """Compare by name, and by what expressions mean. Extra are only names that begin like AWF's."""
    found: dict[str, list[Loaded]] = {}
    for rule in theirs:
        found.setdefault(rule.name, []).append(rule)
    changed = [
        name
        for name in ours
        if with_expressions
        and name in found
        and normal_all(ours[name]) != normal_all(r.expr for r in found[name])
    ]
    failing = {
        rule.name: rule.error or rule.health
        for rules in found.values()
        for rule in rules
        if rule.error or rule.health.lower() in {"err", "error"}
    }
    return Comparison(
        missing=tuple(sorted(name for name in ours if name not in found)),
        extra=tuple(sorted(name for name in found if name not in ours and name.startswith(prefixes))),
        changed=tuple(sorted(changed)),
        failing=failing,
    )


def normal_all(expressions: Iterable[str]) -> list[str]:
    return sorted(map(normal, expressions))


def normal(expression: str) -> str:
    """Return an expression in one layout: servers print what they have parsed, not what they were given."""
    try:
        laid_out = format_query(expression)
    except QueryError:
        laid_out = expression
    return "".join(laid_out.split())


async def recorded(grafana: Grafana, uid: str, names: Iterable[str], now_s: int) -> set[str]:
    """Return which of these names have series in the metrics store."""
    pattern = "|".join(sorted(names))
    query = f'count by (__name__) ({{__name__=~"{pattern}"}})'
    body = await grafana.store(uid, "api/v1/query", query=query, time=now_s)
    return {str(series["metric"].get("__name__", "")) for series in body["data"]["result"]}


def told(names: Collection[str], most: int = 5) -> str:
    """Return names as a list that stays short."""
    shown = list(names)[:most]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
