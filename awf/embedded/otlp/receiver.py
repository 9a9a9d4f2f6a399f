"""What both transports share: decode, store durably, then answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from awf.core.clock import unix_ns
from awf.embedded.intake import Intake
from awf.embedded.model import Sink
from awf.embedded.otlp.signals import SIGNALS, Signal
from awf.errors import Overloaded

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
RETRY_AFTER_S = 1


class Receiver:
    """Takes requests of all three signals. An answer means that the rows are on disk."""

    def __init__(
        self,
        sink: Sink,
        *,
        now_ns: Callable[[], int] = unix_ns,
        retention_ns: int | None = None,
        max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT,
    ) -> None:
        self._sink = sink
        self._now_ns = now_ns
        self._retention_ns = retention_ns
        self._max_bytes = max_bytes_in_flight
        self._bytes_in_flight = 0
        # A thread of its own: in the shared pool, slow queries would hold up what comes in.
        self._decoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="awf-otlp-decode")
        self._decoders = {signal.name: signal.decoder() for signal in SIGNALS}

    @property
    def bytes_in_flight(self) -> int:
        return self._bytes_in_flight

    async def export(self, signal: Signal, body: bytes, *, is_json: bool = False) -> Any:
        """Store a request and return its response message.

        Raises MalformedPayload, Overloaded when too much is under way, Unavailable when the store fails.
        """
        if self._bytes_in_flight and self._bytes_in_flight + len(body) > self._max_bytes:
            raise Overloaded(f"{self._bytes_in_flight} bytes are being received", hint="Send again later.")
        self._bytes_in_flight += len(body)
        try:
            decoder, intake = self._decoders[signal.name], self._intake()
            work = partial(signal.decode, decoder, body, is_json=is_json, intake=intake)
            await asyncio.get_running_loop().run_in_executor(self._decoding, work)
            await self._sink.write(
                samples=intake.samples,
                metadata=intake.metadata,
                exemplars=intake.exemplars,
                logs=intake.logs,
                spans=intake.spans,
            )
        finally:
            self._bytes_in_flight -= len(body)
        if intake.refused:
            logger.warning(
                "otlp entries refused",
                extra={"signal": signal.name, "refused": intake.refused, "reasons": intake.message},
            )
        return signal.answer(intake)

    def _intake(self) -> Intake:
        now_ns = self._now_ns()
        return Intake(now_ns, now_ns - self._retention_ns if self._retention_ns else 0)

    def close(self) -> None:
        self._decoding.shutdown(wait=False, cancel_futures=True)
