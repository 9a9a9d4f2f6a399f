"""What `awf embedded stats|compact|export|import` asks a running store, which alone may open its file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from awf.embedded.grafana.access import Access
from awf.embedded.grafana.requests import error_response, read_json
from awf.embedded.promql.parser import parse_selector
from awf.embedded.store import DuckStore
from awf.embedded.store.transfer import FORMATS, export, load
from awf.errors import AwfError, InvalidInput

PATH = "/awf/store"
END_MS = 253_402_300_799_999  # year 9999
Json = dict[str, Any]


def create_routes(store: DuckStore, token: str) -> list[Route]:
    """Return the routes; all need the token, because paths of this machine are named."""
    access = Access(token)

    def route(name: str, work: Callable[[DuckStore, Json], Awaitable[Json]]) -> Route:
        async def endpoint(request: Request) -> JSONResponse:
            try:
                access.check(request.scope, write=True)
                return JSONResponse(await work(store, await read_json(request)))
            except AwfError as error:
                return error_response(error)

        return Route(f"{PATH}/{name}", endpoint, methods=["POST"])

    return [route(name, work) for name, work in VERBS.items()]


async def stats(store: DuckStore, _: Json) -> Json:
    return asdict(await asyncio.to_thread(store.stats))


async def compact(store: DuckStore, _: Json) -> Json:
    before = await asyncio.to_thread(store.stats)
    await asyncio.to_thread(store.fold)
    after = await asyncio.to_thread(store.stats)
    return {"before_bytes": before.used_bytes, "after_bytes": after.used_bytes}


async def export_rows(store: DuckStore, body: Json) -> Json:
    form = body.get("format", FORMATS[0])
    if form not in FORMATS:
        raise InvalidInput(f"format {form!r} is none of {', '.join(FORMATS)}")
    matchers = parse_selector(str(body["match"])) if body.get("match") else []
    start, end = (body.get(name, default) for name, default in (("start_ms", 0), ("end_ms", END_MS)))
    if not (isinstance(start, int) and isinstance(end, int)):
        raise InvalidInput("start_ms and end_ms are whole numbers of milliseconds")
    rows = await asyncio.to_thread(
        export, store, _path(body), form=form, matchers=matchers, start_ms=start, end_ms=end
    )
    return {"rows": rows}


async def import_rows(store: DuckStore, body: Json) -> Json:
    rows, problems = await asyncio.to_thread(load, store, _path(body))
    return {"rows": rows, "problems": len(problems), "first_problems": problems[:20]}


def _path(body: Json) -> Path:
    path = Path(str(body.get("path", "")))
    if not path.is_absolute():
        raise InvalidInput(f"path {str(path)!r} is not absolute")
    return path


VERBS: dict[str, Callable[[DuckStore, Json], Awaitable[Json]]] = {
    "stats": stats,
    "compact": compact,
    "export": export_rows,
    "import": import_rows,
}
