"""The pages of dashboards: a list, and one that scripts draw. For people who run AWF without Grafana's pages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from awf.api.access import Asker, allow
from awf.api.routers.dashboards import grafana, summaries
from awf.api.runtime import Parts
from awf.api.ui.frame import frame
from awf.api.ui.render import render
from awf.core.types import Json

router = APIRouter(prefix="/ui/dashboards", include_in_schema=False, dependencies=[allow("read")])


@router.get("")
async def dashboards_page(request: Request, parts: Parts, asker: Asker) -> HTMLResponse:
    found = await summaries(parts)
    described = [{**each, "description": await _description(parts, each["uid"])} for each in found]
    return render(request, "dashboards.html", dashboards=described, **await frame(parts, asker))


@router.get("/{uid}")
async def dashboard_page(
    request: Request, uid: Annotated[str, Path(max_length=80)], parts: Parts, asker: Asker
) -> HTMLResponse:
    """The page around a dashboard. Its panels are drawn in the browser, from the same JSON that Grafana gets."""
    model = await grafana(parts).dashboard(uid)
    return render(
        request,
        "dashboard.html",
        uid=uid,
        title=_text(model, "title") or uid,
        description=_text(model, "description"),
        **await frame(parts, asker),
    )


async def _description(parts: Any, uid: str) -> str:
    return _text(await grafana(parts).dashboard(uid), "description")


def _text(model: Json, name: str) -> str:
    found = model.get(name)
    return found if isinstance(found, str) else ""
