from __future__ import annotations

import pytest

from awf.analysis.findings import Finding, is_same_place
from awf.analysis.root_cause import Hints, rank
from awf.core.incidents import CauseClass, Target

WRITER = Target("research", "draft", "writer")
ERROR = Finding(CauseClass.AGENT_ERROR, WRITER, 0.9, "writer fails", affected=(WRITER,))
SLOW = Finding(
    CauseClass.AGENT_LATENCY, Target("research", "draft", "backup"), 0.7, "draft is slow",
    affected=(Target("research", "draft", "backup"),),
)  # fmt: skip
FULL = Finding(CauseClass.WORKER_SATURATION, Target(), 0.8, "queue", is_overload=True)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (WRITER, Target(agent_id="writer"), True),
        (WRITER, Target("research", "draft", "backup"), True),
        (WRITER, Target(step_id="draft"), True),
        (WRITER, Target("billing", "draft", "mailer"), False),
        (WRITER, Target("research", "check", "checker"), False),
        (Target("research"), Target("research"), False),
        (Target(), Target(), False),
    ],
)
def test_places_share_an_agent_or_a_step_of_which_the_workflow_may_be_unknown(
    one: Target, other: Target, is_same: bool
) -> None:
    assert is_same_place(one, other) is is_same
    assert is_same_place(other, one) is is_same


def test_what_another_finding_explains_falls_behind_and_says_so() -> None:
    first, second = rank([SLOW, ERROR], Hints())
    assert (first.summary, second.summary) == ("writer fails", "draft is slow")
    assert second.score < 0.5
    assert second.against == ("explained by: writer fails",)


def test_the_alerts_subject_wins_between_independent_findings() -> None:
    about_queue = Hints(causes=frozenset({CauseClass.WORKER_SATURATION}))
    assert rank([ERROR, FULL], about_queue)[0].cause is CauseClass.WORKER_SATURATION
    about_writer = Hints(targets=(Target(agent_id="writer"),))
    assert rank([ERROR, FULL], about_writer)[0].cause is CauseClass.AGENT_ERROR


def test_a_hint_makes_no_finding() -> None:
    assert rank([], Hints(targets=(WRITER,))) == ()


def test_scores_stay_between_0_and_1_and_the_order_is_stable() -> None:
    found = [Finding(CauseClass.AGENT_ERROR, Target(agent_id=name), 5.0, name) for name in ("b", "a")]
    ranked = rank(found, Hints())
    assert [each.summary for each in ranked] == ["a", "b"]
    assert all(0 <= each.score < 1 for each in ranked)


def test_nothing_but_telemetry_convinces_when_the_alert_is_about_telemetry() -> None:
    silent = Finding(CauseClass.TELEMETRY_GAP, Target(), 0.9, "silence")
    first, *others = rank([ERROR, FULL, silent], Hints(is_about_us=True))
    assert (first.summary, first.score) == ("silence", 0.9)
    assert all(other.score < 0.5 for other in others)
    assert others[0].against == ("the alert is about AWF itself",)


def test_a_step_that_an_alert_names_without_its_workflow_is_found() -> None:
    other = Finding(CauseClass.AGENT_ERROR, Target("billing", "send", "mailer"), 0.9, "mailer fails",
                    affected=(Target("billing", "send", "mailer"),))  # fmt: skip
    about_draft = Hints(targets=(Target(step_id="draft"),))
    assert rank([other, ERROR], about_draft)[0].summary == "writer fails"
