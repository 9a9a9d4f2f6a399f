from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from awf.core.clock import isoformat
from awf.core.types import Json
from awf.evaluation.report import as_json, line, markdown, missed, table
from awf.evaluation.requests import Request
from awf.evaluation.run import Observation
from awf.evaluation.scenario import Scenario, generate
from awf.evaluation.score import Score, failed, score
from awf.evaluation.summary import figures, percentile

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def scenario(kind: str, target: str) -> Scenario:
    """The first scenario of a kind at a target, without noise."""
    return next(
        each
        for seed in range(500)
        for each in generate(seed, 1, [kind])
        if each.troubles[0].target == target and not each.noise
    )


WRITER = scenario("agent_errors", "writer-llm")
STEPS = {"steps": [{"workflow_id": "research-report", "step_id": "draft", "agent_id": "writer-llm"}]}


def incident(
    *hypotheses: tuple[str, dict[str, str]], action: str = "", outcome: str = "", **more: Any
) -> Json:
    timeline = [
        {"at": isoformat(at(31)), "kind": "alert", "text": "it fires", "detail": {}},
        {"at": isoformat(at(32)), "kind": "investigation", "text": "", "detail": {"duration_ms": 1250}},
    ]
    found: Json = {
        "id": "inc_1", "status": "resolved", "opened_at": isoformat(at(31)), "timeline": timeline,
        "alerts": [{"labels": {"agent_id": "writer-llm"}}],
        "hypotheses": [{"cause": c, "target": {"workflow_id": "", **t}} for c, t in hypotheses],
        "action": {"name": action, "outcome": outcome} if action else None,
    }  # fmt: skip
    return found | more


def intent(action: str, arguments: Json, *, approved_by: str = "", after_s: float = 34) -> Json:
    detail = {"action": action, "arguments": arguments, "approved_by": approved_by}
    return {"event": "action.intent", "at": isoformat(at(after_s)), "subject": "inc_1", "detail": detail}


def requests(bad_until_s: int, count: int = 90) -> list[Request]:
    return [
        Request("research-report", at(i), at(i + 2), True, int(5 <= i < bad_until_s)) for i in range(count)
    ]


def seen(incidents: list[Json], audit: list[Json], answers: list[Json] | None = None) -> Observation:
    return Observation(START, at(90), incidents, audit[::-1], answers or [])


RIGHT = ("agent_error", {"agent_id": "writer-llm"})
GOOD = score(
    WRITER,
    seen([incident(RIGHT, action="switch_fallback", outcome="verified")], [intent("switch_fallback", STEPS)]),
    requests(40),
)


def test_a_right_action_by_itself_that_users_feel_is_autonomous_and_correct() -> None:
    assert (GOOD.cause_rank, GOOD.target_rank, GOOD.is_right, GOOD.is_autonomous) == (1, 1, True, True)
    assert (GOOD.detect_s, GOOD.investigate_s, GOOD.react_s, GOOD.recover_s) == (31, 1.25, 3, 35)
    assert GOOD.is_verified
    assert not GOOD.disagrees
    assert GOOD.done == "switch_fallback: right"


def test_a_right_action_after_which_users_still_suffer_is_neither_and_the_watchers_word_is_not_taken() -> (
    None
):
    found = score(
        WRITER,
        seen(
            [incident(RIGHT, action="switch_fallback", outcome="verified")],
            [intent("switch_fallback", STEPS)],
        ),
        requests(90),
    )
    assert not found.is_right
    assert not found.is_autonomous
    assert found.disagrees


def test_an_approved_action_is_right_and_not_autonomous() -> None:
    audit = [intent("disable_agent", {"agent_id": "writer-llm"}, approved_by="alice")]
    found = score(WRITER, seen([incident(RIGHT, action="disable_agent")], audit), requests(40))
    assert found.is_right
    assert not found.is_autonomous


def test_an_action_on_what_is_healthy_is_wrong_even_beside_a_right_one() -> None:
    audit = [
        intent("switch_fallback", STEPS),
        intent("disable_agent", {"agent_id": "planner-llm"}, after_s=60),
    ]
    found = score(WRITER, seen([incident(RIGHT)], audit), requests(40))
    assert found.wrong == ("disable_agent",)
    assert not found.is_right
    assert not found.is_autonomous


def test_what_was_done_before_the_trouble_began_does_not_count() -> None:
    audit = [intent("disable_agent", {"agent_id": "planner-llm"}, after_s=-5)]
    assert score(WRITER, seen([], audit), requests(90)).wrong == ()


def test_telling_people_is_right_only_where_nothing_helps() -> None:
    told = [intent("notify_oncall", {})]
    nobody_helps = scenario("agent_errors", "linter")
    assert score(nobody_helps, seen([incident(RIGHT)], told), requests(90)).is_right
    assert not score(WRITER, seen([incident(RIGHT)], told), requests(90)).is_right


def test_a_false_alarm_has_to_be_left_alone() -> None:
    alarm = scenario("false_alarm", "writer-llm")
    assert score(alarm, seen([incident(("false_alarm", {}))], []), requests(0)).is_right
    found = score(alarm, seen([incident(RIGHT)], [intent("switch_fallback", STEPS)]), requests(0))
    assert found.wrong == ("switch_fallback",)
    assert next(each for each in figures([found]) if each.name == "false alarms acted on").value == 1


def test_a_rank_is_that_of_the_first_right_hypothesis_and_alerts_about_awf_do_not_speak_for_users() -> None:
    about_us = incident(("telemetry_gap", {}), alerts=[{"labels": {"component": "pipeline"}}], id="inc_0")
    second = incident(("agent_error", {"agent_id": "planner-llm"}), RIGHT)
    found = score(WRITER, seen([about_us, second], []), requests(90))
    assert (found.cause_rank, found.target_rank) == (1, 2)
    assert found.found == "agent_error planner-llm"


def test_people_who_are_told_of_awfs_own_trouble_know_nothing_of_this_one() -> None:
    about_us = incident(("telemetry_gap", {}), alerts=[{"labels": {"component": "pipeline"}}])
    found = score(
        scenario("agent_errors", "linter"), seen([about_us], [intent("notify_oncall", {})]), requests(90)
    )
    assert not found.is_right
    assert found.found == "nothing: no alert"


def test_without_an_alert_nothing_is_right() -> None:
    found = score(WRITER, seen([], []), requests(90))
    assert not found.is_right
    assert found.found == "nothing: no alert"
    assert found.detect_s is None


def _value(scores: list[Score], name: str) -> float | None:
    return next(each.value for each in figures(scores) if each.name == name)


def test_a_scenario_that_could_not_run_counts_against_the_watcher() -> None:
    scores = [GOOD, failed(WRITER, "a port is taken")]
    assert _value(scores, "right target, first hypothesis") == 50
    assert _value(scores, "autonomous and correct") == 50
    assert "a port is taken" in line(scores[1])


def test_targets_are_met_by_good_rows_and_each_is_missed_by_a_bad_one() -> None:
    assert missed([GOOD]) == []
    for change, name in (
        ({"target_rank": 2}, "right target, first hypothesis"),
        ({"is_autonomous": False}, "autonomous and correct"),
        ({"wrong": ("disable_agent",)}, "wrong actions"),
        ({"investigate_s": 6.0}, "time to investigate, p95"),
        ({"react_s": 31.0}, "alert to action, question or page, p95"),
        ({"recover_s": None}, "of the time without the watcher"),
    ):
        assert [each.name for each in missed([replace(GOOD, **change)])] == [name]  # type: ignore[arg-type]


def test_whoever_is_not_helped_waits_as_long_as_the_fault_lasts() -> None:
    slow = replace(GOOD, natural_s=100.0, recover_s=None)
    fast = replace(GOOD, natural_s=300.0, recover_s=20.0)
    assert _value([slow, fast], "of the time without the watcher") == 30


@pytest.mark.parametrize(
    ("values", "share", "wanted"), [([], 0.5, None), ([3], 0.95, 3), ([4, 1, 3, 2], 0.5, 2), (range(1, 101), 0.95, 95)]
)  # fmt: skip
def test_percentiles_are_values_that_were_seen(values: Any, share: float, wanted: float | None) -> None:
    assert percentile(list(values), share) == wanted


def test_the_report_says_the_same_in_all_forms() -> None:
    bad = replace(GOOD, target_rank=3, cause_rank=99, wrong=("disable_agent",), noise=("no_logs",))
    assert "MISSED" in table([bad])
    assert "MISSED" not in table([GOOD])
    page = markdown([GOOD, bad], "awf eval --seed 1", "2 cores")
    assert "`awf eval --seed 1` on 2 cores" in page
    assert "not right: cause, target only at place 3" in page
    assert "**missed**" in page
    body = as_json([GOOD, bad])
    assert body["is_met"] is False
    assert len(body["scenarios"]) == 2
