"""The server's engine directory and event store, reached over its HTTP API."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from awf.core import http
from awf.core.codec import from_json, to_json
from awf.core.types import (
    AckStatus,
    ChangeId,
    ControlAck,
    ControlChange,
    EngineId,
    EngineInfo,
    Json,
)
from awf.errors import Conflict, InvalidInput, MalformedPayload, NotFound, Unavailable

logger = logging.getLogger(__name__)

# The server sends a comment at least every 15 s: three times that without a byte is a dead connection.
SILENCE_S = 45.0


class HttpDirectory:
    """`EngineDirectory` and `append_events` over HTTP, with a token of the role worker.

    Raises Unavailable while the server does not answer, and the server's own errors otherwise.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str,
        timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = base_url
        self._client = http.client(base_url, token=token, timeout_s=timeout_s, transport=transport)
        self._timeout_s = timeout_s

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def register(self, engine: EngineInfo) -> None:
        """Announce an engine; again whenever the server asks who it is."""
        await self._send("POST", "/api/v1/engines", to_json(engine))

    async def heartbeat(self, engine_id: EngineId) -> None:
        """Say that the engine lives. Raises NotFound when it has to register again."""
        await self._send("PUT", f"/api/v1/engines/{quote(engine_id, safe='')}/heartbeat")

    async def changes(self, engine_id: EngineId, *, after_token: int) -> AsyncIterator[ControlChange]:
        """Yield changes as the server streams them; ends when it closes the stream. A change of a kind that
        only newer versions know is refused on the engine's behalf."""
        query = {"engine_id": engine_id, "after_token": str(after_token)}
        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        with http.reaching("the API", self._url):
            async with self._client.stream(
                "GET", "/api/v1/controls", params=query, timeout=timeout
            ) as answer:
                if answer.is_error:
                    await answer.aread()
                    http.raise_for_problem(answer)
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    raise Unavailable(f"{self._url}/api/v1/controls does not answer with an event stream")
                async for data in _events(answer.aiter_lines(), "change"):
                    body = _body(data)
                    try:
                        change = from_json(ControlChange, body)
                    except InvalidInput as error:
                        await self._refuse(engine_id, body, error)
                    else:
                        yield change

    async def acknowledge(self, ack: ControlAck) -> None:
        """Report what came of a change. Raises NotFound, Conflict."""
        await self._send("POST", f"/api/v1/controls/{quote(ack.change_id, safe='')}/ack", to_json(ack))

    async def _refuse(self, engine_id: EngineId, body: Json, error: InvalidInput) -> None:
        """Answer a change that this version cannot read: unanswered, it would come again for ever and
        hold up those behind it."""
        detail = f"this engine does not understand the change: {error.message}"
        change_id = ChangeId(str(body.get("id", "")))
        extra = {"change_id": change_id, "detail": error.message}
        logger.warning("change not understood", extra=extra)
        try:
            await self.acknowledge(ControlAck(change_id, engine_id, AckStatus.REFUSED, detail=detail))
        except (NotFound, Conflict) as refusal:
            logger.warning("acknowledgement not accepted", extra=extra | {"detail": refusal.message})

    async def append_events(self, engine_id: EngineId, events: Sequence[Json]) -> None:
        """Upload events in order; the server ignores those it has."""
        await self._send(
            "POST", f"/api/v1/engines/{quote(engine_id, safe='')}/events", {"events": list(events)}
        )

    async def _send(self, method: str, path: str, body: Any = None) -> None:
        with http.reaching("the API", self._url):
            response = await self._client.request(method, path, json=body)
        http.raise_for_problem(response)


async def _events(lines: AsyncIterator[str], wanted: str) -> AsyncIterator[str]:
    """Yield the data of server-sent events of one type; comments and ids are passed over."""
    kind, data = "", list[str]()
    async for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if kind == wanted and data:
                yield "\n".join(data)
            kind, data = "", list[str]()
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)


def _body(data: str) -> Json:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise MalformedPayload(f"the API sent a change that is no JSON object: {data!r:.200}")
    return body
