from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from awf.agents.investigation import CONVINCING
from awf.analysis.detectors.agents import failing_agents
from awf.analysis.detectors.steps import COUNT, SUM, slow_steps
from awf.analysis.detectors.tokens import token_surges
from awf.analysis.detectors.workers import full_queue
from awf.analysis.findings import Picture
from awf.core import semconv as sc
from awf.core.incidents import CauseClass
from awf.core.increase import rises
from awf.core.ports import Series

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LENGTH_S, STEP_S = 600, 5


def series(value_at: Callable[[float], float], *, since_s: int = 0, **labels: str) -> Series:
    """Return a series sampled every 5 s; `value_at` takes seconds after the window's start."""
    times = range(since_s, LENGTH_S + 1, STEP_S)
    return Series(labels, tuple((START.timestamp() + at, value_at(at)) for at in times))


def picture(counters: dict[str, list[Series]], gauges: dict[str, list[Series]] | None = None) -> Picture:
    end = START + timedelta(seconds=LENGTH_S)
    return Picture(
        START, end, end,
        counters={name: rises(found) for name, found in counters.items()}, gauges=gauges or {},
    )  # fmt: skip


@pytest.mark.parametrize("since_s", [0, 450])
def test_a_steady_use_of_tokens_is_no_surge_however_lately_it_was_first_seen(since_s: int) -> None:
    steady = [series(lambda at: 200.0 * (at - since_s), since_s=since_s, agent_id="writer")]
    assert token_surges(picture({sc.TOKENS: steady})) == []


def test_a_use_of_tokens_that_grows_tenfold_is_a_surge_also_in_a_short_history() -> None:
    grown = series(lambda at: 20.0 * (at - 400) + 180.0 * max(0, at - 500), since_s=400, agent_id="writer")
    (found,) = token_surges(picture({sc.TOKENS: [grown]}))
    assert found.target.agent_id == "writer"


@pytest.mark.parametrize(
    ("ends_per_s", "grows_per_s", "is_more"),
    [(2.4, 1.1, True), (0.1, 0.9, False)],
    ids=["3.5 a second arrive", "1 a second arrives as ever and each takes longer"],
)
def test_a_queue_that_passed_its_level_only_now_knows_whether_more_arrives(
    ends_per_s: float, grows_per_s: float, is_more: bool
) -> None:
    turn_s = LENGTH_S - STEP_S
    ended = series(lambda at: min(at, turn_s) + ends_per_s * max(0, at - turn_s))
    pending = series(lambda at: grows_per_s * max(0, at - turn_s))
    gauges = {sc.EXECUTIONS_PENDING: [pending], sc.WORKERS: [series(lambda _: 4.0)]}
    (found,) = full_queue(picture({sc.WORKFLOWS: [ended]}, gauges))
    assert found.is_overload is is_more


def full_since(ago_s: int, *, arrive: tuple[float, float], end: tuple[float, float]) -> Picture:
    """Return a queue of four workers that fills: arrivals and ends per second before and since."""
    turn = LENGTH_S - ago_s

    def grown(rates: tuple[float, float]) -> Callable[[float], float]:
        return lambda at: rates[0] * min(at, turn) + rates[1] * max(0, at - turn)

    pending = series(lambda at: grown(arrive)(at) - grown(end)(at))
    gauges = {sc.EXECUTIONS_PENDING: [pending], sc.WORKERS: [series(lambda _: 4.0)]}
    return picture({sc.WORKFLOWS: [series(grown(end))]}, gauges)


@pytest.mark.parametrize(
    ("arrive", "end", "is_overload"),
    [
        ((0.8, 2.7), (0.8, 2.0), True),
        ((0.8, 1.1), (0.8, 0.8), False),
        ((0.8, 1.5), (0.8, 0.4), False),
    ],
    ids=["three times as many arrive", "a few more, as chance has it", "more arrive, and less gets done"],
)
def test_a_queue_is_a_lack_of_workers_where_more_arrives_and_as_much_gets_done(
    arrive: tuple[float, float], end: tuple[float, float], is_overload: bool
) -> None:
    (found,) = full_queue(full_since(40, arrive=arrive, end=end))
    assert found.is_overload is is_overload
    assert (found.strength >= CONVINCING) is is_overload


def test_a_queue_says_what_speaks_against_a_lack_of_workers() -> None:
    (found,) = full_queue(full_since(40, arrive=(0.8, 1.5), end=(0.8, 0.4)))
    assert found.against == ("the workers get less done than before: each execution takes longer",)


def test_failures_began_when_their_counter_was_born() -> None:
    """A counter of failures appears with the first of them and rises evenly: the others tell that it was none before."""
    well = series(lambda at: min(at, 535) / 5, agent_id="writer", status="completed")
    failed = series(lambda at: (at - 535) / 5, since_s=540, agent_id="writer", status="failed")
    (found,) = failing_agents(picture({sc.AGENT_INVOCATIONS: [well, failed]}))
    assert found.since == START + timedelta(seconds=535)
    assert found.evidence[0].value == 1.0


def test_two_runs_that_take_many_times_as_long_are_enough_to_act_on() -> None:
    labels = {"workflow_id": "report", "step_id": "draft", "agent_id": "writer", "status": "completed"}
    runs = series(lambda at: at // 10.0, **labels)
    slow = series(lambda at: 700.0 * (at // 10.0) + 11_000.0 * max(0, (at - LENGTH_S) // 10.0 + 2), **labels)
    (found,) = slow_steps(picture({COUNT: [runs], SUM: [slow]}))
    assert (found.cause, found.target.agent_id) == (CauseClass.AGENT_LATENCY, "writer")
    assert found.strength >= CONVINCING


def test_a_queue_that_nothing_explains_yet_is_no_reason_to_act() -> None:
    pending = series(lambda at: 0.9 * max(0, at - LENGTH_S + 60))
    ended = series(lambda at: min(at, LENGTH_S - 60) + 0.1 * max(0, at - LENGTH_S + 60))
    workers = series(lambda _: 4.0)
    (found,) = full_queue(
        picture({sc.WORKFLOWS: [ended]}, {sc.EXECUTIONS_PENDING: [pending], sc.WORKERS: [workers]})
    )
    assert found.strength < CONVINCING
    fewer = series(lambda at: 8.0 if at < LENGTH_S - 60 else 4.0)
    (found,) = full_queue(
        picture({sc.WORKFLOWS: [ended]}, {sc.EXECUTIONS_PENDING: [pending], sc.WORKERS: [fewer]})
    )
    assert found.strength >= CONVINCING


@pytest.mark.parametrize("ages_s", [(55, 10, 5), (50, 45, 5), (50, 30, 10), (15, 10, 5)])
def test_three_failures_in_a_minute_are_found_wherever_in_it_they_are(ages_s: tuple[int, ...]) -> None:
    """The alert AWFAgentErrors fires at three failures, if they are 30% of a minute's invocations."""
    well = series(lambda at: at // 10.0, agent_id="writer", status="completed")
    failed = series(
        lambda at: float(sum(at >= LENGTH_S - age for age in ages_s)), agent_id="writer", status="failed"
    )
    (found,) = failing_agents(picture({sc.AGENT_INVOCATIONS: [well, failed]}))
    assert (found.cause, found.target.agent_id) == (CauseClass.AGENT_ERROR, "writer")
