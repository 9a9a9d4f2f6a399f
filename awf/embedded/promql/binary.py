"""Binary operators between vectors: pairing series by their labels (promql/engine.go, `VectorBinop`)."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from awf.embedded.promql.operators import ARITHMETIC, COMPARISONS, apply
from awf.embedded.promql.syntax import Binary, Matching
from awf.embedded.promql.values import (
    NAME,
    Bools,
    Floats,
    Ints,
    Key,
    Labels,
    Vector,
    any_groups,
    check_cells,
    count_groups,
    drop_name,
    empty,
    format_labels,
    group,
    key,
    merge,
    only,
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
            extra = _filtered(rhs, ~_matched(node.matching, rhs, lhs))
            return merge(
                Vector(
                    [*lhs.labels, *extra.labels],
                    np.concatenate([lhs.values, extra.values]),
                    np.concatenate([lhs.present, extra.present]),
                )
            )
        case _:
            return _paired(node, lhs, rhs)


def _signature(labels: Labels, matching: Matching) -> Key:
    if matching.on:
        return key(only(labels, matching.labels))
    return key(without(labels, (*matching.labels, NAME)))


def _filtered(vector: Vector, mask: Bools) -> Vector:
    present = vector.present & mask
    return Vector(vector.labels, vector.values, present).occupied()


def _matched(matching: Matching, vector: Vector, other: Vector) -> Bools:
    """Tell, for each cell of the vector, whether the other has a sample that matches it."""
    signatures = [_signature(labels, matching) for labels in [*vector.labels, *other.labels]]
    ids, firsts = group(signatures)
    nothing = np.zeros(vector.present.shape, dtype=bool)
    present = np.concatenate([nothing, other.present])
    return any_groups(present, ids, len(firsts))[ids[: len(vector)]]


def _paired(node: Binary, lhs: Vector, rhs: Vector) -> Vector:
    matching = node.matching
    swapped = matching.many == "right"
    many, one = (rhs, lhs) if swapped else (lhs, rhs)
    many_rows, one_rows, signatures = _pairs(node, many, one)
    steps = lhs.values.shape[1]
    if not len(many_rows):
        return empty(steps)
    check_cells(len(many_rows), steps)
    many_values, one_values = many.values[many_rows], one.values[one_rows]
    left, right = (one_values, many_values) if swapped else (many_values, one_values)
    values, holds = apply(node.op, left, right, kept=left, returns_bool=node.returns_bool)
    present = holds & many.present[many_rows] & one.present[one_rows]
    if matching.many is None:
        _check_one_to_one(signatures, present)
    labels = [
        _result_labels(node, many.labels[m], one.labels[o]) for m, o in zip(many_rows, one_rows, strict=True)
    ]
    try:
        return merge(Vector(labels, values, present).occupied())
    except QueryError as error:
        raise QueryError("multiple matches for labels: grouping labels must ensure unique matches") from error


def _pairs(node: Binary, many: Vector, one: Vector) -> tuple[Ints, Ints, Ints]:
    """Return the rows that match, side by side, and the number of their match group."""
    matching = node.matching
    keys = [_signature(labels, matching) for labels in one.labels]
    ids, firsts = group(keys)
    _check_unique(node, one, ids, keys, np.any(many.present, axis=0))
    groups = {keys[first]: number for number, first in enumerate(firsts)}
    members: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(ids.tolist()):
        members[number].append(row)
    found = [
        (row, other, number)
        for row, labels in enumerate(many.labels)
        if (number := groups.get(_signature(labels, matching))) is not None
        for other in members[number]
    ]
    columns = np.array(found, dtype=np.int64).reshape(-1, 3).T
    return columns[0], columns[1], columns[2]


def _check_unique(node: Binary, one: Vector, ids: Ints, keys: list[Key], asked: Bools) -> None:
    """Refuse two samples on the side that must be unique in its match group, at the steps where the
    other side has any."""
    if len(set(keys)) == len(keys):
        return
    counts = count_groups(one.present, ids, int(ids.max()) + 1)
    numbers, steps = np.nonzero((counts > 1) & asked)
    if not len(numbers):
        return
    rows = np.flatnonzero((ids == numbers[0]) & one.present[:, steps[0]])[:2]
    side = "left" if node.matching.many == "right" else "right"
    names = ", ".join(format_labels(one.labels[row]) for row in rows)
    raise QueryError(
        f"found duplicate series for the match group {format_labels(dict(keys[rows[0]]))} on the {side} "
        f"hand-side of the operation: [{names}];many-to-many matching not allowed: matching labels must be "
        "unique on one side"
    )


def _check_one_to_one(signatures: Ints, present: Bools) -> None:
    unique, ids = np.unique(signatures, return_inverse=True)
    if len(unique) < len(signatures) and count_groups(present, ids, len(unique)).max() > 1:
        raise QueryError(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    labels = dict(many)
    if node.op not in COMPARISONS or node.returns_bool:
        labels.pop(NAME, None)
    if matching.many is None:
        return only(labels, matching.labels) if matching.on else without(labels, matching.labels)
    for name in matching.include:
        if one.get(name):
            labels[name] = one[name]
        else:
            labels.pop(name, None)
    return labels
