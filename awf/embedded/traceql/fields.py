"""Names in TraceQL: attributes and intrinsics, as they are written, to `Field`."""

from __future__ import annotations

import re
from typing import Final

from awf.embedded.traceql.nodes import Field, Scope
from awf.embedded.traceql.values import Type
from awf.errors import QueryError, UnsupportedQuery

INTRINSICS: Final[dict[str, Type]] = {
    "duration": Type.NUMBER,
    "kind": Type.KIND,
    "name": Type.STRING,
    "nestedSetLeft": Type.NUMBER,
    "nestedSetParent": Type.NUMBER,
    "nestedSetRight": Type.NUMBER,
    "rootName": Type.STRING,
    "rootServiceName": Type.STRING,
    "status": Type.STATUS,
    "statusMessage": Type.STRING,
    "traceDuration": Type.NUMBER,
}
SCOPED_INTRINSICS: Final[dict[str, Type]] = {
    "event:name": Type.STRING,
    "event:timeSinceStart": Type.NUMBER,
    "instrumentation:name": Type.STRING,
    "instrumentation:version": Type.STRING,
    "link:spanID": Type.STRING,
    "link:traceID": Type.STRING,
    "span:childCount": Type.NUMBER,
    "span:id": Type.STRING,
    "span:parentID": Type.STRING,
    "trace:id": Type.STRING,
}
SYNONYMS: Final = {
    "span:duration": "duration",
    "span:kind": "kind",
    "span:name": "name",
    "span:status": "status",
    "span:statusMessage": "statusMessage",
    "trace:duration": "traceDuration",
    "trace:rootName": "rootName",
    "trace:rootService": "rootServiceName",
}
NAMES: Final = sorted(
    name
    for name in (*INTRINSICS, *SCOPED_INTRINSICS, *SYNONYMS)
    if not name.startswith("nestedSet") and name != "span:childCount"
)
"""The intrinsics that Tempo lists among the names."""
_ATTRIBUTE: Final = re.compile(r"(?P<scope>[a-z]*)\.(?P<name>.+)", re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def intrinsic(name: str) -> Field | None:
    """Return the intrinsic of that name; the scoped spelling means the same field."""
    full = str(SYNONYMS.get(name, name))
    kind = INTRINSICS.get(full) or SCOPED_INTRINSICS.get(full)
    return Field(Scope.INTRINSIC, full, kind) if kind else None


def attribute(text: str) -> Field:
    """Read `.name`, `span.name`, `resource."quoted name"`. Raises UnsupportedQuery for other scopes."""
    found = _ATTRIBUTE.fullmatch(text)
    if not found:
        raise QueryError(f"{text!r} is not an attribute; write .name, span.name or resource.name")
    scope = found["scope"]
    if scope == "parent":
        raise UnsupportedQuery(f"the scope parent ({text}) is not supported", hint="Use `{...} > {...}`.")
    if scope == "instrumentation":
        raise UnsupportedQuery(
            f"attributes of instrumentation scopes ({text}) are not stored",
            hint="instrumentation:name and instrumentation:version are.",
        )
    name = _QUOTED.sub(lambda part: re.sub(r"\\(.)", r"\1", part[1]), found["name"])
    return Field(Scope(scope), name)
