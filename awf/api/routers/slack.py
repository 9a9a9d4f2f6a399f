"""Where Slack says which button was pressed on a question. Its signature says that it was Slack, the file of channels who
the user is here, and their token what they may do."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, BackgroundTasks, Request
from starlette.responses import Response

from awf.api.runtime import Parts, Runtime
from awf.api.vouched import decide_as
from awf.core.incidents import Approval, ApprovalStatus
from awf.core.ports import Press
from awf.errors import Conflict, Expired, Forbidden, NotFound, Unauthorized

REMEMBERED = timedelta(minutes=10)
"""Twice as long as a signature is believed: a clock may be behind or ahead."""

router = APIRouter(tags=["webhooks"])

_FORM = {"schema": {"type": "object", "properties": {"payload": {"type": "string"}}, "required": ["payload"]}}
_BODY = {"content": {"application/x-www-form-urlencoded": _FORM}, "required": True}


@router.post("/webhooks/slack/actions", openapi_extra={"requestBody": _BODY})
async def take_press(request: Request, parts: Parts, later: BackgroundTasks) -> Response:
    """Take a decision by a button in Slack, signed by Slack (the request URL of an app's interactivity)."""
    if parts.buttons is None:
        raise NotFound(
            "no channel takes decisions from Slack",
            hint="Set signing_secret and people of a Slack channel in AWF_CHANNELS_FILE.",
        )
    now = parts.clock.now().timestamp()
    press = parts.buttons.read(await request.body(), request.headers, now=now)
    if press is not None:
        # Only what Slack signed minutes ago gets here, so what is remembered stays small.
        until = parts.clock.now() + REMEMBERED
        if not await parts.replays.is_new(f"slack {press.signature}", until=until):
            raise Unauthorized("this request was here before")
        text, is_final = await _answer(parts, press)
        later.add_task(parts.buttons.reply, press, text, is_final=is_final)
    return Response()  # Slack shows any other answer as a failure of its own


async def _answer(parts: Runtime, press: Press) -> tuple[str, bool]:
    """Return what to say, and whether the question is closed."""
    if not press.person:
        return (
            f"Slack's user {press.user} is none of those who decide here; `people` of the channel names them.",
            False,
        )
    way = f"Slack user {press.user}"
    try:
        approval = await decide_as(
            parts, press.person, press.approval_id, approve=press.approve, reason=press.reason, way=way
        )
    except (Forbidden, NotFound) as refused:
        return refused.message, False
    except (Conflict, Expired) as late:
        approval = await parts.approvals.get(press.approval_id)
        if approval.status is ApprovalStatus.PENDING:
            return late.message, False
    return _state_of(approval), approval.status is not ApprovalStatus.PENDING


def _state_of(approval: Approval) -> str:
    name = approval.action.name
    match approval.status:
        case ApprovalStatus.PENDING:
            return f"Counted: {len(approval.approved_by)} of {approval.quorum} have approved {name}."
        case ApprovalStatus.EXPIRED:
            return f"{approval.summary}. Nobody answered in time whether to do {name}."
    why = f" ({approval.reason})" if approval.reason else ""
    return f"{approval.summary}. {name} was {approval.status.value} by {approval.decided_by}{why}."
