"""The demo's three workflows, and the registry that holds them with their agents."""

from __future__ import annotations

from functools import partial

from awf.core.types import AgentId, StepId, WorkflowId
from awf.demo.agents import PROFILES
from awf.demo.world import DemoWorld
from awf.orchestration import Registry, RetryPolicy, Step, Workflow

RESEARCH_REPORT = "research-report"
SUPPORT_TRIAGE = "support-triage"
CODE_REVIEW = "code-review"


def registry(world: DemoWorld) -> Registry:
    """Return the demo's agents, behaving as `world` says, and the workflows they work in."""
    found = Registry()
    for profile in PROFILES:
        found.add_agent(profile.manifest, partial(world.act, profile))
    for workflow in _workflows(world.time_scale):
        found.add_workflow(workflow)
    return found


def _workflows(scale: float) -> tuple[Workflow, ...]:
    def step(
        name: str, agent: str, *needs: str, fallback: str = "", timeout_s: float = 10.0, retries: int = 1
    ) -> Step:
        return Step(
            StepId(name),
            AgentId(agent),
            tuple(StepId(need) for need in needs),
            timeout_s * scale,
            RetryPolicy(retries, backoff_s=0.3 * scale, max_backoff_s=2.0 * scale),
            AgentId(fallback) if fallback else None,
        )

    return (
        Workflow(
            WorkflowId(RESEARCH_REPORT),
            (
                step("plan", "planner-llm", fallback="planner-backup"),
                step("search", "web-search", "plan", retries=2),
                step("fetch", "page-fetcher", "plan", retries=2),
                step("draft", "writer-llm", "search", "fetch", fallback="writer-backup", timeout_s=20.0),
                step("fact_check", "fact-checker", "draft", fallback="local-llm"),
                step("publish", "publisher", "fact_check", retries=2),
            ),
            "Answers a question with a checked, sourced report.",
        ),
        Workflow(
            WorkflowId(SUPPORT_TRIAGE),
            (
                step("classify", "triage-llm", fallback="local-llm"),
                step("lookup_customer", "crm-lookup", "classify", retries=2),
                step("search_kb", "kb-search", "classify", retries=2),
                step(
                    "draft_reply",
                    "writer-backup",
                    "lookup_customer",
                    "search_kb",
                    fallback="local-llm",
                    timeout_s=20.0,
                ),
                step("review", "reviewer-llm", "draft_reply", fallback="planner-llm", timeout_s=20.0),
            ),
            "Sorts a support ticket and drafts the reply.",
        ),
        Workflow(
            WorkflowId(CODE_REVIEW),
            (
                step("diff", "repo-reader", retries=2),
                step("lint", "linter", "diff", retries=2),
                # A scan that hangs must not hold a worker for long: a short limit and no second try.
                step(
                    "security_scan",
                    "security-scanner",
                    "diff",
                    fallback="local-llm",
                    timeout_s=3.0,
                    retries=0,
                ),
                step("review", "reviewer-llm", "lint", "security_scan", fallback="local-llm", timeout_s=20.0),
                step("summarize", "planner-llm", "review", fallback="planner-backup"),
            ),
            "Reviews a change: style, weaknesses, and a summary.",
        ),
    )
