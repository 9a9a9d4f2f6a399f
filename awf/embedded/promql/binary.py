"""Binary operators between vectors: pairing series by their labels (promql/engine.go, `VectorBinop`)."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from awf.embedded.promql.operators import ARITHMETIC, COMPARISONS, apply
from awf.embedded.promql.syntax import Binary, Matching
from awf.embedded.promql.values import (
    METADATA,
    NAME,
    Bools,
    Floats,
    Ints,
    Labels,
    Vector,
    any_groups,
    check_cells,
    count_groups,
    drop_name,
    empty,
    format_labels,
    group,
    group_by,
    key,
    merge,
    nameless,
    names_of,
    only,
    stacked,
    without,
)
from awf.errors import QueryError


def scalars(node: Binary, lhs: Floats, rhs: Floats) -> Floats:
    """Combine two scalars; comparisons between scalars always have `bool`."""
    values, _ = apply(node.op, lhs, rhs, kept=lhs, returns_bool=True)
    return values


def vector_and_scalar(node: Binary, vector: Vector, scalar: Floats, *, swapped: bool) -> Vector:
    """Combine each sample with the scalar of its step; `swapped` when the scalar stands on the left."""
    lhs, rhs = (scalar[None, :], vector.values) if swapped else (vector.values, scalar[None, :])
    values, holds = apply(node.op, lhs, rhs, kept=vector.values, returns_bool=node.returns_bool)
    result = Vector(vector.labels, values, vector.present & holds)
    return drop_name(result) if node.op in ARITHMETIC or node.returns_bool else result


def vectors(node: Binary, lhs: Vector, rhs: Vector) -> Vector:
    """Combine two vectors. Raises QueryError when the match is ambiguous."""
    match node.op:
        case "and":
            return _filtered(lhs, _matched(node.matching, lhs, rhs))
        case "unless":
            return _filtered(lhs, ~_matched(node.matching, lhs, rhs))
        case "or":
            return merge(stacked([lhs, _filtered(rhs, ~_matched(node.matching, rhs, lhs))]))
        case _:
            return _paired(node, lhs, rhs)


def _signatures(matching: Matching, first: Vector, second: Vector) -> tuple[Ints, Ints, int]:
    """Return the match group of each row of both vectors, and how many groups there are."""
    labels = [*first.labels, *second.labels]
    names = set(matching.labels) if matching.on else names_of(labels).difference(matching.labels, (NAME,))
    ids, firsts = group_by(labels, names)
    return ids[: len(first)], ids[len(first) :], len(firsts)


def _match_labels(labels: Labels, matching: Matching) -> Labels:
    return only(labels, matching.labels) if matching.on else without(labels, (*matching.labels, NAME))


def _filtered(vector: Vector, mask: Bools) -> Vector:
    present = vector.present & mask
    return Vector(vector.labels, vector.values, present).occupied()


def _matched(matching: Matching, vector: Vector, other: Vector) -> Bools:
    """Tell, for each cell of the vector, whether the other has a sample that matches it."""
    ids, other_ids, groups = _signatures(matching, vector, other)
    nothing = np.zeros(vector.present.shape, dtype=bool)
    present = np.concatenate([nothing, other.present])
    return any_groups(present, np.concatenate([ids, other_ids]), groups)[ids]


def _paired(node: Binary, lhs: Vector, rhs: Vector) -> Vector:
    """Combine the samples that match, and those that a fill value matches."""
    many, one = (rhs, lhs) if node.matching.many == "right" else (lhs, rhs)
    combined, is_distinct = _combined(node, many, one)
    parts = [combined]
    # As in Prometheus: fill_right stands in for the side that is unique, also when that is the left one.
    if (fill := node.matching.fill_right) is not None:
        alone = _filtered(many, ~_matched(node.matching, many, one))
        parts.append(_with_fill(node, alone, fill, of_many=True))
    if (fill := node.matching.fill_left) is not None:
        alone = _filtered(one, ~_matched(node.matching, one, many))
        parts.append(_with_fill(node, alone, fill, of_many=False))
    if len(parts) == 1 and is_distinct:
        return combined
    try:
        return merge(stacked(parts) if len(parts) > 1 else parts[0])
    except QueryError as error:
        raise QueryError("multiple matches for labels: grouping labels must ensure unique matches") from error


def _combined(node: Binary, many: Vector, one: Vector) -> tuple[Vector, bool]:
    """Combine the samples that match; tell also whether the series are surely distinct."""
    ids, other_ids, groups = _signatures(node.matching, many, one)
    _check_unique(node, one, other_ids, groups, np.any(many.present, axis=0))
    many_rows, one_rows = _pairs(ids, other_ids)
    steps = many.values.shape[1]
    if not len(many_rows):
        return empty(steps), True
    check_cells(len(many_rows), steps)
    both = many.present[many_rows] & one.present[one_rows]
    if node.matching.many is None:
        _check_one_to_one(ids[many_rows], both)
    labels = [
        _result_labels(node, many.labels[m], one.labels[o])
        for m, o in zip(many_rows.tolist(), one_rows.tolist(), strict=True)
    ]
    values, holds = _applied(node, many.values[many_rows], one.values[one_rows])
    if node.op in COMPARISONS and node.matching.many is not None:
        _check_distinct(Vector(labels, values, both))
    matched = ids[many_rows]
    is_distinct = node.matching.many is None and len(np.unique(matched)) == len(matched)
    return Vector(labels, values, both & holds).occupied(), is_distinct


def _applied(node: Binary, many: Floats, one: Floats) -> tuple[Floats, Bools]:
    left, right = (one, many) if node.matching.many == "right" else (many, one)
    return apply(node.op, left, right, kept=left, returns_bool=node.returns_bool)


def _with_fill(node: Binary, alone: Vector, fill: float, *, of_many: bool) -> Vector:
    """Combine samples that nothing matches with a fill value."""
    filled = np.full(alone.values.shape, fill)
    values, holds = _applied(node, *((alone.values, filled) if of_many else (filled, alone.values)))
    labels = []
    for item in alone.labels:
        other = _match_labels(item, node.matching)
        labels.append(_result_labels(node, *((item, other) if of_many else (other, item))))
    result = Vector(labels, values, alone.present)
    _check_distinct(result)
    return Vector(labels, values, alone.present & holds).occupied()


def _pairs(ids: Ints, other_ids: Ints) -> tuple[Ints, Ints]:
    """Return the rows that match, side by side."""
    if len(np.unique(other_ids)) == len(other_ids):
        rows = np.full(int(max(ids.max(initial=0), other_ids.max(initial=0))) + 1, -1, dtype=np.int64)
        rows[other_ids] = np.arange(len(other_ids))
        others = rows[ids]
        return np.flatnonzero(others >= 0), others[others >= 0]
    members: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(other_ids.tolist()):
        members[number].append(row)
    found = [(row, other) for row, number in enumerate(ids.tolist()) for other in members.get(number, ())]
    columns = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return columns[0], columns[1]


def _check_unique(node: Binary, one: Vector, ids: Ints, groups: int, asked: Bools) -> None:
    """Refuse two samples on the side that must be unique in its match group, at the steps where the
    other side has any."""
    if len(np.unique(ids)) == len(ids):
        return
    counts = np.zeros((groups, one.present.shape[1]), dtype=np.int64)
    np.add.at(counts, ids, one.present)
    numbers, steps = np.nonzero((counts > 1) & asked)
    if not len(numbers):
        return
    rows = np.flatnonzero((ids == numbers[0]) & one.present[:, steps[0]])[:2]
    side = "left" if node.matching.many == "right" else "right"
    names = ", ".join(sorted(format_labels(one.labels[row]) for row in rows))
    matched = format_labels(_match_labels(one.labels[rows[0]], node.matching))
    raise QueryError(
        f"found duplicate series for the match group {matched} on the {side} "
        f"hand-side of the operation: [{names}];many-to-many matching not allowed: matching labels must be "
        "unique on one side"
    )


def _check_one_to_one(signatures: Ints, present: Bools) -> None:
    unique, ids = np.unique(signatures, return_inverse=True)
    if len(unique) < len(signatures) and count_groups(present, ids, len(unique)).max() > 1:
        raise QueryError(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )


def _check_distinct(result: Vector) -> None:
    """Refuse two samples of equal labels at one step, also where a comparison leaves one of them out."""
    ids, firsts = group(map(key, result.labels))
    if len(firsts) < len(ids) and count_groups(result.present, ids, len(firsts)).max() > 1:
        raise QueryError("multiple matches for labels: grouping labels must ensure unique matches")


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    if matching.many is None and matching.on and NAME not in matching.labels:
        return only(many, matching.labels)
    labels = dict(many)
    if node.op not in COMPARISONS:
        labels = without(many, METADATA)
    elif node.returns_bool:
        labels = dict(nameless(many))
    if matching.many is None:
        return only(labels, matching.labels) if matching.on else without(labels, matching.labels)
    for name in matching.include:
        if one.get(name):
            labels[name] = one[name]
        else:
            labels.pop(name, None)
    return labels
