"""The real mcp-grafana against a small Grafana of the test's own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from awf.agents import _mcp_tools as tools
from awf.agents._mcp_child import ChildConfig, McpChild
from awf.agents.toolbox import GrafanaMCPClient
from awf.errors import ConfigError, Forbidden, MissingDependency, NotFound, QueryError, Unavailable

COMMAND = str(Path(sys.executable).parent / "mcp-grafana")
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
        if uid == "gone":
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
        if request.path_params["trace_id"] == "gone":
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


@asynccontextmanager
async def toolbox(grafana: Grafana, **options: Any) -> AsyncIterator[GrafanaMCPClient]:
    async with (
        serving(grafana.app()) as url,
        GrafanaMCPClient(url, token="secret", command=COMMAND, **options) as box,
    ):
        yield box


async def test_every_method_of_telemetry_speaks_through_the_real_program() -> None:
    grafana = Grafana()
    async with toolbox(grafana) as box:
        sample, *_ = await box.instant("up", at=END)
        assert (sample.labels, sample.value) == ({"agent_id": "a"}, 4.5)
        scalar, *_ = await box.instant("1", at=END)
        assert scalar.value == 1.0
        line, *_ = await box.range("up", start=START, end=END, step_s=5)
        assert line.points[0] == (10.0, 1.0)
        assert line.points[1][1] != line.points[1][1]
        log, *_ = await box.logs('{service_name=~".+"}', start=START, end=END)
        assert log.at == END
        assert log.labels["agent_id"] == "a"
        assert log.labels["service_name"] == "awf-demo"
        assert await box.traces("{ status = error }", start=START, end=END) == [{"traceID": "abc"}]
        assert await box.trace("abc") == {"trace": {"resourceSpans": []}}
        assert await box.annotate("switched", tags=["awf", "remediation"], at=START, end=END) == "7"
        found = await box.annotations(start=START, end=END, tags=["awf", "remediation"])
        assert found[0]["tags"] == ["awf", "remediation"]
        assert box.call_count == 8
    assert grafana.posted[0]["time"] == int(START.timestamp() * 1000)
    assert float(grafana.asked[0]["time"]) == END.timestamp()
    assert grafana.asked[2]["step"] == "5"
    assert grafana.tokens == {"Bearer secret"}


async def test_error_texts_become_our_errors() -> None:
    async with toolbox(Grafana()) as box:
        with pytest.raises(QueryError, match="parse error: unclosed"):
            await box.instant("bad(", at=END)
        with pytest.raises(Unavailable, match="503"):
            await box.instant("down", at=END)
        with pytest.raises(NotFound, match="404"):
            await box.trace("gone")


async def test_an_unknown_datasource_is_named() -> None:
    async with toolbox(Grafana(), datasources={"metrics": "gone"}) as box:
        with pytest.raises(NotFound, match="gone"):
            await box.instant("up", at=END)


async def test_a_call_that_takes_too_long_is_unavailable() -> None:
    grafana = Grafana()
    async with toolbox(grafana, timeout_s=0.3) as box:
        with pytest.raises(Unavailable, match=r"0\.3 s"):
            await box.instant("slow", at=END)
        grafana.slow.set()
        assert await box.instant("up", at=END)


async def test_an_annotation_without_an_id_was_not_stored() -> None:
    async with toolbox(Grafana(annotation_id=None)) as box:
        with pytest.raises(Unavailable, match="no id"):
            await box.annotate("x", tags=[], at=START)


def _children() -> set[int]:
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {int(each) for each in found if b"mcp-grafana" in Path(f"/proc/{each}/cmdline").read_bytes()}


async def test_a_process_that_died_is_started_again() -> None:
    async with toolbox(Grafana()) as box:
        assert await box.instant("up", at=END)
        for child in _children():
            os.kill(child, signal.SIGKILL)
        assert await box.instant("up", at=END)
        assert await box.annotate("x", tags=[], at=START) == "7"


async def test_a_process_that_hangs_is_replaced() -> None:
    async with toolbox(Grafana()) as box:
        hung = _children()
        for child in hung:
            os.kill(child, signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):  # an investigation has less time than the limit of a call
                await box.instant("up", at=END)
        async with asyncio.timeout(30):
            while True:
                with suppress(Unavailable):
                    assert await box.instant("up", at=END)
                    break
        assert len(_children() - hung) == 1
        for child in hung & _children():
            os.kill(child, signal.SIGCONT)


async def test_a_start_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    silent = tmp_path / "mcp-grafana"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    before = _sleeping()
    child = McpChild(ChildConfig(str(silent), (), {}, tools.READ_TOOLS))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await child.start()
    async with asyncio.timeout(20):
        while _sleeping() != before:
            await asyncio.sleep(0.1)
    await child.aclose()


def _sleeping() -> set[str]:
    found = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {each for each in found if b"sleep" in Path(f"/proc/{each}/cmdline").read_bytes()}


async def test_only_the_allowed_tools_can_be_called() -> None:
    child = McpChild(ChildConfig(COMMAND, tools.WRITE_FLAGS, {}, tools.WRITE_TOOLS))
    with pytest.raises(Forbidden, match="delete_annotation"):
        await child.call(tools.Tool("delete_annotation", ("id",)), {"id": 1})


async def test_a_missing_program_is_named_with_the_pip_line() -> None:
    with pytest.raises(MissingDependency, match="no-such-mcp") as caught:
        await GrafanaMCPClient("http://127.0.0.1:1", command="/nowhere/no-such-mcp").open()
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        (tools.Tool("query_grafite", ()), "no tool 'query_grafite'"),
        (tools.Tool("query_prometheus", ("datasource_uid",)), "no argument 'datasource_uid'"),
        (tools.Tool("query_prometheus", ("expr", "endTime")), "asks for the argument 'datasourceUid'"),
    ],
)
async def test_another_version_is_refused_at_the_start(tool: tools.Tool, words: str) -> None:
    child = McpChild(ChildConfig(COMMAND, tools.READ_FLAGS, {"GRAFANA_USAGE_STATS": "disabled"}, (tool,)))
    with pytest.raises(ConfigError, match=words):
        await child.start()
    await child.aclose()
