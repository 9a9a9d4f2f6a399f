"""A real Tempo that has been sent spans, and its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.stack.native._programs import wait_for
from tests.stack.native._stack import Stack
from tests.unit.embedded.traceql._asking import PATHS, parameters


class Tempo:
    """One process with the repository's configuration."""

    def __init__(self, folder: Path) -> None:
        self._stack = Stack(folder, MIMIR_PUSH_URL="http://127.0.0.1:9/nowhere").add("tempo")
        self._client = httpx.Client(timeout=60)

    def start(self) -> Tempo:
        self._stack.start()
        return self

    def stop(self) -> None:
        self._client.close()
        self._stack.stop()

    @property
    def version(self) -> str:
        found = self._client.get(self._stack.url("tempo", "/api/status/buildinfo")).json()
        return str(found.get("version") or "")

    def take(self, request: ExportTraceServiceRequest, t0_ns: int) -> None:
        """Send spans and wait until every one of them is found."""
        sent = self._client.post(
            self._stack.url("tempo_otlp_http", "/v1/traces"),
            content=request.SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
        )
        assert sent.status_code == 200, sent.text
        count = sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)

        def all_found() -> bool:
            traces = self.ask("search", "{}", t0_ns).json()["traces"]
            return sum(trace["spanSet"]["matched"] for trace in traces) == count

        wait_for(f"search that finds all {count} spans", all_found, 60)

    def ask(self, kind: str, query: str, t0_ns: int) -> Any:
        """Return the response of one API: search, range or instant."""
        return self._client.get(self._stack.url("tempo", PATHS[kind]), params=parameters(kind, query, t0_ns))
