"""The tables. Documents are JSON (`awf.core.codec`); only what queries need has columns of its own.

Rows that are listed carry a `number` from `sequences`: it grows in commit order, which a database's
own autoincrement does not promise once several processes write.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    select,
    update,
)

from awf.state.documents import StoredText

SCHEMA_VERSION = 2
METADATA = MetaData()

schema_version = Table(
    "schema_version", METADATA, Column("version", Integer, primary_key=True, autoincrement=False)
)
sequences = Table(
    "sequences",
    METADATA,
    Column("name", StoredText, primary_key=True),
    Column("value", BigInteger, nullable=False),
)


def _number(name: str = "number") -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _time(name: str, *, nullable: bool = False) -> Column[str]:
    """RFC 3339 with milliseconds and `Z`: sorts as text, reads the same in every database."""
    return Column(name, StoredText, nullable=nullable)


deliveries = Table(
    "deliveries", METADATA, _number(), _time("received_at"), Column("body", LargeBinary, nullable=False)
)
seen_alerts = Table(
    "seen_alerts",
    METADATA,
    Column("dedupe_key", StoredText, primary_key=True),
    _time("received_at"),
    Index("seen_alerts_age", "received_at"),
)
incidents = Table(
    "incidents",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("revision", BigInteger, nullable=False, unique=True),
    Column("status", StoredText, nullable=False, index=True),
    Column("doc", JSON, nullable=False),
)
incident_alerts = Table(
    "incident_alerts",
    METADATA,
    Column("fingerprint", StoredText, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), primary_key=True),
)
replicas = Table(
    "replicas",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("name", StoredText, nullable=False),
    _time("since"),
    _time("seen_at"),
)
leases = Table(
    "leases",
    METADATA,
    Column("incident_id", StoredText, primary_key=True),
    Column("token", BigInteger, nullable=False),
    Column("owner", StoredText, nullable=False),
)
attempts = Table(
    "attempts",
    METADATA,
    _number(),
    Column("incident_id", StoredText, nullable=False),
    Column("digest", StoredText, nullable=False),
    _time("at"),
    Column("outcome", StoredText, nullable=False),
    Column("doc", JSON, nullable=False),
    Index("attempts_once", "incident_id", "digest", unique=True),
    Index("attempts_age", "at"),
)
approvals = Table(
    "approvals",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("status", StoredText, nullable=False, index=True),
    _time("expires_at"),
    Column("doc", JSON, nullable=False),
)
outbox = Table(
    "outbox",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("notice_id", StoredText, nullable=False, index=True),
    Column("incident_id", StoredText, nullable=False, index=True),
    Column("channel", StoredText, nullable=False),
    Column("attempts", Integer, nullable=False),
    _time("created_at"),
    _time("due_at", nullable=True),  # null: sent, or given up
    _time("sent_at", nullable=True),
    Column("thread", StoredText, nullable=False),
    Column("error", StoredText, nullable=False),
    Column("doc", JSON, nullable=False),
    Index("outbox_due", "due_at"),
)
audit = Table(
    "audit",
    METADATA,
    _number("seq"),
    _time("at"),
    Column("actor", StoredText, nullable=False),
    Column("event", StoredText, nullable=False),
    Column("subject", StoredText, nullable=False),
    Column("detail", JSON, nullable=False),
    # Unique: two entries can never follow the same one, whatever wrote them.
    Column("previous_hash", StoredText, nullable=False, unique=True),
    Column("hash", StoredText, nullable=False, unique=True),
)
engines = Table(
    "engines",
    METADATA,
    Column("id", StoredText, primary_key=True),
    _time("last_seen"),
    Column("doc", JSON, nullable=False),
)
changes = Table(
    "changes",
    METADATA,
    _number("token"),
    Column("id", StoredText, nullable=False, unique=True),
    Column("idempotency_key", StoredText, nullable=False, unique=True),
    _time("created_at"),
    Column("doc", JSON, nullable=False),
)
change_targets = Table(
    "change_targets",
    METADATA,
    Column("token", ForeignKey("changes.token"), primary_key=True),
    Column("engine_id", StoredText, primary_key=True),
    Column("ack", JSON(none_as_null=True), nullable=True),
)
executions = Table(
    "executions",
    METADATA,
    Column("id", StoredText, primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("workflow_id", StoredText, nullable=False, index=True),
    Column("status", StoredText, nullable=False, index=True),
    Column("engine_id", StoredText, nullable=False),
    Column("doc", JSON, nullable=False),
)
events = Table(
    "events",
    METADATA,
    _number("position"),
    Column("id", StoredText, nullable=False, unique=True),
    Column("execution_id", StoredText, nullable=False),
    Column("doc", JSON, nullable=False),
    Index("events_of_execution", "execution_id", "position"),
)
tokens = Table(
    "tokens",
    METADATA,
    Column("name", StoredText, primary_key=True),
    Column("role", StoredText, nullable=False),
    Column("hash", StoredText, nullable=False, unique=True),
    _time("created_at"),
)
login_codes = Table(
    "login_codes",
    METADATA,
    Column("hash", StoredText, primary_key=True),
    Column("name", StoredText, nullable=False),
    _time("expires_at"),
)
sessions = Table(
    "sessions",
    METADATA,
    Column("hash", StoredText, primary_key=True),
    Column("name", StoredText, nullable=False),
    Column("csrf_token", StoredText, nullable=False),
    _time("expires_at"),
)
replays = Table(
    "replays",
    METADATA,
    Column("hash", StoredText, primary_key=True),
    _time("until"),
)
switches = Table(
    "switches",
    METADATA,
    Column("name", StoredText, primary_key=True),
    Column("is_on", Boolean, nullable=False),
    Column("by", StoredText, nullable=False),
    _time("at"),
)


def take_numbers(conn: Connection, name: str, count: int = 1) -> range:
    """Reserve `count` numbers of a sequence. The row lock keeps them in commit order."""
    raised = conn.execute(
        update(sequences).where(sequences.c.name == name).values(value=sequences.c.value + count)
    )
    if raised.rowcount == 0:
        conn.execute(insert(sequences).values(name=name, value=count))
    last = int(conn.execute(select(sequences.c.value).where(sequences.c.name == name)).scalar_one())
    return range(last - count + 1, last + 1)


def last_number(conn: Connection, name: str) -> int:
    """Return the last number taken of a sequence, 0 before the first."""
    return int(conn.execute(select(sequences.c.value).where(sequences.c.name == name)).scalar() or 0)
