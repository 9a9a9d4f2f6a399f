"""Dashboards from the JSON files of one directory: search and read."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from awf.embedded.grafana.requests import Json, int_parameter
from awf.embedded.ruler.grafana_terms import FOLDER, FOLDER_UID
from awf.errors import InvalidInput, NotFound

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Dashboard:
    id: int
    uid: str
    title: str
    tags: tuple[str, ...]
    model: Json
    changed: str

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


class DashboardEndpoints:
    """Files are read on every request: there are few, and an edit shows at once."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def routes(self) -> list[Route]:
        return [
            Route("/api/search", self.search, methods=["GET"]),
            Route("/api/dashboards/uid/{uid}", self.get, methods=["GET"]),
            Route("/api/dashboards/uid/{uid}/versions", self.versions, methods=["GET"]),
        ]

    async def search(self, request: Request) -> JSONResponse:
        params = request.query_params
        kind = params.get("type", "")
        if kind not in {"", "dash-db", "dash-folder"}:
            raise InvalidInput(f"parameter type is {kind!r:.40}, expected dash-db or dash-folder")
        query = params.get("query", "").lower()
        hits: list[Json] = []
        if kind != "dash-db" and not (params.get("tag") or params.get("folderUIDs")):
            hits.append(_folder_hit())
        if kind != "dash-folder" and params.get("folderUIDs", FOLDER_UID) == FOLDER_UID:
            tags = set(params.getlist("tag"))
            hits += [_hit(board) for board in await self._load() if tags <= set(board.tags)]
        # Nobody has an account here, so nothing is starred.
        found = [hit for hit in hits if query in hit["title"].lower() and params.get("starred") != "true"]
        limit = int_parameter(request, "limit", 0, most=5000) or 1000
        start = (max(1, int_parameter(request, "page", 1, most=5000)) - 1) * limit
        return JSONResponse(found[start : start + limit])

    async def get(self, request: Request) -> JSONResponse:
        board = await self._find(request)
        return JSONResponse({"dashboard": {**board.model, "id": board.id}, "meta": _meta(board)})

    async def versions(self, request: Request) -> JSONResponse:
        """A file has no history: there is the one that is read now."""
        board = await self._find(request)
        version = {
            "id": board.id, "dashboardId": board.id, "uid": board.uid, "version": 1, "parentVersion": 0,
            "restoredFrom": 0, "created": board.changed, "createdBy": "awf generate", "message": "",
        }  # fmt: skip
        return JSONResponse({"continueToken": "", "versions": [version]})

    async def _find(self, request: Request) -> _Dashboard:
        for board in await self._load():
            if board.uid == request.path_params["uid"]:
                return board
        raise NotFound("Dashboard not found")

    async def _load(self) -> list[_Dashboard]:
        return await asyncio.to_thread(_read_all, self._directory)


def _read_all(directory: Path | None) -> list[_Dashboard]:
    if directory is None:
        return []
    boards = []
    for number, path in enumerate(sorted(directory.glob("*.json")), start=1):
        try:
            model: Any = json.loads(path.read_text(encoding="utf-8"))
            changed_s = path.stat().st_mtime
            uid, title = str(model.get("uid") or path.stem), str(model.get("title") or path.stem)
            tags = tuple(str(tag) for tag in model.get("tags") or ())
        except (OSError, ValueError, AttributeError, TypeError) as error:
            logger.warning("dashboard not readable", extra={"file": str(path), "error": str(error)})
            continue
        changed = datetime.fromtimestamp(changed_s, UTC).isoformat(timespec="seconds")
        boards.append(_Dashboard(number, uid, title, tags, {**model, "uid": uid}, changed))
    return boards


def _hit(board: _Dashboard) -> Json:
    return {
        "id": board.id, "uid": board.uid, "title": board.title, "uri": f"db/{board.slug}",
        "url": f"/d/{board.uid}/{board.slug}", "slug": "", "type": "dash-db", "tags": list(board.tags),
        "isStarred": False, "folderUid": FOLDER_UID, "folderTitle": FOLDER,
        "folderUrl": f"/dashboards/f/{FOLDER_UID}/{FOLDER_UID}", "sortMeta": 0,
    }  # fmt: skip


def _folder_hit() -> Json:
    return {
        "id": 1_000_000, "uid": FOLDER_UID, "title": FOLDER, "uri": f"db/{FOLDER_UID}",
        "url": f"/dashboards/f/{FOLDER_UID}/{FOLDER_UID}", "slug": "", "type": "dash-folder", "tags": [],
        "isStarred": False, "sortMeta": 0,
    }  # fmt: skip


def _meta(board: _Dashboard) -> Json:
    return {
        "type": "db", "slug": board.slug, "url": f"/d/{board.uid}/{board.slug}", "version": 1,
        "canSave": False, "canEdit": False, "canAdmin": False, "canStar": False, "canDelete": False,
        "folderUid": FOLDER_UID, "folderTitle": FOLDER, "provisioned": True,
        "provisionedExternalId": f"{board.uid}.json", "isStarred": False, "isFolder": False,
    }  # fmt: skip
