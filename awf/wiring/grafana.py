"""Grafana for the dashboard pages: its dashboards, and its datasources through its own proxy.

The browser never sees the token, and nothing here writes.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx

from awf.core.http import client, reaching
from awf.core.ports import Datasource
from awf.core.types import Json
from awf.errors import AwfError, NotFound, QueryError, TooLarge, Unavailable

MAX_ANSWER_BYTES: Final = 16_000_000
MAX_AT_ONCE: Final = 8
"""So that a large dashboard that is opened by many cannot take every connection of the backend."""
TIMEOUT_S: Final = 15.0
SHARED_S: Final = 2.0
"""How long an answer serves others: the panels of a page all ask for their dashboard and the datasources."""


class GrafanaReader:
    """`DashboardSource` over HTTP. Open until `aclose`."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout_s: float = TIMEOUT_S,
        max_bytes: int = MAX_ANSWER_BYTES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = base_url
        self._http = client(base_url, token=token, timeout_s=timeout_s, transport=transport)
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._turn = asyncio.Semaphore(MAX_AT_ONCE)
        self._shared: dict[str, tuple[float, asyncio.Task[Any]]] = {}

    async def aclose(self) -> None:
        await self._http.aclose()

    async def dashboards(self) -> list[Json]:
        found = await self._get("/api/search", {"type": "dash-db", "limit": "1000"})
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    async def dashboard(self, uid: str) -> Json:
        try:
            found = await self._get_shared(f"/api/dashboards/uid/{quote(uid, safe='')}")
        except NotFound as error:
            raise NotFound(
                f"Grafana has no dashboard {uid!r:.80}", hint="/ui/dashboards lists those there are."
            ) from error
        model = found.get("dashboard") if isinstance(found, dict) else None
        if not isinstance(model, dict):
            raise Unavailable(f"Grafana at {self._url} answers for dashboard {uid!r:.80} without one")
        return model

    async def datasources(self) -> list[Datasource]:
        # Grafana's list of datasources needs a permission that viewers lack; its frontend's settings do not.
        settings = await self._get_shared("/api/frontend/settings")
        default = settings.get("defaultDatasource", "")
        return [
            Datasource(
                uid=str(each["uid"]),
                name=str(each.get("name") or name),
                type=str(each.get("type", "")),
                is_default=bool(each.get("isDefault")) or name == default,
                interval=str((each.get("jsonData") or {}).get("timeInterval") or ""),
            )
            for name, each in (settings.get("datasources") or {}).items()
            if isinstance(each, dict) and each.get("uid")
        ]

    async def query(self, datasource: str, path: str, parameters: Mapping[str, str]) -> Json:
        found = await self._get(f"/api/datasources/proxy/uid/{quote(datasource, safe='')}{path}", parameters)
        return found if isinstance(found, dict) else {"data": found}

    async def annotations(self, parameters: Sequence[tuple[str, str]]) -> list[Json]:
        found = await self._get("/api/annotations", parameters)
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    async def _get_shared(self, path: str) -> Any:
        """As `_get` without parameters; whoever asks while an answer is new, or on its way, gets the same."""
        now = time.monotonic()
        until, asked = self._shared.get(path, (0.0, None))
        if asked is None or now >= until:
            self._shared = {key: each for key, each in self._shared.items() if each[0] > now}
            asked = asyncio.create_task(self._get(path, {}))
            self._shared[path] = (now + SHARED_S, asked)
        try:
            return await asyncio.shield(asked)
        except AwfError:
            self._shared.pop(path, None)
            raise

    async def _get(self, path: str, parameters: Mapping[str, str] | Sequence[tuple[str, str]]) -> Any:
        pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
        request = self._http.build_request("GET", path, params=httpx.QueryParams(tuple(pairs)))
        try:
            async with self._turn, asyncio.timeout(self._timeout_s):
                with reaching("Grafana", self._url):
                    response = await self._http.send(request, stream=True)
                    body = await self._read(response)
        except TimeoutError as error:
            raise Unavailable(
                f"Grafana at {self._url} did not answer within {self._timeout_s:g} s",
                hint="Choose a shorter time range, or look whether the backend is busy.",
            ) from error
        return _answer(response.status_code, body, self._url)

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    raise TooLarge(
                        f"the answer is larger than {self._max_bytes:,} bytes",
                        hint="Choose a shorter time range or fewer values of the variables.",
                    )
        finally:
            await response.aclose()
        return bytes(body)


def _answer(status: int, body: bytes, url: str) -> Any:
    """Return the JSON of an answer, or raise what its status means for a page."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if status < 400:
        if found is None:
            raise Unavailable(f"Grafana at {url} answered something that is not JSON")
        return found
    words = _words(found) or body[:500].decode("utf-8", "replace").strip() or f"HTTP {status}"
    # Not passed on as our own 401: the person at the browser is logged in, the server is not.
    if status in (401, 403):
        raise Unavailable(
            f"Grafana at {url} refuses the server's token: {words}",
            hint="Set AWF_GRAFANA_TOKEN (or AWF_GRAFANA_TOKEN_FILE) to a service account's token.",
        )
    if status == 404:
        raise NotFound(words)
    if status < 500 and status != 429:
        raise QueryError(words)
    raise Unavailable(f"Grafana at {url} answers {status}: {words}")


def _words(found: Any) -> str:
    if not isinstance(found, dict):
        return ""
    return next((str(found[key])[:500] for key in ("error", "message", "detail") if found.get(key)), "")
