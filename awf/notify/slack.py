"""Notices in Slack: with a bot's token one thread an incident, with an incoming webhook one message each; with the
app's signing secret they have buttons that decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx
from pydantic import Field, SecretStr

from awf.core.notices import Notice, NoticeKind
from awf.core.ports import Buttons
from awf.errors import ConfigError, Unavailable
from awf.notify import NotifierSpec, Options, _slack_buttons
from awf.notify._posting import Poster
from awf.notify._text import inert

API = "https://slack.com/api/"
_MARKS = {
    NoticeKind.TOLD: ":rotating_light:",
    NoticeKind.ASKED: ":raised_hand:",
    NoticeKind.ENDED: ":white_check_mark:",
}


class SlackOptions(Options):
    """Either a bot's token (scope chat:write) and a channel, or the address of an incoming webhook. With a signing secret
    those of `people` (Slack's id of a user: name of a token) may decide by buttons."""

    token: SecretStr = SecretStr("")
    channel: str = ""
    webhook_url: SecretStr = SecretStr("")
    api_url: str = API
    signing_secret: SecretStr = SecretStr("")
    people: dict[str, str] = Field(default_factory=dict)


class SlackNotifier:
    """Implements `Notifier`. Raises ConfigError when there is neither a token nor an address."""

    def __init__(self, options: SlackOptions, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        token, webhook = options.token.get_secret_value(), options.webhook_url.get_secret_value()
        if not webhook and not (token and options.channel):
            raise ConfigError(
                "Slack needs token and channel, or webhook_url", hint="Set one of the two ways."
            )
        self._has_buttons = bool(options.signing_secret.get_secret_value())
        if self._has_buttons != bool(options.people):
            raise ConfigError(
                "buttons in Slack need both signing_secret and people",
                hint="people: {U024BE7LH: alice} says that this user of Slack is the token alice here.",
            )
        self._is_webhook = bool(webhook)
        self._channel = options.channel
        url = webhook or f"{options.api_url.rstrip('/')}/chat.postMessage"
        self._address = Poster("Slack", url, token="" if webhook else token, transport=transport)

    async def send(self, notice: Notice, *, thread: str) -> str:
        message = _message(notice, has_buttons=self._has_buttons)
        if not self._is_webhook:
            message |= {"channel": self._channel} | ({"thread_ts": thread} if thread else {})
        response = await self._address.post(json=message)
        if response.status_code != 200:
            raise Unavailable(
                f"Slack answered {response.status_code}", hint="Check the token or the address."
            )
        if self._is_webhook:
            return ""
        answer: dict[str, Any] = response.json()
        if not answer.get("ok"):
            raise Unavailable(
                f"Slack says {str(answer.get('error'))[:100]!r}", hint="Check token and channel."
            )
        return str(answer.get("ts", ""))


def buttons_of(channels: Iterable[SlackOptions]) -> Buttons | None:
    """Return what takes the decisions of these channels, None when no channel has buttons."""
    apps: dict[str, dict[str, str]] = {}
    for each in channels:
        if each.people:
            apps.setdefault(each.signing_secret.get_secret_value(), {}).update(each.people)
    return _slack_buttons.SlackButtons(apps) if apps else None


def _message(notice: Notice, *, has_buttons: bool) -> dict[str, Any]:
    title, text = inert(notice.title), inert(notice.text)
    section = {
        "type": "section",
        "text": {"type": "mrkdwn", "text": f"{_MARKS[notice.kind]} *{title}*\n{text}"},
    }
    blocks: list[dict[str, Any]] = [section]
    label = "Decide" if notice.kind is NoticeKind.ASKED else "Open incident"
    if has_buttons and notice.approval_id is not None:
        blocks += _slack_buttons.blocks(notice.approval_id)
        label = "Open incident"
    if notice.link:
        button = {"type": "button", "text": {"type": "plain_text", "text": label}, "url": notice.link}
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": f"{title}: {text}", "blocks": blocks, "unfurl_links": False}


SPEC = NotifierSpec("slack", "Posts notices to a Slack channel.", SlackOptions, SlackNotifier)
