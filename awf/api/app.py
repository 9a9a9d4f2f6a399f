"""The HTTP application, built from a `Runtime`; there is no module-level one."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from awf.api.gate import Gate
from awf.api.problems import add_handlers
from awf.api.routers import (
    approvals,
    audit,
    dashboards,
    engines,
    executions,
    health,
    incidents,
    slack,
    tokens,
    watcher,
    webhooks,
)
from awf.api.runtime import Runtime
from awf.api.ui import pages


def create_app(runtime: Runtime) -> FastAPI:
    """Return the API and the pages over the given parts."""
    app = FastAPI(
        title="AWF",
        version=runtime.version,
        description="Observability that acts, for teams that run AI-agent workflows.",
        docs_url=None,  # its page loads scripts from elsewhere; `pages` has one of our own
        redoc_url=None,
    )
    app.state.runtime = runtime
    add_handlers(app)
    for part in (
        health,
        webhooks,
        slack,
        incidents,
        approvals,
        executions,
        audit,
        watcher,
        engines,
        tokens,
        dashboards,
    ):
        app.include_router(part.router)
    pages.add_pages(app)
    app.add_middleware(Gate, runtime=runtime)

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/ui/incidents", status_code=303)

    return app
