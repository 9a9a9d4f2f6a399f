"""What mcp-grafana answers, read into our types; its error texts turned into our errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar

from mcp_types import CallToolResult, TextContent

from awf.agents._mcp_tools import PINNED_VERSION
from awf.core.escape import plain_text
from awf.core.ports import LogLine, Sample, Series
from awf.core.types import Json
from awf.errors import AwfError, NotFound, QueryError, Unavailable

T = TypeVar("T")

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


def _of_known_form(read: Callable[[Any], list[T]]) -> Callable[[Any], list[T]]:
    """Let a reader say in our words that an answer is JSON, but not what this tool answers."""

    @wraps(read)
    def careful(answer: Any) -> list[T]:
        try:
            return read(answer)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            raise Unavailable(
                f"mcp-grafana answered in a form that AWF does not know: {plain_text(repr(answer)[:1000], 200)}",
                hint=f"AWF works with version {PINNED_VERSION}.",
            ) from error

    return careful


def grafana_base(answer: Any) -> str:
    """Return where browsers reach Grafana, if the answer's link into Explore says so."""
    link = answer.get("exploreUrl") if isinstance(answer, Mapping) else None
    base, found, _ = link.partition("/explore") if isinstance(link, str) else ("", "", "")
    return base if found and base.startswith(("http://", "https://")) else ""


@_of_known_form
def samples(answer: Any) -> list[Sample]:
    """Read an instant query's vector or scalar."""
    data = _data(answer)
    if len(data) == 2 and isinstance(data[1], str):
        return [Sample({}, float(data[1]))]
    return [Sample(dict(each["metric"]), float(each["value"][1])) for each in data]


@_of_known_form
def series(answer: Any) -> list[Series]:
    """Read a range query's matrix."""
    return [
        Series(dict(each["metric"]), tuple((float(at), float(value)) for at, value in each["values"]))
        for each in _data(answer)
    ]


@_of_known_form
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


@_of_known_form
def traces(answer: Any) -> list[Json]:
    """Read trace summaries."""
    found = answer.get("traces") if isinstance(answer, Mapping) else None
    return [each for each in found or () if isinstance(each, dict)]


def payload(answer: Any) -> Any:
    """Read what an annotation tool wraps."""
    return answer.get("Payload") if isinstance(answer, Mapping) else None


@_of_known_form
def listed_annotations(answer: Any) -> list[Json]:
    """Read annotations."""
    return [each for each in payload(answer) or () if isinstance(each, dict)]


def one_trace(answer: Any) -> Json:
    """Read one trace. Raises Unavailable."""
    if not isinstance(answer, dict):
        raise Unavailable(
            f"mcp-grafana answered a trace that is none: {plain_text(repr(answer)[:1000], 200)}"
        )
    return answer


def _data(answer: Any) -> Sequence[Any]:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    return data if isinstance(data, list) else []


def _texts(entry: Mapping[str, Any], key: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in (entry.get(key) or {}).items()}
