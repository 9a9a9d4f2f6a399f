"""One log entry on its way through a pipeline: its line and its labels by where they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from awf.embedded.model import LogRecord

ERROR: Final = "__error__"
ERROR_DETAILS: Final = "__error_details__"
COLLISION_SUFFIX: Final = "_extracted"


@dataclass(frozen=True, slots=True)
class Hints:
    """Which parsed labels a metric query needs; `None` means all. With an empty set nothing is parsed,
    and so, as in Loki, nothing can fail to parse: `sum(rate({..} | json [5m]))`."""

    required: frozenset[str] | None = None

    @classmethod
    def of(cls, names: frozenset[str]) -> Hints:
        """A name that ends in `_extracted` may be a collision, so that its stem is needed too."""
        return cls(names | {name.removesuffix(COLLISION_SUFFIX) for name in names})

    def wants(self, name: str) -> bool:
        return self.required is None or name in self.required


ALL_LABELS: Final = Hints()
_NO_FILTERS: Final[Mapping[str, Any]] = {}


class LineDropped(Exception):
    """A parser found a value that a filter of its label does not take."""


class Entry:
    """Mutable and used by one thread. A name is looked up in parsed, metadata, then stream labels.

    A stream label with an empty value is no label; an empty parsed one is."""

    __slots__ = ("_metadata", "_sent", "deleted", "early", "error", "error_details", "extracted", "hints", "line",
                 "parsed", "stream", "timestamp_ns")  # fmt: skip

    def __init__(self, record: LogRecord, hints: Hints = ALL_LABELS) -> None:
        self.timestamp_ns = record.timestamp_ns
        self.line = record.line
        self.stream = record.labels
        self.parsed: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.extracted: set[str] = set()
        self.hints = hints
        self.early: Mapping[str, Callable[[Entry], bool]] = _NO_FILTERS
        self.error = ""
        self.error_details = ""
        self._sent = record.metadata
        self._metadata: dict[str, str] | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """Structured metadata; a name that the stream has too got a suffix. Read in full when it is asked for."""
        if self._metadata is None:
            self._metadata = _without_collisions(self._sent, self.stream)
        return self._metadata

    def _of_metadata(self, name: str) -> str | None:
        """Return one piece of metadata, without reading the others where that is possible."""
        if self._metadata is not None or name.endswith(COLLISION_SUFFIX):
            return self.metadata.get(name)
        return None if name in self.stream else self._sent.get(name)

    def get(self, name: str) -> str | None:
        """Return a label's value, or None when it is not there."""
        value = self.parsed.get(name)
        if value is None:
            value = self._of_metadata(name)
        if value is None and name not in self.deleted:
            value = self.stream.get(name) or None
        return value

    def text(self, name: str) -> str:
        """Return a label's value for a string comparison, errors included; missing is empty."""
        if name == ERROR:
            return self.error
        if name == ERROR_DETAILS:
            return self.error_details
        return self.get(name) or ""

    def set(self, name: str, value: str) -> None:
        """Set a parsed label: it hides stream and metadata labels of its name."""
        self._hide_metadata(name)
        self.parsed[name] = value
        self.extracted.add(name)

    def extract(self, name: str, value: str) -> None:
        """Set what a parser found: the first value of a name wins, a collision gets `_extracted`.

        Raises LineDropped where a filter of the label, wherever it stands, does not take the value: in Loki
        such a line is gone before an error further on in it is found."""
        if not self.hints.wants(name):  # nor its collision then
            return
        if self._collides(name):
            name += COLLISION_SUFFIX
            if name in self.extracted or not self.hints.wants(name):
                return
            self._hide_metadata(name)
        elif name in self.extracted:
            return
        self.parsed[name] = value
        self.extracted.add(name)
        accepts = self.early.get(name)
        if accepts is not None and not accepts(self):
            raise LineDropped

    def assign(self, name: str, value: str) -> None:
        """Set what an expression of the query named: as `extract`, but a later value replaces."""
        self.set(name + COLLISION_SUFFIX if self._collides(name) else name, value)

    def _collides(self, name: str) -> bool:
        return name in self.stream or self._of_metadata(name) is not None

    def delete(self, name: str) -> None:
        self.parsed.pop(name, None)
        self._hide_metadata(name)
        self.deleted.add(name)

    def _hide_metadata(self, name: str) -> None:
        if self._of_metadata(name) is not None:
            del self.metadata[name]

    def fail(self, error: str, details: str) -> None:
        self.error, self.error_details = error, details

    def is_satisfied(self) -> bool:
        """Tell that no further label is needed, so that parsing may stop."""
        required = self.hints.required
        return required is not None and self.extracted.issuperset(required)

    def stream_labels(self) -> dict[str, str]:
        hidden = self.deleted
        return {
            name: value
            for name, value in self.stream.items()
            if value and name not in hidden and name not in self.parsed and name not in self.metadata
        }

    def parsed_labels(self) -> dict[str, str]:
        """Return parsed labels with `__error__` and its details."""
        errors = {ERROR: self.error, ERROR_DETAILS: self.error_details}
        return self.parsed | {name: value for name, value in errors.items() if value}

    def labels(self) -> dict[str, str]:
        """Return all labels, merged."""
        return self.stream_labels() | self.metadata | self.parsed_labels()


def _without_collisions(metadata: Mapping[str, str], stream: Mapping[str, str]) -> dict[str, str]:
    found = dict(metadata.items())
    if stream.keys().isdisjoint(found):
        return found
    return {name + COLLISION_SUFFIX if name in stream else name: value for name, value in found.items()}
