"""What a browser gets that follows a link into Grafana where there is only its API: the query and its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from awf.embedded.grafana.datasources import LOGS_UID, TRACES_UID
from awf.embedded.ruler.grafana_terms import METRICS_UID

HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
STYLE = "body{font:15px system-ui;max-width:60rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
POINTS = 300


def routes() -> list[Route]:
    return [Route("/explore", explore)]


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """Return a small page; `body` is HTML."""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE} code{{overflow-wrap:anywhere}}</style><h1>{escape(title)}</h1>{body}"
        "<p>This is AWF's embedded backend: it serves Grafana's HTTP API, not Grafana's pages.</p></html>"
    )
    return HTMLResponse(text, status, HEADERS)


async def explore(request: Request) -> HTMLResponse:
    """Show the queries of an Explore link, each with a link to its answer."""
    try:
        panes = json.loads(request.query_params.get("panes", "{}"))
        items = [
            f"<li>{escape(uid)}: <code>{escape(text)}</code><br><a href='{escape(url)}'>answer (JSON)</a></li>"
            for uid, text, url in _queries(panes)
        ]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return page("This link cannot be read", "<p>Its panes are not what Grafana writes.</p>", 400)
    return page("Explore", f"<ul>{''.join(items)}</ul>" if items else "<p>The link has no query.</p>")


def _queries(panes: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for pane in panes.values():
        window = pane.get("range", {})
        for query in pane.get("queries", []):
            uid = str((query.get("datasource") or {}).get("uid") or pane.get("datasource", ""))
            text = str(query.get("query") or query.get("expr") or "")
            if uid in (METRICS_UID, LOGS_UID, TRACES_UID):
                yield uid, text, _answer(uid, text, query.get("queryType") == "traceId", window)


def _answer(uid: str, text: str, is_trace_id: bool, window: dict[str, Any]) -> str:
    base = f"/api/datasources/proxy/uid/{uid}"
    first, last = _milliseconds(window.get("from")), _milliseconds(window.get("to"))
    if uid == TRACES_UID and is_trace_id:
        return f"{base}/api/v2/traces/{quote(text, safe='')}"
    limits = {"start": first / 1000, "end": last / 1000} if first and last else {}
    if uid == TRACES_UID:
        return f"{base}/api/search?{urlencode({'q': text, **{key: int(at) for key, at in limits.items()}})}"
    if uid == LOGS_UID:
        return f"{base}/loki/api/v1/query_range?{urlencode({'query': text, **limits})}"
    if not limits:
        return f"{base}/api/v1/query?{urlencode({'query': text})}"
    step = max(1, (last - first) // 1000 // POINTS)
    return f"{base}/api/v1/query_range?{urlencode({'query': text, **limits, 'step': step})}"


def _milliseconds(value: object) -> int:
    """Return an absolute time of a link; relative ones (`now-1h`) count as not given."""
    return int(value) if isinstance(value, (str, int)) and str(value).isdecimal() else 0
