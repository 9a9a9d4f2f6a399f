"""Agents that use many more tokens than they did, or pay more for as many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from awf.analysis.change import ratio
from awf.analysis.detectors._shares import rise_begins, values
from awf.analysis.findings import Finding, Picture, clock_time
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incidents import CauseClass, Evidence, Target
from awf.core.increase import Rises, total

LEAST_RATIO, LEAST_PER_S = 3.0, 10.0
LEAST_PER_CALL, LEAST_PER_TOKEN = 2.0, 1.8
LEAST_WINDOW_S, LEAST_CALLS = 30.0, 5.0


@dataclass(frozen=True, slots=True)
class _Use:
    """What one agent used in a second before and after a moment (unix seconds): `before`, `after` pairs."""

    since: float
    tokens: tuple[float, float]
    cost: tuple[float, float]
    calls: tuple[float, float]
    counted_calls: float  # the smaller number of both sides

    @property
    def tokens_per_call(self) -> float:
        """How many times as many tokens a call takes; without a count of calls they are taken as unchanged."""
        return ratio(*self.tokens) / (ratio(*self.calls) or 1.0)

    @property
    def cost_per_call(self) -> float:
        return ratio(*self.cost) / (ratio(*self.calls) or 1.0)

    @property
    def cost_per_token(self) -> float:
        return ratio(*self.cost) / (ratio(*self.tokens) or 1.0)


def token_surges(picture: Picture) -> list[Finding]:
    """Return a finding for each agent whose token rate tripled, or doubled with as many calls."""
    tokens = picture.rises(sc.TOKENS)
    findings = []
    for agent_id in values(tokens, sc.AGENT_ID):
        use = _use(picture, agent_id, sc.TOKENS)
        if use is None or use.tokens[0] == 0 or use.tokens[1] < LEAST_PER_S:
            continue
        grown = ratio(*use.tokens)
        is_each = use.tokens_per_call >= LEAST_PER_CALL
        if grown >= LEAST_RATIO or (is_each and grown >= LEAST_PER_CALL):
            findings.append(_token_finding(picture, agent_id, use, is_each=is_each))
    return findings


def cost_surges(picture: Picture) -> list[Finding]:
    """Return a finding for each agent that pays at least 1.8 times as much for a token, and twice as much for a call."""
    findings = []
    for agent_id in values(picture.rises(sc.COST), sc.AGENT_ID):
        use = _use(picture, agent_id, sc.COST)
        if use is None or use.cost[0] == 0 or use.tokens[0] == 0 or use.counted_calls < LEAST_CALLS:
            continue
        if use.cost_per_token >= LEAST_PER_TOKEN and use.cost_per_call >= LEAST_PER_CALL:
            findings.append(_cost_finding(picture, agent_id, use))
    return findings


def _use(picture: Picture, agent_id: str, changed: str) -> _Use | None:
    """Return an agent's use around the moment when one of its counters began to rise faster; None if too short."""
    found = _of(picture.rises(changed), agent_id)
    last = picture.end.timestamp()
    # Shortly after a start the window reaches back to when nothing ran: that is no usual rate.
    first = min((at for each in found for at, _ in each.steps), default=last)
    since = rise_begins(found, picture)
    if min(last - since, since - first) < LEAST_WINDOW_S:
        return None

    def rates(name: str) -> tuple[float, float]:
        mine = _of(picture.rises(name), agent_id)
        return total(mine, first, since, {}) / (since - first), total(mine, since, last, {}) / (last - since)

    calls = rates(sc.AGENT_INVOCATIONS)
    counted = min(calls[0] * (since - first), calls[1] * (last - since))
    return _Use(since, rates(sc.TOKENS), rates(sc.COST), calls, counted)


def _of(found: Sequence[Rises], agent_id: str) -> list[Rises]:
    return [each for each in found if each.labels.get(sc.AGENT_ID) == agent_id]


def _token_finding(picture: Picture, agent_id: str, use: _Use, *, is_each: bool) -> Finding:
    before, after = use.tokens
    statement = (
        f"agent {agent_id}: {after:.0f} tokens per second since {clock_time(use.since)}, {before:.0f} before; its "
        f"invocations are {ratio(*use.calls):.1f} times as many"
    )
    query = picture.queries.get(sc.TOKENS, "")
    return Finding(
        cause=CauseClass.TOKEN_SURGE,
        target=Target(agent_id=agent_id),
        strength=0.8 if is_each else 0.35,
        summary=f"Agent {agent_id} uses {ratio(*use.tokens):.1f} times as many tokens as before",
        evidence=(Evidence("metrics", statement, query, picture.start, picture.end, after, before),),
        against=() if is_each else ("its invocations rose as much: more work, not longer calls",),
        affected=(Target(agent_id=agent_id),),
        since=datetime.fromtimestamp(use.since, UTC),
    )


def _cost_finding(picture: Picture, agent_id: str, use: _Use) -> Finding:
    before, after = (3600 * each for each in use.cost)
    models = _new_models(picture, agent_id, use.since)
    statement = (
        f"agent {agent_id}: {after:.2f} USD an hour since {clock_time(use.since)}, {before:.2f} before: a token costs "
        f"{use.cost_per_token:.1f} times as much, a call takes {use.tokens_per_call:.1f} times as many"
    )
    named = f"; it now runs on {', '.join(models)}" if models else ""
    query = picture.queries.get(sc.COST, "")
    return Finding(
        cause=CauseClass.COST_SURGE,
        target=Target(agent_id=agent_id),
        strength=0.85,
        summary=f"Agent {agent_id} costs {use.cost_per_call:.1f} times as much for each call{named}",
        evidence=(Evidence("metrics", statement + named, query, picture.start, picture.end, after, before),),
        against=() if models else ("its model is the same as before: has its price changed?",),
        affected=(Target(agent_id=agent_id),),
        since=datetime.fromtimestamp(use.since, UTC),
    )


def _new_models(picture: Picture, agent_id: str, since: float) -> list[str]:
    """Return the models that most of an agent's tokens go to now, and did not before."""
    mine = _of(picture.rises(sc.TOKENS), agent_id)
    first, last = picture.start.timestamp() - 1, picture.end.timestamp()
    now, before = total(mine, since, last, {}), total(mine, first, since, {})
    return [
        plain_text(model, 100)
        for model in values(mine, sc.MODEL)
        if total(mine, since, last, {sc.MODEL: model}) >= 0.5 * now
        and total(mine, first, since, {sc.MODEL: model}) <= 0.1 * before
    ]
