"""Each file here needs a framework, and is looked at only where that is installed: see `scripts/test-bridges`.

Nothing may leave this machine: what the frameworks tell their makers is switched off, and a connection to
any other host is refused.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

os.environ.update({
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TESTING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "OPENAI_API_KEY": "",
})  # fmt: skip

_NEEDS = {
    "test_crewai.py": "crewai",
    "test_genai_spans.py": "opentelemetry",
    "test_genai_spans_of_pydantic_ai.py": "pydantic_ai",
    "test_langchain.py": "langgraph",
    "test_openai_agents.py": "agents",
    "test_pydantic_ai.py": "pydantic_ai",
}
collect_ignore = [file for file, module in _NEEDS.items() if find_spec(module) is None]

if find_spec("crewai"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # loading it warns of its own modules
        importlib.import_module("crewai.flow.flow")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that reaches for another machine, also where the framework swallows the error."""
    refused: list[Any] = []
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1"}:
            refused.append(address)
            raise OSError(f"refused in tests: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)
    yield
    assert not refused


@pytest.fixture
def own_loop() -> Iterator[None]:
    """An event loop for synchronous calls, which would make one and leave it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
