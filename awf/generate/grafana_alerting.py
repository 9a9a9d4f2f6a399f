"""The alerts as Grafana's own rules: its provisioning file, with the names, labels and texts of the Prometheus rules.

Each rule is three nodes, as in Grafana's conversion of Prometheus rules: the query, whose result is a filtered
vector; whether a series has any value at all (0 and NaN count, as in Prometheus); and whether that is true. Contact
point, policies and mute timings stand beside the file as they are: they are not generated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import yaml

from awf.core.names import rule_uid
from awf.core.semconv import ANNOTATION_RUNBOOK
from awf.errors import ConfigError
from awf.generate.alert_texts import annotations_of, labels_of
from awf.generate.panel_links import Panels
from awf.generate.spec import AlertRule, RuleGroup

FOLDER: Final = "AWF alerts"
"""Not the dashboards' folder: rules are provisioned before them or at the same time and have no way to say a folder's
uid, so Grafana would make two folders of one name (grafana/grafana#125079)."""
DATASOURCE: Final = "mimir"
ORG: Final = 1
STEP_S: Final = 10  # Grafana evaluates at multiples of its base interval

RETIRED: Final[tuple[str, ...]] = ()
"""uids of rules of earlier versions. Grafana keeps a rule that leaves the file until it is told to delete it."""

_EXPRESSIONS = {"type": "__expr__", "uid": "__expr__"}
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"\$labels\.([A-Za-z_][A-Za-z0-9_]*)")


def render_alerts(
    groups: Iterable[RuleGroup],
    panels: Panels,
    public_url: str,
    *,
    known: Sequence[str] = (),
) -> str:
    """Return the provisioning file. `known` are all alerts there could be: those without a rule are deleted.

    The address of the runbooks is written out: not every Grafana puts its environment into annotations.
    """
    rendered = [_group(group, panels, public_url) for group in groups if group.alerts]
    uids = {rule["uid"] for group in rendered for rule in group["rules"]}
    gone = sorted({*RETIRED, *map(rule_uid, known)} - uids)
    document: dict[str, Any] = {"apiVersion": 1, "groups": rendered}
    if gone:
        document["deleteRules"] = [{"orgId": ORG, "uid": uid} for uid in gone]
    return yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)


def grafana_template(text: str) -> str:
    """Return a text with Prometheus' template variables as Grafana has them.

    Grafana's `$value` is a debug text, the number is `$values.A.Value`; a label that is not there prints
    `[no value]` by its name and nothing by `index`. Raises ConfigError for what a provisioning file could change:
    newer Grafanas replace `${NAME}` in annotations by variables of their environment.
    """
    if "${" in text or "$$" in text:
        raise ConfigError(
            f"the text {text!r:.80} has ${{ or $$", hint="Grafana would put its environment there."
        )
    return _ACTION.sub(_translated, text)


def escaped(text: str) -> str:
    """Return a text that a provisioning file keeps as it is: labels and titles have their `$` replaced."""
    return text.replace("$", "$$")


def _translated(match: re.Match[str]) -> str:
    inner = _LABEL.sub(r'(index $labels "\1")', match[1].strip())
    inner = re.sub(r"\$value\b(?!s)", "$values.A.Value", inner)
    if inner.startswith("(") and inner.endswith(")"):
        inner = inner[1:-1]
    return "{{ " + inner + " }}"


def _group(group: RuleGroup, panels: Panels, public_url: str) -> dict[str, Any]:
    seconds = int(group.interval[:-1]) * _UNITS_S[group.interval[-1]]
    rounded = -(-seconds // STEP_S) * STEP_S
    rules = [_rule(rule, panels, public_url) for rule in group.alerts]
    return {"orgId": ORG, "name": group.name, "folder": FOLDER, "interval": f"{rounded}s", "rules": rules}


def _rule(rule: AlertRule, panels: Panels, public_url: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "uid": rule_uid(rule.alert),
        "title": rule.alert,
        "condition": "C",
        "data": _nodes(rule.expr),
    }
    if rule.shown_by:
        body["dashboardUid"] = rule.shown_by.dashboard
        body["panelId"] = panels.id_of(rule.shown_by, rule)
    # Prometheus' meaning: no series is no alert. A query that cannot be answered leaves an alert as it is, but for
    # the one alert whose business that is.
    body |= {"noDataState": "OK", "execErrState": rule.on_error, "for": rule.hold}
    if rule.keep_firing_for:
        body["keepFiringFor"] = rule.keep_firing_for
    body["missing_series_evals_to_resolve"] = 1  # as in Prometheus: a series that is gone is resolved
    texts = annotations_of(rule, public_url)
    link = {ANNOTATION_RUNBOOK: texts.pop(ANNOTATION_RUNBOOK)}
    body["annotations"] = {name: grafana_template(text) for name, text in texts.items()} | link
    body["labels"] = {name: escaped(text) for name, text in labels_of(rule).items()}
    body["isPaused"] = False
    return body


def _nodes(expr: str) -> list[dict[str, Any]]:
    query = {
        "datasource": {"type": "prometheus", "uid": DATASOURCE},
        "expr": expr, "instant": True, "range": False, "intervalMs": 1000, "maxDataPoints": 43200,
    }  # fmt: skip
    has_value = {
        "datasource": dict(_EXPRESSIONS),
        "type": "math",
        "expression": "is_number($A) || is_nan($A) || is_inf($A)",
    }
    is_true = {
        "datasource": dict(_EXPRESSIONS),
        "type": "threshold",
        "expression": "B",
        "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
    }
    nodes = (("A", DATASOURCE, 600, query), ("B", "__expr__", 0, has_value), ("C", "__expr__", 0, is_true))
    return [
        {
            "refId": ref,
            "relativeTimeRange": {"from": since, "to": 0},
            "datasourceUid": uid,
            "model": {"refId": ref, **model},
        }
        for ref, uid, since, model in nodes
    ]
