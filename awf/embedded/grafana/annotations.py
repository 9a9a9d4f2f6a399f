"""Grafana's annotation endpoints over the annotation store."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from awf.embedded.grafana.annotation_store import AnnotationInput, AnnotationQuery, AnnotationStore
from awf.embedded.grafana.requests import Json, bool_parameter, int_parameter, read_json
from awf.errors import InvalidInput, NotFound

MAX_LIMIT: Final = 10_000
MAX_TAGS: Final = 100
MAX_TIME_MS: Final = 253_402_300_800_000  # year 10000


class AnnotationEndpoints:
    """Create, read, change, delete, and the tags in use."""

    def __init__(self, store: AnnotationStore) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        one = "/api/annotations/{annotation_id:int}"
        return [
            Route("/api/annotations", self.index, methods=["GET"]),
            Route("/api/annotations", self.create, methods=["POST"]),
            Route("/api/annotations/tags", self.tags, methods=["GET"]),
            Route(one, self.get, methods=["GET"]),
            Route(one, self.put, methods=["PUT"]),
            Route(one, self.patch, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def index(self, request: Request) -> JSONResponse:
        params = request.query_params
        # Alerts leave no annotations of their own here, nobody has an account: such filters match nothing.
        if params.get("type") == "alert" or params.get("alertUID") or params.get("userId", "0") != "0":
            return JSONResponse([])
        query = AnnotationQuery(
            start_ms=int_parameter(request, "from", 0, most=MAX_TIME_MS) or None,
            end_ms=int_parameter(request, "to", 0, most=MAX_TIME_MS) or None,
            tags=tuple(params.getlist("tags"))[:MAX_TAGS],
            match_any=bool_parameter(request, "matchAny", default=False),
            dashboard_uid=params.get("dashboardUID", ""),
            panel_id=int_parameter(request, "panelId", 0, most=2**31),
            limit=int_parameter(request, "limit", 0, most=MAX_LIMIT) or 100,
        )
        return JSONResponse(await self._store.find(query))

    async def create(self, request: Request) -> JSONResponse:
        now = time.time_ns() // 1_000_000
        annotation = _changed(AnnotationInput("", now, now), await read_json(request))
        annotation_id = await self._store.add(annotation)
        return JSONResponse({"message": "Annotation added", "id": annotation_id})

    async def get(self, request: Request) -> JSONResponse:
        return JSONResponse(await self._store.get(_id(request)))

    async def put(self, request: Request) -> JSONResponse:
        annotation_id = _id(request)
        current = replace(_input(await self._store.get(annotation_id)), text="", tags=())
        await self._store.replace(annotation_id, _changed(current, await read_json(request)))
        return JSONResponse({"message": "Annotation updated"})

    async def patch(self, request: Request) -> JSONResponse:
        annotation_id = _id(request)
        current = _input(await self._store.get(annotation_id))
        await self._store.replace(annotation_id, _changed(current, await read_json(request)))
        return JSONResponse({"message": "Annotation patched"})

    async def delete(self, request: Request) -> JSONResponse:
        await self._store.delete(_id(request))
        return JSONResponse({"message": "Annotation deleted"})

    async def tags(self, request: Request) -> JSONResponse:
        limit = int_parameter(request, "limit", 0, most=MAX_LIMIT) or 100
        tags = await self._store.tags(request.query_params.get("tag", ""), limit)
        return JSONResponse({"result": {"tags": tags}})


def _id(request: Request) -> int:
    annotation_id: int = request.path_params["annotation_id"]
    if annotation_id >= 2**63:  # the route takes any number of digits, SQLite does not
        raise NotFound(f"annotation {annotation_id} does not exist")
    return annotation_id


def _input(stored: Json) -> AnnotationInput:
    return AnnotationInput(
        text=stored["text"],
        time_ms=stored["time"],
        time_end_ms=stored["timeEnd"],
        tags=tuple(stored["tags"]),
        dashboard_uid=stored["dashboardUID"],
        panel_id=stored["panelId"],
        data=json.dumps(stored["data"]),
    )


def _changed(current: AnnotationInput, body: Json) -> AnnotationInput:
    """Apply what a body says; a field that is missing, null or a zero time stays."""
    begin = _field(body, "time", int) or current.time_ms
    was_point = current.time_end_ms == current.time_ms
    end = _field(body, "timeEnd", int) or (begin if was_point else current.time_end_ms)
    if not 0 < begin <= end <= MAX_TIME_MS:
        raise InvalidInput(f"an annotation cannot run from {begin} to {end} (milliseconds since 1970)")
    tags = _field(body, "tags", list)
    if tags is not None and (len(tags) > MAX_TAGS or not all(isinstance(tag, str) for tag in tags)):
        raise InvalidInput(f"tags must be at most {MAX_TAGS} texts")
    changed = AnnotationInput(
        text=_or(_field(body, "text", str), current.text),
        time_ms=begin,
        time_end_ms=end,
        tags=tuple(dict.fromkeys(_or(tags, current.tags))),
        dashboard_uid=_or(_field(body, "dashboardUID", str), current.dashboard_uid),
        panel_id=_or(_field(body, "panelId", int), current.panel_id),
        data=_or(None if (data := _field(body, "data", dict)) is None else json.dumps(data), current.data),
    )
    if not 0 <= changed.panel_id < 2**31:
        raise InvalidInput(f"panelId is {changed.panel_id}, expected a panel's number")
    if not changed.text:
        raise InvalidInput("text field should not be empty")
    return changed


def _field(body: Json, name: str, kind: type) -> Any:
    value = body.get(name)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        raise InvalidInput(f"{name} is {value!r:.60}, expected {kind.__name__}")
    return value


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
