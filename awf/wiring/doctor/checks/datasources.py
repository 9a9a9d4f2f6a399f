"""The three datasources: there, of the right type, healthy by Grafana's own test, and answering a query."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from awf.errors import AwfError, Forbidden, NotFound
from awf.wiring.doctor.case import LOGS, METRICS, STORES, TRACES, Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn
from awf.wiring.doctor.grafana import said

WHAT = "datasources"
_TYPES = {METRICS: "prometheus", LOGS: "loki", TRACES: "tempo"}


async def _run(case: Case) -> list[Finding]:
    return list(await asyncio.gather(*(_store(case, store) for store in STORES)))


async def _store(case: Case, store: str) -> Finding:
    uid, setting = case.uid(store), f"AWF_DATASOURCE_{store.upper()}"
    what = f"{store}: {uid}"
    try:
        source = await _description(case, uid)
    except NotFound:
        others = await _uids(case, _TYPES[store])
        near = f" Grafana has of that type: {', '.join(others)}." if others else ""
        hint = f"Set {setting} to a datasource's uid, or provision one with the uid {uid!r}.{near}"
        return fail(what, f"Grafana has no datasource with the uid {uid!r}", hint=hint)
    except AwfError as error:
        return fail(what, error.message, hint=error.hint)
    case.addresses[store] = str(source.get("url") or "")
    if source.get("type") != _TYPES[store]:
        hint = f"{setting} must name a datasource of type {_TYPES[store]}."
        return fail(what, f"is of type {source.get('type')!r}, expected {_TYPES[store]!r}", hint=hint)
    try:
        took_ms = await _query(case, store)
    except AwfError as error:
        health = await _health(case, uid)
        where = f" Its address in Grafana is {source['url']}." if source.get("url") else ""
        hint = f"{error.hint}{where} Grafana's own test says: {health or 'OK'}."
        return fail(what, f"does not answer a query: {error.message}", hint=hint.strip())
    case.answering.add(store)
    if complaint := await _health(case, uid):
        return warn(what, f"answers in {took_ms:.0f} ms, but Grafana's own test says: {complaint}")
    return ok(what, f"{source.get('name', uid)}, healthy, answers in {took_ms:.0f} ms")


async def _description(case: Case, uid: str) -> dict[str, Any]:
    try:
        return dict(await case.grafana.get(f"/api/datasources/uid/{uid}"))
    except Forbidden:
        # A Viewer may query, but not read this; what the browser is told says enough.
        for each in (await _known(case)).values():
            if each.get("uid") == uid:
                return dict(each)
        raise NotFound(f"no datasource {uid}") from None


async def _known(case: Case) -> dict[str, Any]:
    return dict((await case.grafana.get("/api/frontend/settings")).get("datasources") or {})


async def _uids(case: Case, kind: str) -> list[str]:
    try:
        return sorted(str(each["uid"]) for each in (await _known(case)).values() if each.get("type") == kind)
    except (AwfError, KeyError, AttributeError, TypeError):
        return []


async def _health(case: Case, uid: str) -> str:
    """Return what Grafana's own test complains of."""
    response = await case.grafana.send("GET", f"/api/datasources/uid/{uid}/health")
    try:
        body = response.json()
    except ValueError:
        body = {}
    if response.status_code == 200 and isinstance(body, dict) and body.get("status") == "OK":
        return ""
    return f"{response.status_code} {said(response)}"


async def _query(case: Case, store: str) -> float:
    """Ask a store something cheap and return how many milliseconds that took."""
    began, now = time.monotonic(), int(time.time())
    paths: dict[str, tuple[str, dict[str, object]]] = {
        METRICS: ("api/v1/query", {"query": "vector(1)"}),
        LOGS: (
            "loki/api/v1/query_range",
            {
                "query": '{service_name="awf-doctor"}',
                "limit": 1,
                "start": (now - 60) * 10**9,
                "end": now * 10**9,
            },
        ),
        TRACES: ("api/search", {"q": "{}", "limit": 1, "start": now - 60, "end": now}),
    }
    path, params = paths[store]
    await case.grafana.store(case.uid(store), path, **params)
    return (time.monotonic() - began) * 1000


SPEC = Check("datasources", "datasources", WHAT, _run, needs=("grafana_answers",))
