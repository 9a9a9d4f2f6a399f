"""Log records on standard error: JSON, one object a line, or text for people; secrets masked in both."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from awf.core.redact import Redactor

NOISY = ("httpx", "httpcore", "mcp", "asyncio", "sse_starlette")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(environ: Mapping[str, str] = os.environ) -> None:
    """Log as AWF_LOG_LEVEL and AWF_LOG_FORMAT say; a wrong value is told when the settings are read."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines() if environ.get("AWF_LOG_FORMAT") == "text" else JsonLines())
    level = environ.get("AWF_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(
        level=level if level in logging.getLevelNamesMapping() else "INFO", handlers=[handler]
    )
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, event and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.body(record), default=str)

    def body(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return a record as it may be shown."""
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        body = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self._redactor.text(record.getMessage()),
            **{key: self._redactor.value(key, value) for key, value in fields.items()},
        }
        if record.exc_info:
            body["exception"] = self._redactor.text(self.formatException(record.exc_info))
        return body

    @cached_property
    def _redactor(self) -> Redactor:
        # Not before the first record: a command that logs nothing need not compile the patterns.
        from awf.core.redact import Redactor

        return Redactor()


class TextLines(JsonLines):
    """The same as text: time, level, logger, event and its fields; a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        body = self.body(record)
        traceback = body.pop("exception", "")
        head = " ".join(str(body.pop(name)) for name in ("time", "level", "logger", "event"))
        fields = "".join(f" {key}={json.dumps(value, default=str)}" for key, value in body.items())
        # One record is one line, whatever a message brings with it.
        line = f"{head}{fields}".replace("\n", "\\n").replace("\r", "\\r")
        return f"{line}\n{traceback}" if traceback else line
