"""Who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, as the token says."""

    name: str
    role: str


ROLES = ("viewer", "worker", "operator", "approver", "admin")
"""`admin` may do everything; `worker` only what an engine needs; the rest each include `viewer`."""


class TokenStore(Protocol):
    async def create(self, name: str, role: str) -> str:
        """Make a token, store its hash and return the token itself, once."""
        ...

    async def ensure(self, name: str, role: str, token: str) -> None:
        """Make a given token valid, replacing the earlier one of that name."""
        ...

    async def authenticate(self, token: str) -> Principal | None: ...

    async def list(self) -> list[Principal]: ...

    async def revoke(self, name: str) -> None:
        """Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that logged in. `csrf_token` must come back with every form."""

    id: str
    principal: Principal
    csrf_token: str


class ReplayMemory(Protocol):
    """What was taken once and must not be taken again, by any replica."""

    async def is_new(self, key: str, *, until: datetime) -> bool:
        """Remember a key until a moment, and return whether nobody had done so before. Of many at once, one is first."""
        ...


class SessionStore(Protocol):
    """Browser sessions and single-use login codes. Both belong to a named token: when that is revoked,
    they end; its role is read each time."""

    async def create_code(self, name: str) -> str:
        """Make a code that logs in as the token `name`, once, for 10 minutes. Raises NotFound."""
        ...

    async def redeem_code(self, code: str) -> Session | None: ...

    async def start(self, name: str) -> Session:
        """Start a session of the token `name`. Raises NotFound."""
        ...

    async def find(self, session_id: str) -> Session | None: ...

    async def end(self, session_id: str) -> None: ...
