"""The service's durable state on SQLAlchemy: SQLite by default, PostgreSQL by URL."""
