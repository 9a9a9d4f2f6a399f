"""What went wrong, in the words that queries group by; names fit for labels; and the bridges' boundary."""

from __future__ import annotations

import asyncio
import logging
import sys
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from awf.errors import MissingDependency
from awf.orchestration.bridges import _failures, crewai, genai_spans, langchain, openai_agents, pydantic_ai
from awf.orchestration.bridges._names import MAX_CONTENT_CHARS, label, provider_of, text


class RateLimitError(Exception):
    pass


class APITimeoutError(Exception):
    pass


class MaxHTTPTurnsExceeded(Exception):
    pass


class Refused(Exception):
    def __init__(self, status_code: int) -> None:
        super().__init__("refused")
        self.status_code = status_code


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (ValueError("x"), "value_error"),
        (MaxHTTPTurnsExceeded("x"), "max_http_turns_exceeded"),
        (RateLimitError("x"), "rate_limit"),
        (Refused(429), "rate_limit"),
        (Refused(401), "authentication"),
        (Refused(500), "refused"),
        (httpx.HTTPStatusError("x", request=None, response=SimpleNamespace(status_code=429)), "rate_limit"),  # type: ignore[arg-type]
        (httpx.ReadTimeout("x"), "timeout"),
        (APITimeoutError("x"), "timeout"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
    ],
)
def test_an_exception_has_a_type_of_few(error: BaseException, error_type: str) -> None:
    failure = _failures.of_exception(error)
    assert failure.error_type == error_type
    assert failure.error


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        ("litellm.RateLimitError: slow down", "rate_limit"),
        ("Error code: 429 - too much", "rate_limit"),
        ("litellm.BadRequestError: no", "bad_request_error"),
        ("The request timed out.", "timeout"),
        ("the room number is 4290", "task_failed"),
        ("", "task_failed"),
    ],
)
def test_a_text_has_the_type_that_it_tells_of(error: str, error_type: str) -> None:
    assert _failures.of_text(error, "task_failed").error_type == error_type


def test_an_errors_text_is_cut() -> None:
    assert len(_failures.of_exception(ValueError("x" * 2_000)).error) == 500
    assert len(_failures.of_text("rate limit " * 200, "x").error) == 500


def test_a_name_is_fit_for_a_label() -> None:
    assert label("  Senior\n writer ", "agent") == "Senior writer"
    assert label(None, "agent") == label(" ", "agent") == "agent"
    assert label("run 0199b3a2-7c1e-7aaa-9c40-6f0d8e9f1234 of x", "a") == "run * of x"
    assert label("job-5f0c9a1b2c3d4e5f6a7b", "a") == "job-*"
    assert label("gpt-4o-2024-08-06", "a") == "gpt-4o-2024-08-06"
    assert len(label("x y " * 100, "a")) == 100


def test_a_provider_is_read_from_a_routers_name_of_a_model() -> None:
    assert provider_of("anthropic/claude") == "anthropic"
    assert provider_of("gpt-4o") == provider_of("") == ""


def test_content_is_bounded_text() -> None:
    assert text({"a": object, "b": "é"}) == '{"a": "<class \'object\'>", "b": "é"}'
    assert len(text("x" * 100_000)) == MAX_CONTENT_CHARS


def test_a_callback_that_fails_is_logged_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    @_failures.never_raises
    def callback(number: int) -> float:
        return 1 / number

    with caplog.at_level(logging.WARNING):
        assert callback(2) == 0.5
        for _ in range(50):
            assert callback(0) is None
    assert [record.failed for record in caplog.records] == [1, 10]  # type: ignore[attr-defined]
    assert caplog.records[0].exc_info


@pytest.mark.parametrize(
    ("module", "make", "command"),
    [
        ("crewai.events.base_events", crewai.crewai_listener, "pip install 'crewai>=1.15'"),
        ("langchain_core.callbacks", langchain.langchain_handler, "pip install langchain-core"),
        ("agents.tracing", openai_agents.openai_agents_processor, "pip install openai-agents"),
        ("pydantic_ai.capabilities", pydantic_ai.pydantic_ai_capability, "pip install 'pydantic-ai-slim>=2'"),
        ("opentelemetry.sdk.trace", genai_spans.genai_span_processor, "pip install opentelemetry-sdk"),
    ],
)
def test_a_framework_that_is_missing_is_named_with_its_pip_line(
    module: str, make: Any, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependency) as caught:
        make([].append)
    assert caught.value.hint == command
