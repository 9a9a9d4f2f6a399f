"""Text from telemetry in queries: through the real mcp-grafana it stays one literal, and asks nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from awf.agents.closer_look import look_closer
from awf.agents.probe import Probe
from awf.agents.sightings import Window
from awf.agents.toolbox import GrafanaMCPClient
from awf.analysis.findings import Picture
from awf.core.actions import Applied, ApplyStatus
from awf.core.incidents import ActionCall, CauseClass, Hypothesis, Target
from awf.core.ports import LogLine
from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from awf.errors import QueryError
from awf.remediation.actions.increase_timeout import verify as verify_timeout
from awf.remediation.execution_outcome import verify_execution
from awf.remediation.spec import RemediationConfig, Tools
from awf.remediation.step_health import read_steps
from awf.testing import FakeClock, FakeControls, FakePeople
from tests.mcp_grafana import COMMAND
from tests.security._asked import Wire, wire_to
from tests.security._shapes import PARSERS, shape
from tests.security._strings import HOSTILE
from tests.unit.remediation._scene import order

PLAIN = "plain-name"


@dataclass
class Eyes:
    """The watcher's way to telemetry, and a wire that notes what comes through."""

    client: GrafanaMCPClient
    wire: Wire


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def eyes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Eyes]:
    folder = Path(tmp_path_factory.mktemp("backend"))
    (folder / "rules").mkdir()
    config = EmbeddedConfig(
        data_dir=folder / "data", rules_dir=folder / "rules", ports=Ports(0, 0, 0, 0, 0, 0), grafana_token="t"
    )
    server = EmbeddedServer(config)
    await server.start()
    try:
        async with AsyncExitStack() as opened:
            wire = await opened.enter_async_context(wire_to(server.addresses["grafana"]))
            client = await opened.enter_async_context(
                GrafanaMCPClient(wire.url, token="t", command=COMMAND, timeout_s=20)
            )
            yield Eyes(client, wire)
    finally:
        await server.stop()


async def ask_about(eyes: Eyes, name: str) -> list[tuple[str, str]]:
    """Ask all that is asked about a place, with one name for each of its parts; return (language, query) as it
    reached Grafana."""
    eyes.wire.asked.clear()
    now = datetime.now(UTC)
    place = Target(workflow_id=name, step_id=name, agent_id=name, execution_id=name)
    picture = Picture(now - timedelta(minutes=5), now, now - timedelta(minutes=1))
    cause = Hypothesis(CauseClass.AGENT_ERROR, place, 0.9, "", affected=(place,))
    window = Window(picture.start, picture.end, picture.alert_start)
    await look_closer(eyes.client, Probe(max_calls=20, seconds=20), window, picture, cause)
    await read_steps(eyes.client, [place], picture.start, now)
    config = RemediationConfig(settle_s=0, verify_timeout_s=0.001, poll_s=0)
    tools = Tools(FakeControls(), eyes.client, FakePeople(), FakeClock(now), config)
    applied = Applied(ApplyStatus.APPLIED, "", now - timedelta(minutes=1))
    step = {"workflow_id": name, "step_id": name, "agent_id": name, "factor": 1.5}
    await verify_timeout(order(ActionCall("increase_timeout", {"steps": [step]})), applied, tools)
    await verify_execution(name, applied, tools)
    return [
        *(("promql", query) for query in eyes.wire.queries("/resources/api/v1/query_range", "query")),
        *(("logql", query) for query in eyes.wire.queries("/loki/api/v1/query_range", "query")),
        *(("traceql", query) for query in eyes.wire.queries("/api/search", "q")),
    ]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_hostile_name_changes_no_query_that_reaches_grafana(eyes: Eyes) -> None:
    usual = [shape(language, query, PLAIN) for language, query in await ask_about(eyes, PLAIN)]
    assert len(usual) >= 8
    assert {language for language, _ in await ask_about(eyes, PLAIN)} == set(PARSERS)
    assert all("THE NAME" in tree for tree in usual)
    for name in HOSTILE:
        asked = await ask_about(eyes, name)
        assert sorted(shape(language, query, name) for language, query in asked) == sorted(usual), name
        assert {method for method, _, _ in eyes.wire.asked} <= {"GET", "POST"}, name
        assert not [path for _, path, _ in eyes.wire.asked if "admin" in path or "passwd" in path], name


@pytest.mark.asyncio(loop_scope="module")
async def test_a_trace_id_that_a_log_line_makes_up_reaches_no_other_endpoint(eyes: Eyes) -> None:
    now = datetime.now(UTC)
    line = LogLine(now, "failed", {"agent_id": "writer"})
    window = Window(now - timedelta(minutes=5), now, now - timedelta(minutes=1))
    cause = Hypothesis(CauseClass.AGENT_ERROR, Target(agent_id="writer"), 0.9, "")

    async def paths(trace_id: str) -> set[str]:
        eyes.wire.asked.clear()
        failures = (replace(line, labels={**line.labels, "trace_id": trace_id}),)
        picture = Picture(window.start, window.end, window.alert_start, failures=failures)
        await look_closer(eyes.client, Probe(max_calls=20, seconds=20), window, picture, cause)
        return {path for _, path, _ in eyes.wire.asked}

    usual = await paths("ab" * 16)
    (of_trace,) = [path for path in usual if path.endswith(f"/traces/{'ab' * 16}")]
    for name in HOSTILE:
        assert await paths(name) <= usual - {of_trace}, name


@pytest.mark.asyncio(loop_scope="module")
async def test_a_query_that_is_too_long_is_refused_before_it_is_asked(eyes: Eyes) -> None:
    eyes.wire.asked.clear()
    now = datetime.now(UTC)
    with pytest.raises(QueryError, match="too long"):
        await read_steps(eyes.client, [Target("w" * 5_000, "s")], now - timedelta(minutes=5), now)
    assert eyes.wire.asked == []
