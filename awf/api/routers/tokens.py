"""Bearer tokens and login links, for admins."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from awf.api.access import Asker, allow
from awf.api.runtime import Parts
from awf.core.types import Json
from awf.errors import Conflict

router = APIRouter(prefix="/api/v1", tags=["tokens"], dependencies=[allow("administer")])


class TokenRequest(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
    role: Literal["viewer", "worker", "operator", "approver", "admin"]


@router.get("/tokens")
async def list_tokens(parts: Parts) -> Json:
    """Names and roles; the tokens themselves are not kept."""
    found = await parts.tokens.list()
    return {"items": [{"name": each.name, "role": each.role} for each in found], "next_cursor": None}


@router.post("/tokens", status_code=201)
async def create_token(body: TokenRequest, parts: Parts, asker: Asker) -> Json:
    """Make a token; this answer is the only place where it ever shows."""
    token = await parts.tokens.create(body.name, body.role)
    await parts.audit.append(
        actor=asker.name, event="token.created", subject=body.name, detail={"role": body.role}
    )
    return {"name": body.name, "role": body.role, "token": token}


@router.delete("/tokens/{name}", status_code=204)
async def revoke_token(name: str, parts: Parts, asker: Asker) -> None:
    """Revoke a token, and end its browser sessions."""
    if name == asker.name:
        raise Conflict("a token cannot revoke itself", hint="Use another admin's.")
    await parts.tokens.revoke(name)
    await parts.audit.append(actor=asker.name, event="token.revoked", subject=name, detail={})


@router.post("/login-codes", status_code=201)
async def create_login_code(parts: Parts, asker: Asker) -> Json:
    """Make a link that logs a browser in as this token, once, within 10 minutes."""
    code = await parts.sessions.create_code(asker.name)
    return {"code": code, "url": f"{parts.public_url.rstrip('/')}/ui/login?code={code}"}
