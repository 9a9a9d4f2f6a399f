"""Buttons in Slack: Slack's signature, the user's name here, that name's rights now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from awf.core.incidents import ApprovalStatus
from awf.core.types import ApprovalId
from awf.notify._slack_buttons import APPROVE, NO_REASON, REASON, REJECT, SlackButtons, sign
from tests.unit.api._parts import Api, make_approval

PATH = "/webhooks/slack/actions"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
REPLY_TO = "https://hooks.slack.com/actions/T1/2/xyz"
PEOPLE = {"U1": "a-approver", "U2": "a-viewer", "U3": "gone", "U4": "a-admin", "U5": "awf-watcher"}
ONE = ApprovalId("apr_1")


class Slack:
    """Sends what Slack sends, and keeps what it is answered."""

    def __init__(self, api: Api) -> None:
        self.replies: list[tuple[str, Any]] = []
        transport = httpx.MockTransport(self._take)
        buttons = SlackButtons({SECRET: PEOPLE}, transport=transport)
        self.client = api.client(buttons=buttons)
        self._now = lambda: int(api.clock.now().timestamp())

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.replies.append((str(request.url), json.loads(request.content)))
        return httpx.Response(200, text="ok")

    def headers(self, body: bytes, *, secret: str = SECRET, age_s: int = 0) -> dict[str, str]:
        moment = str(self._now() - age_s)
        return {"X-Slack-Signature": sign(secret, body, moment), "X-Slack-Request-Timestamp": moment}

    async def send(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        headers = self.headers(body) if headers is None else headers
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.client.post(PATH, content=body, headers={**form, **headers})


def payload(user: str = "U1", action: str = APPROVE, **more: Any) -> bytes:
    made: dict[str, Any] = {
        "type": "block_actions", "user": {"id": user, "username": "x"}, "response_url": REPLY_TO,
        "actions": [{"action_id": action, "value": "apr_1", "type": "button"}], "trigger_id": "1", **more,
    }  # fmt: skip
    return f"payload={quote_plus(json.dumps(made))}".encode()


@pytest.fixture
async def slack(api: Api) -> Slack:
    await api.state.approvals.create(make_approval())
    return Slack(api)


async def status(api: Api) -> ApprovalStatus:
    return (await api.state.approvals.get(ONE)).status


def test_the_signature_is_that_of_slacks_documentation() -> None:
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert sign(SECRET, body, "1531420618") == expected


async def test_a_press_decides_and_takes_the_questions_place(api: Api, slack: Slack) -> None:
    assert (await slack.send(payload())).status_code == 200
    found = await api.state.approvals.get(ONE)
    assert (found.status, found.decided_by) == (ApprovalStatus.APPROVED, "a-approver")
    ((url, said),) = slack.replies
    assert (url, said["replace_original"]) == (REPLY_TO, True)
    assert "scale_workers was approved by a-approver" in said["text"]
    (entry,) = (await api.state.audit.list()).items
    assert (entry.actor, entry.detail["way"]) == ("a-approver", "Slack user U1")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"values": {REASON: {REASON: {"type": "plain_text_input", "value": " costs <much> "}}}}, "costs <much>"),
        ({"values": {REASON: {REASON: {"value": None}}}}, NO_REASON),
        ({"values": [1]}, NO_REASON),
        ({}, NO_REASON),
    ],
)  # fmt: skip
async def test_a_rejection_keeps_what_was_written_beside_it(
    api: Api, slack: Slack, state: dict[str, Any], reason: str
) -> None:
    await slack.send(payload(action=REJECT, state=state))
    found = await api.state.approvals.get(ONE)
    assert (found.status, found.reason) == (ApprovalStatus.REJECTED, reason)
    assert "<much>" not in slack.replies[0][1]["text"]


async def test_what_slack_did_not_sign_now_is_401(api: Api, slack: Slack) -> None:
    body = payload()
    good = slack.headers(body)
    for headers in (
        {},
        slack.headers(body, secret="guess"),
        slack.headers(body + b" "),
        slack.headers(body, age_s=301),
        slack.headers(body, age_s=-301),
        {**good, "X-Slack-Request-Timestamp": str(int(good["X-Slack-Request-Timestamp"]) + 1)},
        {**good, "X-Slack-Request-Timestamp": "soon"},
        {**good, "X-Slack-Request-Timestamp": "9" * 5_000},
        {**good, "X-Slack-Signature": "é".encode("latin-1")},
        {"X-Slack-Request-Timestamp": good["X-Slack-Request-Timestamp"]},
        {"Authorization": f"Bearer {api.tokens['admin']}"},
    ):
        assert (await slack.send(body, headers)).status_code == 401, headers  # type: ignore[arg-type]
    assert await status(api) is ApprovalStatus.PENDING
    assert slack.replies == []


async def test_a_replay_is_401_even_when_the_question_still_waits(api: Api) -> None:
    await api.state.approvals.create(replace(make_approval(), quorum=2))
    slack = Slack(api)
    body = payload()
    headers = slack.headers(body)
    assert (await slack.send(body, headers)).status_code == 200
    answer = await slack.send(body, headers)
    assert (answer.status_code, answer.json()["detail"]) == (401, "this request was here before")
    assert slack.replies[0][1]["response_type"] == "ephemeral"
    assert "1 of 2" in slack.replies[0][1]["text"]
    assert (await api.state.approvals.get(ONE)).approved_by == ("a-approver",)


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("U2", "has the role viewer"),
        ("U3", "gone has no token here"),
        ("U5", "awf-watcher has no token here"),
        ("U9", "Slack's user U9 is none of those"),
        ("<!channel>", "&lt;!channel&gt; is none"),
    ],
)
async def test_who_may_not_decide_is_told_so_alone(api: Api, slack: Slack, user: str, said: str) -> None:
    assert (await slack.send(payload(user))).status_code == 200
    assert await status(api) is ApprovalStatus.PENDING
    ((_, told),) = slack.replies
    assert (told["response_type"], told["replace_original"]) == ("ephemeral", False)
    assert said in told["text"]


async def test_a_role_counts_when_the_button_is_pressed(api: Api, slack: Slack) -> None:
    await api.state.tokens.revoke("a-approver")
    await slack.send(payload())
    assert await status(api) is ApprovalStatus.PENDING


async def test_a_button_pressed_late_shows_what_became_of_the_question(api: Api, slack: Slack) -> None:
    api.clock.moment += timedelta(hours=2)
    await slack.send(payload())
    assert "Nobody answered in time" in slack.replies[0][1]["text"]
    api.clock.moment -= timedelta(hours=2)
    await slack.send(payload(user="U4", action=REJECT))
    await slack.send(payload())
    assert "was rejected by a-admin" in slack.replies[-1][1]["text"]
    assert slack.replies[-1][1]["replace_original"] is True


async def test_many_presses_at_once_make_one_decision(api: Api, slack: Slack) -> None:
    await asyncio.gather(*(slack.send(payload(trigger_id=str(n))) for n in range(12)))
    assert await status(api) is ApprovalStatus.APPROVED
    assert len((await api.state.audit.list()).items) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://hooks.slack.com/x", "https://evil.example/hooks.slack.com", "https://hooks.slack.com.evil.example/",
        "https://hooks.slack.com@evil.example/", "https://hooks.slack.com:8443/x", "https://u:p@hooks.slack.com/x",
        "https://169.254.169.254/latest", "file:///etc/passwd", "https://hooks.slack.com\\@evil.example/", "", "é://",
        "https://[::1", "https://xn--hooks-slack/",
    ],
)  # fmt: skip
async def test_nothing_is_posted_to_an_address_that_is_not_slacks(
    api: Api, slack: Slack, address: str
) -> None:
    assert (await slack.send(payload(response_url=address))).status_code == 200
    assert await status(api) is ApprovalStatus.APPROVED
    assert slack.replies == []


@pytest.mark.parametrize(
    "body",
    [b"", b"payload=", b"payload=1&payload=2", b"payload=[]", b"payload=%7B%7D", b"\xff\xfe", b"payload=" + b"[" * 9_000,
     b"&".join(b"a=1" for _ in range(20))],
)  # fmt: skip
async def test_a_body_that_is_none_is_422(api: Api, slack: Slack, body: bytes) -> None:
    assert (await slack.send(body)).status_code == 422
    assert await status(api) is ApprovalStatus.PENDING


async def test_other_clicks_are_taken_and_mean_nothing(api: Api, slack: Slack) -> None:
    for body in (payload(action="open"), payload(type="view_submission"), payload(actions=[])):
        assert (await slack.send(body)).status_code == 200
    assert await status(api) is ApprovalStatus.PENDING


async def test_without_buttons_there_is_no_such_door(api: Api) -> None:
    answer = await api.client().post(PATH, content=payload())
    assert (answer.status_code, "signing_secret" in answer.json()["hint"]) == (404, True)
