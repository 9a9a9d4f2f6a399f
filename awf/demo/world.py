"""How the demo's agents behave: usual latencies, tokens and prices, and what a fault changes in them."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn

from awf.core.types import AgentId, AgentManifest, ExecutionId, TaskMetrics, TokenUsage, WorkflowId
from awf.orchestration import AgentError, AgentResult, StepContext

# US dollars for a million tokens: (input, output).
PRICES: Final = {
    "gpt-5-mini": (0.25, 2.0),
    "gpt-5": (1.25, 10.0),
    "claude-sonnet-4-5": (3.0, 15.0),
    "claude-haiku-4-5": (1.0, 5.0),
    "claude-opus-4-1": (15.0, 75.0),
    "gemini-2.5-pro": (1.25, 10.0),
    "gemini-2.5-flash": (0.3, 2.5),
    "mistral-medium-3": (0.4, 2.0),
    "mistral-large-2": (2.0, 6.0),
    "llama-3.3-8b": (0.0, 0.0),
}

ERROR_LATENCY_S = 0.08
SLOWER_PER_LENGTH = 0.2  # an answer twice as long takes this much longer

AGENT, PROVIDER, DEPENDENCY, WORKFLOW, STEP = "agent", "provider", "dependency", "workflow", "step"


@dataclass(frozen=True, slots=True)
class Profile:
    """One agent: who it is, what it runs on, how long it usually takes and how much it reads and writes."""

    manifest: AgentManifest
    latency_ms: float  # median
    provider: str = ""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    dependency: str = ""  # a system that it calls, shared with other agents
    spread: float = 0.25  # sigma of the lognormal


@dataclass(frozen=True, slots=True)
class Failure:
    """Calls that fail: which share of them, and what they say."""

    share: float
    error_type: str
    message: str
    retryable: bool = True
    by_execution: bool = False  # whoever tries, and however often: one execution's calls fail all or none


@dataclass
class DemoWorld:
    """What faults may change, and nothing else: how agents answer and what is asked of them.

    `spoiled` hears of every call that a fault makes fail, hang, slow or dear: what users suffer.
    `time_scale` below 1 makes everything faster, for tests.
    """

    seed: int = 7
    time_scale: float = 1.0
    base_error_rate: float = 0.003
    failures: dict[tuple[str, str], Failure] = field(default_factory=dict)  # (AGENT, name), (STEP, flow/step)
    hanging: dict[AgentId, float] = field(default_factory=dict)  # share of calls that never end
    delays: dict[AgentId, float] = field(default_factory=dict)  # seconds more
    lengths: dict[AgentId, float] = field(default_factory=dict)  # times as many tokens
    models: dict[AgentId, str] = field(default_factory=dict)  # instead of its own
    garbled: dict[AgentId, float] = field(default_factory=dict)  # share of outputs that nobody can read
    bad_inputs: dict[WorkflowId, float] = field(default_factory=dict)  # share of requests
    postscript: str = ""  # behind every error's message
    stray_error_rate: float = 0.0  # on top of the usual one
    arrival_factor: float = 1.0
    announce: Callable[[str], None] = lambda _: None  # a deployment, as a team marks it
    spoiled: Callable[[ExecutionId], None] = lambda _: None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    async def act(self, profile: Profile, context: StepContext) -> AgentResult:
        """Do what this agent does now. Raises AgentError."""
        agent_id = profile.manifest.id
        if self._happens(self.hanging.get(agent_id, 0.0)):
            self._spoil(context)
            await asyncio.Event().wait()
        for failure in self._failures(profile, context):
            if self._strikes(failure, context):
                self._spoil(context)
                await self._fail(profile, failure)
        if self._happens(self.base_error_rate + self.stray_error_rate):
            await self._fail(profile, Failure(1.0, "upstream_error", "provider returned 502: bad gateway"))
        delay_s, length = self.delays.get(agent_id, 0.0), self.lengths.get(agent_id, 1.0)
        model = self.models.get(agent_id, profile.model)
        if delay_s or length > 1 or model != profile.model:
            self._spoil(context)
        usual_s = profile.latency_ms / 1000 * (1 + SLOWER_PER_LENGTH * (length - 1))
        await self._pause((usual_s + delay_s) * self._vary(profile.spread))
        tokens = TokenUsage(
            self._around(profile.input_tokens * length), self._around(profile.output_tokens * length)
        )
        metrics = TaskMetrics(token_usage=tokens, cost_usd=cost_usd(model, tokens))
        return AgentResult(self._output(agent_id, context, tokens), metrics, model, profile.provider)

    def draw_subject(self, workflow_id: str, subject: str) -> str | None:
        """Return what a user asks about, or nothing where a request is malformed."""
        return None if self._happens(self.bad_inputs.get(WorkflowId(workflow_id), 0.0)) else subject

    def _failures(self, profile: Profile, context: StepContext) -> Iterator[Failure]:
        """Yield every way in which this call may fail now."""
        for place in (
            (AGENT, profile.manifest.id),
            (PROVIDER, profile.provider),
            (DEPENDENCY, profile.dependency),
            (STEP, f"{context.workflow_id}/{context.step_id}"),
        ):
            if place in self.failures:
                yield self.failures[place]
        if problem := _unreadable(context):
            yield Failure(1.0, "validation_error", problem, retryable=False)

    def _output(self, agent_id: AgentId, context: StepContext, tokens: TokenUsage) -> dict[str, object]:
        if self._happens(self.garbled.get(agent_id, 0.0)):
            return {"raw": '{"text": "' + str(context.step_id)}
        return {"text": f"{context.step_id} by {agent_id}", "words": tokens.output_tokens * 3 // 4}

    async def _fail(self, profile: Profile, failure: Failure) -> NoReturn:
        await self._pause(ERROR_LATENCY_S)
        raise AgentError(
            failure.message + self.postscript,
            error_type=failure.error_type,
            retryable=failure.retryable,
            model=self.models.get(profile.manifest.id, profile.model),
            provider=profile.provider,
        )

    def _spoil(self, context: StepContext) -> None:
        self.spoiled(context.execution_id)

    def _happens(self, share: float) -> bool:
        return share > 0 and self.random.random() < share

    def _strikes(self, failure: Failure, context: StepContext) -> bool:
        if not failure.by_execution:
            return self._happens(failure.share)
        return random.Random(f"{self.seed} {context.execution_id} {context.step_id}").random() < failure.share

    def _vary(self, spread: float) -> float:
        # Cut at three sigmas: one absurd sample would make a demo look broken.
        return math.exp(max(-3 * spread, min(3 * spread, self.random.gauss(0.0, spread))))

    def _around(self, count: float) -> int:
        return round(count * self._vary(0.2))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.time_scale)


def _unreadable(context: StepContext) -> str:
    """Say what is wrong with what an agent is given, in the words of the library that checks it."""
    if not context.outputs:
        subject = context.input.get("subject", "")
        if isinstance(subject, str):
            return ""
        return "1 validation error for Request: input.subject: Input should be a valid string"
    for step_id, output in context.outputs.items():
        if "text" not in output:
            return f"1 validation error for StepInput: outputs.{step_id}.text: Field required"
    return ""


def cost_usd(model: str, tokens: TokenUsage) -> float:
    """Return the price of a call; a model without a price list costs nothing."""
    price_in, price_out = PRICES.get(model, (0.0, 0.0))
    return (tokens.input_tokens * price_in + tokens.output_tokens * price_out) / 1_000_000
