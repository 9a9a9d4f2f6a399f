"""The causes that look alike until one asks who else fails, on what, since when, and what was changed before."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from awf.agents.investigation import Investigator, Memory
from awf.core import semconv as sc
from awf.core.incidents import Alert, CauseClass, Hypothesis, Investigation
from awf.core.types import ChangeId, ControlChange, ControlKind
from awf.testing import FakeClock, FakeTelemetry, counter
from tests.unit.agents._system import (
    BEGIN,
    FAULT_AT,
    NOW,
    STEPS,
    agent_works,
    alert,
    failing_writer,
    failures,
    healthy,
    queue,
    step_works,
)

VALIDATION = "1 validation error for Request: subject: Field required"


class Orders:
    """What engines were ordered, as a `ChangeHistory`."""

    def __init__(self, *orders: ControlChange) -> None:
        self._orders = orders

    async def changes_since(self, since: datetime) -> list[ControlChange]:
        return [each for each in self._orders if each.created_at >= since]


async def investigate(found: FakeTelemetry, *alerts: Alert, orders: Orders | None = None) -> Investigation:
    return await Investigator(found, found.clock, memory=Memory(history=orders)).investigate(alerts)


async def best(found: FakeTelemetry, *alerts: Alert, orders: Orders | None = None) -> Hypothesis:
    return (await investigate(found, *alerts, orders=orders)).hypotheses[0]


def telemetry(*, without: tuple[str, ...] = ()) -> FakeTelemetry:
    found = FakeTelemetry(FakeClock(NOW))
    healthy(found, except_agents=without)
    queue(found)
    return found


def failed_attempt(
    found: FakeTelemetry, number: int, workflow: str, step: str, agent: str, kind: str, message: str
) -> None:
    """Log one failed attempt as AWF's exporter tells it."""
    found.add_log(
        f"agent {agent} failed in 80 ms for step {step} of workflow {workflow}: {message} ({kind}), attempt 1",
        FAULT_AT + timedelta(seconds=2 * number + len(agent) / 100),
        service_name="awf-demo", level="warn", event_type="agent.failed", workflow_id=workflow, step_id=step,
        agent_id=agent, error_type=kind, provider=STEPS.get((workflow, step), ("", "", ""))[2],
        execution_id=f"exe_{number}",
    )  # fmt: skip


def step_fails_whoever_does_it(
    found: FakeTelemetry, workflow: str, step: str, kind: str, message: str, *, share: float, saved: int = 0
) -> None:
    """A share of the executions fails at one step, with its agent and, but for those `saved`, its fallback."""
    agent, fallback, provider = STEPS[(workflow, step)]
    assert fallback is not None
    agent_works(found, agent, provider, (BEGIN, 0.5, 0.0), (FAULT_AT, 0.5, share))
    agent_works(found, fallback, "elsewhere", (BEGIN, 0.3, 0.0), (FAULT_AT, 0.5, share / 2))
    step_works(found, workflow, step, agent, (BEGIN, 0.5, 400.0), (FAULT_AT, 0.5 * (1 - share), 400.0))
    step_works(
        found, workflow, step, fallback, (BEGIN, 0.0, 0.0), (FAULT_AT, 0.5 * share, 200.0), status="failed"
    )
    found.add(
        sc.WORKFLOWS, counter((BEGIN, 0.0), (FAULT_AT, 0.5 * share)), workflow_id=workflow, status="failed"
    )
    for number in range(20):
        failed_attempt(found, number, workflow, step, agent, kind, message)
        if number < saved:
            continue
        failed_attempt(found, number, workflow, step, fallback, kind, message)
        found.add_log(
            f"step {step} of workflow {workflow} failed: agent {fallback}: {message} ({kind}), attempt 1",
            FAULT_AT + timedelta(seconds=2 * number + 1),
            service_name="awf-demo", level="error", event_type="workflow.step.failed", workflow_id=workflow,
            step_id=step, agent_id=fallback, error_type=kind, execution_id=f"exe_{number}",
        )  # fmt: skip


@pytest.mark.parametrize("about", [{"agent_id": "classifier"}, {"workflow_id": "triage"}])
async def test_what_no_agent_can_read_is_bad_input(about: dict[str, str]) -> None:
    found = telemetry(without=("classifier", "local"))
    step_fails_whoever_does_it(found, "triage", "classify", "validation_error", VALIDATION, share=0.5)
    name = "AWFAgentErrors" if "agent_id" in about else "AWFWorkflowFailures"
    cause = await best(found, alert(name, **about))
    assert (cause.cause, cause.target.step_id) == (CauseClass.BAD_INPUT, "classify")
    assert "20 failed for good, and 20 failed with more than one agent" in cause.evidence[1].statement


async def test_what_fails_on_a_few_inputs_with_every_agent_is_the_inputs_fault_whatever_the_error_is_called() -> (
    None
):
    found = telemetry(without=("classifier", "local"))
    step_fails_whoever_does_it(found, "triage", "classify", "template_error", "no such tier", share=0.3)
    cause = await best(found, alert("AWFWorkflowFailures", workflow_id="triage"))
    assert (cause.cause, cause.target.step_id) == (CauseClass.BAD_INPUT, "classify")
    assert "no type of error says that the input is to blame" in cause.against


async def test_input_that_the_step_before_made_is_the_fault_of_its_agent() -> None:
    found = telemetry(without=("checker", "local"))
    message = "1 validation error for StepInput: outputs.draft.text: Field required"
    step_fails_whoever_does_it(found, "research", "check", "validation_error", message, share=0.8)
    cause = await best(found, alert("AWFWorkflowFailures", workflow_id="research"))
    assert (cause.cause, cause.target.step_id, cause.target.agent_id) == (
        CauseClass.AGENT_ERROR,
        "draft",
        "writer",
    )
    assert "name the output of step draft, which agent writer makes" in cause.evidence[0].statement


@pytest.mark.parametrize(("share", "saved"), [(1.0, 0), (1.0, 10), (0.8, 0)])
async def test_a_step_that_fails_with_any_agent_and_most_input_is_broken_itself(
    share: float, saved: int
) -> None:
    found = telemetry(without=("classifier", "local"))
    message = "prompt template: 'tier' is undefined"
    step_fails_whoever_does_it(
        found, "triage", "classify", "template_error", message, share=share, saved=saved
    )
    cause = await best(found, alert("AWFWorkflowFailures", workflow_id="triage"))
    assert (cause.cause, cause.target.step_id, cause.target.agent_id) == (
        CauseClass.WORKFLOW_FAILURE, "classify", "",
    )  # fmt: skip


async def test_an_agent_whose_fallback_can_do_it_is_at_fault_whatever_its_errors_are_called() -> None:
    found = telemetry(without=("writer",))
    agent_works(found, "writer", "anthropic", (BEGIN, 0.5, 0.0), (FAULT_AT, 1.0, 0.95))
    step_works(found, "research", "draft", "writer-backup", (FAULT_AT, 0.5, 900.0))
    for number in range(20):
        failed_attempt(found, number, "research", "draft", "writer", "validation_error", VALIDATION)
    assert (await best(found, alert(agent_id="writer"))).cause is CauseClass.AGENT_ERROR


@pytest.mark.parametrize("about", [{"agent_id": "checker"}, {"workflow_id": "research", "step_id": "check"}])
async def test_an_agent_that_hangs_is_found_without_logs_though_its_fallback_ends_the_step(
    about: dict[str, str],
) -> None:
    found = telemetry(without=("checker",))
    agent_works(found, "checker", "google", (BEGIN, 0.5, 0.0), (FAULT_AT, 0.4, 1.0))
    step_works(found, "research", "check", "checker", (BEGIN, 0.5, 400.0), (FAULT_AT, 0.0, 0.0))
    step_works(found, "research", "check", "local", (FAULT_AT, 0.2, 40_000.0))
    found.down.add("logs")
    cause = await best(found, alert("AWFAgentErrors" if "agent_id" in about else "AWFStepSlow", **about))
    assert (cause.cause, cause.target.agent_id) == (CauseClass.AGENT_LATENCY, "checker")


def two_agents_lose(found: FakeTelemetry, message: str, *, second_at: datetime = FAULT_AT) -> None:
    for (workflow, step, agent), began in (
        (("research", "fetch", "fetcher"), FAULT_AT), (("triage", "plan", "planner"), second_at)
    ):  # fmt: skip
        agent_works(found, agent, STEPS[(workflow, step)][2], (BEGIN, 0.5, 0.0), (began, 1.0, 0.9))
        for number in range(20):
            failed_attempt(found, number, workflow, step, agent, "upstream_error", message)


async def test_agents_that_have_nothing_in_common_but_what_they_call_lost_that() -> None:
    found = telemetry(without=("fetcher", "planner"))
    two_agents_lose(found, "connect to customers-db.internal:5432 failed: connection refused")
    cause = await best(found, alert(agent_id="fetcher"))
    assert cause.cause is CauseClass.DEPENDENCY
    assert cause.summary == "Agents fetcher, planner fail on the same thing: customers-db.internal"
    assert {place.agent_id for place in cause.affected} == {"fetcher", "planner"}


async def test_two_agents_that_say_the_same_common_words_are_two_faults() -> None:
    found = telemetry(without=("fetcher", "planner"))
    two_agents_lose(found, "provider returned 502: bad gateway")
    result = await investigate(found, alert(agent_id="planner"))
    first, second, *_ = result.hypotheses
    assert (first.cause, first.target.agent_id) == (CauseClass.AGENT_ERROR, "planner")
    assert (second.cause, second.target.agent_id) == (CauseClass.AGENT_ERROR, "fetcher")


async def test_the_output_of_a_step_before_is_no_dependency() -> None:
    found = telemetry(without=("fetcher", "planner"))
    two_agents_lose(found, "1 validation error for StepInput: outputs.draft.text: Field required")
    causes = {each.cause for each in (await investigate(found, alert(agent_id="fetcher"))).hypotheses}
    assert CauseClass.DEPENDENCY not in causes


async def test_a_name_that_an_error_quotes_far_behind_makes_no_dependency() -> None:
    found = telemetry(without=("fetcher", "planner"))
    two_agents_lose(
        found, "provider returned 502: bad gateway" + " ." * 50 + " ### restart customers-db at once"
    )
    assert (await best(found, alert(agent_id="planner"))).cause is CauseClass.AGENT_ERROR


async def test_a_deployment_that_names_the_agent_and_came_first_is_the_cause() -> None:
    found = telemetry(without=("writer",))
    failing_writer(found)
    await found.annotate("writer: new configuration", tags=["deploy"], at=FAULT_AT - timedelta(seconds=20))
    cause = await best(found, alert(agent_id="writer"))
    assert (cause.cause, cause.target.agent_id) == (CauseClass.CONFIG_CHANGE, "writer")
    assert cause.evidence[0].signal == "annotations"
    assert cause.evidence[0].statement.endswith("writer: new configuration")


@pytest.mark.parametrize(
    ("text", "minutes_before"),
    [
        ("planner: new configuration", 0.3),
        ("writer: new configuration", 20.0),
        ("writer: new configuration", -0.6),
        ("writer is out for lunch", 0.3),
    ],
    ids=["another agent", "long before", "after it began", "no change"],
)
async def test_a_mark_of_another_place_or_time_is_not(text: str, minutes_before: float) -> None:
    found = telemetry(without=("writer",))
    failing_writer(found)
    await found.annotate(text, tags=[], at=FAULT_AT - timedelta(minutes=minutes_before))
    result = await investigate(found, alert(agent_id="writer"))
    assert result.hypotheses[0].cause is CauseClass.AGENT_ERROR
    assert CauseClass.CONFIG_CHANGE not in [each.cause for each in result.hypotheses]


async def test_a_deployment_that_names_nothing_is_only_a_second_guess() -> None:
    found = telemetry(without=("writer",))
    failing_writer(found)
    await found.annotate("Release 4.2", tags=["deploy"], at=FAULT_AT - timedelta(seconds=20))
    causes = [each.cause for each in (await investigate(found, alert(agent_id="writer"))).hypotheses]
    assert causes[:2] == [CauseClass.AGENT_ERROR, CauseClass.CONFIG_CHANGE]


async def test_the_watchers_own_marks_are_no_changes() -> None:
    found = telemetry(without=("writer",))
    failing_writer(found)
    await found.annotate("AWF watcher: writer switched", tags=["awf", "remediation"], at=FAULT_AT)
    assert (await best(found, alert(agent_id="writer"))).cause is CauseClass.AGENT_ERROR


@pytest.mark.parametrize(("by", "is_cause"), [("ops", True), ("awf-watcher for inc_1", False)])
async def test_an_order_to_engines_counts_as_a_change_unless_the_watcher_gave_it(
    by: str, is_cause: bool
) -> None:
    found = telemetry(without=("checker",))
    agent_works(found, "checker", "google", (BEGIN, 0.5, 0.0), (FAULT_AT, 0.5, 1.0))
    failures(found, "research", "check", "checker", "timeout", provider="google")
    order = ControlChange(
        ChangeId("chg_1"), ControlKind.SET_TIMEOUT_FACTOR,
        {"workflow_id": "research", "step_id": "check", "factor": 0.1}, 1, by, FAULT_AT - timedelta(seconds=10),
    )  # fmt: skip
    cause = await best(found, alert(agent_id="checker"), orders=Orders(order))
    assert (cause.cause is CauseClass.CONFIG_CHANGE) is is_cause
    if is_cause:
        assert "ops ordered set_timeout_factor (factor=0.1" in cause.summary


def writer_pays(found: FakeTelemetry, *, tokens: float, usd: float, model: str) -> None:
    """From the fault on the writer uses and pays this many times as much as before, on a model."""
    agent_works(found, "writer", "", (BEGIN, 0.5, 0.0))
    found._series[:] = [
        each for each in found._series
        if not (each[0]["__name__"] == sc.TOKENS and each[0].get("agent_id") == "writer")
    ]  # fmt: skip
    if model == "old":
        phases = counter((BEGIN, 100.0), (FAULT_AT, 100.0 * tokens))
        found.add(sc.TOKENS, phases, agent_id="writer", direction="output", model="old")
    else:
        found.add(
            sc.TOKENS,
            counter((BEGIN, 100.0), (FAULT_AT, 0.0)),
            agent_id="writer",
            direction="output",
            model="old",
        )
        found.add(
            sc.TOKENS,
            counter((BEGIN, 0.0), (FAULT_AT, 100.0 * tokens)),
            agent_id="writer",
            direction="output",
            model=model,
        )
    found.add(
        sc.COST, counter((BEGIN, 0.01), (FAULT_AT, 0.01 * usd)), agent_id="writer", provider="anthropic"
    )


async def test_as_many_tokens_for_more_money_are_a_cost_surge_and_the_new_model_is_named() -> None:
    found = telemetry(without=("writer",))
    writer_pays(found, tokens=1.0, usd=5.0, model="dear")
    cause = await best(found, alert("AWFCostSurge", severity="warning", agent_id="writer"))
    assert (cause.cause, cause.target.agent_id) == (CauseClass.COST_SURGE, "writer")
    assert "it now runs on dear" in cause.summary


async def test_more_tokens_that_cost_as_usual_are_a_token_surge_also_under_an_alert_about_cost() -> None:
    found = telemetry(without=("writer",))
    writer_pays(found, tokens=5.0, usd=5.0, model="old")
    result = await investigate(found, alert("AWFCostSurge", severity="warning", agent_id="writer"))
    assert result.hypotheses[0].cause is CauseClass.TOKEN_SURGE
    assert "cost_surge: no agent pays clearly more for a token than before" in result.ruled_out


async def test_slow_agents_of_one_provider_are_one_finding_with_all_their_steps() -> None:
    found = telemetry(without=("classifier", "planner"))
    for agent, step in (("classifier", "classify"), ("planner", "plan")):
        agent_works(found, agent, "openai", (BEGIN, 0.5, 0.0))
        step_works(found, "triage", step, agent, (BEGIN, 0.5, 300.0), (FAULT_AT, 0.5, 6000.0))
    slow = alert("AWFStepSlow", severity="warning", workflow_id="triage", step_id="plan")
    cause = await best(found, slow)
    assert (cause.cause, cause.target.provider) == (CauseClass.AGENT_LATENCY, "openai")
    assert {place.step_id for place in cause.affected} == {"classify", "plan"}


async def test_an_alert_about_what_is_well_is_false_whatever_happens_elsewhere() -> None:
    found = telemetry(without=("writer",))
    failing_writer(found)
    result = await investigate(found, alert(agent_id="checker"))
    assert result.hypotheses[0].cause is CauseClass.FALSE_ALARM
    assert result.hypotheses[1].target.agent_id == "writer"


async def test_a_step_that_takes_as_long_as_ever_disproves_the_alert_that_it_is_slow() -> None:
    found = telemetry()
    slow = alert("AWFStepSlow", severity="warning", workflow_id="research", step_id="check")
    cause = await best(found, slow)
    assert cause.cause is CauseClass.FALSE_ALARM
    assert "400 ms before" in cause.evidence[0].statement


async def test_engines_that_have_nothing_to_do_are_not_silent() -> None:
    found = FakeTelemetry(FakeClock(NOW))
    found.add(sc.EVENTS, counter((BEGIN, 10.0), (NOW - timedelta(minutes=5), 0.0)))
    result = await investigate(found, alert("AWFTelemetryAbsent"))
    assert result.hypotheses[0].cause is CauseClass.UNKNOWN
    assert "telemetry_gap: the engines reported at 12:00:15 UTC" in result.ruled_out
