"""Who carries an incident on, when several services share the state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from awf.core.types import IncidentId


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry an incident on. Every later lease has a higher `token`, and ends this one."""

    incident_id: IncidentId
    token: int


@dataclass(frozen=True, slots=True)
class Replica:
    """A service that shares the state, as its heartbeat tells: since when, without a gap, and until when."""

    name: str
    since: datetime
    seen_at: datetime
    is_living: bool
