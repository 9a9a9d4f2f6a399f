"""What each kind of channel sends, what it refuses, and that no text of an alert becomes markup."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from email import message_from_string
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from awf.core.notices import Notice, NoticeKind
from awf.core.ports import Notifier
from awf.core.registry import discover
from awf.core.types import ApprovalId, IncidentId
from awf.errors import ConfigError, Unavailable
from awf.notify import NotifierSpec
from awf.notify.apprise import AppriseNotifier, AppriseOptions
from awf.notify.email import EmailNotifier, EmailOptions
from awf.notify.pagerduty import PagerDutyNotifier, PagerDutyOptions
from awf.notify.slack import SlackNotifier, SlackOptions
from awf.notify.webhook import WebhookNotifier, WebhookOptions

NOTICE = Notice(
    "inc_1/told/abc", IncidentId("inc_1"), NoticeKind.TOLD, "AWF incident inc_1", "writer fails", "critical",
    "http://awf/ui/incidents/inc_1",
)  # fmt: skip
NASTY = replace(NOTICE, text="<!channel> a & b\n<https://evil|approve>")
INERT = "&lt;!channel&gt; a &amp; b &lt;https://evil|approve&gt;"


class Asked(list[httpx.Request]):
    """Requests that were sent; each is answered as a test says."""

    def __init__(self, status: int = 200, body: Any = None) -> None:
        super().__init__()
        self._answer = lambda: httpx.Response(status, json=body)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(lambda request: self.append(request) or self._answer())

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self]


def test_every_channel_is_found_by_its_file() -> None:
    assert set(discover("awf.notify", NotifierSpec)) == {
        "log", "webhook", "slack", "pagerduty", "email", "apprise",
    }  # fmt: skip


async def test_the_log_channel_writes_a_structured_record(caplog: pytest.LogCaptureFixture) -> None:
    spec = discover("awf.notify", NotifierSpec)["log"]
    with caplog.at_level(logging.WARNING):
        await spec.open(spec.options()).send(NOTICE, thread="")
    assert caplog.records[0].__dict__["text"] == "writer fails"


class TestWebhook:
    async def test_it_posts_what_happened_and_signs_it_by_standard_webhooks(self) -> None:
        asked, key = Asked(), b"k" * 24
        options = WebhookOptions(
            url=SecretStr("https://hooks.example/abc"),
            secret=SecretStr("whsec_" + base64.b64encode(key).decode()),
        )
        await WebhookNotifier(options, transport=asked.transport, now=lambda: 1_700_000_000.5).send(
            NASTY, thread=""
        )
        assert str(asked[0].url) == "https://hooks.example/abc"
        assert asked.bodies[0] == {
            "id": "inc_1/told/abc", "incident_id": "inc_1", "kind": "told", "title": "AWF incident inc_1",
            "text": f"AWF incident inc_1: {INERT}", "severity": "critical", "link": "http://awf/ui/incidents/inc_1",
        }  # fmt: skip
        signed = b"inc_1/told/abc.1700000000." + asked[0].content
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert asked[0].headers["webhook-signature"] == f"v1,{expected}"
        assert asked[0].headers["webhook-id"] == "inc_1/told/abc"

    async def test_without_a_secret_nothing_is_signed(self) -> None:
        asked = Asked()
        options = WebhookOptions(url=SecretStr("https://hooks.example/abc"))
        await WebhookNotifier(options, transport=asked.transport).send(NOTICE, thread="")
        assert "webhook-signature" not in asked[0].headers

    @pytest.mark.parametrize("status", [302, 404, 500])
    async def test_one_that_does_not_take_it_is_unavailable_and_its_address_stays_secret(
        self, status: int
    ) -> None:
        options = WebhookOptions(url=SecretStr("https://user:pw@hooks.example/secret-path"))
        with pytest.raises(Unavailable, match=str(status)) as caught:
            await WebhookNotifier(options, transport=Asked(status).transport).send(NOTICE, thread="")
        assert "secret" not in str(caught.value)
        assert "pw" not in str(caught.value)

    @pytest.mark.parametrize("url", ["", "ftp://x/y", "hooks.example"])
    def test_an_address_that_is_none_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigError, match="no address"):
            WebhookNotifier(WebhookOptions(url=SecretStr(url)))

    def test_a_secret_that_is_none_is_refused_and_not_shown(self) -> None:
        with pytest.raises(ConfigError, match="Base64") as caught:
            WebhookNotifier(WebhookOptions(url=SecretStr("https://x/"), secret=SecretStr("hush!")))
        assert "hush" not in str(caught.value)


class TestSlack:
    async def test_a_bot_answers_in_the_thread_of_the_first_message(self) -> None:
        asked = Asked(200, {"ok": True, "ts": "17.5"})
        options = SlackOptions(token=SecretStr("xoxb-1"), channel="#awf")
        notifier = SlackNotifier(options, transport=asked.transport)
        assert await notifier.send(NASTY, thread="") == "17.5"
        await notifier.send(replace(NOTICE, kind=NoticeKind.ASKED), thread="17.5")
        first, second = asked.bodies
        assert str(asked[0].url) == "https://slack.com/api/chat.postMessage"
        assert asked[0].headers["authorization"] == "Bearer xoxb-1"
        assert ("thread_ts" in first, second["thread_ts"]) == (False, "17.5")
        assert INERT in first["text"]
        assert INERT in first["blocks"][0]["text"]["text"]
        assert second["blocks"][1]["elements"][0]["text"]["text"] == "Decide"

    async def test_an_incoming_webhook_needs_no_token(self) -> None:
        asked = Asked()
        options = SlackOptions(webhook_url=SecretStr("https://hooks.slack.com/services/T/B/secret"))
        assert await SlackNotifier(options, transport=asked.transport).send(NOTICE, thread="") == ""
        assert asked[0].url.path == "/services/T/B/secret"
        assert "authorization" not in asked[0].headers

    async def test_what_slack_says_is_passed_on(self) -> None:
        options = SlackOptions(token=SecretStr("xoxb-1"), channel="#gone")
        notifier = SlackNotifier(
            options, transport=Asked(200, {"ok": False, "error": "channel_not_found"}).transport
        )
        with pytest.raises(Unavailable, match="channel_not_found"):
            await notifier.send(NOTICE, thread="")

    def test_neither_a_token_nor_an_address_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="token and channel, or webhook_url"):
            SlackNotifier(SlackOptions(token=SecretStr("xoxb-1")))

    async def test_a_question_has_buttons_where_they_are_set_up(self) -> None:
        asked = Asked()
        options = SlackOptions(
            webhook_url=SecretStr("https://hooks.slack.com/x"),
            signing_secret=SecretStr("s"),
            people={"U1": "ana"},
        )
        notifier = SlackNotifier(options, transport=asked.transport)
        question = replace(NOTICE, kind=NoticeKind.ASKED, approval_id=ApprovalId("apr_1"))
        await notifier.send(question, thread="")
        await notifier.send(NOTICE, thread="")
        first, second = ([block["type"] for block in body["blocks"]] for body in asked.bodies)
        assert (first, second) == (["section", "input", "actions", "actions"], ["section", "actions"])
        approve, reject = asked.bodies[0]["blocks"][2]["elements"]
        assert (approve["action_id"], approve["value"]) == ("awf.approve", "apr_1")
        assert (reject["action_id"], reject["value"]) == ("awf.reject", "apr_1")
        assert asked.bodies[0]["blocks"][3]["elements"][0]["text"]["text"] == "Open incident"


class TestApprise:
    async def test_it_hands_over_plain_text(self) -> None:
        came: list[tuple[str, Any]] = []
        with _hook(came, 204) as address:
            notifier = AppriseNotifier(AppriseOptions(url=SecretStr(f"json://{address}/awf")))
            assert await notifier.send(NASTY, thread="") == ""
        ((path, body),) = came
        assert (path, body["title"], body["type"]) == ("/awf", "AWF incident inc_1", "failure")
        assert body["message"].splitlines() == [
            "‹!channel› a & b ‹https://evil|approve›",
            "http://awf/ui/incidents/inc_1",
        ]

    async def test_one_that_does_not_take_it_is_unavailable_and_its_address_stays_secret(self) -> None:
        with _hook([], 500) as address:
            notifier = AppriseNotifier(AppriseOptions(url=SecretStr(f"json://user:pw@{address}/secret")))
            with pytest.raises(Unavailable, match="json://") as caught:
                await notifier.send(NOTICE, thread="")
        assert "secret" not in str(caught.value)
        assert "pw" not in str(caught.value)

    @pytest.mark.parametrize("url", ["", "nosuch://x", "hush"])
    def test_an_address_that_is_none_is_refused_and_not_shown(self, url: str) -> None:
        with pytest.raises(ConfigError, match="no address that Apprise knows") as caught:
            AppriseNotifier(AppriseOptions(url=SecretStr(url)))
        assert "hush" not in str(caught.value)


class TestPagerDuty:
    async def test_one_alert_an_incident_is_opened_and_resolved(self) -> None:
        asked = Asked(202)
        notifier = PagerDutyNotifier(PagerDutyOptions(routing_key=SecretStr("R1")), transport=asked.transport)
        await notifier.send(replace(NOTICE, severity="none", text="x" * 3_000), thread="")
        await notifier.send(replace(NOTICE, kind=NoticeKind.ENDED), thread="")
        opened, ended = asked.bodies
        assert (opened["event_action"], opened["dedup_key"], opened["payload"]["severity"]) == (
            "trigger", "inc_1", "warning",
        )  # fmt: skip
        assert len(opened["payload"]["summary"]) == 1024
        assert ended == {"routing_key": "R1", "dedup_key": "inc_1", "event_action": "resolve"}

    async def test_a_wrong_key_is_unavailable_with_its_answer(self) -> None:
        transport = Asked(400, {"status": "invalid event"}).transport
        notifier = PagerDutyNotifier(PagerDutyOptions(routing_key=SecretStr("R1")), transport=transport)
        with pytest.raises(Unavailable, match=r"400.*invalid event"):
            await notifier.send(NOTICE, thread="")


class TestEmail:
    async def test_it_is_delivered_with_one_thread_an_incident(self) -> None:
        async with _mail_server() as (port, letters):
            options = EmailOptions(
                host="127.0.0.1", port=port, sender="awf@example.com", to=("a@example.com", "b@example.com"),
                encryption="none",
            )  # fmt: skip
            notifier: Notifier = EmailNotifier(options)
            first = await notifier.send(NOTICE, thread="")
            await notifier.send(
                replace(NASTY, id="inc_1/ended/1", title="x\r\nBcc: evil@example.com"), thread=first
            )
        opened, ended = map(message_from_string, letters)
        assert (opened["Message-ID"], ended["References"]) == (first, first)
        assert ended["Bcc"] is None
        assert opened["To"] == "a@example.com, b@example.com"
        assert "writer fails" in opened.get_payload()
        assert NOTICE.link in opened.get_payload()

    async def test_a_server_that_is_not_there_is_unavailable(self) -> None:
        options = EmailOptions(host="127.0.0.1", port=1, sender="awf@example.com", to=("a@example.com",))
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 did not take it"):
            await EmailNotifier(options).send(NOTICE, thread="")

    def test_a_letter_without_a_receiver_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="to"):
            EmailOptions(host="h", sender="awf@example.com", to=())


@contextmanager
def _hook(came: list[tuple[str, Any]], status: int) -> Iterator[str]:
    """Take JSON at an address of this machine, and answer with a status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@asynccontextmanager
async def _mail_server() -> AsyncIterator[tuple[int, list[str]]]:
    """Speak as much SMTP as one client needs, on a real socket."""
    letters: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers: dict[str, Callable[[], bytes]] = {
            "DATA": lambda: b"354 go on\r\n",
            "QUIT": lambda: b"221 bye\r\n",
        }
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            verb = line[:4].decode().upper().strip()
            writer.write(answers.get(verb, lambda: b"250 ok\r\n")())
            if verb == "DATA":
                body = await reader.readuntil(b"\r\n.\r\n")
                letters.append(body.decode()[:-5].replace("\r\n", "\n"))
                writer.write(b"250 taken\r\n")
            if verb == "QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], letters
    finally:
        server.close()
        await server.wait_closed()
