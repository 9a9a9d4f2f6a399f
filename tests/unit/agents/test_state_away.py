"""The state database goes away at every single unit of work of an incident: one action, and the incident goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from awf.core.counters import Counters
from awf.core.incidents import ActionOutcome, IncidentStatus
from awf.errors import StateUnavailable
from awf.remediation.spec import RemediationConfig
from awf.state import State
from awf.state.database import Database
from awf.testing import FakeClock, FakeControls, FakePeople, FakeTelemetry
from tests.unit.agents._system import NOW, System, alert, engine, failing_writer

ALERT = alert("AWFAgentErrors", agent_id="writer")
Unit = Callable[..., Awaitable[Any]]


class Outage:
    """Takes the database away at one unit of work, before it is done or just after it was committed."""

    def __init__(self, at: int, *, is_done: bool) -> None:
        self._at = at
        self._is_done = is_done
        self.units = 0

    def strike(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("read", "write"):
            monkeypatch.setattr(database, name, self._through(getattr(database, name)))

    @property
    def has_struck(self) -> bool:
        return self.units > self._at

    def _through(self, unit: Unit) -> Unit:
        async def run(*arguments: Any, **options: Any) -> Any:
            self.units += 1
            if self.units != self._at + 1:
                return await unit(*arguments, **options)
            if self._is_done:
                await unit(*arguments, **options)
            raise StateUnavailable("the state database does not answer")

        return run


async def _story(at: int, *, is_done: bool, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell the story of a failing agent with one outage in it; return whether it was long enough for that."""
    clock = FakeClock(NOW)
    async with await State.open(clock=clock) as state:
        system = System(
            state,
            clock,
            FakeTelemetry(clock),
            FakeControls(engine()),
            FakePeople(),
            Counters(),
            RemediationConfig(),
        )
        failing_writer(system.telemetry, recovers_at=NOW)
        watcher = system.start()
        outage = Outage(at, is_done=is_done)
        with monkeypatch.context() as patches:
            outage.strike(state.database, patches)
            answer = None
            while answer is None:  # Grafana sends again what was not taken
                with contextlib.suppress(StateUnavailable):
                    answer = await watcher.handle_alert([ALERT], b"{}")
            for _ in range(3):  # the sweep comes every second
                await watcher.settled()
                with contextlib.suppress(StateUnavailable):
                    await watcher.sweep()
            await watcher.settled()
        (incident,) = await system.incidents()
        told = f"outage at unit {at}, {'after' if is_done else 'before'} it was done"
        assert incident.status is IncidentStatus.RESOLVED, f"{told}: {incident.timeline}"
        assert system.kinds == ["set_fallback_forced"], told
        await state.audit.verify()
        await watcher.aclose()
    return outage.has_struck


@pytest.mark.parametrize("is_done", [False, True], ids=["nothing was done", "it was done"])
async def test_an_outage_at_any_moment_costs_neither_the_alert_nor_a_second_action(
    is_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = 0
    while await _story(at, is_done=is_done, monkeypatch=monkeypatch):
        at += 1
    assert at > 20


async def test_an_order_that_nobody_knows_of_is_given_again_under_its_key_and_not_written_off(
    system: System,
) -> None:
    class AwayOnce(FakeControls):
        is_away = True

        async def submit(self, *arguments: Any, **options: Any) -> Any:
            outcome = await super().submit(*arguments, **options)
            if self.is_away:
                self.is_away = False
                raise StateUnavailable("the state database does not answer")
            return outcome

    failing_writer(system.telemetry, recovers_at=NOW)
    system.controls = AwayOnce(engine())
    system.start()
    incident = await system.alert(ALERT)
    assert incident.status is IncidentStatus.ACTING
    await system.watcher.sweep()
    await system.watcher.settled()
    assert (await system.state.incidents.get(incident.id)).status is IncidentStatus.RESOLVED
    assert system.kinds == ["set_fallback_forced"]


class Unheard(FakeControls):
    """Controls of which nothing is known after an outage, until engines had time to report."""

    def __init__(self) -> None:
        super().__init__(engine())
        self._reported, self._engines = self._engines, []

    async def await_engines(self) -> None:
        self._engines = self._reported

    async def engines(self) -> Any:
        found, self._engines = self._engines, []
        return list(found)

    async def submit(self, *arguments: Any, **options: Any) -> Any:
        outcome = await super().submit(*arguments, **options)
        self._engines = []
        return outcome


@pytest.mark.parametrize(
    ("recovers", "outcome"), [(True, ActionOutcome.VERIFIED), (False, ActionOutcome.UNDONE)]
)
async def test_nothing_is_planned_ordered_or_undone_before_engines_had_time_to_report(
    system: System, recovers: bool, outcome: ActionOutcome
) -> None:
    failing_writer(system.telemetry, recovers_at=NOW if recovers else None)
    system.controls = Unheard()
    system.start()
    incident = await system.alert(ALERT)
    assert (incident.action and incident.action.name, incident.outcome) == ("switch_fallback", outcome)
