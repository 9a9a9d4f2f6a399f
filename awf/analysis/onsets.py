"""In which order things went wrong: what began first is nearer to the cause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from awf.analysis.findings import Finding, clock_time
from awf.core.incidents import Evidence

APART = timedelta(seconds=30)
"""Onsets are dated from counters that are read every few seconds: less than this is no order."""

MOST = 4


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings, likeliest first as they came, the first with when each began and what came before it."""
    if not findings:
        return []
    first, dated = findings[0], sorted(_dated(findings), key=lambda each: each[0])
    if first.since is None or len(dated) < 2:
        return list(findings)
    earlier = [
        f"{(first.since - at).total_seconds():.0f} s earlier began: {each.summary}"
        for at, each in dated
        if first.since - at > APART and each is not first
    ]
    told = replace(
        first,
        evidence=(*first.evidence, _sequence(dated[:MOST], first)),
        against=(*first.against, *earlier[:2]),
    )
    return [told, *findings[1:]]


def _dated(findings: Sequence[Finding]) -> list[tuple[datetime, Finding]]:
    seen: set[str] = set()
    found = []
    for each in findings:
        if each.since is not None and each.summary not in seen:
            seen.add(each.summary)
            found.append((each.since, each))
    return found


def _sequence(dated: Sequence[tuple[datetime, Finding]], about: Finding) -> Evidence:
    began = dated[0][0]
    parts = [
        f"{clock_time(at)}{f' (+{(at - began).total_seconds():.0f} s)' if at > began else ''}: {each.summary}"
        for at, each in dated
    ]
    # It opens as the first piece of evidence does.
    source = about.evidence[0] if about.evidence else Evidence("metrics", "", "", began, dated[-1][0])
    return replace(
        source, statement=f"what began when: {'; '.join(parts)}", value=None, baseline=None, link=""
    )
