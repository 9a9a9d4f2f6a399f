"""The one way in for telemetry of every protocol: bounded bytes under way, decoded, stored durably, then answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from awf.core.clock import unix_ns
from awf.embedded.contracts import Sink
from awf.embedded.intake import Intake
from awf.errors import Overloaded

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_BYTES_IN_FLIGHT = 64 * 1024 * 1024
RETRY_AFTER_S = 1


class Inlet:
    """Takes requests; when `take` returns, what was not refused is on disk."""

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
        # A thread of its own: in the shared pool, slow queries would hold up what comes in. Only one: decoders
        # remember what they have seen.
        self._decoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="awf-decode")

    @property
    def bytes_in_flight(self) -> int:
        return self._bytes_in_flight

    async def take(self, decode: Callable[[Intake], object], *, size_bytes: int, protocol: str) -> Intake:
        """Let `decode` fill rows and store them; returns what was refused beside them.

        Raises what `decode` raises, Overloaded when too much is under way, Unavailable when the store fails.
        """
        if self._bytes_in_flight and self._bytes_in_flight + size_bytes > self._max_bytes:
            raise Overloaded(f"{self._bytes_in_flight} bytes are being received", hint="Send again later.")
        self._bytes_in_flight += size_bytes
        try:
            intake = self._intake()
            await asyncio.get_running_loop().run_in_executor(self._decoding, decode, intake)
            refusal = await self._sink.write(
                samples=intake.samples,
                metadata=intake.metadata,
                exemplars=intake.exemplars,
                logs=intake.logs,
                spans=intake.spans,
            )
        finally:
            self._bytes_in_flight -= size_bytes
        if refusal is not None:
            intake.refuse(refusal.reason, refusal.count)
        if intake.refused:
            fields = {"protocol": protocol, "refused": intake.refused, "reasons": intake.message}
            logger.warning("telemetry entries refused", extra=fields)
        return intake

    def close(self) -> None:
        self._decoding.shutdown(wait=False, cancel_futures=True)

    def _intake(self) -> Intake:
        now_ns = self._now_ns()
        return Intake(now_ns, now_ns - self._retention_ns if self._retention_ns else 0)
