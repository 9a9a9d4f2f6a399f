"""The labels and annotations of an alert, one source for Prometheus' rules and Grafana's."""

from __future__ import annotations

from awf.core.semconv import ANNOTATION_ACTION, ANNOTATION_RUNBOOK, LABEL_COMPONENT, LABEL_SEVERITY
from awf.generate.spec import AlertRule


def labels_of(rule: AlertRule) -> dict[str, str]:
    """Return the labels that the rule adds to those of its series."""
    labels: dict[str, str] = {LABEL_SEVERITY: rule.severity}
    if rule.component:
        labels[LABEL_COMPONENT] = rule.component
    return labels


def annotations_of(rule: AlertRule, public_url: str) -> dict[str, str]:
    """Return the texts, in Prometheus' template language, with the link to the runbook on AWF's pages."""
    annotations = {"summary": rule.summary, "description": rule.description}
    annotations[ANNOTATION_RUNBOOK] = f"{public_url.rstrip('/')}/ui/runbooks#{rule.alert.lower()}"
    if rule.action:
        annotations[ANNOTATION_ACTION] = rule.action
    return annotations
