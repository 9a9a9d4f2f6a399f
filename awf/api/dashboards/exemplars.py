"""Exemplars of a query: few enough to be seen and to be asked for, and each with its trace."""

from __future__ import annotations

import asyncio
import statistics
from typing import Final

from awf.api.dashboards.answers import labels_of, number_of
from awf.api.dashboards.board import objects
from awf.api.dashboards.queries import Query
from awf.core.ports import DashboardSource
from awf.core.types import Json
from awf.errors import AwfError, QueryError

PATH: Final = "/api/v1/query_exemplars"
MAX_EXEMPLARS: Final = 300
MOMENTS: Final = 60
SLICES: Final = 12
LONGEST_SLICE_MS: Final = 60_000


async def find_exemplars(query: Query, source: DashboardSource) -> tuple[list[Json], str]:
    """Return a query's exemplars, and why there are none when they could not be had: without them the panel
    still says what it says."""
    try:
        try:
            answers = [await source.query(query.datasource.uid, PATH, query.exemplars)]
        except QueryError:
            # More than the store reads at once: then those of short times, spread over the range.
            answers = await asyncio.gather(
                *(
                    source.query(query.datasource.uid, PATH, {**query.exemplars, **span})
                    for span in _slices(query)
                )
            )
    except AwfError as error:
        return [], f"exemplars are missing: {error.message}"
    return read_exemplars(
        query, {"data": [each for answer in answers for each in objects(answer.get("data"))]}
    ), ""


def _slices(query: Query) -> list[dict[str, str]]:
    first, last = query.times
    distance = (last - first) // SLICES
    length = min(distance // 4, LONGEST_SLICE_MS)
    starts = [last - length - number * distance for number in range(SLICES)]
    return [{"start": f"{start / 1000}", "end": f"{(start + length) / 1000}"} for start in starts]


def read_exemplars(query: Query, answer: Json) -> list[Json]:
    """Return exemplars, fewer where there are too many to see."""
    found: list[Json] = []
    for series in objects(answer.get("data")):
        labels = labels_of(series.get("seriesLabels"))
        for each in objects(series.get("exemplars")):
            value, at = number_of(each.get("value")), number_of(each.get("timestamp"))
            if isinstance(value, float) and isinstance(at, float):
                found.append(
                    {
                        "at": round(at * 1000),
                        "value": value,
                        "labels": labels_of(each.get("labels")),
                        "series": labels,
                    }
                )
    return _sampled(found, query)


def _sampled(found: list[Json], query: Query) -> list[Json]:
    """Return what is worth a point: of each moment the highest, and those far below the one kept before."""
    if not found:
        return []
    values = [each["value"] for each in found]
    distance = 2 * statistics.pstdev(values)
    first, last = query.times
    moment = max(query.step_ms, (last - first) // MOMENTS, 1)
    kept: list[Json] = []
    found.sort(key=lambda each: ((each["at"] - first) // moment, -each["value"]))
    before: tuple[int, float] | None = None
    for each in found:
        place = (each["at"] - first) // moment
        if before is None or before[0] != place or before[1] - each["value"] > distance:
            kept.append(each)
            before = (place, each["value"])
    return kept[:MAX_EXEMPLARS]
