"""Agents that use many more tokens than they did."""

from __future__ import annotations

from datetime import UTC, datetime

from awf.analysis.change import ratio
from awf.analysis.detectors._shares import rise_begins, values
from awf.analysis.findings import Finding, Picture, clock_time
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence, Target
from awf.core.increase import total

LEAST_RATIO, LEAST_PER_S = 3.0, 10.0


def token_surges(picture: Picture) -> list[Finding]:
    """Return a finding for each agent whose token rate tripled."""
    tokens, invocations = picture.rises(sc.TOKENS), picture.rises(sc.AGENT_INVOCATIONS)
    last = picture.end.timestamp()
    # Shortly after a start the window reaches back to when nothing ran: that is no usual rate.
    first = min((at for each in tokens for at, _ in each.steps), default=last)
    findings = []
    for agent_id in values(tokens, sc.AGENT_ID):
        labels = {sc.AGENT_ID: agent_id}
        since = rise_begins([each for each in tokens if each.labels.get(sc.AGENT_ID) == agent_id], picture)
        after, before = last - since, since - first
        if min(after, before) < 30:
            continue
        rate = total(tokens, since, last, labels) / after
        rate_before = total(tokens, first, since, labels) / before
        grown = ratio(rate_before, rate)
        if rate_before == 0 or grown < LEAST_RATIO or rate < LEAST_PER_S:
            continue
        calls = ratio(
            total(invocations, first, since, labels) / before, total(invocations, since, last, labels) / after
        )
        has_more_calls = calls > 0.7 * grown
        statement = (
            f"agent {agent_id}: {rate:.0f} tokens per second since {clock_time(since)}, "
            f"{rate_before:.0f} before; its invocations are {calls:.1f} times as many"
        )
        findings.append(
            Finding(
                cause=CauseClass.TOKEN_SURGE,
                target=Target(agent_id=agent_id),
                strength=0.35 if has_more_calls else 0.75,
                summary=f"Agent {agent_id} uses {grown:.1f} times as many tokens as before",
                evidence=(
                    Evidence(
                        "metrics", statement, picture.queries.get(sc.TOKENS, ""), picture.start, picture.end,
                        rate, rate_before,
                    ),
                ),
                against=("its invocations rose as much: more work, not longer calls",) if has_more_calls else (),
                affected=(Target(agent_id=agent_id),),
                since=datetime.fromtimestamp(since, UTC),
            )
        )  # fmt: skip
    return findings
