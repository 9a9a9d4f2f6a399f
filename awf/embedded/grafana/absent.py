"""What clients of Grafana ask for and this one has not: said so, in words that they pass on."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def routes() -> list[Route]:
    return [
        Route("/api/dashboard/snapshots", no_snapshots, methods=["GET"]),
        Route("/api/plugins/{plugin}/settings", no_plugin, methods=["GET"]),
        Route("/api/plugins/{plugin}/resources/{path:path}", no_plugin, methods=["GET", "POST"]),
    ]


async def no_snapshots(_request: Request) -> JSONResponse:
    return JSONResponse([])


async def no_plugin(request: Request) -> JSONResponse:
    """Incident tools take any JSON without `error` for a success, whatever its status."""
    message = (
        f"plugin {request.path_params['plugin'][:60]} is not installed: AWF's embedded Grafana has no plugins"
    )
    return JSONResponse({"message": message, "error": message}, 404)
