"""A provider is down: every agent that runs on it fails."""

from __future__ import annotations

from awf.demo.fault import Fault, failing
from awf.demo.world import PROVIDER

START, STOP = failing(
    PROVIDER, "service_unavailable", "api.{target}.com returned 503: service temporarily unavailable"
)

SPEC = Fault(
    "provider_outage",
    "Provider {target} answers 503 to {level:.0%} of all calls (service_unavailable).",
    START,
    STOP,
    aims_at=PROVIDER,
    target="google",
    levels=(0.7, 1.0),
)
