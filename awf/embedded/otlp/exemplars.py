"""The value of a number point and of an exemplar, and exemplars themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from awf.embedded.intake import Intake
from awf.embedded.model import Exemplar
from awf.embedded.otlp.values import labels, read_attributes


def exemplars(intake: Intake, series: int, items: Iterable[Any]) -> list[Exemplar]:
    """Return exemplars of one series; they carry `trace_id` and `span_id`."""
    result = []
    for item in items:
        if not intake.has_time(item.time_unix_nano):
            continue
        own = labels(read_attributes(item.filtered_attributes))
        own |= {"trace_id": item.trace_id.hex()} if item.trace_id else {}
        own |= {"span_id": item.span_id.hex()} if item.span_id else {}
        result.append(
            Exemplar(dict(intake.table[series]), own, number(item), item.time_unix_nano // 1_000_000)
        )
    return result


def number(item: Any) -> float:
    """Return a point's value; an integer becomes a float, as every sample is one."""
    value = item.as_double
    return float(item.as_int) if value == 0 and item.HasField("as_int") else float(value)
