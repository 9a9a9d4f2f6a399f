"""Implements `Advisor` with pydantic-ai, over any endpoint that speaks OpenAI's or Anthropic's API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from awf.core.escape import plain_text
from awf.core.ports import Answer, Question
from awf.errors import MissingDependency, Unavailable
from awf.llm.prompt import INSTRUCTIONS, fenced

if TYPE_CHECKING:
    from pydantic_ai.models import Model

PIP_LINE = "pip install 'awf[llm]'"
MAX_TOKENS, MAX_REQUESTS = 1000, 2
"""An answer that does not have the form is asked for once more."""

HINT = "The rules decide without it; AWF_LLM_* say where it is."


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which model answers where. Without a base URL it is the provider's own service."""

    model: str
    provider: Literal["openai", "anthropic"] = "openai"
    base_url: str = ""
    api_key: str = ""
    timeout_s: float = 10.0


class Choice(BaseModel):
    """The form of an answer."""

    model_config = ConfigDict(extra="ignore")

    hypothesis: int = Field(description="The index of the likeliest hypothesis.")
    action: str = Field(description="The candidate of that hypothesis to try first.", max_length=200)
    summary: str = Field("", description="At most three sentences for the engineers.", max_length=4000)
    reason: str = Field("", description="Why, in one sentence.", max_length=2000)


class ModelAdvisor:
    """Asks a model once for each question. Raises MissingDependency when the extra is not installed."""

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        try:  # at the start, because it takes seconds that no question has
            import_module("pydantic_ai")
            import_module(f"pydantic_ai.models.{config.provider}")
            import_module(f"pydantic_ai.providers.{config.provider}")
        except ImportError as error:
            raise MissingDependency(
                f"AWF_LLM_MODEL={config.model} needs {error.name or 'pydantic-ai'}", hint=PIP_LINE
            ) from error

    async def advise(self, question: Question) -> Answer:
        config = self._config
        try:
            async with asyncio.timeout(config.timeout_s):
                found = await _ask(config, fenced(question))
        except TimeoutError as error:
            raise Unavailable(
                f"{config.model} did not answer within {config.timeout_s:g} s", hint=HINT
            ) from error
        except Exception as error:  # boundary: whatever the SDKs raise, the rules decide
            said = plain_text(str(error) or type(error).__name__, 200)
            raise Unavailable(f"{config.model} gave no usable answer: {said}", hint=HINT) from error
        return Answer(found.hypothesis, found.action, found.summary, found.reason)


async def _ask(config: ModelConfig, text: str) -> Choice:
    from pydantic_ai import Agent, PromptedOutput, UsageLimits
    from pydantic_ai.settings import ModelSettings

    async with _model(config) as model:
        agent = Agent(
            model,
            # Prompted: tools and schemas of answers are what local models and proxies most often lack.
            output_type=PromptedOutput(Choice),
            instructions=INSTRUCTIONS,
            retries=1,
            model_settings=ModelSettings(temperature=0.0, max_tokens=MAX_TOKENS),
        )
        return (await agent.run(text, usage_limits=UsageLimits(request_limit=MAX_REQUESTS))).output


@asynccontextmanager
async def _model(config: ModelConfig) -> AsyncIterator[Model]:
    """Open a client for one question: there are few, and none leaves a connection behind."""
    # The SDKs' own retries are off: the time limit is short, and the rules are waiting.
    url = config.base_url or None
    if config.provider == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        async with AsyncAnthropic(api_key=config.api_key, base_url=url, max_retries=0) as claude:
            yield AnthropicModel(config.model, provider=AnthropicProvider(anthropic_client=claude))
        return
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    # The SDK refuses to start without a key; local servers want none.
    async with AsyncOpenAI(api_key=config.api_key or "none", base_url=url, max_retries=0) as client:
        yield OpenAIChatModel(config.model, provider=OpenAIProvider(openai_client=client))
