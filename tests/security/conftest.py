"""The watcher over state in memory, and the API over it, as their own tests have them."""

from __future__ import annotations

from tests.unit.agents.conftest import system
from tests.unit.api.conftest import api

__all__ = ["api", "system"]
