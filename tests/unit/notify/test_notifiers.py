from __future__ import annotations

import json
import logging

import httpx
import pytest

from awf.core.registry import discover
from awf.errors import ConfigError, Unavailable
from awf.notify import NotifierSpec
from awf.notify.webhook import WebhookNotifier


def test_every_channel_is_found_by_its_file() -> None:
    assert set(discover("awf.notify", NotifierSpec)) == {"log", "webhook"}


async def test_the_log_channel_writes_a_structured_record(caplog: pytest.LogCaptureFixture) -> None:
    notifier = discover("awf.notify", NotifierSpec)["log"].open({})
    with caplog.at_level(logging.WARNING):
        await notifier.send("title", "text", severity="critical", link="http://x/")
    assert caplog.records[0].__dict__["text"] == "text"


async def test_the_webhook_posts_what_happened() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    notifier = WebhookNotifier("https://hooks.example/abc", transport=httpx.MockTransport(answer))
    await notifier.send("Incident 1", "writer fails", severity="critical", link="http://awf/ui/incidents/1")
    assert str(asked[0].url) == "https://hooks.example/abc"
    assert json.loads(asked[0].content) == {
        "title": "Incident 1", "text": "Incident 1: writer fails", "severity": "critical",
        "link": "http://awf/ui/incidents/1",
    }  # fmt: skip


async def test_what_a_label_says_is_no_markup_in_a_chat() -> None:
    asked: list[httpx.Request] = []
    transport = httpx.MockTransport(lambda request: asked.append(request) or httpx.Response(200))
    notifier = WebhookNotifier("https://hooks.example/abc", transport=transport)
    await notifier.send("Incident 1", "<!channel> a & b\n<https://evil|approve>", severity="none")
    said = json.loads(asked[0].content)["text"]
    assert said == "Incident 1: &lt;!channel&gt; a &amp; b &lt;https://evil|approve&gt;"


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_webhook_that_does_not_take_it_is_unavailable(status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    notifier = WebhookNotifier("https://user:pw@hooks.example/secret-path", transport=transport)
    with pytest.raises(Unavailable, match=str(status)) as caught:
        await notifier.send("a", "b", severity="none")
    assert "secret" not in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "ftp://x/y", "hooks.example"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        discover("awf.notify", NotifierSpec)["webhook"].open({"url": url})
