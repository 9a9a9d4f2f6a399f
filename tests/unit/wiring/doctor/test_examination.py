"""The order of checks, what is skipped, and that one which breaks does not hide the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from awf.cli import doctor as command
from awf.core.registry import discover
from awf.errors import ConfigError
from awf.settings import load
from awf.wiring.doctor import AREAS, Check, Finding, Status, examination
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.examination import CHECKS, examine, plan
from awf.wiring.doctor.findings import fail, ok

ALL = discover(CHECKS, Check)


def test_every_check_is_of_an_area_and_needs_only_what_comes_before() -> None:
    assert {check.area for check in ALL.values()} == set(AREAS)
    assert command.AREAS == AREAS  # twice, so that --help stays fast
    order = [check.name for round_ in plan(ALL.values()) for check in round_]
    assert sorted(order) == sorted(ALL)
    for check in ALL.values():
        for need in (*check.needs, *check.after):
            assert order.index(need) < order.index(check.name), f"{need} comes after {check.name}"


def test_an_area_brings_what_it_needs_and_nothing_else() -> None:
    names = {check.name for round_ in plan(ALL.values(), ["rules"]) for check in round_}
    assert names == {"grafana_answers", "datasources", "recording_rules", "alert_rules", "log_rules"}


def test_an_unknown_area_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="'dashbords'") as caught:
        plan(ALL.values(), ["dashbords"])
    assert "dashboards" in caught.value.hint


async def _found(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> dict[str, Finding]:
    monkeypatch.setattr(examination, "discover", lambda *_: {check.name: check for check in checks})
    report = await examine(load())
    return {finding.check: finding for finding in report.findings}


async def _well(_: Case) -> Sequence[Finding]:
    return [ok("it", "works")]


async def _badly(_: Case) -> Sequence[Finding]:
    return [ok("one", "works"), fail("other", "does not")]


async def _breaks(_: Case) -> Sequence[Finding]:
    raise KeyError("no such thing")


async def test_what_needs_something_that_failed_is_skipped_and_what_only_comes_after_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = await _found(
        monkeypatch,
        Check("first", "settings", "first", _badly),
        Check("needing", "service", "needing", _well, needs=("first",)),
        Check("further", "grafana", "further", _well, needs=("needing",)),
        Check("following", "service", "following", _well, after=("first",)),
    )
    assert found["needing"].status is found["further"].status is Status.SKIP
    assert found["needing"].detail == "needs: first"
    assert found["following"].status is Status.OK


async def test_a_check_that_breaks_is_a_finding_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await _found(
        monkeypatch, Check("broken", "settings", "broken", _breaks), Check("well", "settings", "well", _well)
    )
    assert found["broken"].status is Status.FAIL
    assert "KeyError" in found["broken"].detail
    assert found["well"].status is Status.OK
