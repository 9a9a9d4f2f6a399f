"""Logging in and out: a token or a single-use link becomes a cookie."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from awf.api.access import COOKIE, current_session, may
from awf.api.runtime import Parts, Runtime
from awf.api.ui.render import render
from awf.core.ports import Session

router = APIRouter(prefix="/ui", include_in_schema=False)

HOME = "/ui/incidents"
_MAX_AGE_S = 12 * 3600


@router.get("/login")
async def login_page(
    request: Request,
    parts: Parts,
    code: Annotated[str, Query(max_length=200)] = "",
    next_path: Annotated[str, Query(alias="next", max_length=500)] = HOME,
) -> Response:
    """Show the form, or log in by the link that `awf up` prints."""
    if not code:
        return render(request, "login.html", next_path=next_path, failure="")
    session = await parts.sessions.redeem_code(code)
    if session is None:
        failure = "This link was used before or has expired. Log in with a token, or make a new link."
        return render(request, "login.html", status=401, next_path=next_path, failure=failure)
    return _logged_in(parts, session, next_path)


@router.post("/login")
async def log_in(
    request: Request,
    parts: Parts,
    token: Annotated[str, Form(max_length=500)] = "",
    next_path: Annotated[str, Form(alias="next", max_length=500)] = HOME,
) -> Response:
    principal = await parts.tokens.authenticate(token.strip())
    if principal is None or not may(principal, "read"):
        failure = (
            "This token is unknown or was revoked."
            if principal is None
            else f"A token of the role {principal.role} is for programs; it opens no pages."
        )
        return render(request, "login.html", status=401, next_path=next_path, failure=failure)
    return _logged_in(parts, await parts.sessions.start(principal.name), next_path)


@router.post("/logout")
async def log_out(request: Request, parts: Parts) -> Response:
    session = current_session(request)
    if session is not None:
        await parts.sessions.end(session.id)
    response = RedirectResponse("/ui/login", status_code=303)
    response.delete_cookie(COOKIE, path="/")
    return response


def local_path(path: str) -> str:
    """Return a path of our pages, so that a link to the login never leads to another site."""
    is_ours = path == "/docs" or (path.startswith("/ui/") and "\\" not in path and "//" not in path)
    return path if is_ours and path.isprintable() else HOME


def _logged_in(parts: Runtime, session: Session, next_path: str) -> Response:
    response = RedirectResponse(local_path(next_path), status_code=303)
    response.set_cookie(
        COOKIE,
        session.id,
        max_age=_MAX_AGE_S,
        path="/",
        httponly=True,
        samesite="strict",
        secure=parts.is_https,
    )
    return response
