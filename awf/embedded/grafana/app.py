"""Puts Grafana's endpoints together: access, errors in Grafana's shape, and the few fixed answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from awf.embedded.grafana import absent, pages
from awf.embedded.grafana.access import Access
from awf.embedded.grafana.alert_rules import AlertRuleEndpoints
from awf.embedded.grafana.alertmanager import AlertmanagerEndpoints
from awf.embedded.grafana.annotation_store import AnnotationStore
from awf.embedded.grafana.annotations import AnnotationEndpoints
from awf.embedded.grafana.dashboards import DashboardEndpoints
from awf.embedded.grafana.datasources import Datasource, DatasourceEndpoints, datasources
from awf.embedded.grafana.receivers import ReceiverEndpoints
from awf.embedded.grafana.requests import error_response
from awf.embedded.ruler import Ruler
from awf.embedded.ruler.grafana_terms import APP_VERSION, METRICS_UID, ORG_ID
from awf.errors import AwfError

_FORWARDED: Final = re.compile(r"/api/datasources/(uid/[^/]+/resources|proxy/uid/[^/]+)/")


def create_app(
    *,
    prometheus: ASGIApp,
    loki: ASGIApp,
    tempo: ASGIApp,
    ruler: Ruler,
    annotations: AnnotationStore,
    dashboards_dir: Path | None,
    token: str,
    public_url: str,
) -> Starlette:
    """Return the part of Grafana's HTTP API that `mcp-grafana` uses.

    `prometheus` serves `/api/v1/...`, `loki` `/loki/api/v1/...`, `tempo` `/api/...`. Reads are open to this
    machine; writes need `token` as a bearer header, and without a token nobody may write.
    """
    access = Access(token)
    sources = datasources(prometheus, loki, tempo)
    routes = [
        *_Fixed(sources, public_url.rstrip("/")).routes(),
        *pages.routes(),
        *absent.routes(),
        *DashboardEndpoints(dashboards_dir).routes(),
        *AnnotationEndpoints(annotations).routes(),
        *AlertRuleEndpoints(ruler).routes(),
        *AlertmanagerEndpoints(ruler).routes(),
        *ReceiverEndpoints(ruler).routes(),
        # After the rules of `grafana`, which would else pass for a datasource.
        *DatasourceEndpoints(sources, access).routes(),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_Guard, access=access)],
        exception_handlers={AwfError: _on_awf_error, HTTPException: _on_http_error},
    )


class _Guard:
    """Asks for the token where it is needed. The datasource paths decide for themselves: a query may be
    a POST."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _FORWARDED.match(scope["path"]) is None:
            try:
                self._access.check(scope, write=scope["method"] not in {"GET", "HEAD"})
            except AwfError as error:
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _on_awf_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AwfError)  # noqa: S101 - registered for this type
    return error_response(error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    message = error.detail
    if error.status_code == 404:
        message = f"Not found: AWF's embedded Grafana does not serve {request.url.path[:200]}"
    if "text/html" in request.headers.get("accept", ""):
        return pages.page(message, "", error.status_code)
    return JSONResponse({"message": message}, error.status_code)


class _Fixed:
    """What never changes while the process runs."""

    def __init__(self, sources: tuple[Datasource, ...], public_url: str) -> None:
        self._sources = sources
        self._public_url = public_url

    def routes(self) -> list[Route]:
        return [
            Route("/api/health", self.health, methods=["GET"]),
            Route("/api/frontend/settings", self.settings, methods=["GET"]),
            Route("/api/user", self.user, methods=["GET"]),
            Route("/api/user/orgs", self.orgs, methods=["GET"]),
            Route("/api/org", self.org, methods=["GET"]),
        ]

    async def health(self, _request: Request) -> JSONResponse:
        return JSONResponse({"database": "ok", "version": APP_VERSION, "commit": "embedded"})

    async def settings(self, _request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "appUrl": f"{self._public_url}/",
                "appSubUrl": "",
                "buildInfo": {"version": APP_VERSION, "edition": "Open Source", "commit": "embedded"},
                "datasources": {source.name: source.json for source in self._sources},
                "defaultDatasource": next(s.name for s in self._sources if s.uid == METRICS_UID),
                "unifiedAlertingEnabled": True,
            }
        )

    async def user(self, _request: Request) -> JSONResponse:
        return JSONResponse(
            {"id": 1, "uid": "awf", "login": "awf", "name": "AWF", "email": "", "orgId": ORG_ID,
             "isGrafanaAdmin": False, "isDisabled": False}
        )  # fmt: skip

    async def orgs(self, _request: Request) -> JSONResponse:
        return JSONResponse([{"orgId": ORG_ID, "name": "AWF", "role": "Viewer"}])

    async def org(self, _request: Request) -> JSONResponse:
        return JSONResponse({"id": ORG_ID, "name": "AWF", "address": {}})
