"""Who did what."""

from __future__ import annotations

from fastapi import APIRouter

from awf.api.access import allow
from awf.api.runtime import Parts
from awf.api.shapes import Cursor, Limit, page_json
from awf.core.types import Json

router = APIRouter(tags=["audit"], dependencies=[allow("read")])


@router.get("/audit")
async def list_audit(parts: Parts, limit: Limit = 50, cursor: Cursor = None) -> Json:
    """The audit log, newest first."""
    return page_json(await parts.audit.list(limit=limit, cursor=cursor))


@router.get("/audit/verify")
async def verify_audit(parts: Parts) -> Json:
    """Walk the hash chain; 409 names the first entry that does not fit."""
    return {"status": "intact", "entries": await parts.audit.verify()}
