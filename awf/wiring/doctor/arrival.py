"""Waits for the synthetic execution in one store, and says at which hop it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from awf.errors import AwfError, NotFound
from awf.wiring.doctor.case import Case, Trial
from awf.wiring.doctor.findings import Finding, fail, ok, skip, warn
from awf.wiring.doctor.grafana import Direct

Ask = Callable[..., Awaitable[Any]]
Look = Callable[[Ask, Trial], Awaitable[str]]
"""Asks a store by path and parameters and returns what was found in words, or nothing."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0


async def arrives(case: Case, store: str, what: str, looks: Sequence[tuple[str, Look]]) -> list[Finding]:
    """Return one finding for each way to look; each is given `timeout_s` since the sending."""
    trial = case.trial
    if trial is None or store in trial.lost:
        return [skip(what, "needs: the delivery of the synthetic workflow to the collector")]
    return [await _one(case, trial, store, f"{what} {by}".strip(), look) for by, look in looks]


async def _one(case: Case, trial: Trial, store: str, what: str, look: Look) -> Finding:
    async def through_grafana(path: str, **params: Any) -> Any:
        return await case.grafana.store(case.uid(store), path, **params)

    if store not in case.answering:
        return await _without_grafana(case, trial, store, what, look)
    found, problem = await _wait(case, trial, what, look, through_grafana)
    if found:
        return ok(what, f"{found}, {time.monotonic() - trial.sent:.1f} s after it was sent")
    looked = []
    for base in case.direct(store):
        with contextlib.suppress(AwfError):
            in_store = await look(Direct(base).store, trial)
            looked.append(base)
            if in_store:
                return fail(
                    what, f"it is in the store ({in_store} at {base}), but not seen through Grafana",
                    hint=f"The datasource {case.uid(store)!r} leads elsewhere: compare its address, tenant and proxy "
                    "settings.",
                )  # fmt: skip
    if looked:
        return _not_in(store, what, looked[-1])
    seen = f"; the last answer was: {problem}" if problem else ""
    return fail(
        what, f"the collector took it, but it did not appear within {case.timeout_s:g} s{seen}",
        hint=_COLLECTOR_HINT.format(store=store) + " --timeout waits longer.",
    )  # fmt: skip


async def _without_grafana(case: Case, trial: Trial, store: str, what: str, look: Look) -> Finding:
    """Look in the store itself, to tell whether only the way through Grafana is broken."""
    for base in case.direct(store):
        direct = Direct(base)
        try:
            await look(direct.store, trial)
        except AwfError:
            continue
        found, _ = await _wait(case, trial, what, look, direct.store)
        if found:
            detail = f"it is in the store ({found} at {base}); the way through Grafana is broken"
            return warn(what, detail, hint="Mend Grafana or its datasource first: see above.")
        return _not_in(store, what, base)
    return skip(what, f"needs: the datasource {case.uid(store)!r}")


_COLLECTOR_HINT = (
    "Look at the collector's exporter for {store} (Alloy: http://127.0.0.1:12345, its log, and "
    "otelcol_exporter_queue_size), then at the store's log for refused samples, lines or spans."
)


def _not_in(store: str, what: str, base: str) -> Finding:
    return fail(
        what, f"the collector took it, but the store at {base} does not have it",
        hint=_COLLECTOR_HINT.format(store=store),
    )  # fmt: skip


async def _wait(case: Case, trial: Trial, what: str, look: Look, ask: Ask) -> tuple[str, str]:
    """Return what was found, or nothing and the last error."""
    pause_s, problem = FIRST_PAUSE_S, ""
    while True:
        try:
            if found := await look(ask, trial):
                return found, ""
            problem = ""
        except NotFound:
            problem = ""
        except AwfError as error:
            problem = error.message
        waited_s = time.monotonic() - trial.sent
        if waited_s + pause_s > case.timeout_s:
            return "", problem
        case.tell(f"telemetry: {what}, {waited_s:.0f} s of {case.timeout_s:g} s")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
