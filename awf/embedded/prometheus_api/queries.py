"""What evaluates an expression: instant and range queries, exemplars, and its text in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from awf.core.clock import Clock
from awf.embedded.contracts import SampleReader
from awf.embedded.prometheus_api.answers import Answer, plain
from awf.embedded.promql import Engine, Notes, parse
from awf.embedded.promql.engine import check_kind, check_range
from awf.embedded.promql.parameters import Parameters, invalid
from awf.embedded.promql.parser import format_query, selectors
from awf.embedded.promql.reach import newest_read_ms
from awf.embedded.promql.syntax import kind
from awf.embedded.promql.values import sort_key
from awf.embedded.promql.wire import encode_result, format_float, limited, result_type
from awf.errors import QueryError


class QueryEndpoints:
    """Each method answers one endpoint."""

    def __init__(self, engine: Engine, reader: SampleReader, clock: Clock) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock

    def query(self, parameters: Parameters) -> Answer:
        query = _query(parameters)
        at_ms = parameters.time_ms("time", round(self._clock.now().timestamp() * 1000))
        notes = Notes(query)
        result = self._engine_of(parameters).instant(query, at_ms, notes)
        result, warnings = limited(result, parameters.count("limit"))
        shape = result_type(result, is_matrix=kind(parse(query)) == "matrix")
        return Answer(
            f'{{"resultType":"{shape}","result":{encode_result(result)}}}',
            [*warnings, *notes.texts()],
            newest_read_ms(parse(query), at_ms) if parameters.text("time") else None,
        )

    def query_range(self, parameters: Parameters) -> Answer:
        query = _query(parameters)
        start_ms, end_ms = (_required_time(parameters, name) for name in ("start", "end"))
        parameters.required("step")
        step_ms = parameters.duration_ms("step")
        if end_ms < start_ms:
            raise invalid("end", "end timestamp must not be before start time")
        with _blaming("step"):
            check_range(start_ms, end_ms, step_ms)
        with _blaming("query"):
            check_kind(parse(query))
        notes = Notes(query)
        series = self._engine_of(parameters).range(query, start_ms, end_ms, step_ms, notes)
        result, warnings = limited(series, parameters.count("limit"))
        return Answer(
            f'{{"resultType":"matrix","result":{encode_result(result)}}}',
            [*warnings, *notes.texts()],
            newest_read_ms(parse(query), end_ms),
        )

    def query_exemplars(self, parameters: Parameters) -> Answer:
        query = _query(parameters)
        start_ms, end_ms = parameters.span_ms()
        grouped: dict[str, dict[str, Any]] = {}
        for matchers in selectors(query):
            for item in self._reader.exemplars(matchers, start_ms, end_ms):
                labels = dict(sort_key(item.series_labels))
                entry = grouped.setdefault(json.dumps(labels), {"seriesLabels": labels, "exemplars": []})
                exemplar = {
                    "labels": dict(item.labels),
                    "value": format_float(item.value),
                    "timestamp": item.timestamp_ms / 1000,
                }
                if exemplar not in entry["exemplars"]:
                    entry["exemplars"].append(exemplar)
        return plain([grouped[key] for key in sorted(grouped)])

    def format_query(self, parameters: Parameters) -> Answer:
        return plain(format_query(_query(parameters)))

    def _engine_of(self, parameters: Parameters) -> Engine:
        """Return the engine, or one that looks back as far as the request says."""
        lookback_ms = parameters.duration_ms("lookback_delta")
        return Engine(self._reader, lookback_ms=lookback_ms) if lookback_ms > 0 else self._engine


def _query(parameters: Parameters) -> str:
    """Return the query after parsing it once, so that its mistakes are the caller's (400)."""
    query = parameters.required("query")
    with _blaming("query"):
        parse(query)
    return query


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Turn a QueryError into an error of the parameter."""
    try:
        yield
    except QueryError as error:
        raise invalid(name, error.message) from error


def _required_time(parameters: Parameters, name: str) -> int:
    parameters.required(name)
    return parameters.time_ms(name, 0)
