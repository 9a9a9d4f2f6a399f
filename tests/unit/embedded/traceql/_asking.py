"""The same questions to a real Tempo and to the embedded one."""

from __future__ import annotations

from typing import Any, Final

import httpx

from awf.embedded.contracts import SpanReader
from awf.embedded.tempo_api import create_app
from awf.embedded.traceql import Engine

from . import _answers
from ._telemetry import SECOND, SPREAD_NS

PATHS: Final = {
    "search": "/api/search",
    "range": "/api/metrics/query_range",
    "instant": "/api/metrics/query",
}


def parameters(kind: str, query: str, t0_ns: int) -> dict[str, str | int]:
    """Return a request's parameters: all spans that begin from `t0_ns` on."""
    found: dict[str, str | int] = {
        "q": query,
        "start": t0_ns // SECOND - 60,
        "end": (t0_ns + SPREAD_NS) // SECOND + 60,
    }
    more: dict[str, dict[str, str | int]] = {
        "search": {"limit": 1000, "spss": 100},
        "range": {"step": "60s"},
        "instant": {},
    }
    return found | more[kind]


def comparable(kind: str, body: Any) -> Any:
    return _answers.search(body) if kind == "search" else _answers.series(body)


class Embedded:
    """The embedded API over some spans."""

    def __init__(self, reader: SpanReader) -> None:
        transport = httpx.ASGITransport(create_app(Engine(reader), reader))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://tempo")

    async def ask(self, kind: str, query: str, t0_ns: int) -> httpx.Response:
        return await self._client.get(PATHS[kind], params=parameters(kind, query, t0_ns))
