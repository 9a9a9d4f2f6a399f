"""A dashboard's annotations: events of Grafana's own store, and moments that a metric names."""

from __future__ import annotations

import re
from typing import Any, Final

from awf.api.dashboards.answers import read
from awf.api.dashboards.board import Board, member, objects, text
from awf.api.dashboards.interpolation import interpolate_text
from awf.api.dashboards.queries import build
from awf.api.dashboards.variables import Resolver
from awf.core.types import Json
from awf.errors import AwfError, UnsupportedQuery

MAX_EVENTS: Final = 200
MAX_TEXT_CHARS: Final = 2_000
_LABEL: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")


async def find_annotations(board: Board, resolver: Resolver) -> Json:
    """Return the events of every annotation query that is switched on, and what went wrong by its name."""
    events: list[Json] = []
    errors: list[Json] = []
    for query in board.annotations():
        if not query.get("enable", True):
            continue
        name = text(query, "name")
        try:
            found = await _events(board, query, resolver)
        except AwfError as error:
            errors.append({"name": name, "error": error.problem()})
            continue
        shown = {"name": name, "color": text(query, "iconColor") or "blue"}
        events += [{**shown, **each, "text": each["text"][:MAX_TEXT_CHARS]} for each in found]
    events.sort(key=lambda each: each["at"])
    cut = (
        f"the newest {MAX_EVENTS} of {len(events):,} annotations are shown"
        if len(events) > MAX_EVENTS
        else ""
    )
    return {"events": events[-MAX_EVENTS:], "cut": cut, "errors": errors}


async def _events(board: Board, query: Json, resolver: Resolver) -> list[Json]:
    reference = query.get("datasource")
    uid = text(reference, "uid") if isinstance(reference, dict) else str(reference or "")
    if query.get("builtIn") or uid in ("-- Grafana --", "grafana", "-- Dashboard --"):
        return await _stored(board, query, resolver)
    datasource = resolver.datasources.resolve(reference, resolver.values)
    if datasource.type == "prometheus":
        return await _measured(query, resolver)
    raise UnsupportedQuery(
        f"annotations {text(query, 'name')!r:.80} ask a {datasource.type!r:.40} datasource,"
        " which this page does not know"
    )


async def _stored(board: Board, query: Json, resolver: Resolver) -> list[Json]:
    target = member(query, "target")
    window = resolver.window
    limit = target.get("limit")
    parameters = [
        ("from", str(window.from_ms)),
        ("to", str(window.to_ms)),
        ("limit", str(min(limit, MAX_EVENTS) if isinstance(limit, int) and limit > 0 else 100)),
    ]
    if query.get("builtIn") or text(target, "type") == "dashboard":
        parameters.append(("dashboardUID", board.uid))
    else:
        tags = target.get("tags")
        written = (
            [interpolate_text(str(tag), resolver.values) for tag in tags] if isinstance(tags, list) else []
        )
        parameters += [("tags", tag) for tag in written]
        parameters.append(("matchAny", "true" if target.get("matchAny") else "false"))
    return [_stored_event(each) for each in await resolver.source.annotations(parameters) if each.get("time")]


def _stored_event(found: Json) -> Json:
    start, end = int(found["time"]), int(found.get("timeEnd") or found["time"])
    tags = found.get("tags")
    return {
        "at": start,
        "end": max(start, end),
        "text": str(found.get("text", "")),
        "tags": [str(tag)[:100] for tag in tags][:20] if isinstance(tags, list) else [],
    }


async def _measured(query: Json, resolver: Resolver) -> list[Json]:
    """Return an event wherever a series of the query starts to have values above zero."""
    target: dict[str, Any] = {
        **query,
        "refId": "annotation",
        "format": "time_series",
        "range": True,
        "instant": False,
    }
    request = build(
        {"interval": text(query, "step") or "60s"}, target, window=resolver.window, values=resolver.values,
        datasources=resolver.datasources,
    )  # fmt: skip
    answer = read(
        request, await resolver.source.query(request.datasource.uid, request.path, request.parameters)
    )
    events = []
    for series in objects(answer["series"]):
        labels = series["labels"]
        starts = _starts(answer["times"], series["values"], request.step_ms)
        title = _filled(text(query, "titleFormat"), labels)
        body = _filled(text(query, "textFormat"), labels)
        said = ": ".join(filter(None, [title, body])) or text(query, "name")
        tags = [labels[key] for key in re.split(r"[,\s]+", text(query, "tagKeys")) if key in labels]
        use_value_as_time = bool(query.get("useValueForTime"))
        for at, value in starts:
            moment = round(value) if use_value_as_time else at
            events.append({"at": moment, "end": moment, "text": said, "tags": tags})
    return events


def _starts(times: list[int], values: list[Any], step_ms: int) -> list[tuple[int, float]]:
    """Return (time, value) where a stretch of values above zero begins."""
    found = []
    last_at = None
    for at, value in zip(times, values, strict=True):
        if not isinstance(value, float) or value <= 0:
            continue
        if last_at is None or at - last_at > step_ms:
            found.append((at, value))
        last_at = at
    return found


def _filled(template: str, labels: dict[str, str]) -> str:
    return _LABEL.sub(lambda found: labels.get(found[1], ""), template)
