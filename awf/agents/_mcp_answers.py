"""What mcp-grafana answers, read into our types; its error texts turned into our errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mcp_types import CallToolResult, TextContent

from awf.core.escape import plain_text
from awf.core.ports import LogLine, Sample, Series
from awf.core.types import Json
from awf.errors import AwfError, NotFound, QueryError, Unavailable

MAX_LINE_CHARS = 2000
_STATUS = re.compile(r"(?:status(?: code)?:?|returned|error:|\]\[|HTTP) ?(4\d\d|5\d\d)\b")
_BAD_QUERY = re.compile(
    r"bad_data|parse error|execution:|unknown argument|is required|invalid ", re.IGNORECASE
)


def content(result: CallToolResult, tool: str) -> Any:
    """Return a tool's JSON. Raises QueryError, NotFound, Unavailable."""
    text = "".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        raise _error(tool, text)
    if result.structured_content:
        return result.structured_content
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unavailable(f"{tool} answered something that is not JSON: {plain_text(text, 200)}") from error


def _error(tool: str, text: str) -> AwfError:
    message = f"{tool}: {plain_text(text)}"
    found = _STATUS.search(text)
    status = int(found[1]) if found else 0
    if status in (401, 403):
        return Unavailable(message, hint="Check AWF_GRAFANA_TOKEN and the rights of its service account.")
    if status == 404 or "not found" in text:
        return NotFound(message, hint="Check the datasource uids (AWF_DATASOURCE_*).")
    if status in (400, 422) or (status == 0 and _BAD_QUERY.search(text)):
        return QueryError(message)
    return Unavailable(message, hint="Check that Grafana and its datasources answer.")


def samples(answer: Any) -> list[Sample]:
    """Read an instant query's vector or scalar."""
    data = _data(answer)
    if len(data) == 2 and isinstance(data[1], str):
        return [Sample({}, float(data[1]))]
    return [Sample(dict(each["metric"]), float(each["value"][1])) for each in data]


def series(answer: Any) -> list[Series]:
    """Read a range query's matrix."""
    return [
        Series(dict(each["metric"]), tuple((float(at), float(value)) for at, value in each["values"]))
        for each in _data(answer)
    ]


def log_lines(answer: Any) -> list[LogLine]:
    """Read log entries; structured metadata and parsed labels join the labels."""
    return [
        LogLine(
            datetime.fromtimestamp(int(each["timestamp"]) / 1e9, UTC),
            str(each.get("line", ""))[:MAX_LINE_CHARS],
            {**_texts(each, "labels"), **_texts(each, "structuredMetadata"), **_texts(each, "parsed")},
        )
        for each in _data(answer)
    ]


def traces(answer: Any) -> list[Json]:
    """Read trace summaries."""
    return list(answer.get("traces") or ()) if isinstance(answer, Mapping) else []


def payload(answer: Any) -> Any:
    """Read what an annotation tool wraps."""
    return answer.get("Payload") if isinstance(answer, Mapping) else None


def _data(answer: Any) -> Sequence[Any]:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    return data if isinstance(data, list) else []


def _texts(entry: Mapping[str, Any], key: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in (entry.get(key) or {}).items()}
