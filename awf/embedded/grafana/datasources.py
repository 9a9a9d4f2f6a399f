"""The three datasources: their description, their health, and the way through to their query APIs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from awf.embedded.grafana.access import Access
from awf.embedded.grafana.requests import error_response
from awf.embedded.ruler.grafana_terms import METRICS_UID, ORG_ID
from awf.errors import AwfError, NotFound

LOGS_UID: Final = "loki"
TRACES_UID: Final = "tempo"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Datasource:
    """One datasource. `queries` are the paths that answer to POST without writing anything."""

    id: int
    uid: str
    name: str
    type: str
    app: ASGIApp
    queries: re.Pattern[str]
    settings: Mapping[str, Any]

    @property
    def json(self) -> Json:
        return {
            "id": self.id, "uid": self.uid, "orgId": ORG_ID, "name": self.name, "type": self.type,
            "typeName": self.type.title(), "typeLogoUrl": "", "access": "proxy", "url": "", "user": "",
            "database": "", "basicAuth": False, "isDefault": self.uid == METRICS_UID, "readOnly": True,
            "jsonData": dict(self.settings),
        }  # fmt: skip


def datasources(prometheus: ASGIApp, loki: ASGIApp, tempo: ASGIApp) -> tuple[Datasource, ...]:
    """Return the datasources, named and configured as the compose deployment provisions them."""
    reads = r"/api/v1/(query|query_range|query_exemplars|format_query|series|labels)"
    log_reads = r"/loki/api/v1/(query|query_range|series|labels?|index/\w+|patterns)"
    to_traces = {"name": "trace_id", "datasourceUid": TRACES_UID}
    return (
        Datasource(1, METRICS_UID, "Mimir", "prometheus", prometheus, re.compile(reads),
                   {"httpMethod": "POST", "prometheusType": "Mimir",
                    "exemplarTraceIdDestinations": [to_traces]}),
        Datasource(2, LOGS_UID, "Loki", "loki", loki, re.compile(log_reads), {}),
        Datasource(3, TRACES_UID, "Tempo", "tempo", tempo, re.compile("/api/v2/traces/diff"), {}),
    )  # fmt: skip


class DatasourceEndpoints:
    """The list, one by uid or name, health, and the two forwarding paths."""

    def __init__(self, sources: tuple[Datasource, ...], access: Access) -> None:
        self._sources = sources
        self._access = access

    def routes(self) -> list[Route]:
        forward = _Forward(self, self._access)
        return [
            Route("/api/datasources", self.index, methods=["GET"]),
            Route("/api/datasources/uid/{uid}", self.get, methods=["GET"]),
            Route("/api/datasources/name/{name}", self.get_by_name, methods=["GET"]),
            Route("/api/datasources/uid/{uid}/health", self.health, methods=["GET"]),
            Route("/api/datasources/uid/{uid}/resources/{path:path}", forward),
            Route("/api/datasources/proxy/uid/{uid}/{path:path}", forward),
            Route("/api/prometheus/{uid}/api/v1/rules", _Forward(self, self._access, "api/v1/rules")),
        ]

    def find(self, uid: str) -> Datasource:
        """Raises NotFound."""
        for source in self._sources:
            if source.uid == uid:
                return source
        raise NotFound("Data source not found")

    async def index(self, _request: Request) -> JSONResponse:
        return JSONResponse([source.json for source in self._sources])

    async def get(self, request: Request) -> JSONResponse:
        return JSONResponse(self.find(request.path_params["uid"]).json)

    async def get_by_name(self, request: Request) -> JSONResponse:
        for source in self._sources:
            if source.name == request.path_params["name"]:
                return JSONResponse(source.json)
        raise NotFound("Data source not found")

    async def health(self, request: Request) -> JSONResponse:
        # In process: a datasource that could not answer would have taken this endpoint with it.
        self.find(request.path_params["uid"])
        return JSONResponse({"status": "OK", "message": "Successfully queried the embedded store."})


class _Forward:
    """Hands a request on to a datasource's app, with the path that the datasource knows."""

    def __init__(self, endpoints: DatasourceEndpoints, access: Access, path: str = "") -> None:
        self._endpoints = endpoints
        self._access = access
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = "/" + (self._path or scope["path_params"]["path"])
        try:
            source = self._endpoints.find(scope["path_params"]["uid"])
            is_query = scope["method"] in {"GET", "HEAD"} or (
                scope["method"] == "POST" and source.queries.fullmatch(path) is not None
            )
            self._access.check(scope, write=not is_query)
        except AwfError as error:
            await error_response(error)(scope, receive, send)
            return
        inner = {
            key: value
            for key, value in scope.items()
            if key not in {"app", "router", "endpoint", "path_params"}
        }
        await source.app(
            {**inner, "path": path, "raw_path": quote(path).encode(), "root_path": ""}, receive, send
        )
