"""What both transports share: decode, store durably, then answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from awf.core.clock import unix_ns
from awf.embedded.model import Sink
from awf.embedded.otlp.signals import Signal
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
        max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT,
    ) -> None:
        self._sink = sink
        self._now_ns = now_ns
        self._max_bytes = max_bytes_in_flight
        self._bytes_in_flight = 0
        # A thread of its own: in the shared pool, slow queries would hold up what comes in.
        self._decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="awf-otlp-decode")

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
            work = partial(signal.decode, body, is_json=is_json, now_ns=self._now_ns())
            rows = await asyncio.get_running_loop().run_in_executor(self._decoder, work)
            await self._sink.write(
                samples=rows.samples,
                metadata=rows.metadata,
                exemplars=rows.exemplars,
                logs=rows.logs,
                spans=rows.spans,
            )
        finally:
            self._bytes_in_flight -= len(body)
        if rows.refused:
            logger.warning(
                "otlp entries refused",
                extra={"signal": signal.name, "refused": rows.refused, "reasons": rows.message},
            )
        return signal.answer(rows)

    def close(self) -> None:
        self._decoder.shutdown(wait=False, cancel_futures=True)
