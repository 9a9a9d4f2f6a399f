"""Every query of every panel is answered through Grafana, and why those panels are empty that are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from awf.embedded.promql.parser import metric_names
from awf.errors import AwfError, QueryError
from awf.wiring.doctor import rules
from awf.wiring.doctor.case import METRICS, STORES, TRACES, Case
from awf.wiring.doctor.emptiness import Emptiness, Known, explain
from awf.wiring.doctor.findings import Check, Finding, fail, ok, skip, warn
from awf.wiring.doctor.panel_queries import PanelQuery, Unasked, panel_queries, variable_queries, window_s

WHAT = "panels"
AT_ONCE = 6
LONG_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one query; `empty` says why there is nothing."""

    query: PanelQuery
    error: str = ""
    empty: Emptiness | None = None


async def _run(case: Case) -> list[Finding]:
    now_s = int(time.time())
    known: dict[int, Known] = {}
    findings = []
    for number, (_, board) in enumerate(sorted(case.boards.items()), start=1):
        case.tell(f"dashboards: panels of {board.get('title')}, {number} of {len(case.boards)}")
        window = window_s(board)
        if window not in known:
            known[window] = await _known(case, now_s, window)
        findings.append(await _board(case, board, now_s, known[window]))
    return findings or [skip(WHAT, "needs: dashboards in Grafana")]


async def _board(case: Case, board: Mapping[str, Any], now_s: int, known: Known) -> Finding:
    uids = {store: case.uid(store) for store in STORES}
    found = [*variable_queries(board, now_s, uids), *panel_queries(board, now_s, uids)]
    queries = [each for each in found if isinstance(each, PanelQuery)]
    away = sorted(
        {each.store for each in queries if each.store not in case.answering and each.uid in uids.values()}
    )
    asked = [each for each in queries if each.store not in away]
    gate = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(*(_ask(case, each, known, gate) for each in asked))
    what = f"panels of {board.get('title')}"
    items = [_told(answer) for answer in answers]
    items += [f"{each.panel}: not asked, {each.why}" for each in found if isinstance(each, Unasked)]
    return _verdict(what, answers, items, away)


def _verdict(what: str, answers: list[_Answer], items: list[str], away: list[str]) -> Finding:
    broken = [answer for answer in answers if answer.error]
    odd = _by_reason(answers, is_normal=False)
    normal = _by_reason(answers, is_normal=True)
    if broken:
        first = broken[0]
        detail = f"{len(broken)} of {len(answers)} queries fail; {first.query.panel!r}: {first.error}"
        hint = "`awf doctor --only dashboards -v` shows every query."
        return fail(what, detail, hint=hint, items=items)
    if away and not answers:
        return skip(what, f"needs: a datasource for {' and '.join(away)}")
    answered = f"{len(answers)} queries answer"
    if away:
        return warn(what, f"{answered}; {' and '.join(away)} could not be asked", items=items)
    if odd:
        return warn(
            what,
            f"{answered}; empty: {odd}",
            items=items,
            hint="See which part writes them; -v shows each panel.",
        )
    return ok(what, f"{answered}" + (f"; empty, as is normal: {normal}" if normal else ""), items=items)


def _by_reason(answers: list[_Answer], *, is_normal: bool) -> str:
    """Return panels that are empty, by why."""
    panels: dict[str, list[str]] = {}
    metrics: dict[str, list[str]] = {}
    for answer in answers:
        if answer.empty is not None and answer.empty.is_normal is is_normal:
            panels.setdefault(answer.empty.why, []).append(answer.query.panel)
            metrics.setdefault(answer.empty.why, []).extend(answer.empty.metrics)
    parts = []
    for why, names in panels.items():
        about = f"{', '.join(dict.fromkeys(metrics[why]))} " if metrics[why] else ""
        parts.append(f"{', '.join(dict.fromkeys(names))} ({about}{why})")
    return "; ".join(parts)


def _told(answer: _Answer) -> str:
    empty = answer.empty
    said = answer.error or (f"empty: {' '.join((*empty.metrics, empty.why))}" if empty else "answers")
    return f"{answer.query.panel}: {said}  [{answer.query.text}]"


async def _ask(case: Case, query: PanelQuery, known: Known, gate: asyncio.Semaphore) -> _Answer:
    async with gate:
        try:
            body = await case.grafana.store(query.uid, query.path, **query.params)
        except AwfError as error:
            return _Answer(query, error.message)
    if _has_data(body):
        return _Answer(query)
    if query.store != METRICS:
        kind = "trace" if query.store == TRACES else "line"
        return _Answer(query, empty=Emptiness(f"no such {kind} in the time range", is_normal=True))
    try:
        names = metric_names(query.text)
    except QueryError:
        names = set()
    return _Answer(query, empty=explain(names, known))


def _has_data(body: Any) -> bool:
    """Say whether an answer of Prometheus, Loki or Tempo holds anything."""
    if not isinstance(body, dict):
        return bool(body)
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
