"""The embedded Grafana's face before stores that are no part of it: real programs, wherever they listen.

What is Grafana's own (dashboards, alert rules, contact point) is the embedded one's; every query goes on to the
stores as it came.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from awf.embedded import grafana, promql
from awf.embedded.ruler import Ruler, RulerConfig
from awf.embedded.store import MemoryStore
from awf.embedded.web import WebServers

DROPPED = {
    b"host",
    b"authorization",
    b"content-length",
    b"connection",
    b"transfer-encoding",
    b"accept-encoding",
}


def passing_on(base: str, http: httpx.AsyncClient) -> ASGIApp:
    """Return an application that hands every request on to `base`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = scope["query_string"].decode()
        headers = [(name, value) for name, value in scope["headers"] if name not in DROPPED]
        url = f"{base}{scope['path']}" + (f"?{query}" if query else "")
        try:
            answer = await http.request(scope["method"], url, content=body, headers=headers)
            status, content = answer.status_code, answer.content
            kept = [(b"content-type", answer.headers.get("content-type", "").encode())]
            kept += [(b"date", answer.headers["date"].encode())] if "date" in answer.headers else []
        except httpx.HTTPError as error:
            status, content, kept = 502, str(error).encode(), [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": status, "headers": kept})
        await send({"type": "http.response.body", "body": content})

    return app


@asynccontextmanager
async def serving(
    folder: Path, stores: Mapping[str, str], *, token: str, webhook_url: str = "", webhook_secret: str = ""
) -> AsyncIterator[str]:
    """Serve Grafana's API until the block ends; `folder` holds rules/ and dashboards/, `stores` the addresses of
    prometheus, loki and tempo. Yields the address."""
    async with AsyncExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        http = await opened.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
        store = MemoryStore()
        opened.callback(store.close)
        config = RulerConfig(
            rules_dir=folder / "rules", data_dir=folder, grafana_url=url,
            webhook_url=webhook_url, webhook_secret=webhook_secret,
        )  # fmt: skip
        engine = promql.Engine(store)
        ruler = await Ruler.open(config, engine=engine, sink=store, check_expr=promql.parse)
        opened.push_async_callback(ruler.stop)
        await ruler.start()
        annotations = await grafana.AnnotationStore.open(folder)
        opened.push_async_callback(annotations.close)
        app = grafana.create_app(
            prometheus=passing_on(stores["prometheus"], http), loki=passing_on(stores["loki"], http),
            tempo=passing_on(stores["tempo"], http), ruler=ruler, annotations=annotations,
            dashboards_dir=folder / "dashboards", token=token, public_url=url,
        )  # fmt: skip
        servers = WebServers()
        opened.push_async_callback(servers.stop)
        await servers.start(app, listener)
        yield url
