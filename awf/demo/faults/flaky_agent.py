"""One agent fails every second or third time: retries hide it from users, and multiply its load."""

from __future__ import annotations

from awf.demo.fault import Fault, failing
from awf.demo.world import AGENT

START, STOP = failing(AGENT, "connection_error", "connection reset by peer while reading the response")

SPEC = Fault(
    "flaky_agent",
    "Agent {target} fails {level:.0%} of its calls (connection_error).",
    START,
    STOP,
    aims_at=AGENT,
    target="fact-checker",
    levels=(0.35, 0.6),
    intensity=0.4,
)
