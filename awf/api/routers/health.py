"""Is it alive, is it ready, what has it counted."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse

from awf.api.access import allow
from awf.api.runtime import Parts, ReadinessCheck
from awf.core.types import Json
from awf.errors import AwfError

router = APIRouter(tags=["health"])

CHECK_TIMEOUT_S = 5.0


@router.get("/healthz")
async def live(parts: Parts) -> Json:
    """The process runs."""
    return {"status": "ok", "version": parts.version}


@router.get("/readyz")
async def ready(parts: Parts) -> JSONResponse:
    """Every part works; 503 names those that do not, and why."""
    reasons = await asyncio.gather(*(_failure(check) for check in parts.readiness.values()))
    checks = {name: reason or "ok" for name, reason in zip(parts.readiness, reasons, strict=True)}
    not_ready = [name for name, reason in zip(parts.readiness, reasons, strict=True) if reason]
    body = {"status": "not ready" if not_ready else "ok", "not_ready": not_ready, "checks": checks}
    return JSONResponse(body, status_code=503 if not_ready else 200)


@router.get("/metrics", dependencies=[allow("read")], response_class=PlainTextResponse)
async def metrics(parts: Parts) -> PlainTextResponse:
    """What this process has counted, in the Prometheus text format."""
    return PlainTextResponse(parts.counters.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _failure(check: ReadinessCheck) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except AwfError as error:
        return error.message
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:.0f} s"
    return ""
