"""What both transports of OTLP share: the decoders, and the answer."""

from __future__ import annotations

from functools import partial
from typing import Any

from awf.embedded.inlet import Inlet
from awf.embedded.otlp.signals import SIGNALS, Signal


class Receiver:
    """Takes requests of all three signals. An answer means that the rows are on disk."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._decoders = {signal.name: signal.decoder() for signal in SIGNALS}

    async def export(self, signal: Signal, body: bytes, *, is_json: bool = False) -> Any:
        """Store a request and return its response message. Raises MalformedPayload and what `Inlet.take` does."""
        decode = partial(signal.decode, self._decoders[signal.name], body, is_json)
        intake = await self._inlet.take(decode, size_bytes=len(body), protocol=f"otlp {signal.name}")
        return signal.answer(intake)
