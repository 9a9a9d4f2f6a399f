"""From log entries to samples: run the pipeline, take each entry's value, and group by labels."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from awf.embedded.contracts import LogReader
from awf.embedded.logql import nodes, units
from awf.embedded.logql.entry import ALL_LABELS, ERROR, Entry, Hints
from awf.embedded.logql.extract import LOGFMT_ERROR
from awf.embedded.logql.extract_json import JSON_ERROR
from awf.embedded.logql.filters import label_filter, label_names
from awf.embedded.logql.frame import LabelSet, Values, label_set
from awf.embedded.logql.pipeline import Pipeline, required_names
from awf.embedded.logql.scan import LARGEST_SLICE, QueryStats, check_size, line_bytes, scan
from awf.errors import QueryError, QueryLimit

MAX_RANGE_SERIES: Final = 50_000
EXTRACTION_ERROR: Final = "SampleExtractionErr"
PARSER_ERRORS: Final = frozenset({JSON_ERROR, LOGFMT_ERROR})

_CONVERT: Final[dict[str, Callable[[str], float]]] = {
    "": units.number,
    "bytes": units.size_bytes,
    "duration": lambda text: units.duration_ns(text) / 1e9,
}


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one label set in time order."""

    labels: LabelSet
    timestamps_ns: NDArray[np.int64]
    values: Values


@dataclass(frozen=True, slots=True)
class WindowEnds:
    """Where the windows (end - range, end] of a range end: first, first + step, ... last."""

    first_ns: int
    last_ns: int
    step_ns: int

    def covers(self, timestamp_ns: int, range_ns: int) -> bool:
        """Tell whether an entry between the first start and the last end is in a window, not in a gap."""
        return (self.first_ns - timestamp_ns) % self.step_ns < range_ns


def read_series(
    reader: LogReader,
    node: nodes.RangeAggregation,
    grouping: nodes.Grouping | None,
    ends: WindowEnds,
    stats: QueryStats,
) -> list[Series]:
    """Return the samples of entries in the windows, grouped by the range's own or the outer grouping.

    Raises QueryError for an entry that carries an error, as Loki does.
    """
    log_range = node.range
    pipeline = Pipeline(log_range.query.stages)
    value_of = _value_reader(node)
    hints = hints_of(log_range, grouping)
    key_of = _key_reader(log_range, grouping, keeps_errors=hints.required is not None and hints.wants(ERROR))
    rows: defaultdict[LabelSet, tuple[array[int], array[float]]] = defaultdict(
        lambda: (array("q"), array("d"))
    )
    span_ns = (ends.first_ns - log_range.range_ns + 1, ends.last_ns + 1)
    check_size(reader, log_range.query.matchers, span_ns, pipeline.where)
    records = scan(
        reader, log_range.query.matchers, span_ns, stats,
        where=pipeline.where, newest_first=False, rows=LARGEST_SLICE,
    )  # fmt: skip
    has_gaps = ends.step_ns > log_range.range_ns
    for record in records:
        if has_gaps and not ends.covers(record.timestamp_ns, log_range.range_ns):
            continue
        entry = Entry(record, hints)
        if not pipeline.accepts(entry):
            continue
        value = value_of(entry)
        if value is None:
            continue
        times, values = rows[key_of(entry)]
        times.append(record.timestamp_ns)
        values.append(value)
        check_series(len(rows))
    return [
        Series(labels, np.array(times, dtype=np.int64), np.array(values, dtype=np.float64))
        for labels, (times, values) in rows.items()
    ]


def check_series(count: int) -> None:
    if count > MAX_RANGE_SERIES:
        raise QueryLimit(
            f"a range of the query has more than {MAX_RANGE_SERIES} series",
            hint="Aggregate with sum by (...) or keep fewer labels.",
        )


def hints_of(log_range: nodes.LogRange, grouping: nodes.Grouping | None) -> Hints:
    """What is grouped by and what is read is all that parsers need; `without` needs every label."""
    if grouping is None or grouping.without:
        return ALL_LABELS
    names = required_names(log_range.query.stages) | frozenset(grouping.names)
    names = names.union(*(label_names(node) for node in log_range.filters))
    return Hints.of(names | ({log_range.unwrap.name} if log_range.unwrap else frozenset()))


def _value_reader(node: nodes.RangeAggregation) -> Callable[[Entry], float | None]:
    unwrap = node.range.unwrap
    if unwrap is not None:
        return _unwrap_reader(unwrap, node.range.filters)
    if node.op.startswith("bytes"):
        return lambda entry: float(line_bytes(entry.line))
    return lambda entry: 1.0


def _unwrap_reader(
    unwrap: nodes.Unwrap, filters: tuple[nodes.LabelFilter, ...]
) -> Callable[[Entry], float | None]:
    """An entry without the label has no sample; one whose label cannot be read has an error."""
    convert, name = _CONVERT[unwrap.conversion], unwrap.name
    steps = [label_filter(node) for node in filters]

    def read(entry: Entry) -> float | None:
        text = entry.get(name)
        if not text:
            return None
        try:
            value = float(convert(text))
        except ValueError as error:
            entry.fail(EXTRACTION_ERROR, str(error))
            value = 0.0
        return value if all(step(entry) for step in steps) else None

    return read


def _key_reader(
    log_range: nodes.LogRange, grouping: nodes.Grouping | None, *, keeps_errors: bool
) -> Callable[[Entry], LabelSet]:
    """Return what tells an entry's series. The reader raises QueryError for an entry that carries an error."""
    labels_of = _all_but(log_range, grouping) if grouping is None or grouping.without else _named(grouping)

    def key(entry: Entry) -> LabelSet:
        if entry.error and not (keeps_errors and entry.error in PARSER_ERRORS):
            raise _pipeline_error(entry)
        return labels_of(entry)

    return key


def _named(grouping: nodes.Grouping) -> Callable[[Entry], LabelSet]:
    names = sorted(set(grouping.names))
    known: dict[tuple[str | None, ...], LabelSet] = {}

    def labels_of(entry: Entry) -> LabelSet:
        values = tuple([(entry.error or None) if name == ERROR else entry.get(name) for name in names])
        if values not in known:
            known[values] = tuple((n, v) for n, v in zip(names, values, strict=True) if v is not None)
        return known[values]

    return labels_of


def _all_but(log_range: nodes.LogRange, grouping: nodes.Grouping | None) -> Callable[[Entry], LabelSet]:
    unwanted = {log_range.unwrap.name} if log_range.unwrap else set()
    unwanted.update(grouping.names if grouping else ())

    def labels_of(entry: Entry) -> LabelSet:
        labels = entry.labels()
        for name in unwanted:
            labels.pop(name, None)
        return label_set(labels)

    return labels_of


def _pipeline_error(entry: Entry) -> QueryError:
    shown = ", ".join(f'{name}="{value}"' for name, value in label_set(entry.labels()))
    return QueryError(
        f"pipeline error: '{entry.error}' for series: '{{{shown}}}'.\n"
        f'Use a label filter to intentionally skip this error. (e.g | __error__!="{entry.error}").\n'
        'To skip all potential errors you can match empty errors.(e.g __error__="")\n'
        "The label filter can also be specified after unwrap. "
        '(e.g | unwrap latency | __error__="" )\n'
    )
