"""The real `mcp-grafana` binary over stdio against the embedded Grafana: every category the watcher uses."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from mcp import Client, StdioServerParameters

from .conftest import TOKEN, TRACE_ID, Embedded

PROGRAM = Path(sys.executable).with_name("mcp-grafana")
CATEGORIES = "search,datasource,prometheus,loki,tempo,alerting,dashboard,annotations,navigation,user"


class Tools:
    """Calls tools and reads their JSON; a tool's error is an assertion."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, name: str, /, **arguments: Any) -> Any:
        result = await self._client.call_tool(name, arguments, read_timeout_seconds=20)
        text = "\n".join(part.text for part in result.content if part.type == "text")
        assert not result.is_error, f"{name}: {text}"
        if result.structured_content is not None:
            return result.structured_content
        try:
            return json.loads(text)
        except ValueError:
            return text


@asynccontextmanager
async def serving(embedded: Embedded) -> AsyncIterator[str]:
    """Serve the app on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(embedded.app, lifespan="off", log_level="warning"))
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, 10)


@pytest.fixture
async def grafana_url(embedded: Embedded) -> AsyncIterator[str]:
    async with serving(embedded) as url:
        yield url


def server(url: str, *, token: str = TOKEN) -> StdioServerParameters:
    environment = {"GRAFANA_URL": url, "GRAFANA_USAGE_STATS": "disabled", "NO_PROXY": "127.0.0.1"}
    if token:
        environment["GRAFANA_SERVICE_ACCOUNT_TOKEN"] = token
    return StdioServerParameters(
        command=str(PROGRAM), args=["--enabled-tools", CATEGORIES, "--log-level", "error"], env=environment
    )


@asynccontextmanager
async def tools(url: str, *, token: str = TOKEN) -> AsyncIterator[Tools]:
    async with asyncio.timeout(60), Client(server(url, token=token), read_timeout_seconds=20) as client:
        yield Tools(client)


async def test_datasources_and_dashboards(grafana_url: str) -> None:
    async with tools(grafana_url) as t:
        listed = await t.call("list_datasources")
        assert {source["uid"] for source in listed["datasources"]} == {"mimir", "loki", "tempo"}
        assert (await t.call("get_datasource", name="Loki"))["uid"] == "loki"
        health = await t.call("check_datasources_health")
        assert json.dumps(health).count('"OK"') == 3
        found = await t.call("search_dashboards", query="overview")
        assert "awf-overview" in json.dumps(found)
        assert '"AWF"' in json.dumps(await t.call("search_folders", query="AWF"))
        board = await t.call("get_dashboard_by_uid", uid="awf-overview")
        assert board["dashboard"]["title"] == "AWF overview"
        assert "AWF overview" in json.dumps(await t.call("get_dashboard_summary", uid="awf-overview"))
        link = await t.call("generate_deeplink", resourceType="dashboard", dashboardUid="awf-overview")
        assert "http://grafana.test/d/awf-overview" in str(link)
        assert "awf" in json.dumps(await t.call("user_info"))


async def test_metrics(grafana_url: str) -> None:
    async with tools(grafana_url) as t:
        instant = await t.call(
            "query_prometheus", datasourceUid="mimir", expr="agent_failures > 0.3", queryType="instant",
            endTime="now",
        )  # fmt: skip
        assert [(row["metric"]["agent_id"], row["value"][1]) for row in instant["data"]] == [
            ("writer", "0.5")
        ]
        series = await t.call(
            "query_prometheus", datasourceUid="mimir", expr="sum(agent_failures)", queryType="range",
            startTime="now-1m", endTime="now", stepSeconds=1,
        )  # fmt: skip
        assert series["data"][0]["values"][-1][1] == "0.6"
        assert "http://grafana.test/" in series["exploreUrl"]
        names = await t.call("list_prometheus_metric_names", datasourceUid="mimir", regex="agent_.*")
        assert names == ["agent_failures"]
        assert "agent_id" in await t.call("list_prometheus_label_names", datasourceUid="mimir")
        values = await t.call("list_prometheus_label_values", datasourceUid="mimir", labelName="agent_id")
        assert sorted(values) == ["editor", "writer"]
        await t.call("list_prometheus_metric_metadata", datasourceUid="mimir")


async def test_logs(grafana_url: str) -> None:
    async with tools(grafana_url) as t:
        found = await t.call(
            "query_loki_logs", datasourceUid="loki", logql='{service_name="awf-demo"} | agent_id="writer"'
        )
        (line,) = found["data"]
        assert line["line"] == "step failed: boom"
        assert line["structuredMetadata"] == {"agent_id": "writer"}
        count = await t.call(
            "query_loki_logs", datasourceUid="loki", queryType="instant",
            logql='sum(count_over_time({service_name="awf-demo"}[5m]))',
        )  # fmt: skip
        assert count["data"][0]["value"] == 1
        assert "service_name" in await t.call("list_loki_label_names", datasourceUid="loki")
        values = await t.call("list_loki_label_values", datasourceUid="loki", labelName="service_name")
        assert values == ["awf-demo"]
        stats = await t.call("query_loki_stats", datasourceUid="loki", logql='{service_name="awf-demo"}')
        assert stats["entries"] == 1


async def test_traces(grafana_url: str) -> None:
    async with tools(grafana_url) as t:
        found = await t.call("search_tempo_traces", datasourceUid="tempo", query='{ .agent_id = "writer" }')
        assert [trace["traceID"].zfill(32) for trace in found["traces"]] == [TRACE_ID]
        trace = await t.call("get_tempo_trace", datasourceUid="tempo", trace_id=TRACE_ID)
        assert "awf.workflow" in json.dumps(trace)
        metrics = await t.call("query_tempo_metrics", datasourceUid="tempo", query="{} | count_over_time()")
        assert metrics["series"]
        assert "agent_id" in json.dumps(await t.call("list_tempo_attribute_names", datasourceUid="tempo"))
        values = await t.call("list_tempo_attribute_values", datasourceUid="tempo", name=".agent_id")
        assert "writer" in json.dumps(values)


async def test_alerting(grafana_url: str, embedded: Embedded) -> None:
    async with tools(grafana_url) as t:
        rules = await t.call("alerting_rules_read", operation="list")
        assert [(rule["uid"], rule["title"], rule["state"], rule["rule_group"]) for rule in rules] == [
            ("awf_agent_errors", "AwfAgentErrors", "firing", "agents"),
            ("awf_quiet", "AwfQuiet", "normal", "agents"),
        ]
        firing = await t.call("alerting_rules_read", operation="list", states=["firing"])
        assert [rule["uid"] for rule in firing] == ["awf_agent_errors"]
        rule = await t.call("alerting_rules_read", operation="get", rule_uid="awf_agent_errors")
        assert rule["state"] == "firing"
        assert "writer" in json.dumps(rule["alerts"])
        own = await t.call("alerting_rules_read", operation="list", datasource_uid="mimir")
        assert "AwfAgentErrors" in json.dumps(own)
        points = await t.call("alerting_manage_routing", operation="get_contact_points")
        assert "awf-watcher" in json.dumps(points)
        policies = await t.call("alerting_manage_routing", operation="get_notification_policies")
        assert "awf-watcher" in json.dumps(policies)
        await t.call("alerting_manage_routing", operation="get_time_intervals")
        await t.call(
            "alerting_silences_write", operation="create", comment="planned", created_by="me",
            matchers=[{"name": "agent_id", "value": "writer", "isEqual": True, "isRegex": False}],
            starts_at="2026-01-01T00:00:00Z", ends_at="2096-01-01T00:00:00Z",
        )  # fmt: skip
        assert "planned" in json.dumps(await t.call("alerting_silences_read", operation="list"))
        (silence,) = embedded.ruler.silences.all()
        assert embedded.ruler.silences.silenced_by({"agent_id": "writer"}) == [silence.id]
        await t.call("alerting_silences_write", operation="delete", silence_id=silence.id)
        assert embedded.ruler.silences.silenced_by({"agent_id": "writer"}) == []


async def test_annotations(grafana_url: str) -> None:
    now = time.time_ns() // 1_000_000
    async with tools(grafana_url) as t:
        made = await t.call(
            "create_annotation", text="switched fallback", tags=["awf"], time=now, timeEnd=now + 1000
        )
        made_id = made["Payload"]["id"]
        await t.call("create_annotation", text="other", tags=["x"], time=now)
        listed = await t.call("get_annotations", tags=["awf"], **{"from": now - 1000, "to": now + 5000})
        assert [(item["id"], item["text"]) for item in listed["Payload"]] == [(made_id, "switched fallback")]
        await t.call("update_annotation", id=made_id, text="undone")
        listed = await t.call("get_annotations", tags=["awf"])
        assert (listed["Payload"][0]["text"], listed["Payload"][0]["tags"]) == ("undone", ["awf"])
        assert '"awf"' in json.dumps(await t.call("get_annotation_tags"))
        await t.call("delete_annotation", id=made_id)
        assert (await t.call("get_annotations", tags=["awf"]))["Payload"] == []


async def test_without_a_token_reads_work_and_writes_say_what_is_missing(grafana_url: str) -> None:
    async with tools(grafana_url, token="") as t:
        assert (await t.call("get_annotations"))["Payload"] == []
        with pytest.raises(AssertionError, match=r"401.*AWF_GRAFANA_TOKEN"):
            await t.call("create_annotation", text="no", time=1)
