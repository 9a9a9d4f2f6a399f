"""The two that are asked: our API over a store in memory, and a real Loki on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx

from awf.embedded.logql import Engine
from awf.embedded.loki_api import create_app
from awf.embedded.store import MemoryStore
from tests.stack.native._programs import Program, wait_for
from tests.stack.native._stack import Stack

from ._answers import Answer, normal
from ._data import SECOND, SPAN_S, push_body

API = "/loki/api/v1"


class Side(Protocol):
    def ask(
        self, query: str, *, instant_s: int | None = None, categorize: bool = False, **params: str
    ) -> Answer:
        """Return the normal form of the answer, over the whole half hour or at one time."""


class _Asker:
    def __init__(self, base_ns: int) -> None:
        self.base_ns = base_ns

    def request(
        self, query: str, instant_s: int | None, params: dict[str, str]
    ) -> tuple[str, dict[str, str]]:
        if instant_s is not None:
            return f"{API}/query", {"query": query, "time": str(self.base_ns + instant_s * SECOND)} | params
        span = {"start": str(self.base_ns), "end": str(self.base_ns + SPAN_S * SECOND)}
        return f"{API}/query_range", {"query": query, "limit": "5000", "step": "60"} | span | params


class Ours(_Asker):
    def __init__(self, base_ns: int, store: MemoryStore) -> None:
        super().__init__(base_ns)
        self._app = create_app(Engine(store), store, store)
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://loki")

    def ask(
        self, query: str, *, instant_s: int | None = None, categorize: bool = False, **params: str
    ) -> Answer:
        path, fields = self.request(query, instant_s, params)
        headers = {"X-Loki-Response-Encoding-Flags": "categorize-labels"} if categorize else {}
        answer = self._run(self._client.get(path, params=fields, headers=headers))
        return normal(answer.status_code, answer.json() if answer.status_code == 200 else None, self.base_ns)

    def push(self, body: dict[str, Any]) -> None:
        answer = self._run(self._client.post(f"{API}/push", json=body))
        assert answer.status_code == 204, answer.text

    def close(self) -> None:
        self._run(self._client.aclose())
        self._loop.close()

    def _run(self, coroutine: Any) -> Any:
        return self._loop.run_until_complete(coroutine)


@contextmanager
def ours(base_ns: int) -> Iterator[Ours]:
    store = MemoryStore()
    side = Ours(base_ns, store)
    side.push(push_body(base_ns))
    yield side
    side.close()
    store.close()


class Loki(_Asker):
    def __init__(self, base_ns: int, program: Program, url: str) -> None:
        super().__init__(base_ns)
        self._program = program
        self._client = httpx.Client(base_url=url, timeout=60)

    def ask(
        self, query: str, *, instant_s: int | None = None, categorize: bool = False, **params: str
    ) -> Answer:
        path, fields = self.request(query, instant_s, params)
        headers = {"X-Loki-Response-Encoding-Flags": "categorize-labels"} if categorize else {}
        answer = self._client.get(path, params=fields, headers=headers)
        return normal(answer.status_code, answer.json() if answer.status_code == 200 else None, self.base_ns)

    def error(self, query: str) -> str:
        path, fields = self.request(query, None, {})
        return self._client.get(path, params=fields).text

    def push(self, body: dict[str, Any]) -> None:
        answer = self._client.post(
            f"{API}/push", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 204, answer.text

    def close(self) -> None:
        self._client.close()
        self._program.stop()


@contextmanager
def loki(base_ns: int, folder: Path) -> Iterator[Loki]:
    """Run a Loki with the repository's config, which neither guesses levels nor names services here."""
    stack = Stack(folder).add("loki")
    program = stack["loki"]
    program.command = (
        *program.command, "-validation.discover-log-levels=false", "-validation.discover-service-name=",
        "-frontend.log-queries-longer-than=-1s", "-log.level=error",
    )  # fmt: skip
    program.start()
    side = Loki(base_ns, program, stack.url("loki"))
    body = push_body(base_ns)
    side.push(body)
    count = sum(len(stream["values"]) for stream in body["streams"])
    wait_for(
        "all entries in Loki", lambda: len(side.ask('{app=~".+"}').get("streams", [])) == count or None, 30
    )
    yield side
    side.close()
