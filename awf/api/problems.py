"""Errors as problem details (RFC 9457): one table, `AwfError.http_status`, for everything that fails."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from awf.api.ui.render import is_page, problem_page
from awf.core.types import Json
from awf.errors import AwfError, InvalidInput, NotFound

logger = logging.getLogger(__name__)


class MethodNotAllowed(AwfError):
    reason = "method_not_allowed"
    http_status = 405


def problem_response(error: AwfError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = error.problem()
    for name in ("field", "errors"):
        if error.context.get(name):
            body[name] = error.context[name]
    headers = dict(headers or {})
    if error.http_status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        body, status_code=error.http_status, media_type="application/problem+json", headers=headers
    )


def invalid_fields(found: Sequence[Any]) -> InvalidInput:
    """Return pydantic's findings as one error that names the first field in its sentence."""
    errors: list[Json] = [
        {"field": _field_name(each["loc"]), "message": str(each["msg"])[:300]} for each in found[:20]
    ]
    first = errors[0]
    return InvalidInput(f"{first['field']}: {first['message']}", field=first["field"], errors=errors)


def _field_name(location: Sequence[str | int]) -> str:
    if len(location) > 1 and location[0] in ("body", "query", "path", "header"):
        location = location[1:]
    name = ""
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".")[:200] or "body"


def add_handlers(app: FastAPI) -> None:
    """Answer everything that can be raised below a route as a problem, to a person as a page."""

    async def answer(request: Request, raised: Exception) -> Response:
        error = _as_awf_error(request, raised)
        if error.http_status >= 500:
            extra = {"path": request.url.path, "reason": error.reason, "error": str(raised)}
            logger.error("request failed", extra=extra, exc_info=raised if error is not raised else None)
        if is_page(request):
            return problem_page(request, error)
        return problem_response(error, getattr(raised, "headers", None))

    for kind in (AwfError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)


def _as_awf_error(request: Request, error: Exception) -> AwfError:
    match error:
        case AwfError():
            return error
        case RequestValidationError():
            return invalid_fields(error.errors())
        case HTTPException():
            return _from_http(request, error)
    return AwfError("an error of ours; the server's log has it")


def _from_http(request: Request, error: HTTPException) -> AwfError:
    if error.status_code == 404:
        return NotFound(f"nothing at {request.url.path}", hint="GET /docs lists what there is.")
    if error.status_code == 405:
        return MethodNotAllowed(f"{request.method} is not possible at {request.url.path}")
    return InvalidInput(str(error.detail))
