"""In-memory twins of AWF's seams, for your tests and ours: telemetry, a clock, engines' controls."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from awf.core.leases import Lease
from awf.core.notices import Notice, NoticeKind, Told
from awf.core.ports import Datasource, LogLine, Sample, Series
from awf.core.types import (
    AckStatus,
    ChangeId,
    ControlAck,
    ControlChange,
    ControlKind,
    ControlOutcome,
    EngineId,
    EngineInfo,
    Json,
    new_id,
)
from awf.errors import NotFound, QueryError, Unavailable

EPOCH = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock that stands still; `sleep` moves it and returns at once."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


ValueAt = Callable[[float], "float | None"]
"""A series' value at a time in unix seconds; None where it has no sample."""


def counter(*phases: tuple[datetime, float]) -> ValueAt:
    """Return a counter that starts at zero with the first phase; each phase is (from when, rise per second)."""
    starts = [begin.timestamp() for begin, _ in phases]

    def value_at(at: float) -> float | None:
        if at < starts[0]:
            return None
        ends = [*starts[1:], at]
        return sum(
            rate * max(0.0, min(end, at) - start)
            for start, end, (_, rate) in zip(starts, ends, phases, strict=True)
        )

    return value_at


def gauge(*phases: tuple[datetime, float]) -> ValueAt:
    """Return a gauge that has each value from its time on."""
    starts = [begin.timestamp() for begin, _ in phases]

    def value_at(at: float) -> float | None:
        index = bisect_right(starts, at) - 1
        return phases[index][1] if index >= 0 else None

    return value_at


_EXPR = re.compile(
    r"(?:(?P<op>sum|max|min)(?: by \((?P<by>[\w, ]+)\))? ?\()?(?P<name>[\w:]+)(?:\{(?P<sel>.*)\})?\)?"
)
_NEWEST = re.compile(r"max\(timestamp\(([\w:]+)\)\)")
_SIGNALS = ("metrics", "logs", "traces")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")')


@dataclass
class FakeTelemetry:
    """A `Telemetry` over series, log lines and traces that a test puts in.

    Metrics: `name{matchers}` and sum, max, min of it, with or without `by`, and `max(timestamp(name))`. Logs: a selector and label filters.
    Other expressions raise QueryError. Nothing later than the clock's now is visible.
    """

    clock: FakeClock
    down: set[str] = field(default_factory=set)  # any of metrics, logs, traces, annotations
    log_lines: list[LogLine] = field(default_factory=list)
    found_traces: list[Json] = field(default_factory=list)
    trace_bodies: dict[str, Json] = field(default_factory=dict)
    written: list[Json] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    _series: list[tuple[Mapping[str, str], ValueAt]] = field(default_factory=list)

    def add(self, name: str, value_at: ValueAt, **labels: str) -> None:
        """Put a series in."""
        self._series.append(({"__name__": name, **labels}, value_at))

    def add_log(self, line: str, at: datetime, **labels: str) -> None:
        """Put a log line in."""
        self.log_lines.append(LogLine(at, line, labels))

    async def instant(self, expr: str, *, at: datetime) -> list[Sample]:
        if (newest := _NEWEST.fullmatch(expr)) is not None:
            return self._newest(newest[1], at)
        found = self._evaluate(expr, [at.timestamp()])
        return [Sample(labels, points[0][1]) for labels, points in found]

    async def range(self, expr: str, *, start: datetime, end: datetime, step_s: int) -> list[Series]:
        count = int((end - start).total_seconds() // step_s) + 1
        times = [start.timestamp() + index * step_s for index in range(count)]
        return [Series(labels, tuple(points)) for labels, points in self._evaluate(expr, times)]

    async def logs(self, logql: str, *, start: datetime, end: datetime, limit: int = 100) -> list[LogLine]:
        self._ask("logs", logql)
        accepts = _matchers(logql)
        end = min(end, self.clock.now())
        found = [each for each in self.log_lines if start <= each.at <= end and accepts(each.labels)]
        return sorted(found, key=lambda each: each.at, reverse=True)[:limit]

    async def traces(self, traceql: str, *, start: datetime, end: datetime) -> list[Json]:
        self._ask("traces", traceql)
        return list(self.found_traces)

    async def trace(self, trace_id: str) -> Json:
        self._ask("traces", trace_id)
        if trace_id not in self.trace_bodies:
            raise NotFound(f"no trace {trace_id!r}")
        return self.trace_bodies[trace_id]

    async def annotations(self, *, start: datetime, end: datetime, tags: Sequence[str] = ()) -> list[Json]:
        self._ask("annotations", "list")
        first, last = start.timestamp() * 1000, end.timestamp() * 1000
        return [
            each for each in self.written if set(tags) <= set(each["tags"]) and first <= each["time"] <= last
        ]

    async def annotate(
        self, text: str, *, tags: Sequence[str], at: datetime, end: datetime | None = None
    ) -> str:
        self._ask("annotations", text)
        moment = int(at.timestamp() * 1000)
        self.written.append({"id": len(self.written) + 1, "text": text, "tags": list(tags), "time": moment})
        return str(len(self.written))

    def link(self, signal: str, query: str, *, start: datetime, end: datetime) -> str:
        return f"http://grafana.invalid/explore?{signal}={quote(query)}" if signal in _SIGNALS else ""

    def _newest(self, name: str, at: datetime) -> list[Sample]:
        """Answer when a metric was sampled last, as if every second, within Prometheus' five minutes."""
        self._ask("metrics", f"max(timestamp({name}))")
        now = min(at, self.clock.now()).timestamp()
        found = [value_at for labels, value_at in self._series if labels["__name__"] == name]
        seen = (now - age for age in range(300) if any(each(now - age) is not None for each in found))
        last = next(seen, None)
        return [] if last is None else [Sample({}, last)]

    def _ask(self, signal: str, query: str) -> None:
        self.queries.append(query)
        if signal in self.down:
            raise Unavailable(f"{signal} are down")

    def _evaluate(
        self, expr: str, times: Sequence[float]
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        self._ask("metrics", expr)
        parsed = _EXPR.fullmatch(expr)
        if parsed is None:
            raise QueryError(f"FakeTelemetry does not understand {expr!r}")
        accepts = _matchers(parsed["sel"] or "")
        names = None if parsed["op"] is None else [name.strip() for name in (parsed["by"] or "").split(",")]
        groups: dict[tuple[tuple[str, str], ...], list[ValueAt]] = {}
        for labels, value_at in self._series:
            if labels["__name__"] == parsed["name"] and accepts(labels):
                kept = labels if names is None else {name: labels[name] for name in names if name in labels}
                groups.setdefault(tuple(sorted(kept.items())), []).append(value_at)
        combine: Callable[[list[float]], float] = {"max": max, "min": min}.get(parsed["op"] or "", sum)
        now = self.clock.now().timestamp()
        evaluated = [
            (dict(key), list(_combined(members, combine, [at for at in times if at <= now])))
            for key, members in groups.items()
        ]
        return [(labels, points) for labels, points in evaluated if points]


def _combined(
    members: Sequence[ValueAt], combine: Callable[[list[float]], float], times: Sequence[float]
) -> Iterator[tuple[float, float]]:
    for at in times:
        values = [value for value_at in members if (value := value_at(at)) is not None]
        if values:
            yield at, combine(values)


def _matchers(text: str) -> Callable[[Mapping[str, str]], bool]:
    wanted = [(name, op, str(json.loads(literal))) for name, op, literal in _MATCHER.findall(text)]

    def accepts(labels: Mapping[str, str]) -> bool:
        for name, op, value in wanted:
            found = labels.get(name, "")
            hit = re.fullmatch(value, found) is not None if "~" in op else found == value
            if hit == op.startswith("!"):
                return False
        return True

    return accepts


class FakeSecretTokens:
    """`SecretTokens` that keeps what was masked in `secrets`, by token. Its tokens are not keyed: for tests only."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def token(self, kind: str, secret: str) -> str:
        del kind
        token = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        self.secrets[token] = secret
        return token

    def reveal(self, token: str) -> str:
        if token not in self.secrets:
            raise NotFound(f"no secret is kept for {token!r}")
        return self.secrets[token]


class FakeControls:
    """A `ControlStore` whose engines answer at once, as `answer` says; by default they apply everything."""

    def __init__(
        self,
        *engines: EngineInfo,
        answer: Callable[[ControlChange], ControlAck | None] | None = None,
    ) -> None:
        self._engines = list(engines)
        self._answer = answer or self._apply
        self._outcomes: dict[str, ControlOutcome] = {}
        self.changes: list[ControlChange] = []

    async def submit(
        self,
        kind: ControlKind,
        arguments: Mapping[str, Any],
        *,
        requested_by: str,
        idempotency_key: str,
        lease: Lease | None = None,
    ) -> ControlOutcome:
        del lease  # only what is stored knows whether it is the last
        if idempotency_key not in self._outcomes:
            change = ControlChange(
                ChangeId(new_id("chg")), kind, dict(arguments), len(self.changes) + 1, requested_by, EPOCH
            )
            self.changes.append(change)
            self._outcomes[idempotency_key] = self._give(change)
        return self._outcomes[idempotency_key]

    async def engines(self) -> list[EngineInfo]:
        return list(self._engines)

    async def await_engines(self) -> None:
        return

    def _give(self, change: ControlChange) -> ControlOutcome:
        if not self._engines:
            return ControlOutcome(change, ())
        ack = self._answer(change)
        waiting = () if ack else (self._engines[0].id,)
        return ControlOutcome(change, (ack,) if ack else (), waiting)

    def _apply(self, change: ControlChange) -> ControlAck:
        engine_id: EngineId = self._engines[0].id
        before = {key: _opposite(value) for key, value in change.arguments.items() if key != "engine_id"}
        return ControlAck(change.id, engine_id, AckStatus.APPLIED, before)


class FakePeople:
    """`People` that keep what they are told; nobody of them is reached while `are_away`."""

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.are_away = False

    @property
    def pages(self) -> list[str]:
        """The texts of those notices that hand an incident over."""
        return [notice.text for notice in self.told if notice.kind is NoticeKind.TOLD]

    async def tell(self, notice: Notice) -> Told:
        if self.are_away:
            return Told((), ("people: away",))
        is_known = any(each.id == notice.id for each in self.told)
        has_begun = any(each.incident_id == notice.incident_id for each in self.told)
        if is_known or (notice.kind is NoticeKind.ENDED and not has_begun):
            return Told(())
        self.told.append(notice)
        return Told(("people",))


@dataclass
class FakeDashboards:
    """Dashboards of a Grafana that is not there. `answers` gives a datasource's answer by (uid, path), or is
    an error to raise; what was asked is in `asked`."""

    boards: Mapping[str, Json]
    sources: Sequence[Datasource] = (Datasource("mimir", "Mimir", "prometheus", is_default=True),)
    answers: Mapping[tuple[str, str], Json | Exception] = field(default_factory=dict)
    events: Sequence[Json] = ()
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    async def dashboards(self) -> list[Json]:
        return [
            {
                "uid": uid,
                "title": model.get("title", uid),
                "tags": model.get("tags", []),
                "folderTitle": "AWF",
            }
            for uid, model in self.boards.items()
        ]

    async def dashboard(self, uid: str) -> Json:
        if uid not in self.boards:
            raise NotFound(f"Grafana has no dashboard {uid!r}")
        return self.boards[uid]

    async def datasources(self) -> list[Datasource]:
        return list(self.sources)

    async def query(self, datasource: str, path: str, parameters: Mapping[str, str]) -> Json:
        self.asked.append((datasource, path, dict(parameters)))
        answer = self.answers.get((datasource, path), {"data": {"resultType": "matrix", "result": []}})
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def annotations(self, parameters: Sequence[tuple[str, str]]) -> list[Json]:
        wanted = {value for name, value in parameters if name == "tags"}
        return [event for event in self.events if wanted <= set(event.get("tags", ()))]


def _opposite(value: Any) -> Any:
    """Return a believable earlier value: switches flip, numbers halve, names stay."""
    if isinstance(value, bool):
        return not value
    return value // 2 if isinstance(value, int) else value / 2 if isinstance(value, float) else value
