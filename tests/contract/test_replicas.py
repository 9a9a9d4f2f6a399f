"""What services that share one database promise one another; run over SQLite in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from awf.core.actions import Attempt
from awf.core.incidents import ActionCall, Incident, IncidentStatus
from awf.core.leases import Lease
from awf.core.ports import Delivery, Desk
from awf.core.types import ControlKind, EngineId, EngineInfo, IncidentId
from awf.errors import LeaseLost
from awf.state import State
from tests.contract.test_state import make_alert, make_approval, make_incident
from tests.postgres import PASSWORD, Postgres

ONE = IncidentId("inc_1")
LAPSE_S = 0.5
Pair = tuple[State, State]


@pytest.fixture(params=["file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as made:
            yield made
    else:
        yield f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
async def pair(url: str) -> AsyncIterator[Pair]:
    """The state of two services, each with connections of its own."""
    options = {"control_timeout_s": 0.1, "poll_s": 0.05, "password": lambda: PASSWORD}
    async with await State.open(url, **options) as one, await State.open(url, **options) as other:  # type: ignore[arg-type]
        yield one, other


def noted(incident: Incident) -> Incident:
    return replace(incident, decided_by=f"{incident.decided_by}x")


class TestLeases:
    async def test_one_service_gets_an_incident_and_the_other_knows(self, pair: Pair) -> None:
        ours, theirs = (state.leases(name) for state, name in zip(pair, "ab", strict=True))
        leases = await asyncio.gather(*(each.take(ONE) for each in (ours, theirs)))
        assert sum(lease is not None for lease in leases) == 1
        holder, other = (ours, theirs) if leases[0] else (theirs, ours)
        assert (await holder.taken(), await other.taken()) == (frozenset(), {ONE})

    async def test_tokens_grow_over_all_services_and_leases(self, pair: Pair) -> None:
        tokens = []
        for number in range(6):
            leases = pair[number % 2].leases(f"s{number}")
            lease = await leases.take(ONE)
            assert lease is not None
            tokens.append(lease.token)
            await leases.release(lease)
        assert tokens == sorted(set(tokens))

    async def test_a_silent_service_loses_its_incidents_and_one_that_beats_keeps_them(
        self, pair: Pair
    ) -> None:
        silent, beating, other = (pair[0].leases(name, lapse_s=LAPSE_S) for name in "abc")
        two = IncidentId("inc_2")
        lost = await silent.take(ONE)
        await beating.take(two)
        assert lost is not None
        taken = None
        async with asyncio.timeout(10):
            while taken is None:
                await beating.beat()
                await asyncio.sleep(0.05)
                taken = await other.take(ONE)
                assert await other.take(two) is None
        assert taken.token > lost.token

    async def test_a_service_that_starts_again_under_its_name_need_not_wait(self, pair: Pair) -> None:
        assert await pair[0].leases("a").take(ONE) is not None
        assert await pair[1].leases("a").take(ONE) is not None

    async def test_a_service_that_leaves_gives_everything_up(self, pair: Pair) -> None:
        ours, theirs = (state.leases(name) for state, name in zip(pair, "ab", strict=True))
        await ours.take(ONE)
        await ours.leave()
        assert await theirs.take(ONE) is not None

    async def test_the_services_are_listed_with_whether_they_live(self, pair: Pair) -> None:
        ours, theirs = (state.leases(name, lapse_s=LAPSE_S) for state, name in zip(pair, "ab", strict=True))
        await ours.beat()
        await asyncio.sleep(LAPSE_S + 0.1)
        await theirs.beat()
        assert [(each.name, each.is_living) for each in await ours.replicas()] == [("a", False), ("b", True)]


class TestFencing:
    """Whoever was overtaken can do nothing any more, however late it notices."""

    @pytest.fixture
    async def lost(self, pair: Pair) -> Lease:
        """A lease that another service has ended."""
        await pair[0].incidents.save(make_incident())
        lease = await pair[0].leases("a", lapse_s=0).take(ONE)
        assert lease is not None
        assert await pair[1].leases("b", lapse_s=0).take(ONE) is not None
        return lease

    async def test_an_incident_does_not_change(self, pair: Pair, lost: Lease) -> None:
        with pytest.raises(LeaseLost, match="inc_1"):
            await pair[0].incidents.change(ONE, noted, lease=lost)
        assert await pair[1].incidents.get(ONE) == make_incident()

    async def test_no_engine_is_ordered_anything(self, pair: Pair, lost: Lease) -> None:
        with pytest.raises(LeaseLost):
            await pair[0].controls.submit(
                ControlKind.SET_WORKER_LIMIT, {"workers": 8}, requested_by="t", idempotency_key="k", lease=lost
            )  # fmt: skip
        await pair[1].controls.register(EngineInfo(EngineId("e1"), (), (), 4))
        outcome = await pair[1].controls.submit(
            ControlKind.SET_WORKER_LIMIT, {"workers": 2}, requested_by="t", idempotency_key="l"
        )
        assert outcome.change.token == 1, "it is the first that there ever was"

    async def test_no_intent_is_written_and_no_outcome(self, pair: Pair, lost: Lease) -> None:
        attempt = make_attempt()
        with pytest.raises(LeaseLost):
            await begin(pair[0], attempt, lease=lost)
        with pytest.raises(LeaseLost):
            await pair[0].attempts.end(attempt, "effective", detail={}, lease=lost)
        assert (await pair[1].audit.list()).items == ()

    async def test_nobody_is_asked(self, pair: Pair, lost: Lease) -> None:
        with pytest.raises(LeaseLost):
            await pair[0].approvals.create(make_approval(), lease=lost)
        assert await pair[1].approvals.pending() == []

    async def test_a_lease_that_was_given_back_is_worth_nothing(self, pair: Pair) -> None:
        await pair[0].incidents.save(make_incident())
        leases = pair[0].leases("a")
        lease = await leases.take(ONE)
        assert lease is not None
        await pair[0].incidents.change(ONE, noted, lease=lease)
        await leases.release(lease)
        with pytest.raises(LeaseLost):
            await pair[0].incidents.change(ONE, noted, lease=lease)


class TestIncidents:
    async def test_changes_of_many_services_at_once_are_all_kept(self, pair: Pair) -> None:
        await pair[0].incidents.save(make_incident())
        await asyncio.gather(*(state.incidents.change(ONE, noted) for state in pair for _ in range(10)))
        assert (await pair[1].incidents.get(ONE)).decided_by == "x" * 20

    async def test_at_the_desk_everybody_is_alone_and_sees_what_was_saved_before(self, pair: Pair) -> None:
        def open_unless_there(name: str, desk: Desk) -> str:
            there = [each.incident.id for each in desk.saved_since(0)]
            return there[0] if there else desk.save([make_incident(name)])[0].incident.id

        opened = await asyncio.gather(
            *(
                state.incidents.at_desk(partial(open_unless_there, f"inc_{number}{side}"))
                for number in range(5)
                for side, state in zip("ab", pair, strict=True)
            )
        )
        assert len(set(opened)) == 1
        assert len((await pair[0].incidents.list()).items) == 1

    async def test_the_same_delivery_at_two_services_is_new_at_one(self, pair: Pair) -> None:
        alert = make_alert()
        fresh = await asyncio.gather(
            *(
                state.incidents.at_desk(lambda desk: desk.receive([Delivery([alert], b"{}")])[0])
                for state in pair
            )
        )
        assert sorted(map(len, fresh)) == [0, 1]

    async def test_of_two_decisions_about_one_cause_one_stands(self, pair: Pair) -> None:
        chosen = ActionCall("scale_workers", {"workers": 8})
        for name in ("inc_1", "inc_2"):
            await pair[0].incidents.save(make_incident(name, fingerprint=name))
        made = await asyncio.gather(
            *(
                state.incidents.change(
                    IncidentId(name), lambda each: replace(each, action=chosen), unless=lambda _: True
                )
                for state, name in zip(pair, ("inc_1", "inc_2"), strict=True)
            )
        )
        (winner,) = (each.after for each in made if each.rival is None)
        (loser,) = (each for each in made if each.rival is not None)
        assert (loser.rival, loser.after.action) == (winner, None)
        assert await pair[0].incidents.rival(loser.after.id, lambda _: True) == winner

    async def test_a_closed_incident_is_nobodys_rival(self, pair: Pair) -> None:
        closed = replace(
            make_incident("inc_0", status=IncidentStatus.RESOLVED), action=ActionCall("scale_workers", {})
        )
        await pair[0].incidents.save(closed)
        await pair[0].incidents.save(make_incident())
        assert await pair[1].incidents.rival(ONE, lambda _: True) is None


class TestAttempts:
    async def test_of_all_that_want_the_last_slot_one_gets_it(self, pair: Pair) -> None:
        def one_at_most(earlier: Sequence[Attempt]) -> str:
            return "taken" if earlier else ""

        answers = await asyncio.gather(
            *(
                state.attempts.begin(
                    make_attempt(f"inc_{number}{side}"), one_at_most, since=now() - timedelta(hours=1),
                    intent={}, lease=None,
                )
                for number in range(5)
                for side, state in zip("ab", pair, strict=True)
            )
        )  # fmt: skip
        assert sorted(answers) == [""] + ["taken"] * 9
        assert len((await pair[0].audit.list()).items) == 1

    async def test_an_attempt_that_was_begun_goes_on_elsewhere_and_is_noted_once(self, pair: Pair) -> None:
        assert await begin(pair[0], make_attempt()) == ""
        assert await begin(pair[1], make_attempt(), objection="too many") == ""
        assert [entry.event for entry in (await pair[0].audit.list()).items] == ["action.intent"]

    async def test_its_outcome_is_read_with_the_next_attempt(self, pair: Pair) -> None:
        attempt = make_attempt()
        await begin(pair[0], attempt)
        await pair[0].attempts.end(attempt, "ineffective", detail={"detail": "worse"}, lease=None)
        (found,) = await earlier(pair[1])
        assert (found.outcome, found.is_over, found.places) == ("ineffective", True, ("step draft",))
        assert (await pair[0].audit.list()).items[0].event == "action.ineffective"

    async def test_an_attempt_is_over_with_its_incident(self, pair: Pair) -> None:
        await pair[0].incidents.save(make_incident(status=IncidentStatus.ACTING))
        await begin(pair[0], make_attempt())
        assert [each.is_over for each in await earlier(pair[1])] == [False]
        await pair[0].incidents.save(make_incident(status=IncidentStatus.ESCALATED))
        assert [each.is_over for each in await earlier(pair[1])] == [True]

    async def test_what_is_older_does_not_count(self, pair: Pair) -> None:
        await begin(pair[0], replace(make_attempt(), at=now() - timedelta(hours=2)))
        assert await earlier(pair[1]) == []


def now() -> datetime:
    return datetime.now(UTC)


def make_attempt(incident: str = ONE) -> Attempt:
    return Attempt(IncidentId(incident), "switch_fallback", f"digest of {incident}", ("step draft",), now())


async def begin(state: State, attempt: Attempt, *, objection: str = "", lease: Lease | None = None) -> str:
    return await state.attempts.begin(
        attempt, lambda _: objection, since=now() - timedelta(hours=1), intent={"places": []}, lease=lease
    )


async def earlier(state: State) -> list[Attempt]:
    """Return what the next attempt would see."""
    seen: list[Attempt] = []

    def look(attempts: Sequence[Attempt]) -> str:
        seen.extend(attempts)
        return "only looking"

    await state.attempts.begin(
        make_attempt("inc_looking"), look, since=now() - timedelta(hours=1), intent={}, lease=None
    )
    return seen
