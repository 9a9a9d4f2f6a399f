"""The kill switch over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from awf.api.access import Asker, allow
from awf.api.runtime import Parts, Runtime
from awf.core.codec import to_json
from awf.core.ports import Principal
from awf.core.types import Json

router = APIRouter(prefix="/watcher", tags=["watcher"])


@router.get("", dependencies=[allow("read")])
async def get_watcher(parts: Parts) -> Json:
    """Whether the watcher acts, how much waits, and the services that share its work, of the last hour."""
    pending = await parts.approvals.pending()
    services = await parts.leases.replicas() if parts.leases else []
    return {
        "paused": await parts.switch.is_paused(),
        "approvals_pending": len(pending),
        "services": to_json(services),
    }


@router.post("/pause", dependencies=[allow("operate")])
async def pause(parts: Parts, asker: Asker) -> Json:
    """Investigate, but do nothing, until resumed."""
    await set_paused(parts, asker, paused=True)
    return {"paused": True}


@router.post("/resume", dependencies=[allow("operate")])
async def resume(parts: Parts, asker: Asker) -> Json:
    """Act again; held incidents go on."""
    await set_paused(parts, asker, paused=False)
    return {"paused": False}


async def set_paused(parts: Runtime, asker: Principal, *, paused: bool) -> None:
    event = "watcher.paused" if paused else "watcher.resumed"
    await parts.audit.append(actor=asker.name, event=event, subject="watcher", detail={})
    await parts.switch.set_paused(paused, by=asker.name)
