"""The same calls against a real Loki and a real Tempo with the repository's configs: the files are true of them.

AWF_TEST_LOKI_BIN=/path/to/loki AWF_TEST_TEMPO_BIN=/path/to/tempo pytest tests/unit/embedded/grafana_calls
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.stack.native._programs import require, wait_for
from tests.stack.native._stack import Stack

from ._replay import TRACE, bodies, calls, replay


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    require("tempo", "loki")
    stack = Stack(tmp_path_factory.mktemp("real")).add("tempo", "loki")
    try:
        stack.start()
        fill(stack)
        yield stack
    finally:
        stack.stop()


def fill(stack: Stack) -> None:
    """Send the line and the span and wait until they are found."""
    sent = bodies()
    httpx.post(stack.url("loki", "/otlp/v1/logs"), json=sent["logs"]).raise_for_status()
    httpx.post(stack.url("tempo_otlp_http", "/v1/traces"), json=sent["traces"]).raise_for_status()

    def found() -> bool:
        lines = httpx.get(stack.url("loki", "/loki/api/v1/series")).json().get("data")
        traces = httpx.get(stack.url("tempo", "/api/search"), params={"q": "{}"}).json().get("traces")
        trace = httpx.get(stack.url("tempo", f"/api/traces/{TRACE}"))
        return bool(lines and traces and trace.status_code == 200)

    wait_for("line and span", found, 60)


@pytest.mark.parametrize("name", ["loki", "tempo"])
async def test_the_real_one_answers_as_the_file_says(stack: Stack, name: str) -> None:
    async with httpx.AsyncClient(timeout=20) as client:
        found = {call["call"]: await replay(client, stack.url(name), call) for call in calls(name)}
    assert {call: differences for call, differences in found.items() if differences} == {}
