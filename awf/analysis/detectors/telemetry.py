"""Telemetry that stopped coming: everything else is blind then."""

from __future__ import annotations

from datetime import UTC, datetime

from awf.analysis.findings import Finding, Picture, clock_time
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Evidence, Target

SILENT_S = 60.0


def silence(picture: Picture) -> list[Finding]:
    """Return a finding when the engines' own counter of events is no longer there.

    Engines without work report it too, unchanged: no traffic is no silence. A counter that ended is answered with its
    last value for minutes, so the time of its last sample counts where that could be asked for.
    """
    if sc.EVENTS in picture.missing:
        return []  # it could not be asked for: that says nothing about the engines
    steps = [at for each in picture.rises(sc.EVENTS) for at, _ in each.steps]
    if not steps:
        return []  # nothing in the whole window: nobody knows whether anything should run
    last = picture.last_report or max(steps)
    if picture.end.timestamp() - last < SILENT_S:
        return []
    statement = f"no event of any engine is reported since {clock_time(last)}"
    query = picture.queries.get(sc.EVENTS, "")
    return [
        Finding(
            cause=CauseClass.TELEMETRY_GAP,
            target=Target(),
            strength=0.9,
            summary="The engines report nothing any more",
            evidence=(Evidence("metrics", statement, query, picture.start, picture.end, value=0.0),),
            since=datetime.fromtimestamp(last, UTC),
        )
    ]
