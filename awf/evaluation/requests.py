"""What users got, by their own account (the demo's ledger), and when it was good again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from awf.core.clock import parse_time

PATIENCE = timedelta(seconds=8)
"""A usual request takes two to three seconds, waiting included; whoever waits longer is not well served."""
WINDOW, GOOD = 10, 0.9


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a user. Without an end nobody has answered it yet."""

    workflow_id: str
    asked_at: datetime
    ended_at: datetime | None = None
    is_ok: bool = False
    spoiled: int = 0

    def is_good(self, now: datetime) -> bool | None:
        """Whether its user was well served: answered in time, by calls that no fault spoiled. None while that is open."""
        if self.ended_at is None:
            return None if now - self.asked_at <= PATIENCE else False
        return self.is_ok and not self.spoiled and self.ended_at - self.asked_at <= PATIENCE


def read_ledger(path: Path) -> list[Request]:
    """Return the requests of a ledger, in the order in which they were made."""
    found: dict[str, Request] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines):
        try:
            body = json.loads(line)
        except ValueError:  # the last line, half written
            continue
        ended = body.get("ended_at")
        found[body["id"] or f"turned away {number}"] = Request(
            workflow_id=body["workflow_id"],
            asked_at=parse_time(body["asked_at"]),
            ended_at=parse_time(ended) if ended else None,
            is_ok=bool(body.get("is_ok")),
            spoiled=int(body.get("spoiled", 0)),
        )
    return sorted(found.values(), key=lambda each: each.asked_at)


@dataclass(frozen=True, slots=True)
class Service:
    """How users were served since a trouble began."""

    suffered_at: datetime | None  # the first who was not well served
    recovered_at: datetime | None  # from then on they were, to the end
    share_good: float  # over the whole time

    @property
    def suffered(self) -> bool:
        return self.suffered_at is not None


def judge_service(requests: Sequence[Request], since: datetime, until: datetime) -> Service:
    """Return when users of the workflows that were hit suffered, and from when on nine of ten of them did not.

    It is recovered when that holds for every ten in a row up to the end, and there are ten.
    """
    judged = [
        (each, good)
        for each in requests
        if since <= each.asked_at <= until and (good := each.is_good(until)) is not None
    ]
    hit = {each.workflow_id for each, good in judged if not good}
    series = [(each.asked_at, good) for each, good in judged if each.workflow_id in hit]
    flags = [good for _, good in series]
    bad_windows = [i for i in range(len(flags) - WINDOW + 1) if sum(flags[i : i + WINDOW]) < GOOD * WINDOW]
    share = sum(flags) / len(flags) if flags else 1.0
    if not bad_windows:  # one here and there: no trouble that a user would call one
        return Service(None, None, share)
    first = next(at for at, good in series[bad_windows[0] :] if not good)
    last = bad_windows[-1] + 1  # where the first good window begins
    if last + WINDOW > len(flags):
        return Service(first, None, share)
    while last < len(flags) and not flags[last]:
        last += 1
    return Service(first, series[last][0], share)
