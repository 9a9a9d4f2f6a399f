"""Counter selectors that users write, `metric{label="value"}`: checked against what AWF exports, then put into rules.

Not a PromQL parser: rates, windows and sums are what the rules put around a selector, so nothing else may be in it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from awf.core import semconv as sc

_SELECTOR = re.compile(r"([A-Za-z_:][A-Za-z0-9_:]*)\s*(?:\{(.*)\})?", re.DOTALL)
_MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)', re.DOTALL)
_WHOLE = re.compile(r"(\d+)(?:\.0)?")
_OURS = "awf_"
_BUCKETS = {sc.STEP_DURATION: sc.STEP_DURATION_BUCKETS_MS}
_RESOURCE = ("job", "instance")
COUNTERS = ("_total", "_count", "_bucket")


@dataclass(frozen=True, slots=True)
class Selector:
    """Which series: a metric and its matchers as (label, operator, value as written)."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...] = ()

    def __str__(self) -> str:
        inner = ", ".join(f'{name}{op}"{value}"' for name, op, value in self.matchers)
        return f"{self.metric}{{{inner}}}" if inner else self.metric


def parse_selector(text: str) -> Selector:
    """Return the selector. Raises ValueError saying what is wrong and what to do."""
    found = _SELECTOR.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f'{text.strip()!r:.80} is not a plain counter such as {sc.WORKFLOWS}{{{sc.STATUS}="{sc.COMPLETED}"}}: '
            "leave rate(), windows and sums to AWF"
        )
    metric, inner = found[1], found[2] or ""
    matchers, end = [], 0
    while end < len(inner) and inner[end:].strip():
        part = _MATCHER.match(inner, end)
        if part is None:
            raise ValueError(f'{inner[end:].strip()!r:.60} is not a matcher such as label="value"')
        matchers.append(_normal(*part.group(1, 2, 3)))
        end = part.end()
    selector = Selector(metric, tuple(matchers))
    _check(selector)
    return selector


def labels_of(metric: str) -> tuple[str, ...] | None:
    """Return the labels of a metric that AWF exports, None for another's."""
    base = next((metric.removesuffix(end) for end in COUNTERS[1:] if metric.endswith(end)), metric)
    for name in (metric, base):
        if name in sc.METRIC_LABELS:
            return (*sc.METRIC_LABELS[name], *_RESOURCE)
    return None


def check_label(metric: str, label: str) -> None:
    """Raise ValueError for what looks like a misspelt label of a metric of ours; others may be the collector's."""
    known = labels_of(metric)
    if known is None or label in (*known, "le"):
        return
    near = difflib.get_close_matches(label, known, n=1)
    if near:
        raise ValueError(f"{metric} has no label {label!r}: did you mean {near[0]!r}?")


def _normal(label: str, operator: str, value: str) -> tuple[str, str, str]:
    # Backends differ in how they write a bucket's bound, 30000 or 30000.0.
    if label == "le" and operator == "=" and (bound := _WHOLE.fullmatch(value)):
        return label, "=~", f"{bound[1]}([.]0)?"
    return label, operator, value


def _check(selector: Selector) -> None:
    metric = selector.metric
    if not metric.endswith(COUNTERS):
        raise ValueError(f"{metric} is not a counter: its name ends in none of {', '.join(COUNTERS)}")
    if metric.startswith(_OURS) and labels_of(metric) is None:
        near = difflib.get_close_matches(metric, sc.METRIC_LABELS, n=1)
        raise ValueError(f"AWF exports no metric {metric}" + (f": did you mean {near[0]}?" if near else ""))
    for label, operator, value in selector.matchers:
        check_label(metric, label)
        if operator in ("=~", "!~"):
            _check_pattern(label, value)
    if metric.endswith("_bucket"):
        _check_bound(selector)


def _check_pattern(label: str, value: str) -> None:
    try:
        re.compile(value.replace("\\\\", "\\"))
    except re.error as error:
        raise ValueError(f"the pattern of {label} is not a regular expression: {error}") from error


def _check_bound(selector: Selector) -> None:
    """A bound that is no bucket's selects nothing, and everything would count as bad."""
    bounds = [(op, value) for label, op, value in selector.matchers if label == "le"]
    if not bounds:
        raise ValueError(f'{selector.metric} needs a bound: le="..."')
    known = _BUCKETS.get(selector.metric.removesuffix("_bucket"))
    for operator, value in bounds if known else ():
        if operator == "=~" and not any(re.fullmatch(value, f"{bound:.0f}") for bound in known or ()):
            listed = ", ".join(f"{bound:.0f}" for bound in known or ())
            raise ValueError(f"{selector.metric} has no bucket with that bound; the bounds are {listed}")
