"""From an order to an engine and back, whichever way the engine reaches the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from awf.core.types import (
    AckStatus,
    ChangeId,
    ControlAck,
    ControlChange,
    ControlKind,
    EngineId,
    ExecutionStatus,
)
from awf.errors import Unavailable
from tests.contract._plant import Plant, plant, until
from tests.contract._server import VIAS

K = ControlKind
DRAFT = {"workflow_id": "report", "step_id": "draft"}


@pytest.fixture(params=VIAS)
async def found(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Plant]:
    url = f"sqlite:///{tmp_path / 'state.db'}"
    async with plant(request.param, url=url, control_timeout_s=10.0) as running:
        yield running


@pytest.fixture(params=VIAS)
async def impatient(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Plant]:
    """A plant whose orders wait 0.3 s for an answer."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    async with plant(request.param, url=url, control_timeout_s=0.3) as running:
        yield running


async def test_an_engine_is_known_as_it_describes_itself_and_again_when_it_changes(found: Plant) -> None:
    assert replace(await found.info(), last_seen=None) == found.engine.info()
    await found.order(K.SET_WORKER_LIMIT, {"workers": 7})

    async def is_told() -> bool:
        return (await found.info()).workers == 7

    await until(is_told)


async def test_every_kind_of_switch_is_turned_and_its_answer_tells_the_way_back(found: Plant) -> None:
    at_first = found.engine.controls.switches
    orders: list[tuple[ControlKind, dict[str, Any]]] = [
        (K.SET_AGENT_ENABLED, {"agent_id": "writer", "enabled": False}),
        (K.SET_FALLBACK_FORCED, {**DRAFT, "forced": True}),
        (K.SET_TIMEOUT_FACTOR, {**DRAFT, "factor": 1.5}),
        (K.SET_WORKER_LIMIT, {"workers": 7}),
    ]
    outcomes = [await found.order(kind, arguments) for kind, arguments in orders]
    assert [outcome.is_applied for outcome in outcomes] == [True] * 4
    switches = found.engine.controls.switches
    assert [*switches.disabled_agents, *switches.forced_fallbacks] == ["writer", ("report", "draft")]
    assert (switches.timeout_factors, switches.workers) == ({("report", "draft"): 1.5}, 7)
    for outcome in outcomes:
        back = await found.order(outcome.change.kind, dict(outcome.acks[0].before), key=outcome.change.id)
        assert back.is_applied
    assert found.engine.controls.switches == at_first


async def test_executions_are_started_cancelled_restarted_and_retried_where_they_run(found: Plant) -> None:
    started = {"workflow_id": "report", "execution_id": "exec_1", "input": {"n": 1}}
    with found.world.holding("reader"):
        assert (await found.order(K.START_EXECUTION, started)).is_applied
        await found.until_server_knows("exec_1", "running")
        assert (await found.order(K.CANCEL_EXECUTION, {"execution_id": "exec_1"})).is_applied
    await found.until_server_knows("exec_1", "cancelled")
    again = {"execution_id": "exec_1", "new_execution_id": "exec_2"}
    assert (await found.order(K.RESTART_EXECUTION, again)).is_applied
    record = await found.until_server_knows("exec_2", "completed")
    assert (record.input, record.restarted_from) == ({"n": 1}, "exec_1")
    failed = await found.fail_once()
    assert (await found.order(K.RETRY_STEP, {"execution_id": failed, "step_id": "draft"})).is_applied
    await found.until_server_knows(failed, "completed")


async def test_a_refusal_is_an_answer_with_its_reason(found: Plant) -> None:
    outcome = await found.order(K.SET_TIMEOUT_FACTOR, {**DRAFT, "factor": -1})
    assert (outcome.is_applied, outcome.is_refused, outcome.waiting_for) == (False, True, ())
    assert "factor is -1, expected more than 0" in outcome.acks[0].detail


async def test_orders_to_an_engine_that_is_away_wait_for_it_and_are_obeyed_in_order(impatient: Plant) -> None:
    found = impatient
    await found.members[0].disconnect()
    orders = {key: {"workers": number} for key, number in (("a", 5), ("b", 6), ("c", 7))}
    for key, arguments in orders.items():
        outcome = await found.order(K.SET_WORKER_LIMIT, arguments, key=key)
        assert (outcome.waiting_for, outcome.is_applied) == (("e1",), False)
    await found.members[0].connect()

    async def is_done() -> bool:
        return found.engine.workers == 7

    await until(is_done)
    outcomes = [
        await found.order(K.SET_WORKER_LIMIT, arguments, key=key) for key, arguments in orders.items()
    ]
    assert [outcome.acks[0].before for outcome in outcomes] == [{"workers": n} for n in (None, 5, 6)]


async def test_a_server_that_restarts_finds_its_engine_again_and_nothing_is_done_twice(found: Plant) -> None:
    started = {"workflow_id": "report", "execution_id": "exec_1", "input": {}}
    first = await found.order(K.START_EXECUTION, started, key="start")
    await found.server.stop()
    offline = await found.engine.submit("report", {"while": "away"})
    await found.engine.wait(offline)
    await found.server.start()
    await until(found.members[0].is_known)
    again = await found.order(K.START_EXECUTION, started, key="start")
    assert (again.change.id, again.acks) == (first.change.id, first.acks)
    assert (await found.order(K.SET_WORKER_LIMIT, {"workers": 7})).is_applied
    assert (await found.until_server_knows(offline, "completed")).input == {"while": "away"}
    assert len(found.engine.executions()) == 2


class Lossy:
    """A way to the server that fails once on an answer, before or after the server has it."""

    def __init__(self, inner: Any, is_recorded: bool) -> None:
        self._inner = inner
        self._is_recorded = is_recorded
        self.lost: list[ControlAck] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def acknowledge(self, ack: ControlAck) -> None:
        if self._is_recorded or self.lost:
            await self._inner.acknowledge(ack)
        if not self.lost:
            self.lost.append(ack)
            raise Unavailable("the connection broke")


@pytest.mark.parametrize("is_recorded", [False, True])
async def test_an_answer_that_gets_lost_is_given_again_and_the_order_carried_out_once(
    found: Plant, is_recorded: bool
) -> None:
    way = Lossy(found.server.directory, is_recorded)
    await found.members[0].disconnect()
    await found.members[0].connect(way)
    started = {"workflow_id": "report", "execution_id": "exec_1", "input": {}}
    outcome = await found.order(K.START_EXECUTION, started)
    assert (outcome.is_applied, outcome.acks) == (True, tuple(way.lost))
    assert (await found.order(K.SET_WORKER_LIMIT, {"workers": 7})).is_applied
    assert len(found.engine.executions()) == 1


async def test_an_order_with_a_token_behind_the_last_one_is_refused(found: Plant) -> None:
    ahead = ControlChange(
        ChangeId("chg_other"), K.SET_WORKER_LIMIT, {"workers": 3}, 1_000, "who took over", datetime.now(UTC)
    )
    assert (await found.engine.controls.apply(ahead)).status is AckStatus.APPLIED
    outcome = await found.order(K.SET_WORKER_LIMIT, {"workers": 9})
    assert outcome.is_refused
    assert "is not above 1000" in outcome.acks[0].detail
    assert found.engine.workers == 3


async def test_an_engine_that_starts_anew_gets_no_order_that_its_name_has_answered(found: Plant) -> None:
    await found.order(K.SET_WORKER_LIMIT, {"workers": 7})
    await found.members.pop().aclose()
    fresh = await found.add_engine("e1", workers=2)
    assert (await found.order(K.SET_FALLBACK_FORCED, {**DRAFT, "forced": True})).is_applied
    assert (fresh.engine.workers, len(fresh.controls.switches.forced_fallbacks)) == (2, 1)


async def test_an_order_for_one_engine_leaves_the_others_alone(found: Plant) -> None:
    other = await found.add_engine("e2", workers=5)
    outcome = await found.order(K.SET_WORKER_LIMIT, {"workers": 9, "engine_id": "e2"})
    assert [ack.engine_id for ack in outcome.acks] == ["e2"]
    assert (found.engine.workers, other.engine.workers) == (2, 9)


async def test_all_engines_that_run_a_step_obey_and_one_silence_is_no_success(impatient: Plant) -> None:
    found = impatient
    other = await found.add_engine("e2")
    assert len((await found.order(K.SET_FALLBACK_FORCED, {**DRAFT, "forced": True})).acks) == 2
    await other.disconnect()
    outcome = await found.order(K.SET_TIMEOUT_FACTOR, {**DRAFT, "factor": 2.0})
    assert ([ack.engine_id for ack in outcome.acks], outcome.waiting_for) == (["e1"], (EngineId("e2"),))
    assert not outcome.is_applied


async def test_a_server_that_stops_does_not_stop_executions(found: Plant) -> None:
    with found.world.holding("reader"):
        running = await found.engine.submit("report", {})
        await found.server.stop()
    assert (await found.engine.wait(running)).status is ExecutionStatus.COMPLETED
    await found.server.start()
    await found.until_server_knows(running, "completed")


async def test_a_server_whose_data_is_gone_gets_answers_too_though_its_tokens_are_behind(
    tmp_path: Path,
) -> None:
    async with plant("over HTTP", url=f"sqlite:///{tmp_path / 'one.db'}") as found:
        assert (await found.order(K.SET_WORKER_LIMIT, {"workers": 7})).is_applied
        await found.server.stop()
        found.server.url = f"sqlite:///{tmp_path / 'two.db'}"
        await found.server.start()
        await until(found.members[0].is_known)
        outcome = await found.order(K.SET_WORKER_LIMIT, {"workers": 9})
        assert (outcome.is_refused, found.engine.workers) == (True, 7)
        assert outcome.acks[0].detail == "token 1 is not above 1, the last one applied"
