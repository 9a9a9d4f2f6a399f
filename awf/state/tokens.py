"""Bearer tokens: 256 random bits, of which only the hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import Connection, delete, insert, select

from awf.core.ports import ROLES, Principal
from awf.errors import Conflict, InvalidInput, NotFound
from awf.state.database import Database
from awf.state.schema import login_codes, sessions, tokens

PREFIX = "awf_"


def secret_hash(secret: str) -> str:
    """Return what is stored for a secret of 256 random bits; such a secret needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Tokens:
    """Implements `TokenStore`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create(self, name: str, role: str) -> str:
        token = PREFIX + secrets.token_urlsafe(32)

        def work(conn: Connection) -> None:
            if conn.execute(select(tokens.c.name).where(tokens.c.name == name)).scalar() is not None:
                raise Conflict(f"a token named {name!r} exists", hint="Revoke it, or choose another name.")
            self._insert(conn, name, role, token)

        await self._db.write(work)
        return token

    async def ensure(self, name: str, role: str, token: str) -> None:
        def work(conn: Connection) -> None:
            same = (tokens.c.name == name) & (tokens.c.hash == secret_hash(token)) & (tokens.c.role == role)
            if conn.execute(select(tokens.c.name).where(same)).scalar() is None:
                _remove(conn, name)
                self._insert(conn, name, role, token)

        await self._db.write(work)

    async def authenticate(self, token: str) -> Principal | None:
        # Looked up by hash: timing says nothing of the token, whose hash the asker cannot steer.
        digest = secret_hash(token)
        query = select(tokens).where(tokens.c.hash == digest)
        row = await self._db.read(lambda conn: conn.execute(query).one_or_none())
        if row is None or not hmac.compare_digest(row.hash, digest):
            return None
        return Principal(row.name, row.role)

    async def list(self) -> list[Principal]:
        query = select(tokens.c.name, tokens.c.role).order_by(tokens.c.name)
        rows = await self._db.read(lambda conn: conn.execute(query).all())
        return [Principal(row.name, row.role) for row in rows]

    async def revoke(self, name: str) -> None:
        if await self._db.write(lambda conn: _remove(conn, name)) == 0:
            raise NotFound(f"no token named {name!r}", hint="GET /api/v1/tokens lists them.")

    def _insert(self, conn: Connection, name: str, role: str, token: str) -> None:
        if role not in ROLES:
            raise InvalidInput(f"role is {role!r}, expected one of {', '.join(ROLES)}", field="role")
        if not 0 < len(name) <= 128:
            raise InvalidInput(f"name {name[:40]!r} needs 1 to 128 characters", field="name")
        conn.execute(
            insert(tokens).values(
                name=name, role=role, hash=secret_hash(token), created_at=self._db.now_text()
            )
        )


def _remove(conn: Connection, name: str) -> int:
    """Remove a token and what was opened with it: a later one of that name must not inherit it."""
    for table in (login_codes, sessions):
        conn.execute(delete(table).where(table.c.name == name))
    return conn.execute(delete(tokens).where(tokens.c.name == name)).rowcount
