"""The tools of mcp-grafana that AWF calls: names and arguments of the pinned version, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from awf.errors import ConfigError

PINNED_VERSION: Final = "2.1.1"
PIP_LINE: Final = f"pip install 'awf[watcher]' (it pins mcp-grafana=={PINNED_VERSION})"

READ_FLAGS: Final = (
    "--disable-write",
    "--disable-api",
    "--enabled-tools",
    "search,datasource,prometheus,loki,tempo,alerting,dashboard,annotations,navigation",
)
# With --disable-write there is no create_annotation at all, so writing is a second process.
WRITE_FLAGS: Final = ("--enabled-tools", "annotations")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool's name, the arguments we send, and whether a call may be made again when nobody knows if it was done."""

    name: str
    arguments: tuple[str, ...]
    is_repeatable: bool = True


QUERY_METRICS: Final = Tool(
    "query_prometheus", ("datasourceUid", "expr", "endTime", "startTime", "stepSeconds", "queryType")
)
QUERY_LOGS: Final = Tool(
    "query_loki_logs", ("datasourceUid", "logql", "startRfc3339", "endRfc3339", "limit", "direction")
)
SEARCH_TRACES: Final = Tool("search_tempo_traces", ("datasourceUid", "query", "start", "end"))
GET_TRACE: Final = Tool("get_tempo_trace", ("datasourceUid", "trace_id"))
READ_RULES: Final = Tool("alerting_rules_read", ("operation", "rule_uid", "rule_limit"))
READ_SILENCES: Final = Tool("alerting_silences_read", ("operation",))
LIST_ANNOTATIONS: Final = Tool("get_annotations", ("from", "to", "tags", "limit"))
CREATE_ANNOTATION: Final = Tool("create_annotation", ("time", "timeEnd", "tags", "text"), is_repeatable=False)

READ_TOOLS: Final = (
    QUERY_METRICS,
    QUERY_LOGS,
    SEARCH_TRACES,
    GET_TRACE,
    READ_RULES,
    READ_SILENCES,
    LIST_ANNOTATIONS,
)
WRITE_TOOLS: Final = (CREATE_ANNOTATION,)


class ListedTool(Protocol):
    """A tool as `tools/list` describes it."""

    @property
    def name(self) -> str: ...

    @property
    def input_schema(self) -> Mapping[str, Any]: ...


def check_tools(listed: Iterable[ListedTool], wanted: Iterable[Tool]) -> None:
    """Raise ConfigError naming the tool or the argument that this version does not have, or asks for."""
    schemas = {tool.name: tool.input_schema for tool in listed}
    for tool in wanted:
        schema = schemas.get(tool.name)
        if schema is None:
            raise _mismatch(f"has no tool {tool.name!r}")
        missing = set(tool.arguments) - set(schema.get("properties", {}))
        if missing:
            raise _mismatch(f"has no argument {min(missing)!r} of tool {tool.name!r}")
        unknown = set(schema.get("required", ())) - set(tool.arguments)
        if unknown:
            raise _mismatch(f"asks for the argument {min(unknown)!r} of tool {tool.name!r}")


def _mismatch(what: str) -> ConfigError:
    return ConfigError(f"mcp-grafana {what}; AWF works with version {PINNED_VERSION}", hint=PIP_LINE)
