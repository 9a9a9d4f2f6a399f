"""What the tests put where Grafana stands, for machines that have none: the endpoints that mcp-grafana calls.

Queries go on to the real Prometheus, Loki and Tempo as they came; annotations are kept in memory; alerts that the
real Prometheus sends as to an Alertmanager leave as Grafana's signed webhook. It is no Grafana: it knows one token
and no dashboards, and what it does not know is a 404.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.stack.native._webhook import Contact

DROPPED = {"host", "authorization", "content-length", "connection", "accept-encoding", "transfer-encoding"}


class Request(NamedTuple):
    """What was asked; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What is said."""

    status: int
    content: bytes
    kind: str


class GrafanaStandIn:
    """Serves on loopback from `start` to `stop`. `stores` maps datasource uids to (type, address)."""

    def __init__(
        self, port: int, *, token_file: Path, stores: Mapping[str, tuple[str, str]], contact: Contact
    ) -> None:
        # One account for both halves of mcp-grafana; a real Grafana has two.
        self.read_token = self.annotate_token = token_file
        self.stores = stores
        self.contact = contact
        self.annotations: list[dict[str, Any]] = []
        self._http = httpx.Client(timeout=30)
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.contact.start()

    def stop(self) -> None:
        self.contact.stop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self._http.close()

    def annotations_tagged(self, tags: list[str]) -> list[dict[str, Any]]:
        """Return the annotations that have all of these tags."""
        return [each for each in self.annotations if set(tags) <= set(each.get("tags") or ())]

    def refused_webhooks(self) -> list[int]:
        """Return the statuses of webhooks that were not taken."""
        return [status for status in self.contact.answers if status != 202]

    def answer(self, request: Request) -> Answer:
        """Answer as Grafana does: mcp-grafana with the token, Prometheus with its alerts and without."""
        if request.path == "/api/v2/alerts":
            self.contact.take(json.loads(request.body))
            return _json(200, {})
        if request.path == "/metrics":
            return Answer(200, b"", "text/plain; version=0.0.4")
        if request.headers.get("authorization") != f"Bearer {self.read_token.read_text()}":
            return _json(401, {"message": "Unauthorized"})
        parts = request.path.strip("/").split("/")
        if parts[:3] == ["api", "datasources", "uid"] and parts[4:5] == ["resources"]:
            return self._pass_on(parts[3], "/".join(parts[5:]), request)
        if parts[:4] == ["api", "datasources", "proxy", "uid"]:
            return self._pass_on(parts[4], "/".join(parts[5:]), request)
        if request.path == "/api/annotations":
            return self._annotations(request)
        return self._metadata(request.path, parts)

    def _pass_on(self, uid: str, path: str, request: Request) -> Answer:
        if uid not in self.stores:
            return _json(404, {"message": "data source not found"})
        url = f"{self.stores[uid][1]}/{path}" + (f"?{request.query}" if request.query else "")
        headers = {name: text for name, text in request.headers.items() if name not in DROPPED}
        try:
            found = self._http.request(request.method, url, content=request.body or None, headers=headers)
        except httpx.HTTPError as error:
            return _json(502, {"message": str(error)})
        return Answer(found.status_code, found.content, found.headers.get("content-type", ""))

    def _annotations(self, request: Request) -> Answer:
        if request.method == "GET":
            return _json(200, self.annotations_tagged(parse_qs(request.query).get("tags", [])))
        number = len(self.annotations) + 1
        self.annotations.append({"id": number, **json.loads(request.body)})
        return _json(200, {"message": "Annotation added", "id": number})

    def _metadata(self, path: str, parts: list[str]) -> Answer:
        if path == "/api/frontend/settings":
            return _json(200, {"appUrl": "http://grafana.test/", "buildInfo": {"version": "13.2.3"}})
        if path == "/api/datasources":
            return _json(200, [self._datasource(uid) for uid in self.stores])
        if parts[:3] == ["api", "datasources", "uid"] and parts[3] in self.stores:
            return _json(200, self._datasource(parts[3]))
        return _json(404, {"message": "Not found"})

    def _datasource(self, uid: str) -> dict[str, Any]:
        return {"uid": uid, "name": uid, "type": self.stores[uid][0], "access": "proxy", "jsonData": {}}


def _json(status: int, document: Any) -> Answer:
    return Answer(status, json.dumps(document).encode(), "application/json")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """mcp-grafana cuts a query that its own caller gave up."""


def _handler(grafana: GrafanaStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            where = urlsplit(self.path)
            headers = {name.lower(): text for name, text in self.headers.items()}
            answer = grafana.answer(Request(self.command, where.path, where.query, headers, body))
            self.send_response(answer.status)
            self.send_header("content-type", answer.kind)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    return Handler
