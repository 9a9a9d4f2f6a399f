"""The service's durable state on SQLAlchemy: SQLite by default, PostgreSQL by URL."""

from awf.state.state import State

__all__ = ["State"]
