"""What evaluation produces: vectors over all steps of a query at once, and the samples handed out."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from awf.errors import QueryError, QueryLimit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Labels = Mapping[str, str]
Key = frozenset[tuple[str, str]]
T = TypeVar("T", bound=np.generic)

NAME = "__name__"
METADATA = (NAME, "__type__", "__unit__")
"""The labels that say what a metric is; they go when a value is no longer that metric's."""
MAX_CELLS = 20_000_000
"""Series times steps that one intermediate result may have (160 MB of values)."""


class KeptName(str):
    """A metric name that stays in sight to the end of the query even when it is dropped."""

    __slots__ = ()


class DroppedName(KeptName):
    """A metric name that goes at the end of the query."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class VectorSample:
    labels: Labels
    timestamp_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class Scalar:
    timestamp_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class String:
    timestamp_ms: int
    value: str


@dataclass(frozen=True, slots=True)
class Vector:
    """An instant vector at every step: one row a series, one column a step.

    A cell holds a sample only where `present`; NaN is a value like any other.
    """

    labels: Sequence[Labels]
    values: Floats
    present: Bools

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, index: Ints | Bools) -> Vector:
        """Return the rows that an index or a mask picks, in its order."""
        positions = np.arange(len(self))[index]
        return Vector([self.labels[i] for i in positions], self.values[index], self.present[index])

    def occupied(self) -> Vector:
        """Return the rows that have a sample at some step."""
        here: Bools = np.any(self.present, axis=1)
        return self if here.all() else self.rows(here)


def empty(steps: int) -> Vector:
    return Vector([], np.zeros((0, steps)), np.zeros((0, steps), dtype=bool))


def check_cells(rows: int, steps: int) -> None:
    """Raise QueryLimit when a result of this size would not fit."""
    if rows * steps > MAX_CELLS:
        raise QueryLimit(
            f"the query needs {rows} series at {steps} steps, more than {MAX_CELLS} values",
            hint="Select fewer series, shorten the range or raise the step.",
        )


def without(labels: Labels, names: Iterable[str]) -> dict[str, str]:
    """Return the labels without some."""
    kept = dict(labels)
    for name in names:
        kept.pop(name, None)
    return kept


def only(labels: Labels, names: Iterable[str]) -> dict[str, str]:
    """Return some of the labels; those that are missing stay missing."""
    return {name: labels[name] for name in names if name in labels}


def key(labels: Labels) -> Key:
    return frozenset(labels.items())


def sort_key(labels: Labels) -> list[tuple[str, str]]:
    """Order series as Prometheus does: by label names and values."""
    return sorted(labels.items())


def is_label_name(name: str) -> bool:
    """Tell whether a label may be called so: any UTF-8 text."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def format_labels(labels: Labels) -> str:
    """Return the labels as Prometheus writes them in errors."""
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{inner}}}"


def group(keys: Iterable[Hashable]) -> tuple[Ints, list[int]]:
    """Number equal keys in order of appearance: the group of each row, and each group's first row."""
    numbers: dict[Hashable, int] = {}
    ids = np.array([numbers.setdefault(item, len(numbers)) for item in keys], dtype=np.int64)
    return ids, np.unique(ids, return_index=True)[1].tolist()


def names_of(labels: Iterable[Labels]) -> set[str]:
    """Return every label name there is."""
    names: set[str] = set()
    names.update(*labels)
    return names


def group_by(labels: Sequence[Labels], names: Set[str]) -> tuple[Ints, list[int]]:
    """Number label sets by what they say about some names, as `group` does."""
    ordered = sorted(names)
    if not ordered:
        return np.zeros(len(labels), dtype=np.int64), [0] if labels else []
    if len(ordered) == 1:
        name = ordered[0]
        return group([item.get(name) for item in labels])
    return group(zip(*([item.get(name) for item in labels] for name in ordered), strict=True))


def nameless(labels: Labels) -> Labels:
    """Return the labels without what says which metric it is."""
    name = labels.get(NAME)
    if isinstance(name, KeptName):
        return {**labels, NAME: DroppedName(name)}
    return without(labels, METADATA)


def drop_name(vector: Vector, *, strict: bool = False) -> Vector:
    """Return the vector without metric names. Raises QueryError when that makes two series one."""
    metrics = {labels.get(NAME) for labels in vector.labels}
    if any(isinstance(metric, KeptName) for metric in metrics):
        return Vector([nameless(labels) for labels in vector.labels], vector.values, vector.present)
    if dropped := names_of(vector.labels).intersection(METADATA):
        labels = list(map(dict, vector.labels))
        for item in labels:
            for name in dropped:
                item.pop(name, None)
        vector = Vector(labels, vector.values, vector.present)
    # Series of one metric differ in their other labels.
    return vector if len(metrics) == 1 else merge(vector, strict=strict)


def without_dropped(vector: Vector) -> Vector:
    """Return the vector as the query's result: dropped names go now."""
    if not any(isinstance(labels.get(NAME), KeptName) for labels in vector.labels):
        return vector
    labels = [
        without(item, METADATA)
        if isinstance(item.get(NAME), DroppedName)
        else {name: str(value) for name, value in item.items()}
        for item in vector.labels
    ]
    return merge(Vector(labels, vector.values, vector.present))


def merge(vector: Vector, *, strict: bool = False) -> Vector:
    """Join rows of equal labels that have no step in common; `strict` refuses even those.

    Raises QueryError when two rows have a sample at the same step.
    """
    _, firsts = group(map(key, vector.labels))
    if len(firsts) == len(vector):
        return vector
    filled = vector.occupied()
    ids, firsts = group(map(key, filled.labels))
    if len(firsts) == len(filled):
        return filled
    counts = count_groups(filled.present, ids, len(firsts))
    if strict or counts.max(initial=0) > 1:
        raise QueryError("vector cannot contain metrics with the same labelset")
    values = sum_groups(np.where(filled.present, filled.values, -0.0), ids, len(firsts))
    return Vector([filled.labels[i] for i in firsts], values, counts > 0)


def stacked(vectors: Sequence[Vector]) -> Vector:
    """Return the rows of all vectors."""
    return Vector(
        [labels for vector in vectors for labels in vector.labels],
        np.concatenate([vector.values for vector in vectors]),
        np.concatenate([vector.present for vector in vectors]),
    )


def sum_groups(matrix: Floats, ids: Ints, groups: int) -> Floats:
    """Add up the rows of each group one after the other, as Prometheus does: those that hold -0, where there is no
    sample, then change no bit of a total."""
    cells = _cells(matrix, ids)
    totals: Floats = np.bincount(cells, matrix.ravel(), groups * matrix.shape[1]).astype(float, copy=False)
    if not totals.all():
        rose = np.bincount(cells, ~np.signbit(matrix.ravel()), len(totals))
        totals[(totals == 0) & (rose == 0)] = -0.0  # only where all of them are
    return totals.reshape(groups, matrix.shape[1])


def count_groups(present: Bools, ids: Ints, groups: int) -> Ints:
    """Count the samples of each group at each step."""
    steps = present.shape[1]
    counts: Ints = np.bincount(_cells(present, ids), present.ravel(), groups * steps).astype(np.int64)
    return counts.reshape(groups, steps)


def any_groups(present: Bools, ids: Ints, groups: int) -> Bools:
    """Tell where a group has a sample."""
    return count_groups(present, ids, groups) > 0


def _cells(matrix: NDArray[T], ids: Ints) -> Ints:
    """Number the cells of the groups' matrix, and return which of them each cell of the rows belongs to."""
    steps = matrix.shape[1]
    cells: Ints = (ids[:, None] * steps + np.arange(steps)).ravel()
    return cells


def members(ids: Ints, groups: int) -> list[Ints]:
    """Return the rows of each group."""
    order: Ints = np.argsort(ids, kind="stable")
    return np.split(order, np.searchsorted(ids[order], np.arange(1, groups)))


def reduce_groups(operation: np.ufunc, matrix: NDArray[T], ids: Ints, groups: int) -> NDArray[T]:
    """Reduce the rows of each group with a ufunc; every group has at least one row."""
    if not groups:
        return matrix[:0]
    order = np.argsort(ids, kind="stable")
    starts = np.searchsorted(ids[order], np.arange(groups))
    ordered = matrix if bool(np.all(ids[1:] >= ids[:-1])) else matrix[order]
    result: NDArray[T] = operation.reduceat(ordered, starts, axis=0)
    return result


def format_value(value: float) -> str:
    """Write a number as Prometheus does in labels: no exponent, no needless digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")
