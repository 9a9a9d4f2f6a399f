"""The page behind a link in a letter: one question, for one person. Opening it decides nothing, because mail programs
open links too; the form on it does."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse

from awf.api.access import may
from awf.api.routers.approvals import Reason, is_yes
from awf.api.runtime import Parts, Runtime
from awf.api.ui.render import render
from awf.api.vouched import decide_as, person_named
from awf.core.incidents import Approval, ApprovalStatus
from awf.core.types import ApprovalId
from awf.errors import NotFound

router = APIRouter(prefix="/ui/decide", include_in_schema=False)

WAY = "signed link"


@router.get("/{approval_id}")
async def show_question(
    request: Request,
    approval_id: str,
    parts: Parts,
    person: Annotated[str, Query(max_length=128)] = "",
    key: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show what is asked and a form to answer with."""
    _check(parts, approval_id, person, key)
    approval = await parts.approvals.get(ApprovalId(approval_id))
    return await _page(request, parts, approval, person, key)


@router.post("/{approval_id}")
async def answer_question(
    request: Request,
    *,
    approval_id: str,
    parts: Parts,
    person: Annotated[str, Form(max_length=128)] = "",
    key: Annotated[str, Form(max_length=200)] = "",
    answer: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[Reason, Form()] = "",
) -> HTMLResponse:
    """Take the answer. What the link was used for once, it does not do again: then the state says so."""
    _check(parts, approval_id, person, key)
    approval = await decide_as(
        parts, person, approval_id, approve=is_yes(answer, reason), reason=reason, way=WAY
    )
    return await _page(request, parts, approval, person, key)


def _check(parts: Runtime, approval_id: str, person: str, key: str) -> None:
    if parts.links is None:
        raise NotFound("this server makes no links to decide by", hint="Log in at /ui/login.")
    parts.links.check(approval_id, person, key)


async def _page(request: Request, parts: Runtime, approval: Approval, person: str, key: str) -> HTMLResponse:
    asker = await person_named(parts, person)
    has_answered = person in approval.approved_by
    is_open = approval.status is ApprovalStatus.PENDING and not has_answered
    is_allowed = may(asker, "decide") and asker.role in (approval.required_role, "admin")
    return render(
        request,
        "decide.html",
        approval=approval,
        person=asker,
        key=key,
        is_open=is_open,
        is_allowed=is_allowed,
        has_answered=has_answered,
    )
