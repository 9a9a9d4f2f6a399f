"""Vectors over the steps of a query, as columns: what every operator takes and returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from awf.errors import QueryError, QueryLimit

MAX_CELLS: Final = 5_000_000

LabelSet: TypeAlias = tuple[tuple[str, str], ...]
"""Labels sorted by name: equal sets are equal tuples."""
Values: TypeAlias = NDArray[np.float64]
Present: TypeAlias = NDArray[np.bool_]


def label_set(labels: Mapping[str, str]) -> LabelSet:
    return tuple(sorted(labels.items()))


def keep_labels(labels: LabelSet, names: Iterable[str]) -> LabelSet:
    wanted = frozenset(names)
    return tuple(pair for pair in labels if pair[0] in wanted)


def drop_labels(labels: LabelSet, names: Iterable[str]) -> LabelSet:
    """Leave out the named labels, and empty ones: who takes labels away sees an empty label as none."""
    unwanted = frozenset(names)
    return tuple(pair for pair in labels if pair[1] and pair[0] not in unwanted)


@dataclass(frozen=True, slots=True)
class Frame:
    """One row a series, one column a step. `present` tells a missing sample from a NaN."""

    labels: tuple[LabelSet, ...]
    values: Values
    present: Present

    @classmethod
    def empty(cls, steps: int) -> Frame:
        return cls((), np.zeros((0, steps)), np.zeros((0, steps), dtype=bool))

    @classmethod
    def build(cls, rows: Iterable[tuple[LabelSet, Values, Present]], steps: int) -> Frame:
        """Rows without a sample are left out. Rows with the same labels are one series, so that they
        must not have a sample at the same step. Raises QueryError, or QueryLimit when it is too large."""
        merged: dict[LabelSet, tuple[Values, Present]] = {}
        for labels, values, present in rows:
            if not present.any():
                continue
            known = merged.get(labels)
            if known is None:
                check_cells(len(merged) + 1, steps)
                merged[labels] = (values, present)
                continue
            if (known[1] & present).any():
                shown = ", ".join(f'{name}="{value}"' for name, value in labels)
                raise QueryError(f"the operation gives two samples at one time for the series {{{shown}}}")
            merged[labels] = (np.where(present, values, known[0]), known[1] | present)
        if not merged:
            return cls.empty(steps)
        return cls(
            tuple(merged),
            np.stack([values for values, _ in merged.values()]),
            np.stack([present for _, present in merged.values()]),
        )

    @property
    def steps(self) -> int:
        return int(self.values.shape[1])

    def where(self, keep: Present) -> Frame:
        """Return the samples for which `keep` holds."""
        return Frame.build(zip(self.labels, self.values, self.present & keep, strict=True), self.steps)


def check_cells(series: int, steps: int) -> None:
    if series * steps > MAX_CELLS:
        raise QueryLimit(
            f"the query gives more than {MAX_CELLS} samples ({series} series, {steps} steps)",
            hint="Use a longer step, a shorter range, or aggregate to fewer series.",
        )
