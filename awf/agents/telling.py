"""Telling people: what is to be said is stored first, then sent to every channel until it is taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from awf.core import semconv as sc
from awf.core.clock import Clock
from awf.core.counters import Counters
from awf.core.notices import Letter, Notice, NoticeKind, Told
from awf.core.ports import Notifier, Outbox
from awf.errors import AwfError, StateUnavailable

logger = logging.getLogger(__name__)

SEND_TIMEOUT_S = 15.0
FIRST_AGAIN_S, LONGEST_AGAIN_S = 5.0, 600.0
GIVE_UP = timedelta(hours=24)
POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach people, and what goes there."""

    name: str
    notifier: Notifier
    kinds: frozenset[NoticeKind] = frozenset(NoticeKind)
    severities: frozenset[str] = frozenset()  # empty: all

    def takes(self, notice: Notice) -> bool:
        return notice.kind in self.kinds and (not self.severities or notice.severity in self.severities)


class Teller:
    """Implements `People`. An incident never waits for a channel longer than one attempt takes."""

    def __init__(
        self, outbox: Outbox, channels: Mapping[str, Channel], clock: Clock, counters: Counters
    ) -> None:
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._counters = counters
        self._sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Send what waits, until `aclose`."""
        self._sender = asyncio.create_task(self._send_forever(), name="notices")

    async def aclose(self) -> None:
        """Stop; what was not taken is sent by the next one."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait({self._sender})

    async def tell(self, notice: Notice) -> Told:
        wanted = [channel.name for channel in self._channels.values() if channel.takes(notice)]
        if notice.kind is NoticeKind.ENDED:  # who was not told that it began need not hear that it is over
            heard = await self._outbox.channels_of(notice.incident_id)
            wanted = [name for name in wanted if name in heard]
        if not wanted:
            return Told(())
        await self._outbox.put(notice, wanted)
        letters = await self._outbox.take(notice_id=notice.id)
        said = await asyncio.gather(*map(self._send, letters))
        pairs = list(zip(letters, said, strict=True))
        return Told(
            tuple(letter.channel for letter, error in pairs if not error),
            tuple(f"{letter.channel}: {error}" for letter, error in pairs if error),
        )

    async def deliver_due(self) -> int:
        """Send what is due once, and return how many letters that were."""
        letters = await self._outbox.take()
        await asyncio.gather(*map(self._send, letters))
        return len(letters)

    async def _send(self, letter: Letter) -> str:
        """Try once; return what went wrong, empty when the letter was taken."""
        channel = self._channels.get(letter.channel)
        if channel is None:
            return await self._failed(letter, "the channel is no longer set", is_last=True)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                thread = await channel.notifier.send(letter.notice, thread=letter.thread)
        except TimeoutError:
            error = f"no answer within {SEND_TIMEOUT_S:g} s"
        except AwfError as refused:
            error = refused.message
        except Exception as bug:  # boundary: a channel's bug must not end an incident, nor the other channels
            logger.exception("notice failed", extra={"channel": letter.channel})
            error = type(bug).__name__
        else:
            await self._outbox.sent(letter, letter.thread or thread)
            return ""
        is_last = self._clock.now() - letter.created_at > GIVE_UP
        return await self._failed(letter, error, is_last=is_last)

    async def _failed(self, letter: Letter, error: str, *, is_last: bool) -> str:
        again_in_s = None if is_last else min(FIRST_AGAIN_S * 2**letter.attempts, LONGEST_AGAIN_S)
        extra = {"channel": letter.channel, "incident_id": letter.notice.incident_id, "error": error}
        logger.warning("notice given up" if is_last else "notice not taken", extra=extra)
        self._counters.add(sc.WATCHER_FAILURES, stage="notifying")
        await self._outbox.failed(letter, error, again_in_s=again_in_s)
        return error

    async def _send_forever(self) -> None:
        while True:
            try:
                if not await self.deliver_due():
                    await self._clock.sleep(POLL_S)
            except StateUnavailable:
                await self._clock.sleep(POLL_S)
            except Exception:  # boundary: a database that hiccups must not end the sender
                logger.exception("sending notices failed")
                await self._clock.sleep(POLL_S)
