"""Reading samples: from a reader's series to windows over one flat array, for all steps at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from awf.embedded import deadline
from awf.embedded.contracts import SampleReader
from awf.embedded.model import STALE_NAN_BITS, SeriesBlock, SeriesData
from awf.embedded.promql.notes import Notes
from awf.embedded.promql.syntax import At, Selector
from awf.embedded.promql.values import Bools, Floats, Ints, Vector, check_cells
from awf.errors import QueryLimit

MAX_SAMPLES = 20_000_000
_CHUNK = 1_000_000


@dataclass(frozen=True, slots=True)
class Context:
    """Where and when an expression is evaluated."""

    reader: SampleReader
    times: Ints
    start_ms: int
    end_ms: int
    lookback_ms: int
    closed_ranges: bool
    step_ms: int = 1
    delays_names: bool = False
    notes: Notes = field(default_factory=Notes)

    @property
    def steps(self) -> int:
        return len(self.times)

    def moments(self, offset_ms: int, at: At) -> Ints:
        """Return the times at which a selector with these modifiers looks."""
        if at is None:
            return self.times - offset_ms
        fixed = {"start": self.start_ms, "end": self.end_ms}.get(at, at) if isinstance(at, str) else at
        return np.full(self.steps, int(fixed) - offset_ms, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Windows:
    """For some series and all steps, the samples in each window.

    `timestamps` and `values` hold the series one after the other and end with one padding element;
    window i is [low[i], high[i]), series by series, step by step. The windows end at `ends`, which
    modifiers may have moved away from the steps, `times`.
    """

    timestamps: Ints
    values: Floats
    low: Ints
    high: Ints
    ends: Ints
    times: Ints
    range_ms: int
    rows: int

    @property
    def counts(self) -> Ints:
        return self.high - self.low

    def per_cell(self, by_step: Floats | Ints) -> Floats:
        """Repeat one value a step for every series."""
        return np.tile(by_step, self.rows).astype(np.float64)

    def reduce(self, operation: np.ufunc, data: Floats, *, skip: int = 0) -> Floats:
        """Reduce each window of `data` without its first `skip` samples; windows that are empty hold
        something meaningless."""
        bounds = np.empty(2 * len(self.low), dtype=np.int64)
        bounds[0::2] = np.minimum(self.low + skip, self.high)
        bounds[1::2] = self.high
        result: Floats = operation.reduceat(data, bounds)[::2]
        return result

    def gather(self) -> Iterator[tuple[slice, Ints, Bools]]:
        """Yield runs of cells with the positions of their samples, padded to a rectangle, and which of
        those are real."""
        widest = int(self.counts.max(initial=0))
        run = max(1, _CHUNK // max(widest, 1))
        for start in range(0, len(self.low), run):
            deadline.check()
            cells = slice(start, start + run)
            positions = self.low[cells, None] + np.arange(widest)
            real = positions < self.high[cells, None]
            yield cells, np.where(real, positions, len(self.values) - 1), real


def is_stale(values: Floats) -> Bools:
    """Tell Prometheus' stale marker from other NaNs."""
    stale: Bools = values.view(np.int64) == STALE_NAN_BITS
    return stale


def select(context: Context, selector: Selector, ends: Ints, range_ms: int) -> SeriesBlock:
    """Read the samples that windows of `range_ms` ending at `ends` need."""
    first = int(ends.min()) - range_ms + (0 if context.closed_ranges else 1)
    series = SeriesBlock.of(context.reader.select(selector.matchers, first, int(ends.max())))
    total = len(series.timestamps_ms)
    if total > MAX_SAMPLES:
        raise QueryLimit(
            f"the query reads {total} samples, more than {MAX_SAMPLES}",
            hint="Select fewer series or a shorter range.",
        )
    check_cells(len(series), context.steps)
    return series


def windows(
    series: Sequence[SeriesData],
    ends: Ints,
    times: Ints,
    range_ms: int,
    *,
    closed: bool,
    keep_stale: bool = False,
) -> Iterator[Windows]:
    """Yield windows (end - range, end] (closed: [end - range, end]) for runs of the series, in order."""
    block = SeriesBlock.of(series)
    work = np.cumsum(np.maximum(np.diff(block.offsets), len(ends)))
    start = 0
    while start < len(block):
        done = int(work[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(work, done + _CHUNK, side="right")))
        yield _windows(block, slice(start, stop), ends, times, range_ms, closed=closed, keep_stale=keep_stale)
        start = stop


def _windows(
    block: SeriesBlock,
    run: slice,
    ends: Ints,
    times: Ints,
    range_ms: int,
    *,
    closed: bool,
    keep_stale: bool,
) -> Windows:
    offsets = block.offsets[run.start : run.stop + 1]
    here = slice(int(offsets[0]), int(offsets[-1]))
    timestamps, values, offsets = block.timestamps_ms[here], block.values[here], offsets - offsets[0]
    if not keep_stale and (stale := is_stale(values)).any():
        timestamps, values = timestamps[~stale], values[~stale]
        offsets = np.concatenate(([0], np.cumsum(~stale)))[offsets]
    rows = len(offsets) - 1
    return Windows(
        timestamps=np.append(timestamps, 0),
        values=np.append(values, 0.0),
        low=_reached(timestamps, offsets, ends - range_ms, inclusive=not closed),
        high=_reached(timestamps, offsets, ends, inclusive=True),
        ends=ends, times=times, range_ms=range_ms, rows=rows,
    )  # fmt: skip


def _reached(timestamps: Ints, offsets: Ints, moments: Ints, *, inclusive: bool) -> Ints:
    """For each series and moment, return the position after its last sample before that moment (inclusive:
    or at it)."""
    steps, rows = len(moments), len(offsets) - 1
    step = int(moments[1] - moments[0]) if steps > 1 else 1
    if step <= 0 or (np.diff(moments) != step).any():
        return _searched(timestamps, offsets, moments, inclusive=inclusive)
    # Count samples between neighbouring moments, then add up: no search, as the moments are a grid.
    first = int(moments[0]) + (0 if inclusive else -1)
    cell = np.clip(-((first - timestamps) // step), 0, steps)
    cell += np.repeat(np.arange(rows) * (steps + 1), np.diff(offsets))
    counts = np.bincount(cell, minlength=rows * (steps + 1)).reshape(rows, steps + 1)
    reached: Ints = (np.cumsum(counts[:, :-1], axis=1) + offsets[:-1, None]).ravel()
    return reached


def _searched(timestamps: Ints, offsets: Ints, moments: Ints, *, inclusive: bool) -> Ints:
    """Search all moments of all series at once, over keys that grow from series to series."""
    if not len(timestamps):
        return np.zeros(len(moments) * (len(offsets) - 1), dtype=np.int64)
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    base, last = int(timestamps.min()), int(timestamps.max())
    span = last - base + 3
    keys = rows * span + (timestamps - base)
    # Moments far from any sample would make the keys of series overlap, or overflow.
    near = np.clip(moments, base - 1, last + 1) - base
    wanted = near[None, :] + np.arange(len(offsets) - 1)[:, None] * span
    return np.searchsorted(keys, wanted.ravel(), side="right" if inclusive else "left")


def instant_vector(context: Context, selector: Selector, *, timestamps: bool = False) -> Vector:
    """Evaluate an instant selector: the newest sample within the lookback, unless it is a stale marker.

    With `timestamps` the values are the samples' times in seconds.
    """
    ends = context.moments(selector.offset_ms, selector.at)
    series = select(context, selector, ends, context.lookback_ms)
    values = np.zeros((len(series), context.steps))
    present = np.zeros((len(series), context.steps), dtype=bool)
    row = 0
    parts = windows(
        series, ends, context.times, context.lookback_ms, closed=context.closed_ranges, keep_stale=True
    )  # fmt: skip
    for part in parts:
        shape = (part.rows, context.steps)
        newest = np.maximum(part.high - 1, 0)
        found = part.values[newest]
        here = (part.counts > 0) & ~is_stale(found)
        result = part.timestamps[newest] / 1000.0 if timestamps else found
        values[row : row + part.rows] = result.reshape(shape)
        present[row : row + part.rows] = here.reshape(shape)
        row += part.rows
    return Vector(list(series.labels), values, present).occupied()
