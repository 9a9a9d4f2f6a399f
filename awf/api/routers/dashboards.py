"""Dashboards as Grafana has them, and their panels' data.

The browser names a dashboard, a panel, variables and a time range; the query comes from the dashboard itself.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path

from awf.api.access import allow
from awf.api.dashboards.annotations import find_annotations
from awf.api.dashboards.answers import read
from awf.api.dashboards.board import Board, text
from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.exemplars import find_exemplars
from awf.api.dashboards.queries import build, targets
from awf.api.dashboards.request import DashboardRequest
from awf.api.dashboards.variables import Resolver, needed_by
from awf.api.runtime import Parts, Runtime
from awf.core.ports import DashboardSource
from awf.core.types import Json
from awf.errors import AwfError, Unavailable

router = APIRouter(prefix="/api/v1/dashboards", tags=["dashboards"], dependencies=[allow("read")])

Uid = Annotated[str, Path(min_length=1, max_length=80)]
PanelId = Annotated[int, Path(ge=0, le=2**31)]


@router.get("")
async def list_dashboards(parts: Parts) -> Json:
    """The dashboards that Grafana has."""
    return {"items": await summaries(parts), "next_cursor": None}


@router.get("/{uid}")
async def get_dashboard(uid: Uid, parts: Parts) -> Json:
    """A dashboard's JSON, as Grafana has it."""
    return await grafana(parts).dashboard(uid)


@router.post("/{uid}/variables")
async def get_variables(uid: Uid, asked: DashboardRequest, parts: Parts) -> Json:
    """What there is to choose from, and what is chosen."""
    board, resolver = await _open(uid, asked, parts)
    return {"items": [variable.json for variable in await resolver.resolve(board)]}


@router.post("/{uid}/annotations")
async def get_annotations(uid: Uid, asked: DashboardRequest, parts: Parts) -> Json:
    """The events of a dashboard's annotation queries."""
    board, resolver = await _open(uid, asked, parts)
    await resolver.resolve(board, needed=needed_by(board, [str(each) for each in board.annotations()]))
    return await find_annotations(board, resolver)


@router.post("/{uid}/panels/{panel_id}")
async def get_panel_data(uid: Uid, panel_id: PanelId, asked: DashboardRequest, parts: Parts) -> Json:
    """The data of one panel: an answer, or what went wrong, for each of its queries."""
    board, resolver = await _open(uid, asked, parts)
    panel = board.panel(panel_id)
    await resolver.resolve(board, needed=needed_by(board, [str(panel.get("targets"))]))
    answers = await asyncio.gather(*(_answer(panel, each, resolver) for each in targets(panel)))
    return {"from": asked.from_ms, "to": asked.to_ms, "queries": answers}


async def summaries(parts: Runtime) -> list[Json]:
    """Return uid, title, tags and folder of each dashboard, by title."""
    found = [
        {
            "uid": text(each, "uid"),
            "title": text(each, "title"),
            "tags": [str(tag) for tag in each.get("tags") or []],
            "folder": text(each, "folderTitle"),
        }
        for each in await grafana(parts).dashboards()
        if each.get("uid")
    ]
    return sorted(found, key=lambda each: str(each["title"]).lower())


def grafana(parts: Runtime) -> DashboardSource:
    """Raises Unavailable when this server was given no Grafana."""
    if parts.dashboards is None:
        raise Unavailable("this server has no Grafana", hint="Set AWF_GRAFANA_URL.")
    return parts.dashboards


async def _open(uid: str, asked: DashboardRequest, parts: Runtime) -> tuple[Board, Resolver]:
    source = grafana(parts)
    model, found = await asyncio.gather(source.dashboard(uid), source.datasources())
    return Board(uid, model), Resolver(source, Datasources(found), asked.window, asked.variables)


async def _answer(panel: Json, target: Json, resolver: Resolver) -> Json:
    about: Json = {"ref_id": text(target, "refId") or "?", "expr": "", "format": text(target, "format")}
    try:
        query = build(
            panel, target, window=resolver.window, values=resolver.values, datasources=resolver.datasources
        )
        about = query.about
        answer = await resolver.source.query(query.datasource.uid, query.path, query.parameters)
        found = {**about, **read(query, answer), "error": None}
        if query.exemplars:
            found["exemplars"], missing = await find_exemplars(query, resolver.source)
            found["cut"] = ". ".join(filter(None, [found["cut"], missing]))
        return found
    except AwfError as error:
        return {**about, "error": error.problem()}
