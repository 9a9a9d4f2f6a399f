"""What a log line looks like, and what never shows in one."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

import pytest

from awf.cli._logging import JsonLines, TextLines

SECRET = "hunter2-hunter2"


def record(event: str, *, error: bool = False, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("awf.test", logging.WARNING, __file__, 1, event, (), None)
    vars(made).update(fields)
    if error:
        try:
            raise ValueError(f"postgresql://awf:{SECRET}@host/awf cannot be reached")
        except ValueError:
            made.exc_info = sys.exc_info()
    return made


def test_a_record_is_one_json_object_with_its_time_in_utc() -> None:
    line = JsonLines().format(record("it broke\nbadly", count=3, where={"a": [1]}))
    assert "\n" not in line
    body = json.loads(line)
    assert (body["level"], body["logger"], body["event"]) == ("warning", "awf.test", "it broke\nbadly")
    assert (body["count"], body["where"]) == (3, {"a": [1]})
    assert datetime.fromisoformat(body["time"]).tzinfo == UTC


def test_a_record_as_text_is_one_line_and_its_traceback_follows() -> None:
    first, *rest = TextLines().format(record("it broke\nbadly", error=True, detail="x y")).splitlines()
    assert "warning awf.test it broke\\nbadly" in first
    assert first.endswith('detail="x y"')
    assert rest[0].startswith("Traceback")


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()], ids=["json", "text"])
@pytest.mark.parametrize(
    "made",
    [
        record(f"connecting to postgresql://awf:{SECRET}@host/awf"),
        record("request", headers={"Authorization": f"Bearer {SECRET}"}),
        record("opened", password=SECRET),
        record("failed", error=True),
    ],
    ids=["in the event", "in a field", "by the name of a field", "in a traceback"],
)
def test_a_secret_is_masked_wherever_it_stands(formatter: logging.Formatter, made: logging.LogRecord) -> None:
    assert SECRET not in formatter.format(made)
