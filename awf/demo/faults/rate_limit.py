"""A provider refuses: agents that run on it are told 429."""

from __future__ import annotations

from awf.demo.fault import Fault, failing
from awf.demo.world import PROVIDER

START, STOP = failing(PROVIDER, "rate_limit", "provider returned 429: too many requests")

SPEC = Fault(
    "rate_limit",
    "Provider {target} answers 429 to {level:.0%} of all calls (rate_limit).",
    START,
    STOP,
    aims_at=PROVIDER,
    target="openai",
    levels=(0.6, 1.0),
)
