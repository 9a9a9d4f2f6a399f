"""Decisions by buttons in Slack: what Slack signed is read, and what became of it is said in the chat."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from awf.core.ports import Press
from awf.core.types import ApprovalId
from awf.errors import AwfError, InvalidInput, Unauthorized
from awf.notify._posting import Poster
from awf.notify._text import inert

logger = logging.getLogger(__name__)

APPROVE: Final = "awf.approve"
REJECT: Final = "awf.reject"
REASON: Final = "awf.reason"
SIGNATURE, TIMESTAMP = "x-slack-signature", "x-slack-request-timestamp"
MAX_AGE_S: Final = 300
REPLY_HOSTS: Final = frozenset({b"hooks.slack.com", b"hooks.slack-gov.com"})
NO_REASON: Final = "rejected in Slack, no reason given"


class _User(BaseModel):
    id: str = Field(max_length=100)


class _Action(BaseModel):
    action_id: str = Field("", max_length=300)
    value: str = Field("", max_length=300)


class _Payload(BaseModel):
    """What is read of a `block_actions` payload."""

    model_config = ConfigDict(hide_input_in_errors=True)

    type: str
    user: _User
    actions: list[_Action] = Field(default_factory=list, max_length=20)
    response_url: str = Field("", max_length=2_000)
    state: dict[str, Any] = Field(default_factory=dict)


class SlackButtons:
    """Implements `Buttons`. `apps` maps the signing secret of each Slack app to its people: Slack's id of a user -> the
    name of a token."""

    def __init__(
        self, apps: Mapping[str, Mapping[str, str]], *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._apps = apps
        self._transport = transport

    def read(self, body: bytes, headers: Mapping[str, str], *, now: float) -> Press | None:
        signature = headers.get(SIGNATURE, "")
        people = self._authenticate(body, signature, headers.get(TIMESTAMP, ""), now)
        payload = _read(body)
        pressed = next((each for each in payload.actions if each.action_id in (APPROVE, REJECT)), None)
        if payload.type != "block_actions" or pressed is None:
            return None  # such as a click on the link to the page
        approve = pressed.action_id == APPROVE
        return Press(
            user=payload.user.id,
            person=people.get(payload.user.id, ""),
            approval_id=ApprovalId(pressed.value),
            approve=approve,
            reason=_reason(payload.state) or ("" if approve else NO_REASON),
            reply_to=payload.response_url,
            signature=signature,
        )

    async def reply(self, press: Press, text: str, *, is_final: bool) -> None:
        if not _is_slacks(press.reply_to):
            logger.warning("not replied: the address is not Slack's", extra={"url": press.reply_to[:60]})
            return
        section = {"type": "section", "text": {"type": "mrkdwn", "text": inert(text)}}
        message = {"text": inert(text), "blocks": [section], "replace_original": is_final}
        if not is_final:
            message["response_type"] = "ephemeral"
        try:
            await Poster("Slack", press.reply_to, transport=self._transport).post(json=message)
        except AwfError as error:  # the decision stands, whoever hears of it
            logger.warning("reply in Slack failed", extra={"error": error.message})

    def _authenticate(self, body: bytes, signature: str, timestamp: str, now: float) -> Mapping[str, str]:
        """Return the people of the app that signed. Raises Unauthorized."""
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            raise Unauthorized("the request has no X-Slack-Request-Timestamp")
        if abs(now - int(timestamp)) > MAX_AGE_S:
            raise Unauthorized(
                f"Slack signed this {abs(now - int(timestamp)):.0f} s away from this clock, more than {MAX_AGE_S} s",
                hint="Set the clock; an old request may also be a replay.",
            )
        people = next(
            (each for secret, each in self._apps.items() if _is_signed(secret, body, signature, timestamp)),
            None,
        )
        if people is None:
            raise Unauthorized(
                "the request's X-Slack-Signature does not match its body",
                hint="Set signing_secret of the channel to the Signing Secret of the Slack app.",
            )
        return people


def sign(secret: str, body: bytes, timestamp: str) -> str:
    """Return Slack's signature, version 0."""
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def blocks(approval_id: ApprovalId) -> list[dict[str, Any]]:
    """Return the blocks by which a question is answered in the chat."""
    reason = {
        "type": "input", "block_id": REASON, "optional": True,
        "label": {"type": "plain_text", "text": "Reason"},
        "element": {"type": "plain_text_input", "action_id": REASON, "max_length": 1_000},
    }  # fmt: skip
    buttons = [
        _button(APPROVE, "Approve", "primary", approval_id),
        _button(REJECT, "Reject", "danger", approval_id),
    ]
    return [reason, {"type": "actions", "elements": buttons}]


def _button(action_id: str, label: str, style: str, approval_id: ApprovalId) -> dict[str, Any]:
    def text(words: str) -> dict[str, str]:
        return {"type": "plain_text", "text": words}

    confirm = {
        "title": text(f"{label}?"), "confirm": text(label), "deny": text("Cancel"),
        "text": text("It counts as your decision and is kept in the audit log."),
    }  # fmt: skip
    return {
        "type": "button", "action_id": action_id, "text": text(label), "style": style, "value": approval_id,
        "confirm": confirm,
    }  # fmt: skip


def _is_signed(secret: str, body: bytes, signature: str, timestamp: str) -> bool:
    expected = sign(secret, body, timestamp)
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


def _is_slacks(address: str) -> bool:
    """Whether a reply may go there: what is posted to must not be chosen by who sent the request."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    # The raw host, as it is resolved: decoding a name that is none would raise.
    is_their_host = url.raw_host in REPLY_HOSTS and url.port in (None, 443)
    return url.scheme == "https" and is_their_host and not url.userinfo


def _read(body: bytes) -> _Payload:
    try:
        (payload,) = parse_qs(body.decode(), strict_parsing=True, max_num_fields=10)["payload"]
        return _Payload.model_validate(json.loads(payload))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise InvalidInput(
            f"Slack's payload: {where}: {error.errors()[0]['msg']}", field="payload"
        ) from error
    except (ValueError, KeyError, RecursionError) as error:
        raise InvalidInput("the body is no form with one `payload` of JSON", field="payload") from error


def _reason(state: Mapping[str, Any]) -> str:
    """Return what was written beside the buttons. Whatever its shape is, it is no reason to fail."""
    found: Any = state
    for key in ("values", REASON, REASON, "value"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found.strip()[:1_000] if isinstance(found, str) else ""
