"""Incidents: what identifies an alert, what an approval binds, which states are open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awf.core.incidents import (
    ActionCall,
    Alert,
    CauseClass,
    Hypothesis,
    Incident,
    IncidentStatus,
    Investigation,
    Target,
    TimelineEntry,
)
from awf.core.types import IncidentId
from awf.testing import EPOCH

ALERT = Alert("f1", "firing", EPOCH, {"alertname": "AWFStepSlow", "severity": "warning"})
ARGUMENTS = st.dictionaries(
    st.text(max_size=5), st.integers() | st.text(max_size=5) | st.lists(st.booleans(), max_size=2), max_size=4
)


def test_an_alert_is_the_same_in_every_time_zone_and_another_when_it_starts_again() -> None:
    elsewhere = EPOCH.astimezone(timezone(timedelta(hours=9)))
    later = datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC)
    assert ALERT.dedupe_key == Alert("f1", "firing", elsewhere, {}).dedupe_key
    assert len({ALERT.dedupe_key, *(
        Alert(fingerprint, status, at, {}).dedupe_key
        for fingerprint, status, at in (("f2", "firing", EPOCH), ("f1", "resolved", EPOCH), ("f1", "firing", later))
    )}) == 4  # fmt: skip


def test_an_alert_without_labels_still_has_a_name_and_a_severity() -> None:
    assert (ALERT.name, ALERT.severity) == ("AWFStepSlow", "warning")
    bare = Alert("f1", "firing", EPOCH, {})
    assert (bare.name, bare.severity) == ("unnamed alert", "none")


@given(ARGUMENTS)
def test_the_digest_does_not_depend_on_the_order_of_arguments(arguments: dict[str, Any]) -> None:
    backwards = dict(reversed(arguments.items()))
    assert ActionCall("a", arguments).digest == ActionCall("a", backwards).digest


@given(ARGUMENTS, ARGUMENTS)
def test_other_arguments_have_another_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (ActionCall("a", one).digest == ActionCall("a", other).digest) == (repr_of(one) == repr_of(other))


def repr_of(arguments: dict[str, Any]) -> str:
    return repr(sorted(arguments.items()))


def test_name_and_nested_values_are_part_of_the_digest() -> None:
    calls = [
        ActionCall("a", {}),
        ActionCall("b", {}),
        ActionCall("a", {"steps": [{"step_id": "x"}]}),
        ActionCall("a", {"steps": [{"step_id": "y"}]}),
        ActionCall("a", {"steps": [{"step_id": "x"}, {"step_id": "y"}]}),
    ]
    assert len({call.digest for call in calls}) == len(calls)


def test_a_digest_is_the_one_that_stored_approvals_bind() -> None:
    # printf '{"arguments": {"workers": 8}, "name": "scale_workers"}' | sha256sum
    stored = "1ca37187dd61209796e21d18d24d3b02b3b2d5c755bfddc0a2eb9e6ec62609d3"
    assert ActionCall("scale_workers", {"workers": 8}).digest == stored


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Target(), "the whole system"),
        (Target(agent_id="summariser"), "agent summariser"),
        (Target(workflow_id="w", step_id="s"), "workflow w, step s"),
        (Target(execution_id="x1", provider="p"), "execution x1, provider p"),
    ],
)
def test_a_target_reads_as_words(target: Target, words: str) -> None:
    assert str(target) == words


def test_an_incident_is_open_until_it_has_an_outcome() -> None:
    assert {status.value for status in IncidentStatus if not status.is_open} == {
        "resolved", "escalated", "inconclusive", "false_alarm",
    }  # fmt: skip


def test_a_change_of_an_incident_is_a_new_value_with_one_more_entry() -> None:
    before = Incident(IncidentId("i"), IncidentStatus.INVESTIGATING, "warning", (ALERT,), EPOCH)
    entry = TimelineEntry(EPOCH, "action", "did it")
    after = before.with_entry(entry, status=IncidentStatus.ACTING)
    assert (after.timeline, after.status, after.id) == ((entry,), IncidentStatus.ACTING, "i")
    assert (before.timeline, before.status) == ((), IncidentStatus.INVESTIGATING)


def test_the_best_hypothesis_is_the_first_and_none_when_nothing_was_found() -> None:
    found = Hypothesis(CauseClass.RATE_LIMIT, Target(provider="p"), 0.9, "limited")
    assert Investigation((found,)).best is found
    assert Investigation(()).best is None
