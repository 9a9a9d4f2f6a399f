"""Hostile text in what people are told: no chat, letter, pager or terminal finds anything in it but text."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import httpx
import pytest
from pydantic import SecretStr

from awf.core.notices import Notice, NoticeKind
from awf.core.types import ApprovalId, IncidentId
from awf.notify._text import quiet
from awf.notify.email import EmailOptions, _letter
from awf.notify.pagerduty import PagerDutyNotifier, PagerDutyOptions
from awf.notify.slack import SlackNotifier, SlackOptions
from awf.notify.webhook import WebhookNotifier, WebhookOptions
from tests.security._strings import HOSTILE

BASE = Notice("n", IncidentId("inc_1"), NoticeKind.ASKED, "t", "t", "critical", "http://awf/ui/incidents/inc_1",
              ApprovalId("apr_1"))  # fmt: skip


def notice(text: str) -> Notice:
    return replace(BASE, title=text, text=text)


def is_tame(text: str) -> bool:
    """Whether a terminal or a page of text shows it as it stands: no control and no formatting characters."""
    return not any(unicodedata.category(char)[0] == "C" for char in text if char != "\n")


class Sent:
    def __init__(self, status: int = 200) -> None:
        self.bodies: list[str] = []
        self.transport = httpx.MockTransport(self.take)
        self.status = status

    def take(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.content.decode())
        return httpx.Response(self.status, json={"ok": True, "ts": "1"})


@pytest.mark.parametrize("text", HOSTILE)
async def test_slack_finds_no_markup_and_no_other_block(text: str) -> None:
    sent = Sent()
    options = SlackOptions(
        token=SecretStr("x"), channel="#a", signing_secret=SecretStr("s"), people={"U1": "ana"}
    )
    await SlackNotifier(options, transport=sent.transport).send(notice(text), thread="")
    message = json.loads(sent.bodies[0])
    for shown in (message["text"], message["blocks"][0]["text"]["text"]):
        assert "<" not in shown
        assert ">" not in shown
        assert is_tame(shown)
    assert [block["type"] for block in message["blocks"]] == ["section", "input", "actions", "actions"]
    values = [each.get("value") for block in message["blocks"][2:] for each in block["elements"]]
    assert values == ["apr_1", "apr_1", None]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_letter_is_one_plain_text_to_those_it_was_meant_for(text: str) -> None:
    options = EmailOptions(host="h", sender="awf@example.com", to=("oncall@example.com",))
    letter = message_from_bytes(
        _letter(notice(text), options, "<first@awf>").as_bytes(), policy=policy.default
    )
    assert isinstance(letter, EmailMessage)
    assert letter.get_content_type() == "text/plain"
    assert not letter.is_multipart()
    assert sorted(name.lower() for name in letter) == sorted(
        ["subject", "from", "to", "date", "message-id", "in-reply-to", "references", "content-type",
         "content-transfer-encoding", "mime-version"]
    )  # fmt: skip
    assert letter["To"] == "oncall@example.com"
    assert is_tame(str(letter["Subject"]))
    assert is_tame(letter.get_content())


@pytest.mark.parametrize("text", HOSTILE)
async def test_pager_and_webhook_get_it_as_text(text: str) -> None:
    pager, hook = Sent(202), Sent()
    options = PagerDutyOptions(routing_key=SecretStr("R"))
    await PagerDutyNotifier(options, transport=pager.transport).send(notice(text), thread="")
    event = json.loads(pager.bodies[0])
    assert is_tame(event["payload"]["summary"])
    assert (event["event_action"], event["dedup_key"], len(event["links"])) == ("trigger", "inc_1", 1)
    to = WebhookOptions(url=SecretStr("https://hooks.example/x"))
    await WebhookNotifier(to, transport=hook.transport).send(notice(text), thread="")
    told = json.loads(hook.bodies[0])
    assert "<" not in told["text"]
    assert is_tame(told["text"])
    assert set(told) == {"id", "incident_id", "kind", "title", "text", "severity", "link"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_chat_that_is_not_known_mentions_nobody_and_hides_no_link(text: str) -> None:
    shown = quiet(text)
    assert is_tame(shown)
    assert not [mark for mark in ("<", ">", "@", "](", "`") if mark in shown]
