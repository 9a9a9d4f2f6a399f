"""Notices by Apprise: one address of any of the services that it knows (Teams, Telegram, ntfy, Matrix, SMS gateways...).

The address is the operator's and usually holds secrets: it is never shown, and nothing of a notice gets into it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from pydantic import SecretStr

from awf.core.notices import Notice, NoticeKind
from awf.errors import ConfigError, MissingDependency, Unavailable
from awf.notify import NotifierSpec, Options
from awf.notify._text import quiet

if TYPE_CHECKING:
    from apprise import Apprise


class AppriseOptions(Options):
    """An address as Apprise writes it, such as `ntfys://ntfy.example.com/awf`."""

    url: SecretStr


class AppriseNotifier:
    """Implements `Notifier`. Raises MissingDependency without Apprise, ConfigError for an address that is none."""

    def __init__(self, options: AppriseOptions) -> None:
        self._service, _, _ = options.url.get_secret_value().partition("://")
        self._apprise = _open(options.url.get_secret_value())

    async def send(self, notice: Notice, *, thread: str) -> str:
        link = f"\n{notice.link}" if notice.link else ""
        body = f"{quiet(notice.text)}{link}"
        is_taken = await asyncio.to_thread(
            self._apprise.notify,
            body=body,
            title=quiet(notice.title),
            notify_type=_type(notice),
            body_format="text",
        )
        if not is_taken:
            raise Unavailable(
                f"Apprise could not hand it to {self._service}://",
                hint="Check the address with `apprise -vv`.",
            )
        return ""


def _open(url: str) -> Apprise:
    try:
        import apprise
    except ImportError as error:
        raise MissingDependency(
            "channels of the type apprise need Apprise", hint="pip install 'awf[notify]'"
        ) from error
    # Nothing is loaded from plugin folders. Its own log shows an address that it cannot read, secrets and all.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(app_id="AWF", app_desc="AWF", plugin_paths=[], secure_logging=True)
    opened = apprise.Apprise(asset=asset)
    if not opened.add(url):
        raise ConfigError(
            "the url is no address that Apprise knows",
            hint="https://appriseit.com lists what they look like.",
        )
    return opened


def _type(notice: Notice) -> str:
    if notice.kind is NoticeKind.ENDED:
        return "success"
    return {"critical": "failure", "error": "failure", "warning": "warning"}.get(notice.severity, "info")


SPEC = NotifierSpec("apprise", "Sends notices to any service of Apprise.", AppriseOptions, AppriseNotifier)
