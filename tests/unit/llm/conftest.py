"""The watcher's own small system."""

from __future__ import annotations

from tests.unit.agents.conftest import system

__all__ = ["system"]
