"""Was the alert ever true? What it is about, seen at work and without the trouble that it tells of."""

from __future__ import annotations

from collections.abc import Sequence

from awf.agents.hints import is_disprovable, target_of
from awf.analysis.findings import ALERT_LAG_S, Picture
from awf.core import semconv as sc
from awf.core.incidents import Alert, Evidence, Target
from awf.core.increase import total

_COUNT, _SUM = f"{sc.STEP_DURATION}_count", f"{sc.STEP_DURATION}_sum"
LEAST_SEEN, FEW, SLOWER = 10, 0.05, 1.5


def disprove(alerts: Sequence[Alert], picture: Picture) -> list[Evidence]:
    """Return evidence against every alert; nothing when one of them may be true, or cannot be told."""
    if not alerts or picture.missing & picture.queries.keys():
        return []
    found = [_against(alert, picture) for alert in alerts if is_disprovable(alert)]
    proven = [item for item in found if item is not None]
    return proven if len(proven) == len(alerts) else []


def _against(alert: Alert, picture: Picture) -> Evidence | None:
    place = target_of(alert)
    if place is None:
        return _queue_is_short(picture) if alert.name == "AWFWorkersSaturated" else None
    if place.step_id and place.workflow_id:
        return _step_is_quick(place, picture)
    return _works_well(place, picture)


def _works_well(place: Target, picture: Picture) -> Evidence | None:
    """Return evidence that an agent or a workflow was at work since before the alert without failing."""
    start, end = picture.start.timestamp(), picture.end.timestamp()
    name, labels = (
        (sc.AGENT_INVOCATIONS, {sc.AGENT_ID: place.agent_id})
        if place.agent_id
        else (sc.WORKFLOWS, {sc.WORKFLOW_ID: place.workflow_id})
    )
    bad = labels | {sc.STATUS: sc.FAILED}
    count, failed = (total(picture.rises(name), start, end, each) for each in (labels, bad))
    if count < LEAST_SEEN or failed > FEW * count:
        return None
    near = picture.alert_start.timestamp() - ALERT_LAG_S
    lately, failed_lately = (total(picture.rises(name), near, end, each) for each in (labels, bad))
    if failed_lately >= 3 and failed_lately > 2 * FEW * lately:
        return None  # few in all, but just when the alert counted them
    statement = f"{place}: {failed:.0f} of {count:.0f} failed since {picture.start:%H:%M:%S} UTC"
    query = picture.queries.get(name, "")
    return Evidence("metrics", statement, query, picture.start, picture.end, failed / count)


def _step_is_quick(place: Target, picture: Picture) -> Evidence | None:
    """Return evidence that a step takes no longer than it did before what the alert can have counted."""
    labels = {sc.WORKFLOW_ID: place.workflow_id, sc.STEP_ID: place.step_id}
    first, last = picture.start.timestamp() - 1, picture.end.timestamp()
    middle = picture.alert_start.timestamp() - 2 * ALERT_LAG_S
    count = total(picture.rises(_COUNT), middle, last, labels)
    count_before = total(picture.rises(_COUNT), first, middle, labels)
    if min(count, count_before) < LEAST_SEEN:
        return None
    mean_ms = total(picture.rises(_SUM), middle, last, labels) / count
    before_ms = total(picture.rises(_SUM), first, middle, labels) / count_before
    if mean_ms > SLOWER * before_ms:
        return None
    statement = f"{place}: {mean_ms:.0f} ms on average over {count:.0f} runs, {before_ms:.0f} ms before"
    query = picture.queries.get(_SUM, "")
    return Evidence("metrics", statement, query, picture.start, picture.end, mean_ms, before_ms)


def _queue_is_short(picture: Picture) -> Evidence | None:
    pending = picture.gauges.get(sc.EXECUTIONS_PENDING, ())
    workers = picture.gauges.get(sc.WORKERS, ())
    if not pending or not workers:
        return None
    most, capacity = max(value for _, value in pending[0].points), workers[0].points[-1][1]
    if most > capacity:
        return None
    statement = f"never more than {most:.0f} executions waited for {capacity:.0f} workers"
    query = picture.queries.get(sc.EXECUTIONS_PENDING, "")
    return Evidence("metrics", statement, query, picture.start, picture.end, most)
