"""A wire between mcp-grafana and Grafana that writes down what is asked, as it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.unit.agents._grafana import serving

METHODS = ["GET", "POST", "PUT", "DELETE"]


@dataclass
class Wire:
    """`asked` holds method, path and parameters (of the URL or the form) of every request."""

    grafana: httpx.AsyncClient
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    async def forward(self, request: Request) -> Response:
        body = await request.body()
        query = str(request.url.query)
        form = body.decode() if "form" in request.headers.get("content-type", "") else ""
        self.asked.append((request.method, request.url.path, dict(parse_qsl(query) + parse_qsl(form))))
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in ("authorization", "content-type", "accept") or name.startswith(("x-loki", "x-grafana"))
        }
        path = request.scope["raw_path"].decode()
        found = await self.grafana.request(request.method, f"{path}?{query}", content=body, headers=headers)
        return Response(
            found.content, found.status_code, media_type=found.headers.get("content-type", "text/plain")
        )

    def queries(self, path: str, name: str) -> list[str]:
        """Return what was asked for at paths that end so, by the parameter of that name."""
        return [values[name] for _, where, values in self.asked if where.endswith(path) and name in values]


@asynccontextmanager
async def wire_to(grafana: str) -> AsyncIterator[Wire]:
    async with httpx.AsyncClient(trust_env=False, timeout=20, base_url=grafana) as http:
        wire = Wire(http)
        app = Starlette(routes=[Route("/{path:path}", wire.forward, methods=METHODS)])
        async with serving(app) as url:
            wire.url = url
            yield wire
