"""The requests that Grafana 12 and 13 and mcp-grafana 2.1.1 make, one after the other against the running backend.

Grafana is not here, so these files say what it sends and what it reads of the answer. In an answer `<text>`,
`<number>`, `<object>` and `<list>` stand for any value of that kind, `<items>` for a list that is not empty, and
objects may have more than is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports

from ._replay import bodies, calls, compare, replay

Backend = tuple[EmbeddedServer, httpx.AsyncClient]

FILES = {"prometheus": "mimir", "loki": "loki", "tempo": "tempo", "mcp_grafana": "grafana"}
RULES = """
groups:
  - name: demo
    interval: 1h
    rules:
      - record: agent:runs:sum
        expr: sum(agent_runs_total)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "rules" / "recording").mkdir(parents=True)
    (folder / "rules" / "recording" / "demo.yaml").write_text(RULES)
    opened = EmbeddedServer(EmbeddedConfig(folder, folder / "rules", ports=Ports(0, 0, 0, 0, 0, 0)))
    await opened.start()
    async with httpx.AsyncClient(timeout=20) as client:
        for signal, body in bodies().items():
            response = await client.post(f"{opened.addresses['otlp_http']}/v1/{signal}", json=body)
            assert (response.status_code, response.json()) == (200, {}), signal
        yield opened, client
    await opened.stop()


@pytest.mark.parametrize(
    ("name", "call"),
    [pytest.param(name, call, id=f"{name}: {call['call']}") for name in FILES for call in calls(name)],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_is_answered_as_its_caller_expects(
    backend: Backend, name: str, call: dict[str, Any]
) -> None:
    server, client = backend
    assert await replay(client, server.addresses[FILES[name]], call) == []


def test_a_comparison_finds_what_differs() -> None:
    expected = {"a": [{"b": "<text>"}], "c": "<absent>", "d": "<items>", "e": [1]}
    assert not list(compare(expected, {"a": [{"b": "x", "more": 1}], "d": [0], "e": [1]}, "x"))
    wrong = {"a": [{"b": 1}], "c": 1, "d": [], "e": [1, 2]}
    assert len(list(compare(expected, wrong, "x"))) == 4
