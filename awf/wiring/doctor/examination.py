"""Runs the checks in the order in which to mend things; what needs something that failed is skipped."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from awf import __version__
from awf.core.registry import discover
from awf.errors import AwfError, ConfigError
from awf.settings import Settings
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, Report, Status, fail, skip
from awf.wiring.doctor.grafana import Grafana
from awf.wiring.secrets import find

logger = logging.getLogger(__name__)

AREAS = (
    "settings", "service", "grafana", "datasources", "telemetry", "dashboards", "rules", "notifications",
    "clocks", "versions",
)  # fmt: skip
CHECKS = "awf.wiring.doctor.checks"


async def examine(
    settings: Settings,
    *,
    only: Collection[str] = (),
    timeout_s: float = 60.0,
    tell: Callable[[str], None] = lambda text: None,
) -> Report:
    """Look at everything, or at the areas in `only` and what they need. Raises ConfigError for an unknown area."""
    began = time.monotonic()
    rounds = plan(discover(CHECKS, Check).values(), only)
    token, broken = _token(settings)
    findings = list(broken)
    async with Grafana(settings.grafana_base, token) as grafana:
        case = Case(settings, os.environ, grafana, timeout_s, tell)
        held_up: dict[str, str] = {}  # name of a check that failed or was skipped -> what it is about
        for checks in rounds:
            tell(f"{checks[0].area}: {', '.join(check.what for check in checks)}")
            for check, found in zip(
                checks, await asyncio.gather(*(_run(check, case, held_up) for check in checks)), strict=True
            ):
                findings += found
                if not found or any(finding.status in {Status.FAIL, Status.SKIP} for finding in found):
                    held_up[check.name] = check.what
    return Report(__version__, tuple(findings), time.monotonic() - began)


def plan(checks: Iterable[Check], only: Collection[str] = ()) -> list[list[Check]]:
    """Return the checks in rounds: area by area, what is needed before what needs it."""
    for area in only:
        if area not in AREAS:
            raise ConfigError(f"no area is named {area!r}", hint=f"Areas: {', '.join(AREAS)}.")
    known = {check.name: check for check in checks}
    wanted = {check.name for check in known.values() if not only or check.area in only}
    pending = list(wanted)
    while pending:
        check = known[pending.pop()]
        for need in (*check.needs, *check.after):
            if need not in wanted:
                wanted.add(need)
                pending.append(need)

    def depth(check: Check) -> int:
        before = (known[name] for name in (*check.needs, *check.after))
        return 1 + max((depth(each) for each in before if each.area == check.area), default=0)

    rounds: dict[tuple[int, int], list[Check]] = {}
    for name in sorted(wanted):
        check = known[name]
        rounds.setdefault((AREAS.index(check.area), depth(check)), []).append(check)
    return [rounds[key] for key in sorted(rounds)]


async def _run(check: Check, case: Case, held_up: Mapping[str, str]) -> list[Finding]:
    began = time.monotonic()
    missing = [held_up[need] for need in check.needs if need in held_up]
    if missing:
        found: Sequence[Finding] = [skip(check.what, f"needs: {', '.join(missing)}")]
    else:
        found = await _try(check, case)
    took_s = time.monotonic() - began
    return [replace(each, area=check.area, check=check.name, took_s=took_s) for each in found]


async def _try(check: Check, case: Case) -> Sequence[Finding]:
    try:
        return await check.run(case)
    except AwfError as error:
        return [fail(check.what, error.message, hint=error.hint)]
    except Exception as error:  # boundary: one check that breaks must not hide what the others find
        logger.debug("check failed", extra={"check": check.name}, exc_info=error)
        hint = "AWF_LOG_LEVEL=DEBUG shows where; please report it."
        return [fail(check.what, f"the check itself broke: {type(error).__name__}: {error}"[:300], hint=hint)]


def _token(settings: Settings) -> tuple[str, list[Finding]]:
    """Return Grafana's token, or nothing and why it cannot be read or sent."""
    try:
        token = find(settings, "grafana_token")
    except (AwfError, OSError) as error:
        hint = getattr(error, "hint", "") or "Make the file readable for this user."
        finding = fail("Grafana's token", str(error), hint=hint)
    else:
        if token.isascii() and token.isprintable():
            return token, []
        finding = fail(
            "Grafana's token", "AWF_GRAFANA_TOKEN has characters that a token cannot have",
            hint="Set it as it was printed, without quotes or line breaks.",
        )  # fmt: skip
    return "", [replace(finding, area=AREAS[0], check="grafana_token")]
