"""Which failures of a database mean that it is away or busy, and which that we made a mistake."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_AWAY_CLASSES = ("08", "28", "3D", "53", "55", "57", "58")
"""Of SQLSTATE: connection, authorization, no such database, resources, locks and time-outs, operator, system."""
_READ_ONLY = "25006"  # a standby, or a server that was told to be
_REPEATABLE = (
    "40001",
    "40P01",
)  # serialization failure, deadlock: nothing was done, and it may be tried again

AWAY = (OSError, TimeoutError, PoolTimeout, DBAPIError)
"""What a unit of work can raise while the database is away; ask `is_away` too."""


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's code of an error, empty when there is none."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(original, "sqlstate", None) or "")


def is_away(error: BaseException) -> bool:
    """Whether the database did not do its part; otherwise the statement was at fault."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, AWAY)
    state = sqlstate(error)
    if state:
        return state.startswith(_AWAY_CLASSES) or state == _READ_ONLY
    return error.connection_invalidated or isinstance(error, OperationalError) or _lost(error)


def is_repeatable(error: BaseException) -> bool:
    """Whether the unit was rolled back for the sake of another, and may simply run again."""
    return sqlstate(error) in _REPEATABLE


def said(error: BaseException) -> str:
    """Return the database's own words, without the driver's class names."""
    original = error.orig if isinstance(error, DBAPIError) else error
    cause = getattr(original, "__cause__", None)
    words = str(cause or original or error) or type(error).__name__
    return " ".join(words.split())[:500]


def _lost(error: DBAPIError) -> bool:
    """asyncpg says that a connection is gone in errors that have no code."""
    name = type(getattr(error.orig, "__cause__", None)).__name__
    return name in {"InterfaceError", "ConnectionDoesNotExistError", "InternalClientError"}
