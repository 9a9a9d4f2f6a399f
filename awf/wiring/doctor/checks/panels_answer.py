"""Every query of every panel is answered through Grafana, and why those panels are empty that are."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from awf.core.ports import DashboardSource
from awf.embedded.promql.parser import metric_names
from awf.errors import AwfError, QueryError
from awf.wiring.doctor import rules
from awf.wiring.doctor.case import METRICS, STORES, TRACES, Case
from awf.wiring.doctor.emptiness import Emptiness, Known, explain
from awf.wiring.doctor.findings import Check, Finding, fail, ok, skip, warn
from awf.wiring.doctor.panel_queries import PanelQuery, panel_queries, window_s
from awf.wiring.grafana import GrafanaReader

WHAT = "panels"
LONG_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one query; `empty` says why there is nothing."""

    panel: str
    expr: str
    error: str = ""
    empty: Emptiness | None = None


async def _run(case: Case) -> list[Finding]:
    now_s = int(time.time())
    known: dict[int, Known] = {}
    findings = []
    reader = GrafanaReader(case.grafana.base, case.grafana.token)
    try:
        for number, (_, board) in enumerate(sorted(case.boards.items()), start=1):
            case.tell(f"dashboards: panels of {board.get('title')}, {number} of {len(case.boards)}")
            window = window_s(board)
            if window not in known:
                known[window] = await _known(case, now_s, window)
            findings.append(await _board(case, board, reader, now_s, known[window]))
    finally:
        await reader.aclose()
    return findings or [skip(WHAT, "needs: dashboards in Grafana")]


async def _board(
    case: Case, board: dict[str, Any], source: DashboardSource, now_s: int, known: Known
) -> Finding:
    ours = {case.uid(store) for store in STORES}
    found = await panel_queries(board, source, now_s * 1000)
    away = sorted(
        {
            each.store
            for each in found
            if each.query and each.query.datasource.uid in ours and each.store not in case.answering
        }
    )
    asked = [each for each in found if each.error or (each.query and each.store not in away)]
    answers = await asyncio.gather(*(_ask(source, each, known) for each in asked))
    items = [_told(answer) for answer in answers]
    items += [f"{each.panel}: not asked, {each.waits}" for each in found if each.waits]
    return _verdict(f"panels of {board.get('title')}", answers, items, away)


def _verdict(what: str, answers: list[_Answer], items: list[str], away: list[str]) -> Finding:
    broken = [answer for answer in answers if answer.error]
    odd = _by_reason(answers, is_normal=False)
    normal = _by_reason(answers, is_normal=True)
    if broken:
        detail = f"{len(broken)} of {len(answers)} queries fail; {broken[0].panel!r}: {broken[0].error}"
        hint = "`awf doctor --only dashboards -v` shows every query."
        return fail(what, detail, hint=hint, items=items)
    if away and not answers:
        return skip(what, f"needs: a datasource for {' and '.join(away)}")
    answered = f"{len(answers)} queries answer"
    if away:
        return warn(what, f"{answered}; {' and '.join(away)} could not be asked", items=items)
    if odd:
        hint = "See which part writes them; -v shows each panel."
        return warn(what, f"{answered}; empty: {odd}", items=items, hint=hint)
    return ok(what, answered + (f"; empty, as is normal: {normal}" if normal else ""), items=items)


def _by_reason(answers: list[_Answer], *, is_normal: bool) -> str:
    """Return panels that are empty, by why."""
    panels: dict[str, list[str]] = {}
    metrics: dict[str, list[str]] = {}
    for answer in answers:
        if answer.empty is not None and answer.empty.is_normal is is_normal:
            panels.setdefault(answer.empty.why, []).append(answer.panel)
            metrics.setdefault(answer.empty.why, []).extend(answer.empty.metrics)
    parts = []
    for why, names in panels.items():
        about = f"{', '.join(dict.fromkeys(metrics[why]))} " if metrics[why] else ""
        parts.append(f"{', '.join(dict.fromkeys(names))} ({about}{why})")
    return "; ".join(parts)


def _told(answer: _Answer) -> str:
    empty = answer.empty
    said = answer.error or (f"empty: {' '.join((*empty.metrics, empty.why))}" if empty else "answers")
    return f"{answer.panel}: {said}  [{answer.expr}]"


async def _ask(source: DashboardSource, asked: PanelQuery, known: Known) -> _Answer:
    query = asked.query
    if query is None:
        return _Answer(asked.panel, "", asked.error)
    try:
        body = await source.query(query.datasource.uid, query.path, query.parameters)
    except AwfError as error:
        return _Answer(asked.panel, query.expr, error.message)
    if _has_data(body):
        return _Answer(asked.panel, query.expr)
    if asked.store != METRICS:
        kind = "trace" if asked.store == TRACES else "line"
        return _Answer(
            asked.panel, query.expr, empty=Emptiness(f"no such {kind} in the time range", is_normal=True)
        )
    try:
        names = metric_names(query.expr)
    except QueryError:
        names = set()
    return _Answer(asked.panel, query.expr, empty=explain(names, known))


def _has_data(body: dict[str, Any]) -> bool:
    """Say whether an answer of Prometheus, Loki or Tempo holds anything."""
    data = body.get("data")
    if isinstance(data, dict):
        return bool(data.get("result"))
    return bool(data or body.get("traces") or body.get("series"))


async def _known(case: Case, now_s: int, window: int) -> Known:
    async def names(seconds: int) -> frozenset[str]:
        path = "api/v1/label/__name__/values"
        body = await case.grafana.store(case.uid(METRICS), path, start=now_s - seconds, end=now_s)
        return frozenset(map(str, body["data"]))

    if METRICS not in case.answering:
        return Known((), ())
    return Known(await names(window), await names(max(window, LONG_S)), await _recorded(case))


async def _recorded(case: Case) -> frozenset[str]:
    try:
        body = await case.grafana.store(case.uid(METRICS), "api/v1/rules", type="record")
    except AwfError:  # `recording_rules` tells of it
        return frozenset()
    return frozenset(rule.name for rule in rules.loaded(body["data"]["groups"], "recording"))


SPEC = Check(
    "panels_answer",
    "dashboards",
    WHAT,
    _run,
    needs=("grafana_answers",),
    after=("dashboards_match", "datasources"),
)
