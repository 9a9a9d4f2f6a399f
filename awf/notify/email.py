"""Notices by e-mail, one thread an incident."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal

from pydantic import Field, SecretStr

from awf.core.escape import plain_text
from awf.core.notices import Notice
from awf.errors import Unavailable
from awf.notify import NotifierSpec, Options

TIMEOUT_S = 10.0


class EmailOptions(Options):
    """`encryption`: `starttls` (usually port 587), `tls` (465), or `none` for a relay on this machine."""

    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65_535)
    sender: str = Field(min_length=3)
    to: tuple[str, ...] = Field(min_length=1)
    username: str = ""
    password: SecretStr = SecretStr("")
    encryption: Literal["starttls", "tls", "none"] = "starttls"


class EmailNotifier:
    """Implements `Notifier`. The certificate of the server has to be valid."""

    def __init__(self, options: EmailOptions) -> None:
        self._options = options

    async def send(self, notice: Notice, *, thread: str) -> str:
        message = _letter(notice, self._options, thread)
        try:
            await asyncio.to_thread(self._deliver, message)
        except (OSError, smtplib.SMTPException) as error:
            where = f"{self._options.host}:{self._options.port}"
            raise Unavailable(f"the mail server {where} did not take it: {str(error)[:200]}") from error
        return str(message["Message-ID"])

    def _deliver(self, message: EmailMessage) -> None:
        options = self._options
        if options.encryption == "tls":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                options.host, options.port, timeout=TIMEOUT_S, context=context
            )
        else:
            server = smtplib.SMTP(options.host, options.port, timeout=TIMEOUT_S)
        with server:
            if options.encryption == "starttls":
                server.starttls(context=ssl.create_default_context())
            if options.username:
                server.login(options.username, options.password.get_secret_value())
            server.send_message(message)


def _letter(notice: Notice, options: EmailOptions, thread: str) -> EmailMessage:
    message = EmailMessage()
    # One subject an incident, so that mail programs without References see one thread too.
    message["Subject"] = plain_text(f"[AWF] {notice.incident_id}: {notice.title}", 200)
    message["From"], message["To"] = options.sender, ", ".join(options.to)
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{notice.id.replace('/', '.')}@awf>"
    if thread:
        message["In-Reply-To"] = message["References"] = thread
    link = f"\n\n{notice.link}" if notice.link else ""
    message.set_content(f"{plain_text(notice.text, 5_000)}\n\nSeverity: {notice.severity}{link}\n")
    return message


SPEC = NotifierSpec("email", "Sends notices by e-mail.", EmailOptions, EmailNotifier)
