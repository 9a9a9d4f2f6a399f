"""Aggregations that keep some series of each group: topk, bottomk, limitk, limit_ratio."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from awf.embedded.promql.notes import Notes, write_g
from awf.embedded.promql.syntax import Span
from awf.embedded.promql.values import Bools, Floats, Ints, Labels, Vector, empty, members, sort_key
from awf.errors import QueryError

CHOICES = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})


def check(op: str, param: Floats, notes: Notes, span: Span) -> None:
    """Raise QueryError for a parameter that is none, warn of a ratio out of range."""
    known = param[~np.isnan(param)]
    lowest, highest = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    if op == "limit_ratio":
        if len(known) < len(param):
            raise QueryError("Ratio value is NaN")
        for value, limit in ((highest, 1), (lowest, -1)):
            if value * limit > 1:
                notes.warn(
                    f"ratio value should be between -1 and 1, got {write_g(value)}, capping to {limit}", span
                )
        return
    if len(known) < len(param):
        raise QueryError("Parameter value is NaN")
    if highest < 1:
        return
    if lowest <= -(2.0**63):
        raise QueryError(f"Scalar value {write_g(lowest)} underflows int64")
    if highest >= 2.0**63:
        raise QueryError(f"Scalar value {write_g(highest)} overflows int64")


def choose(op: str, vector: Vector, ids: Ints, param: Floats) -> Vector:
    """Evaluate one of the choices; `ids` are the groups of the rows."""
    if op == "limit_ratio":
        return _part(vector, np.clip(param, -1.0, 1.0))
    wanted = np.clip(np.trunc(param), 0, len(vector)).astype(np.int64)
    if not wanted.any():
        return empty(vector.values.shape[1])
    groups = members(ids, int(ids.max()) + 1)
    return (
        _first(vector, groups, wanted)
        if op == "limitk"
        else _extreme(vector, groups, wanted, largest=op == "topk")
    )


def _extreme(vector: Vector, groups: Sequence[Ints], wanted: Ints, *, largest: bool) -> Vector:
    """Keep the k extreme samples of each group at each step; NaN only when nothing else is left. Of equal
    ones those that come first by their labels are kept."""
    present = np.zeros(vector.present.shape, dtype=bool)
    ranked: list[int] = []
    keys = np.where(vector.present, -vector.values if largest else vector.values, np.nan)
    for group in groups:
        rows = _by_labels(vector, group[_candidates(keys[group], int(wanted.max()))])
        absent = ~vector.present[rows]
        order = np.lexsort((np.where(absent, 0.0, keys[rows]), absent), axis=0)
        place = np.argsort(order, axis=0, kind="stable")
        present[rows] = (place < wanted) & vector.present[rows]
        ranked.extend(rows[order[:, 0]].tolist())
    result = Vector(vector.labels, vector.values, present)
    if vector.values.shape[1] == 1:  # an instant query lists the extremes first
        result = result.rows(np.array(ranked))
    return result.occupied()


def _candidates(keys: Floats, most: int) -> Bools:
    """Tell which rows may be among the smallest at some step: sorting all of them by labels would take long."""
    if most >= len(keys):
        return np.ones(len(keys), dtype=bool)
    limit = np.partition(keys, most - 1, axis=0)[most - 1]
    found: Bools = np.any(~(keys > limit), axis=1)
    return found


def _by_labels(vector: Vector, rows: Ints) -> Ints:
    return np.array(sorted(rows.tolist(), key=lambda row: sort_key(vector.labels[row])), dtype=np.int64)


def _first(vector: Vector, groups: Sequence[Ints], wanted: Ints) -> Vector:
    present = np.zeros(vector.present.shape, dtype=bool)
    for group in groups:
        rows = _by_labels(vector, group)
        here = vector.present[rows]
        present[rows] = here & (np.cumsum(here, axis=0) <= wanted)
    return Vector(vector.labels, vector.values, present).occupied()


def _part(vector: Vector, ratio: Floats) -> Vector:
    """Keep a share of the series: those whose hash is below the ratio; a negative one keeps the others."""
    place = np.array([_place(labels) for labels in vector.labels])[:, None]
    kept = np.where(ratio >= 0, place < ratio, place >= 1.0 + ratio)
    return Vector(vector.labels, vector.values, vector.present & kept).occupied()


def _place(labels: Labels) -> float:
    """Return a number in [0, 1) that depends on the labels only. Which series a ratio keeps is not what
    Prometheus keeps: its hash depends on how it was built."""
    text = "\xff".join(f"{name}\xff{value}" for name, value in sort_key(labels))
    digest = blake2b(text.encode(errors="surrogatepass"), digest_size=6)
    return int.from_bytes(digest.digest()) / 2**48
