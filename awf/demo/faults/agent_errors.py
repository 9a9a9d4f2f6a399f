"""One agent fails almost every time; another agent could do its step."""

from __future__ import annotations

from awf.demo.fault import Fault, failing
from awf.demo.world import AGENT

START, STOP = failing(AGENT, "upstream_error", "provider returned 502: bad gateway")

SPEC = Fault(
    "agent_errors",
    "Agent {target} fails {level:.0%} of its calls (upstream_error).",
    START,
    STOP,
    aims_at=AGENT,
    target="writer-llm",
    levels=(0.5, 1.0),
    intensity=0.9,
)
