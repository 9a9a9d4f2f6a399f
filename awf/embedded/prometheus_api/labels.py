"""What there is to query: series, label names and values, metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from awf.embedded.contracts import SampleReader
from awf.embedded.prometheus_api.answers import Answer, limited_list, plain
from awf.embedded.promql.parameters import Parameters
from awf.embedded.promql.values import sort_key
from awf.errors import InvalidInput

_ESCAPED = re.compile(r"__|_([0-9A-Fa-f]{1,6})_")


class LabelEndpoints:
    """Each method answers one endpoint."""

    def __init__(self, reader: SampleReader) -> None:
        self._reader = reader

    def series(self, parameters: Parameters) -> Answer:
        if not parameters.all("match[]"):
            raise InvalidInput("no match[] parameter provided")
        found = {tuple(sort_key(labels)) for labels in self._label_sets(parameters)}
        return _limited([dict(labels) for labels in sorted(found)], parameters)

    def labels(self, parameters: Parameters) -> Answer:
        names = {name for labels in self._label_sets(parameters) for name in labels}
        return _limited(sorted(names), parameters)

    def label_values(self, parameters: Parameters) -> Answer:
        name = unescaped(parameters.required("name"))
        values = {labels[name] for labels in self._label_sets(parameters) if name in labels}
        return _limited(sorted(values), parameters)

    def metadata(self, parameters: Parameters) -> Answer:
        wanted = parameters.text("metric")
        limit = parameters.count("limit")
        parameters.count("limit_per_metric")  # there is one entry a metric
        found = {
            name: [{"type": entry.type, "help": entry.help, "unit": entry.unit}]
            for name, entry in sorted(self._reader.metadata().items())
            if not wanted or name == wanted
        }
        return plain(dict(list(found.items())[: limit or None]))

    def _label_sets(self, parameters: Parameters) -> Iterator[Mapping[str, str]]:
        start_ms, end_ms = parameters.span_ms()
        for matchers in parameters.matchers() or [()]:
            yield from self._reader.series(matchers, start_ms, end_ms)


def _limited(items: list[Any], parameters: Parameters) -> Answer:
    _, end_ms = parameters.span_ms()
    return limited_list(items, parameters, until_ms=end_ms)


def unescaped(name: str) -> str:
    """Return the label that a path means: `U__a_2e_b` is how clients write `a.b` there."""
    if not name.startswith("U__"):
        return name
    try:
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "_", name[3:])
    except ValueError:  # there is no such character
        return name
