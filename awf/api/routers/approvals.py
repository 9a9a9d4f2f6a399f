"""Questions to people. The name in the record is the token's, whatever the request says."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from awf.api.access import Asker, allow
from awf.api.runtime import Parts, Runtime
from awf.core.codec import to_json
from awf.core.incidents import WATCHER_NAME, Approval, ApprovalStatus
from awf.core.ports import Principal
from awf.core.types import ApprovalId, Json
from awf.errors import Conflict, Expired, Forbidden, InvalidInput

router = APIRouter(tags=["approvals"])

Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]


class ApproveRequest(BaseModel):
    """All optional; an `approver` is ignored."""

    reason: Reason = ""


class RejectRequest(BaseModel):
    """A rejection says why, for whoever takes the incident on; an `approver` is ignored."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


@router.get("/approvals/pending", dependencies=[allow("read")])
async def list_pending(parts: Parts) -> Json:
    """What waits for a person, oldest first."""
    pending = await parts.approvals.pending()
    return {"items": [to_json(approval) for approval in pending], "next_cursor": None}


@router.get("/approvals/{approval_id}", dependencies=[allow("read")])
async def get_approval(approval_id: str, parts: Parts) -> Json:
    """One question, decided or not."""
    found: Json = to_json(await parts.approvals.get(ApprovalId(approval_id)))
    return found


@router.post("/approvals/{approval_id}/approve", dependencies=[allow("decide")])
async def approve(approval_id: str, parts: Parts, asker: Asker, body: ApproveRequest | None = None) -> Json:
    """Carry the action out, once enough people agree; 403, 404, 409 when decided, 410 when expired."""
    reason = body.reason if body else ""
    decided: Json = to_json(await decide(parts, asker, approval_id, approve=True, reason=reason))
    return decided


@router.post("/approvals/{approval_id}/reject", dependencies=[allow("decide")])
async def reject(approval_id: str, parts: Parts, asker: Asker, body: RejectRequest) -> Json:
    """Do not carry the action out; a reason is required."""
    decided: Json = to_json(await decide(parts, asker, approval_id, approve=False, reason=body.reason))
    return decided


def is_yes(answer: str, reason: str) -> bool:
    """Return whether a form's answer approves. Raises InvalidInput for none, and for a rejection without a reason."""
    if answer not in ("approve", "reject"):
        raise InvalidInput(f"the answer is {answer!r:.40}, expected approve or reject", field="answer")
    if answer == "reject" and not reason:
        raise InvalidInput("a rejection needs a reason", hint="Go back and write one.", field="reason")
    return answer == "approve"


async def decide(
    parts: Runtime, asker: Principal, approval_id: str, *, approve: bool, reason: str
) -> Approval:
    """Check the asker and the question's state, then hand the answer to the watcher, where one wins."""
    approval = await parts.approvals.get(ApprovalId(approval_id))
    if asker.role not in (approval.required_role, "admin"):
        raise Forbidden(f"approval {approval.id} needs the role {approval.required_role}, not {asker.role}")
    if asker.name == WATCHER_NAME:
        raise Forbidden("the watcher does not approve what it asks", hint="Use the token of a person.")
    if approval.status is ApprovalStatus.EXPIRED:
        raise Expired(
            f"approval {approval.id} expired at {to_json(approval.expires_at)}",
            hint=f"See incident {approval.incident_id} for what happened since.",
        )
    if approval.status is not ApprovalStatus.PENDING:
        raise Conflict(f"approval {approval.id} was already {approval.status.value} by {approval.decided_by}")
    if approve:
        return await parts.intake.approve_action(approval.id, by=asker.name, reason=reason)
    return await parts.intake.reject_action(approval.id, by=asker.name, reason=reason)
