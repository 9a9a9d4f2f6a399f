"""How far the clocks of Grafana, the stores, the service and whoever writes samples are from this machine's.

HTTP's Date header has whole seconds, so differences below two seconds cannot be told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

import httpx

from awf.core.http import client
from awf.core.semconv import EVENTS
from awf.errors import AwfError
from awf.wiring.doctor.case import LOGS, METRICS, TRACES, Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn
from awf.wiring.doctor.network import unreachable

WHAT = "clocks"
TOLD_S, WARN_S, FAIL_S = 2.0, 5.0, 60.0
_BREAKS = (
    "Dashboards show the newest data late or not at all, alerts fire late, above 300 s the watcher refuses Grafana's "
    "webhooks, and above 600 s Mimir and Loki refuse what comes from the future. Let NTP (chrony, systemd-timesyncd) "
    "set the clocks; containers have their machine's."
)

Ask = Callable[[], Awaitable[httpx.Response]]


async def _run(case: Case) -> list[Finding]:
    asked: dict[str, Ask] = {
        "Grafana": lambda: case.grafana.send("GET", "/api/health"),
        "AWF service": lambda: _service(case),
    }
    paths = {
        METRICS: "api/v1/status/buildinfo",
        LOGS: "loki/api/v1/status/buildinfo",
        TRACES: "api/status/buildinfo",
    }
    for store, path in paths.items():
        if store in case.answering:
            asked[f"{store} store"] = _through(case, store, path)
    skews = await asyncio.gather(*(_skew(ask) for ask in asked.values()))
    found = {name: skew for name, skew in zip(asked, skews, strict=True) if skew is not None}
    if METRICS in case.answering:
        found |= await _store_clock(case)
    items = [f"{name}: {_words(skew)}" for name, skew in found.items()]
    return [_verdict(found, items), *await _newest(case)]


def _through(case: Case, store: str, path: str) -> Ask:
    return lambda: case.grafana.through_proxy(case.uid(store), path)


def _verdict(found: dict[str, float], items: list[str]) -> Finding:
    if not found:
        return fail(WHAT, "nobody told the time", hint="See `grafana` and `service`.")
    off = {name: skew for name, skew in found.items() if abs(skew) > WARN_S}
    if not off:
        return ok(WHAT, f"{', '.join(found)} agree with this machine's", items=items)
    detail = "; ".join(f"{name} is {_words(skew)}" for name, skew in off.items())
    judge = fail if any(abs(skew) > FAIL_S for skew in off.values()) else warn
    return judge(WHAT, detail, hint=_BREAKS, items=items)


def _words(skew: float) -> str:
    if abs(skew) < TOLD_S:
        return "on time"
    return f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine"


async def _service(case: Case) -> httpx.Response:
    base = case.settings.api_base
    try:
        async with client(base) as http:
            return await http.get("/healthz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(base, error) from error


async def _skew(ask: Ask) -> float | None:
    """Return how many seconds a server's clock is ahead of ours; None when it does not tell."""
    before = time.time()
    try:
        response = await ask()
        moment = parsedate_to_datetime(response.headers["date"]).timestamp()
    except (AwfError, KeyError, TypeError, ValueError):
        return None
    after = time.time()
    # The header names the second that had begun when the answer was made.
    if before - 1 <= moment <= after:
        return 0.0
    return moment + 0.5 - (before + after) / 2


async def _store_clock(case: Case) -> dict[str, float]:
    """Ask the metrics store itself for its time: a proxy on the way may write the Date header anew."""
    before = time.time()
    try:
        body = await case.grafana.store(case.uid(METRICS), "api/v1/query", query="time()")
        moment = float(body["data"]["result"][1])
    except (AwfError, KeyError, IndexError, TypeError, ValueError):
        return {}
    return {"metrics store, by its own answer": moment - (before + time.time()) / 2}


async def _newest(case: Case) -> list[Finding]:
    """Say how old the newest sample of a living process is; one from the future tells of its clock."""
    if METRICS not in case.answering:
        return []
    what, now = "newest sample", time.time()
    # Ten minutes ahead, or a sample from the future would not be seen.
    query = f"max(max_over_time(timestamp({EVENTS})[20m:5s]))"
    body = await case.grafana.store(case.uid(METRICS), "api/v1/query", query=query, time=f"{now + 600:.3f}")
    result = body["data"]["result"]
    if not result:
        return [
            warn(
                what,
                "no engine has told of itself in the last 10 minutes",
                hint="Run a workflow, or see `telemetry`.",
            )
        ]
    age_s = now - float(result[0]["value"][1])
    if age_s < -WARN_S:
        return [
            fail(what, f"lies {-age_s:.0f} s in the future: the clock of an engine is ahead", hint=_BREAKS)
        ]
    if age_s > 60:
        hint = "Engines write every 5 s: they are stopped, their telemetry is delayed, or their clocks are behind."
        return [warn(what, f"is {age_s:.0f} s old", hint=hint)]
    return [ok(what, f"is {max(age_s, 0):.0f} s old")]


SPEC = Check("clocks", "clocks", WHAT, _run, needs=("grafana_answers",), after=("datasources",))
