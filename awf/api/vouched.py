"""Answers that come in without a token, by a way that vouches for who gave them: a chat's button, a link in a letter.

The way only says who. What they may do is what their token of that name may do at that moment.
"""

from __future__ import annotations

from awf.api.access import require
from awf.api.routers.approvals import decide
from awf.api.runtime import Runtime
from awf.core.incidents import Approval
from awf.core.ports import Principal
from awf.errors import Forbidden


async def person_named(parts: Runtime, name: str) -> Principal:
    """Return who has a token of this name. Raises Forbidden when it was revoked or never was."""
    found = next((each for each in await parts.tokens.list() if each.name == name), None)
    if found is None:
        raise Forbidden(
            f"{name} has no token here, or it was revoked",
            hint="An admin makes one: awf token create NAME --role approver.",
        )
    return found


async def decide_as(
    parts: Runtime, name: str, approval_id: str, *, approve: bool, reason: str, way: str
) -> Approval:
    """Take an answer as HTTP takes it from a token, and note the way by which it came."""
    asker = await person_named(parts, name)
    require(asker, "decide")
    approval = await decide(parts, asker, approval_id, approve=approve, reason=reason)
    await parts.audit.append(
        actor=name,
        event="approval.answered",
        subject=approval.incident_id,
        detail={"approval_id": approval.id, "approve": approve, "way": way},
    )
    return approval
