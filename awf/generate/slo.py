"""Service level objectives as data: read from OpenSLO files, what we do not support refused by name.

What is made of them is in `slo_rules.py`; docs/slos.md is for those who write them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from awf.core import semconv as sc
from awf.generate.selectors import Selector, check_label, parse_selector
from awf.generate.yaml_places import Place, read_documents

DEFAULT_FILE = Path(__file__).with_name("slos.yaml")
"""The packaged SLOs, and what `awf slo init` hands out to be edited."""

GROUP_BY = "awf/group-by"
WINDOWS = {"28d": "28d", "4w": "28d", "30d": "30d"}
MOST = 50

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_POLICY = "Leave it out: AWF makes the burn-rate alerts itself."
_NO_THRESHOLD = "Use indicator.spec.ratioMetric with good (or bad) and total."
_NO_SLICES = "Use budgetingMethod: Occurrences."


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective: of all `total` events, the share that is `good` (or not `bad`), by `group_by`."""

    name: str
    title: str
    description: str
    objective: float  # 0..1
    window: str  # 28d or 30d
    group_by: tuple[str, ...]
    total: Selector
    good: Selector | None = None
    bad: Selector | None = None


def load_slos(path: Path | None = None) -> tuple[Slo, ...]:
    """Return the SLOs of a file, by default the packaged ones. Raises ConfigError naming file, line and field."""
    documents = read_documents(path or DEFAULT_FILE)
    found: dict[str, Slo] = {}
    for document in documents:
        slo, name = _read(document)
        if slo.name in found:
            raise name.error(f"{slo.name!r} is the name of two SLOs", hint="Rename one of them.")
        if len(found) == MOST:
            raise name.error(
                f"is SLO number {MOST + 1}; {MOST} are the most", hint="Group by more labels instead."
            )
        found[slo.name] = slo
    return tuple(found.values())


def _read(document: Place) -> tuple[Slo, Place]:
    top = document.fields(required=("apiVersion", "kind", "metadata", "spec"))
    if (version := top["apiVersion"].text()) != "openslo/v1":
        raise top["apiVersion"].error(f"is {version!r}", hint="Only openslo/v1 is supported.")
    if (kind := top["kind"].text()) != "SLO":
        raise top["kind"].error(f"is {kind!r}", hint="Only SLO is supported, with its indicator inside.")
    meta = top["metadata"].fields(required=("name",), optional=("displayName", "labels", "annotations"))
    name = meta["name"].text()
    if not _NAME.fullmatch(name):
        raise meta["name"].error(
            f"is {name!r:.80}",
            hint="Use lower-case letters, digits and dashes, 63 at most, as in workflow-success.",
        )
    spec = top["spec"].fields(
        required=("indicator", "timeWindow", "budgetingMethod", "objectives"),
        optional=("description", "service"),
        refused={"indicatorRef": "Write the indicator itself.", "alertPolicies": _NO_POLICY},
    )
    if (method := spec["budgetingMethod"].text()) != "Occurrences":
        raise spec["budgetingMethod"].error(f"is {method!r}", hint=_NO_SLICES)
    total, good, bad = _indicator(spec["indicator"])
    slo = Slo(
        name=name,
        title=meta["displayName"].text() if "displayName" in meta else name,
        description=spec["description"].text() if "description" in spec else "",
        objective=_objective(spec["objectives"]),
        window=_window(spec["timeWindow"]),
        group_by=_group_by(meta.get("annotations"), [each for each in (total, good, bad) if each]),
        total=total,
        good=good,
        bad=bad,
    )
    return slo, meta["name"]


def _indicator(place: Place) -> tuple[Selector, Selector | None, Selector | None]:
    inner = place.fields(required=("spec",), optional=("metadata",))["spec"]
    metric = inner.fields(
        required=("ratioMetric",), optional=("description",), refused={"thresholdMetric": _NO_THRESHOLD}
    )["ratioMetric"]
    raw = "Give good (or bad) and total, as counters."
    ratio = metric.fields(
        required=("counter", "total"), optional=("good", "bad"), refused={"raw": raw, "rawType": raw}
    )
    if not ratio["counter"].flag():
        raise ratio["counter"].error("is false", hint="Only counters are supported, which only ever rise.")
    if ("good" in ratio) == ("bad" in ratio):
        raise metric.error(
            "needs one of good and bad, not both", hint="Which events count for the objective?"
        )
    good = _query(ratio["good"]) if "good" in ratio else None
    bad = _query(ratio["bad"]) if "bad" in ratio else None
    return _query(ratio["total"]), good, bad


def _query(place: Place) -> Selector:
    refused = {"metricSourceRef": "Write the query itself; AWF asks its own metrics."}
    source = place.fields(required=("metricSource",))["metricSource"].fields(
        required=("spec",), optional=("type",), refused=refused
    )
    if "type" in source and (kind := source["type"].text()).lower() != "prometheus":
        raise source["type"].error(f"is {kind!r}", hint="Only Prometheus is supported.")
    query = source["spec"].fields(required=("query",))["query"]
    try:
        return parse_selector(query.text())
    except ValueError as error:
        raise query.error(str(error), hint="docs/slos.md shows which queries are possible.") from error


def _objective(place: Place) -> float:
    items = place.items()
    if len(items) != 1:
        raise place.error(f"has {len(items)} entries, expected one", hint="Write one SLO for each objective.")
    op = "A ratio needs no comparison: target is the least share of good events."
    entry = items[0].fields(
        optional=("displayName", "target", "targetPercent"),
        refused={"op": op, "value": op, "timeSliceTarget": _NO_SLICES, "timeSliceWindow": _NO_SLICES},
    )
    if ("target" in entry) == ("targetPercent" in entry):
        raise items[0].error("needs one of target and targetPercent", hint="For example target: 0.99")
    given, least, most = ("target", 0.0, 1.0) if "target" in entry else ("targetPercent", 0.0, 100.0)
    value = entry[given].number()
    if not least < value < most:
        raise entry[given].error(
            f"is {value:g}, expected more than {least:g} and less than {most:g}",
            hint="An objective without an error budget cannot be kept.",
        )
    return round(value / most, 9)


def _window(place: Place) -> str:
    items = place.items()
    if len(items) != 1:
        raise place.error(
            f"has {len(items)} entries, expected one", hint="- {duration: 30d, isRolling: true}"
        )
    calendar = "Use a rolling window: isRolling: true."
    entry = items[0].fields(required=("duration", "isRolling"), refused={"calendar": calendar})
    if not entry["isRolling"].flag():
        raise entry["isRolling"].error("is false", hint=calendar)
    duration = entry["duration"].text()
    if duration not in WINDOWS:
        raise entry["duration"].error(
            f"is {duration!r:.40}, expected one of {', '.join(WINDOWS)}",
            hint="The burn rates of the alerts are those for about a month.",
        )
    return WINDOWS[duration]


def _group_by(annotations: Place | None, selectors: Sequence[Selector]) -> tuple[str, ...]:
    pairs = annotations.pairs() if annotations else {}
    if odd := [name for name in pairs if name.startswith("awf/") and name != GROUP_BY]:
        raise pairs[odd[0]].error("is not an annotation that AWF knows", hint=f"Did you mean {GROUP_BY}?")
    labels: tuple[str, ...] = (sc.WORKFLOW_ID,)
    place = pairs.get(GROUP_BY) or annotations
    if GROUP_BY in pairs:
        labels = tuple(part.strip() for part in pairs[GROUP_BY].text().split(","))
    for label in labels:
        if not _LABEL.fullmatch(label) or label in (sc.SLO, sc.SUBJECT, "le") or labels.count(label) > 1:
            raise pairs[GROUP_BY].error(
                f"{label!r:.60} cannot be grouped by", hint="Give label names, separated by commas."
            )
        for selector in selectors:
            try:
                check_label(selector.metric, label)
            except ValueError as error:
                if place is None:
                    continue
                raise place.error(str(error)) from error
    return labels
