"""A small Grafana of a test's own: the endpoints that the toolbox reaches through mcp-grafana."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

END = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
START = END - timedelta(minutes=10)


@dataclass
class Grafana:
    """The endpoints that the toolbox reaches through mcp-grafana, and what was asked of them."""

    asked: list[dict[str, str]] = field(default_factory=list)
    posted: list[Any] = field(default_factory=list)
    annotation_id: int | None = 7
    tokens: set[str] = field(default_factory=set)
    slow: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        proxy = "/api/datasources/proxy/uid/{uid}"
        resources = "/api/datasources/uid/{uid}/resources/api/v1"
        return Starlette(
            routes=[
                Route("/api/frontend/settings", self.settings),
                Route(f"{resources}/query", self.query, methods=["POST"]),
                Route(f"{resources}/query_range", self.query_range, methods=["POST"]),
                Route("/api/datasources/uid/{uid}", self.datasource),
                Route(f"{proxy}/loki/api/v1/query_range", self.logs),
                Route(f"{proxy}/api/search", self.search),
                Route(f"{proxy}/api/v2/traces/{{trace_id}}", self.trace),
                Route("/api/annotations", self.annotations, methods=["GET", "POST"]),
            ]
        )

    async def settings(self, _: Request) -> Response:
        return JSONResponse({"appUrl": "http://grafana/", "buildInfo": {"version": "12.4.0"}})

    async def datasource(self, request: Request) -> Response:
        self.tokens.add(request.headers.get("authorization", ""))
        uid = request.path_params["uid"]
        if uid in ("gone", "ee" * 16):
            return JSONResponse({"message": "Data source not found"}, 404)
        kind = {"mimir": "prometheus"}.get(uid, uid)
        return JSONResponse({"uid": uid, "name": uid, "type": kind})

    async def query(self, request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        self.asked.append(form)
        match form["query"]:
            case "bad(":
                error = {"status": "error", "errorType": "bad_data", "error": "parse error: unclosed"}
                return JSONResponse(error, 400)
            case "down":
                return PlainTextResponse("no healthy upstream", 503)
            case "slow":
                await self.slow.wait()
            case "1":
                return JSONResponse(
                    {"status": "success", "data": {"resultType": "scalar", "result": [1.0, "1"]}}
                )
        found = [{"metric": {"agent_id": "a"}, "value": [END.timestamp(), "4.5"]}]
        return JSONResponse({"status": "success", "data": {"resultType": "vector", "result": found}})

    async def query_range(self, request: Request) -> Response:
        self.asked.append({key: str(value) for key, value in (await request.form()).items()})
        found = [{"metric": {"agent_id": "a"}, "values": [[10, "1"], [20, "NaN"]]}]
        return JSONResponse({"status": "success", "data": {"resultType": "matrix", "result": found}})

    async def logs(self, request: Request) -> Response:
        self.asked.append(dict(request.query_params))
        entry = [
            str(int(END.timestamp() * 1e9)),
            "agent a failed",
            {"structuredMetadata": {"agent_id": "a"}, "parsed": {}},
        ]
        found = [{"stream": {"service_name": "awf-demo"}, "values": [entry]}]
        flags = ["categorize-labels"]  # without it mcp-grafana drops the structured metadata
        data = {"resultType": "streams", "encodingFlags": flags, "result": found}
        return JSONResponse({"status": "success", "data": data})

    async def search(self, request: Request) -> Response:
        self.asked.append(dict(request.query_params))
        return JSONResponse({"traces": [{"traceID": "abc"}]})

    async def trace(self, request: Request) -> Response:
        if request.path_params["trace_id"] in ("gone", "ee" * 16):
            return PlainTextResponse("trace not found", 404)
        return JSONResponse({"trace": {"resourceSpans": []}})

    async def annotations(self, request: Request) -> Response:
        if request.method == "POST":
            self.posted.append(await request.json())
            return JSONResponse({"message": "Annotation added", "id": self.annotation_id})
        self.asked.append(dict(request.query_params))
        return JSONResponse([{"id": 7, "text": "switched", "tags": request.query_params.getlist("tags")}])


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            async with asyncio.timeout(10):
                while not server.started:
                    await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 10)
