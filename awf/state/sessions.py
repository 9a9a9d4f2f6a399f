"""Single-use login codes and browser sessions. Both stand for a token's name and end with it."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, select

from awf.core.clock import isoformat
from awf.core.ports import Principal, Session
from awf.errors import NotFound
from awf.state.database import Database
from awf.state.schema import login_codes, sessions, tokens
from awf.state.tokens import secret_hash

CODE_FOR = timedelta(minutes=10)
SESSION_FOR = timedelta(hours=12)


class Sessions:
    """Implements `SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def create_code(self, name: str) -> str:
        code = secrets.token_urlsafe(32)

        def work(conn: Connection) -> None:
            _need_token(conn, name)
            conn.execute(delete(login_codes).where(login_codes.c.expires_at <= self._db.now_text()))
            expires_at = isoformat(self._db.now() + CODE_FOR)
            conn.execute(insert(login_codes).values(hash=secret_hash(code), name=name, expires_at=expires_at))

        await self._db.write(work)
        return code

    async def redeem_code(self, code: str) -> Session | None:
        def work(conn: Connection) -> Session | None:
            row = conn.execute(
                select(login_codes.c.name, login_codes.c.expires_at)
                .join(tokens, tokens.c.name == login_codes.c.name)
                .where(login_codes.c.hash == secret_hash(code))
            ).one_or_none()
            used = conn.execute(delete(login_codes).where(login_codes.c.hash == secret_hash(code)))
            if row is None or used.rowcount == 0 or row.expires_at <= self._db.now_text():
                return None
            return self._start(conn, row.name)

        return await self._db.write(work)

    async def start(self, name: str) -> Session:
        return await self._db.write(lambda conn: self._start(conn, name))

    async def find(self, session_id: str) -> Session | None:
        query = (
            select(sessions.c.csrf_token, tokens.c.name, tokens.c.role)
            .join(tokens, tokens.c.name == sessions.c.name)
            .where(sessions.c.hash == secret_hash(session_id), sessions.c.expires_at > self._db.now_text())
        )
        row = await self._db.read(lambda conn: conn.execute(query).one_or_none())
        return None if row is None else Session(session_id, Principal(row.name, row.role), row.csrf_token)

    async def end(self, session_id: str) -> None:
        query = delete(sessions).where(sessions.c.hash == secret_hash(session_id))
        await self._db.write(lambda conn: conn.execute(query))

    def _start(self, conn: Connection, name: str) -> Session:
        role = _need_token(conn, name)
        conn.execute(delete(sessions).where(sessions.c.expires_at <= self._db.now_text()))
        session = Session(secrets.token_urlsafe(32), Principal(name, role), secrets.token_urlsafe(32))
        conn.execute(
            insert(sessions).values(
                hash=secret_hash(session.id),
                name=name,
                csrf_token=session.csrf_token,
                expires_at=isoformat(self._db.now() + SESSION_FOR),
            )
        )
        return session


def _need_token(conn: Connection, name: str) -> str:
    role = conn.execute(select(tokens.c.role).where(tokens.c.name == name)).scalar()
    if role is None:
        raise NotFound(f"no token named {name!r}", hint="GET /api/v1/tokens lists them.")
    return str(role)
