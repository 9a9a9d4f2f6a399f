"""A system that agents of several workflows call is down. No fallback agent exists for those."""

from __future__ import annotations

from awf.demo.fault import Fault, failing
from awf.demo.world import DEPENDENCY

START, STOP = failing(
    DEPENDENCY, "dependency_error", "{target}: connect to {target}.internal failed: connection refused"
)

SPEC = Fault(
    "dependency_down",
    "{target} refuses {level:.0%} of all connections (dependency_error).",
    START,
    STOP,
    aims_at=DEPENDENCY,
    target="search-index",
    levels=(0.75, 1.0),
)
