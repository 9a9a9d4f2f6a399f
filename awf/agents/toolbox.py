"""The only way to Grafana: `Telemetry` over the real mcp-grafana, one to read and one to annotate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from awf.agents import _mcp_alerts as alerts
from awf.agents import _mcp_answers as answers
from awf.agents import _mcp_tools as tools
from awf.agents._explore_links import explore_link
from awf.agents._mcp_child import ChildConfig, McpChild
from awf.agents._mcp_remote import McpRemote, McpServer
from awf.agents._mcp_session import McpSession
from awf.core.alert_source import RuleState
from awf.core.clock import isoformat
from awf.core.ports import LogLine, Sample, Series
from awf.core.types import Json
from awf.errors import Unavailable

__all__ = ["GrafanaMCPClient", "McpServer"]

MAX_LOG_LINES = 100  # mcp-grafana cuts there without saying so
MAX_RULES, MAX_FIRING_RULES = 2_000, 100  # each rule that fires is a call of its own


class GrafanaMCPClient:
    """Implements `Telemetry` and `AlertSource`. `open()` checks that both have the tools we call.

    Each is a process of our own, started by `open()`, unless a server is given for it.
    Raises MissingDependency (no such program), ConfigError (another version, a server that refuses us), Unavailable.
    """

    def __init__(
        self,
        grafana_url: str,
        *,
        token: str | Callable[[], str] = "",
        write_token: str = "",
        command: str | Callable[[], str] = "mcp-grafana",
        servers: Mapping[str, McpServer] | None = None,
        datasources: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        max_concurrency: int = 8,
    ) -> None:
        """`token` is Grafana's, or what returns it, which is asked at every call; `write_token` defaults to it. `servers` maps `read` and
        `annotate` to servers; `command` is asked only when one of them is missing. `datasources` maps metrics,
        logs and traces to uids."""
        self._uids = {"metrics": "mimir", "logs": "loki", "traces": "tempo"} | dict(datasources or {})
        self._limit = asyncio.Semaphore(max_concurrency)
        self.call_count = 0
        self._base = grafana_url.rstrip("/")
        given = servers or {}
        environ = {"GRAFANA_URL": grafana_url, "GRAFANA_USAGE_STATS": "disabled"}

        def session(
            name: str, flags: tuple[str, ...], used: tuple[tools.Tool, ...], secret: str | Callable[[], str]
        ) -> McpSession:
            if name in given:
                return McpRemote(given[name], used, timeout_s=timeout_s)
            program = command if isinstance(command, str) else command()
            ask = secret if callable(secret) else lambda: secret
            return McpChild(ChildConfig(program, flags, environ, used, timeout_s, ask))

        self._reader = session("read", tools.READ_FLAGS, tools.READ_TOOLS, token)
        self._writer = session("annotate", tools.WRITE_FLAGS, tools.WRITE_TOOLS, write_token or token)

    async def open(self) -> Self:
        """Start or reach both."""
        await asyncio.gather(self._reader.start(), self._writer.start())
        return self

    async def aclose(self) -> None:
        await asyncio.gather(self._reader.aclose(), self._writer.aclose())

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def instant(self, expr: str, *, at: datetime) -> list[Sample]:
        return answers.samples(
            await self._read(
                tools.QUERY_METRICS,
                datasourceUid=self._uids["metrics"], expr=expr, endTime=isoformat(at), queryType="instant",
            )
        )  # fmt: skip

    async def range(self, expr: str, *, start: datetime, end: datetime, step_s: int) -> list[Series]:
        return answers.series(
            await self._read(
                tools.QUERY_METRICS,
                datasourceUid=self._uids["metrics"], expr=expr, startTime=isoformat(start),
                endTime=isoformat(end), stepSeconds=step_s, queryType="range",
            )
        )  # fmt: skip

    async def logs(self, logql: str, *, start: datetime, end: datetime, limit: int = 100) -> list[LogLine]:
        """Return at most 100 lines, newest first."""
        return answers.log_lines(
            await self._read(
                tools.QUERY_LOGS,
                datasourceUid=self._uids["logs"], logql=logql, startRfc3339=isoformat(start),
                endRfc3339=isoformat(end), limit=min(limit, MAX_LOG_LINES), direction="backward",
            )
        )  # fmt: skip

    async def traces(self, traceql: str, *, start: datetime, end: datetime) -> list[Json]:
        uid = self._uids["traces"]
        return answers.traces(
            await self._read(
                tools.SEARCH_TRACES,
                datasourceUid=uid,
                query=traceql,
                start=isoformat(start),
                end=isoformat(end),
            )
        )

    async def trace(self, trace_id: str) -> Json:
        return answers.one_trace(
            await self._read(tools.GET_TRACE, datasourceUid=self._uids["traces"], trace_id=trace_id)
        )

    async def alert_rules(self) -> list[RuleState]:
        """Return Grafana's rules, with what fires of the first 100 that do."""
        found = alerts.rule_states(await self._read(tools.READ_RULES, operation="list", rule_limit=MAX_RULES))
        asked = [rule for rule in found if rule.firing is None][:MAX_FIRING_RULES]
        if not asked:
            return found
        silenced = alerts.silenced_by(await self._read(tools.READ_SILENCES, operation="list"))
        calls = (self._read(tools.READ_RULES, operation="get", rule_uid=rule.uid) for rule in asked)
        firing = {
            rule.uid: alerts.firing_alerts(answer, silenced)
            for rule, answer in zip(asked, await asyncio.gather(*calls), strict=True)
        }
        return [replace(rule, firing=firing.get(rule.uid, rule.firing)) for rule in found]

    async def annotations(self, *, start: datetime, end: datetime, tags: Sequence[str] = ()) -> list[Json]:
        window = {"from": _milliseconds(start), "to": _milliseconds(end)}
        return answers.listed_annotations(
            await self._read(tools.LIST_ANNOTATIONS, **window, tags=list(tags), limit=100)
        )

    async def annotate(
        self, text: str, *, tags: Sequence[str], at: datetime, end: datetime | None = None
    ) -> str:
        arguments: Json = {"text": text, "tags": list(tags), "time": _milliseconds(at)}
        if end is not None:
            arguments["timeEnd"] = _milliseconds(end)
        written = answers.payload(await self._call(self._writer, tools.CREATE_ANNOTATION, arguments))
        # It reports success even when Grafana stored nothing.
        if not isinstance(written, Mapping) or not written.get("id"):
            raise Unavailable("Grafana did not store the annotation: it returned no id")
        return str(written["id"])

    def link(self, signal: str, query: str, *, start: datetime, end: datetime) -> str:
        return explore_link(self._base, self._uids, signal, query, start=start, end=end)

    async def _read(self, tool: tools.Tool, **arguments: Any) -> Any:
        return await self._call(self._reader, tool, arguments)

    async def _call(self, session: McpSession, tool: tools.Tool, arguments: Mapping[str, Any]) -> Any:
        async with self._limit:
            self.call_count += 1
            found = answers.content(await session.call(tool, arguments), tool.name)
        # Grafana's own word for where browsers reach it, which may not be where we do.
        self._base = answers.grafana_base(found) or self._base
        return found


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
