from __future__ import annotations

import pytest

from awf.core.types import AgentId, AgentManifest
from awf.errors import NotFound, WorkflowError
from awf.orchestration import Registry, RetryPolicy

from ._parts import echo, make_registry, make_step, make_workflow


def test_a_cycle_is_refused_with_its_path() -> None:
    with pytest.raises(
        WorkflowError, match=r"'w' has a cycle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)"
    ):
        make_workflow("w", make_step("a", "x", "b"), make_step("b", "x", "c"), make_step("c", "x", "a"))


def test_a_step_that_needs_itself_is_a_cycle() -> None:
    with pytest.raises(WorkflowError, match="a -> a"):
        make_workflow("w", make_step("a", "x", "a"))


def test_an_unknown_dependency_is_named() -> None:
    with pytest.raises(WorkflowError, match="step 'b' depends on 'z', which does not exist"):
        make_workflow("w", make_step("a"), make_step("b", "x", "z"))


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(WorkflowError, match="two steps named 'a'"):
        make_workflow("w", make_step("a"), make_step("a"))


def test_a_workflow_without_steps_is_refused() -> None:
    with pytest.raises(WorkflowError, match="no steps"):
        make_workflow("w")


def test_an_agent_cannot_be_its_own_fallback() -> None:
    with pytest.raises(WorkflowError, match="own fallback"):
        make_step("a", "x", fallback="x")


@pytest.mark.parametrize("options", [{}, {"fallback": "writer"}])
def test_an_unknown_agent_is_named_with_the_nearest_one(options: dict[str, str]) -> None:
    workflow = make_workflow("w", make_step("a", "writer" if not options else "writer-llm", **options))
    with pytest.raises(WorkflowError, match="step 'a' names agent 'writer'") as caught:
        make_registry({"writer-llm": echo}, workflow)
    assert "writer-llm" in caught.value.hint


def test_names_are_registered_once() -> None:
    registry = make_registry({"a": echo}, make_workflow("w", make_step("s")))
    with pytest.raises(WorkflowError, match="agent 'a' is registered twice"):
        registry.add_agent(AgentManifest(AgentId("a"), "a", "1"), echo)
    with pytest.raises(WorkflowError, match="workflow 'w' is registered twice"):
        registry.add_workflow(make_workflow("w", make_step("s")))


def test_an_unknown_workflow_is_not_found_and_the_nearest_is_offered() -> None:
    registry = make_registry({"a": echo}, make_workflow("research", make_step("s")))
    with pytest.raises(NotFound) as caught:
        registry.workflow("reserch")
    assert "research" in caught.value.hint


def test_the_description_is_what_others_may_know() -> None:
    step = make_step("s", "a", retries=2, fallback="b", timeout_s=3.0)
    registry = make_registry({"a": echo, "b": echo}, make_workflow("w", step))
    (info,) = registry.describe()
    (seen,) = info.steps
    assert (seen.id, seen.agent_id, seen.timeout_s, seen.max_retries, seen.fallback_agent_id) == (
        "s", "a", 3.0, 2, "b",
    )  # fmt: skip
    assert Registry().describe() == ()


def test_backoff_grows_to_its_limit_and_jitter_moves_it() -> None:
    policy = RetryPolicy(5, backoff_s=1.0, multiplier=3.0, max_backoff_s=5.0, jitter=0.5)
    assert [policy.delay_s(n, lambda a, b: 0.0) for n in (1, 2, 3)] == [1.0, 3.0, 5.0]
    assert policy.delay_s(1, lambda a, b: b) == 1.5
    assert policy.delay_s(100_000, lambda a, b: 0.0) == 5.0


def test_an_impossible_retry_policy_is_refused() -> None:
    with pytest.raises(WorkflowError, match="max_retries=-1"):
        RetryPolicy(-1)
