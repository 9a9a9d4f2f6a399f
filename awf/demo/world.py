"""How the demo's agents behave: usual latencies, tokens and prices, and what a fault changes in them."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass, field

from awf.core.types import AgentId, AgentManifest, TaskMetrics, TokenUsage
from awf.orchestration import AgentError, AgentResult, StepContext

# US dollars for a million tokens: (input, output).
PRICES = {
    "gpt-5-mini": (0.25, 2.0),
    "gpt-5": (1.25, 10.0),
    "claude-sonnet-4-5": (3.0, 15.0),
    "claude-haiku-4-5": (1.0, 5.0),
    "gemini-2.5-pro": (1.25, 10.0),
    "gemini-2.5-flash": (0.3, 2.5),
    "mistral-medium-3": (0.4, 2.0),
    "llama-3.3-8b": (0.0, 0.0),
}

ERROR_LATENCY_S = 0.08


@dataclass(frozen=True, slots=True)
class Profile:
    """One agent: who it is, what it runs on, how long it usually takes and how much it reads and writes."""

    manifest: AgentManifest
    latency_ms: float  # median
    provider: str = ""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    spread: float = 0.25  # sigma of the lognormal


@dataclass
class DemoWorld:
    """What faults may change, and nothing else: how agents answer and how fast executions arrive.

    `time_scale` below 1 makes everything faster, for tests.
    """

    seed: int = 7
    time_scale: float = 1.0
    base_error_rate: float = 0.003
    error_rates: dict[AgentId, float] = field(default_factory=dict)
    stalled: set[AgentId] = field(default_factory=set)
    limited_providers: set[str] = field(default_factory=set)
    arrival_factor: float = 1.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    async def act(self, profile: Profile, context: StepContext) -> AgentResult:
        """Do what this agent does now. Raises AgentError."""
        agent_id = profile.manifest.id
        if agent_id in self.stalled:
            await asyncio.Event().wait()
        if profile.provider in self.limited_providers:
            await self._pause(ERROR_LATENCY_S)
            raise self._error(profile, "provider returned 429: too many requests", "rate_limit")
        if self.random.random() < self.error_rates.get(agent_id, self.base_error_rate):
            await self._pause(ERROR_LATENCY_S)
            raise self._error(profile, "provider returned 502: bad gateway", "upstream_error")
        await self._pause(profile.latency_ms / 1000 * self._vary(profile.spread))
        tokens = TokenUsage(self._around(profile.input_tokens), self._around(profile.output_tokens))
        metrics = TaskMetrics(token_usage=tokens, cost_usd=cost_usd(profile.model, tokens))
        output = {"text": f"{context.step_id} by {agent_id}", "words": tokens.output_tokens * 3 // 4}
        return AgentResult(output, metrics, profile.model, profile.provider)

    def _vary(self, spread: float) -> float:
        # Cut at three sigmas: one absurd sample would make a demo look broken.
        return math.exp(max(-3 * spread, min(3 * spread, self.random.gauss(0.0, spread))))

    def _around(self, count: int) -> int:
        return round(count * self._vary(0.2))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self.time_scale)

    def _error(self, profile: Profile, message: str, error_type: str) -> AgentError:
        return AgentError(message, error_type=error_type, model=profile.model, provider=profile.provider)


def cost_usd(model: str, tokens: TokenUsage) -> float:
    """Return the price of a call; a model without a price list costs nothing."""
    price_in, price_out = PRICES.get(model, (0.0, 0.0))
    return (tokens.input_tokens * price_in + tokens.output_tokens * price_out) / 1_000_000
