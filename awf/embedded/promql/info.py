"""info(): adds the labels of info metrics, such as target_info, to series of the same instance and job.

After Prometheus 3, promql/info.go.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from awf.embedded.model import Matcher, MatchOp
from awf.embedded.promql.selection import Context, instant_vector
from awf.embedded.promql.syntax import At, Call, Node, Selector, Subquery, children
from awf.embedded.promql.values import (
    NAME,
    Bools,
    Floats,
    Ints,
    Labels,
    Vector,
    format_labels,
    merge,
    stacked,
)
from awf.errors import QueryError

_IDENTITY = ("instance", "job")
_POSITIVE = (MatchOp.EQUAL, MatchOp.REGEX)
_DEFAULT = Matcher(NAME, MatchOp.EQUAL, "target_info")
_ANY_INFO = Matcher(NAME, MatchOp.REGEX, ".+_info")

Identity = tuple[str | None, ...]
Sources = dict[Identity, dict[str, list["_Source"]]]
"""The info series of an identity, by their metric."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which info metrics to take, and which of their labels."""

    names: tuple[Matcher, ...]
    data: tuple[Matcher, ...]

    def takes(self, label: str) -> bool:
        return not self.data or any(matcher.name == label for matcher in self.data)

    @property
    def is_required(self) -> bool:
        """Whether a series without a matching info series is left out."""
        return any(not matcher.matches("") for matcher in self.data)


def info(call: Call, base: Vector, context: Context) -> Vector:
    """Evaluate info(); `base` is its evaluated first argument."""
    wanted = _wanted(call)
    is_info = np.array([all(m.accepts(labels) for m in wanted.names) for labels in base.labels], dtype=bool)
    enriched = base.rows(~is_info)
    sources = _sources(call.args[0], wanted, enriched, context)
    parts = [base.rows(is_info)]
    for row, labels in enumerate(enriched.labels):
        matching = list(sources.get(_identity(labels), {}).values())
        parts.extend(_with_info(enriched.rows(np.array([row])), matching, wanted))

    return merge(stacked(parts).occupied())


def _wanted(call: Call) -> _Wanted:
    if len(call.args) < 2 or not isinstance(call.args[1], Selector):
        return _Wanted((_DEFAULT,), ())
    matchers = call.args[1].matchers
    names = tuple(matcher for matcher in matchers if matcher.name == NAME)
    data = tuple(matcher for matcher in matchers if matcher.name != NAME)
    if not names:
        names = (_DEFAULT,)
    elif not any(matcher.op in _POSITIVE for matcher in names):
        names = (_ANY_INFO, *names)
    return _Wanted(names, data)


def _sources(arg: Node, wanted: _Wanted, base: Vector, context: Context) -> Sources:
    """Read the info series of the base's instances and jobs."""
    identity = []
    for label in _IDENTITY:
        values = sorted({labels[label] for labels in base.labels if label in labels})
        if values:
            identity.append(Matcher(label, MatchOp.REGEX, "|".join(re.escape(value) for value in values)))
    if not identity:
        return {}
    at, offset_ms = _moment(arg)
    selector = Selector((*wanted.names, *wanted.data, *identity), offset_ms=offset_ms, at=at)
    newest = instant_vector(context, selector, timestamps=True)
    found: Sources = defaultdict(lambda: defaultdict(list))
    for row, labels in enumerate(newest.labels):
        times = np.where(newest.present[row], newest.values[row], -np.inf)
        found[_identity(labels)][labels.get(NAME, "")].append(_Source(labels, times))
    return found


@dataclass(frozen=True, slots=True)
class _Source:
    """An info series and when its newest sample is at each step, -inf where it has none."""

    labels: Labels
    times: Floats


def _identity(labels: Labels) -> Identity:
    return tuple(labels.get(name) for name in _IDENTITY)


def _moment(arg: Node) -> tuple[At, int]:
    """Return when the info series are looked at: as the first selector in the argument looks."""
    path = _path_to_selector(arg)
    if not path:
        return None, 0
    at: At = None
    offset_ms = 0
    for node in reversed(path):
        if isinstance(node, Selector | Subquery):
            offset_ms += node.offset_ms
            at = node.at
            if at is not None:
                break
    return at, offset_ms


def _path_to_selector(node: Node) -> list[Node]:
    if isinstance(node, Selector):
        return [node]
    for child in children(node):
        if path := _path_to_selector(child):
            return [node, *path]
    return []


def _with_info(row: Vector, matching: Sequence[Sequence[_Source]], wanted: _Wanted) -> list[Vector]:
    """Return the series as several, one for each combination of info series it meets over the steps."""
    labels = row.labels[0]
    if not matching:
        return [] if wanted.is_required else [row]
    chosen = np.array([_newest(candidates) for candidates in matching])
    result = []
    for combination in np.unique(chosen, axis=1).T:
        steps: Bools = np.all(chosen == combination[:, None], axis=0)
        picked = [
            group[index] for group, index in zip(matching, combination.tolist(), strict=True) if index >= 0
        ]
        if not picked and wanted.is_required:
            continue
        here = row.present & steps
        if here.any():
            result.append(Vector([_joined(labels, picked, wanted)], row.values, here))
    return result


def _newest(candidates: Sequence[_Source]) -> Ints:
    """Return which of the series has the newest sample at each step, -1 for none."""
    times = np.array([source.times for source in candidates])
    best = times.argmax(axis=0)
    top = times.max(axis=0)
    ties = (times == top) & np.isfinite(top)
    if (several := ties.sum(axis=0) > 1).any():
        step = int(np.flatnonzero(several)[0])
        first, second = np.flatnonzero(ties[:, step])[:2]
        names = [format_labels(candidates[index].labels) for index in (first, second)]
        moment = round(float(top[step]) * 1000)
        raise QueryError(
            f"found duplicate series for info metric: existing {names[0]} @ {moment}, new {names[1]} @ {moment}"
        )
    return np.where(np.isfinite(top), best, -1)


def _joined(labels: Labels, picked: Sequence[_Source], wanted: _Wanted) -> Labels:
    added: dict[str, str] = {}
    for source in picked:
        for name, value in source.labels.items():
            if name == NAME or not wanted.takes(name):
                continue
            if added.get(name, value) != value:
                raise QueryError(f"conflicting label: {name}")
            if name not in labels:
                added[name] = value
    return {**labels, **added}
