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
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.stack.native._webhook import Contact

DROPPED = {"host", "authorization", "content-length", "connection", "accept-encoding", "transfer-encoding"}


class GrafanaStandIn:
    """Serves on loopback from `start` to `stop`. `stores` maps datasource uids to (type, address)."""

    def __init__(self, port: int, *, token: str, stores: Mapping[str, tuple[str, str]], contact: Contact) -> None:
        self.token = token
        self.stores = stores
        self.contact = contact
        self.annotations: list[dict[str, Any]] = []
        self.http = httpx.Client(timeout=30)
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
        self.http.close()

    def datasource(self, uid: str) -> dict[str, Any] | None:
        if uid not in self.stores:
            return None
        return {"uid": uid, "name": uid, "type": self.stores[uid][0], "access": "proxy", "jsonData": {}}

    def annotate(self, body: Mapping[str, Any]) -> int:
        number = len(self.annotations) + 1
        self.annotations.append({"id": number, **body})
        return number

    def annotations_tagged(self, tags: list[str]) -> list[dict[str, Any]]:
        return [each for each in self.annotations if set(tags) <= set(each.get("tags") or ())]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """mcp-grafana cuts a query that its own caller gave up."""


def _handler(grafana: GrafanaStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = urlsplit(self.path).path
            if path == "/api/v2/alerts":  # Prometheus has no token of Grafana's
                grafana.contact.take(json.loads(body))
                return self._json(200, {})
            if self.headers.get("authorization") != f"Bearer {grafana.token}":
                return self._json(401, {"message": "Unauthorized"})
            parts = path.strip("/").split("/")
            if parts[:3] == ["api", "datasources", "uid"] and parts[4:5] == ["resources"]:
                return self._pass_on(parts[3], "/".join(parts[5:]), body)
            if parts[:4] == ["api", "datasources", "proxy", "uid"]:
                return self._pass_on(parts[4], "/".join(parts[5:]), body)
            return self._json(*self._answer(path, parts, body))

        def _answer(self, path: str, parts: list[str], body: bytes) -> tuple[int, Any]:
            if path == "/api/frontend/settings":
                return 200, {"appUrl": "http://grafana.test/", "buildInfo": {"version": "13.2.3"}}
            if path == "/api/datasources":
                return 200, [grafana.datasource(uid) for uid in grafana.stores]
            if parts[:3] == ["api", "datasources", "uid"] and (found := grafana.datasource(parts[3])):
                return 200, found
            if path == "/api/annotations" and self.command == "POST":
                return 200, {"message": "Annotation added", "id": grafana.annotate(json.loads(body))}
            if path == "/api/annotations":
                tags = parse_qs(urlsplit(self.path).query).get("tags", [])
                return 200, grafana.annotations_tagged(tags)
            return 404, {"message": "Not found"}

        def _pass_on(self, uid: str, path: str, body: bytes) -> None:
            if uid not in grafana.stores:
                return self._json(404, {"message": "data source not found"})
            query = urlsplit(self.path).query
            url = f"{grafana.stores[uid][1]}/{path}" + (f"?{query}" if query else "")
            headers = {k: v for k, v in self.headers.items() if k.lower() not in DROPPED}
            try:
                answer = grafana.http.request(self.command, url, content=body or None, headers=headers)
            except httpx.HTTPError as error:
                return self._json(502, {"message": str(error)})
            return self._send(answer.status_code, answer.content, answer.headers.get("content-type", ""))

        def _json(self, status: int, document: Any) -> None:
            self._send(status, json.dumps(document).encode(), "application/json")

        def _send(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    return Handler
