"""What the query of a piece of evidence says now: its window, and what came after the action."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from awf.api.dashboards.answers import labels_of, number_of
from awf.api.dashboards.datasources import Datasources
from awf.api.ui.incidents.chart import Chart, draw
from awf.core.incidents import Evidence, Hypothesis, Incident, Target
from awf.core.increase import rises
from awf.core.ports import DashboardSource, Series

POINTS: Final = 120
AFTER, AT_MOST = timedelta(minutes=3), timedelta(hours=3)
_COUNTER = re.compile(r"\w+_(?:total|count|sum|bucket)\b")
_RATED = re.compile(r"\b(?:rate|irate|increase|delta|idelta|changes|resets)\s*\(")
_MARKS: Final = {"action": "action", "undo": "undone"}


async def evidence_chart(
    source: DashboardSource, incident: Incident, hypothesis: Hypothesis, evidence: Evidence, now: datetime
) -> Chart | None:
    """Return the chart of a metric's query around an incident, None when nothing is found.

    Raises Unavailable, QueryError, NotFound.
    """
    start = evidence.start
    end = min(max(evidence.end, (incident.resolved_at or now) + AFTER), now, start + AT_MOST)
    step_s = max(5, round((end - start).total_seconds() / POINTS))
    datasource = Datasources(await source.datasources()).resolve({"type": "prometheus"}, {})
    parameters = {
        "query": evidence.query, "start": f"{start.timestamp():.3f}", "end": f"{end.timestamp():.3f}",
        "step": str(step_s),
    }  # fmt: skip
    answer = await source.query(datasource.uid, "/api/v1/query_range", parameters)
    found = _about(_series(answer), (hypothesis.target, *hypothesis.affected))
    if is_counted(evidence.query):
        found = [Series(each.labels, tuple(_a_minute(each.steps, step_s))) for each in rises(found)]
    return draw(found, start, end, _marks(incident))


def is_counted(query: str) -> bool:
    """Whether a query returns counters as they are: they are shown by how much they rise in a minute."""
    return bool(_COUNTER.search(query)) and not _RATED.search(query)


def _series(answer: Mapping[str, Any]) -> list[Series]:
    result = (answer.get("data") or {}).get("result") or ()
    return [
        Series(labels_of(each.get("metric")), tuple(_points(each.get("values") or ()))) for each in result
    ]


def _points(values: Sequence[Any]) -> Iterator[tuple[float, float]]:
    for at, value in values:
        if isinstance(found := number_of(value), float):
            yield float(at), found


def _about(series: list[Series], places: Sequence[Target]) -> list[Series]:
    """Keep the series of the places that a hypothesis is about, if there are any."""
    kept = [each for each in series if any(_is_at(each.labels, place) for place in places)]
    return kept or series


def _is_at(labels: Mapping[str, str], place: Target) -> bool:
    named = {
        name: text
        for name in ("workflow_id", "step_id", "agent_id", "provider")
        if (text := getattr(place, name)) and name in labels
    }
    return bool(named) and all(labels[name] == text for name, text in named.items())


def _a_minute(steps: Sequence[tuple[float, float]], step_s: float) -> Iterator[tuple[float, float]]:
    for at, rise in steps:
        yield at, rise * 60 / step_s


def _marks(incident: Incident) -> Iterator[tuple[datetime, str]]:
    yield incident.began_at, "alert"
    for entry in incident.timeline:
        if text := _MARKS.get(entry.kind):
            yield entry.at, text
    if incident.resolved_at is not None:
        yield incident.resolved_at, "over"
