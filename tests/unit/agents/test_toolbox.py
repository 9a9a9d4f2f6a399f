"""The real mcp-grafana against a small Grafana of the test's own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from awf.agents import _mcp_tools as tools
from awf.agents._mcp_child import ChildConfig, McpChild
from awf.agents.toolbox import GrafanaMCPClient
from awf.errors import ConfigError, Forbidden, MissingDependency, NotFound, QueryError, Unavailable
from awf.settings import load
from awf.wiring.watcher import build_telemetry
from tests.unit.agents._grafana import END, START, Grafana, serving

COMMAND = str(Path(sys.executable).parent / "mcp-grafana")


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


async def test_a_token_that_is_written_after_the_start_is_used_and_its_successor_too(tmp_path: Path) -> None:
    grafana, path = Grafana(), tmp_path / "token"
    async with serving(grafana.app()) as url:
        settings = load(grafana_url=url, grafana_token_file=path, data_dir=tmp_path)
        async with build_telemetry(settings) as box:
            assert await box.instant("up", at=END)
            for secret in ("first", "second"):
                path.write_text(f"{secret}\n")
                assert await box.instant("up", at=END)
                assert f"Bearer {secret}" in grafana.tokens
            assert await box.annotate("x", tags=[], at=START) == "7"


async def test_error_texts_become_our_errors() -> None:
    async with toolbox(Grafana()) as box:
        with pytest.raises(QueryError, match="parse error: unclosed"):
            await box.instant("bad(", at=END)
        with pytest.raises(Unavailable, match="503"):
            await box.instant("down", at=END)
        with pytest.raises(NotFound, match="404"):
            await box.trace("ee" * 16)


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
