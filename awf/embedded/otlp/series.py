"""Which series a point belongs to, remembered by the bytes of its attributes: a known one costs a lookup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from awf.embedded.intake import Intake, excess
from awf.embedded.model import KeyTable, LabelKey
from awf.embedded.otlp.values import attributes, decimal, labels, read_attributes, text

MAX_CACHE_BYTES = 256 * 1024 * 1024
"""About 200,000 series. Past it everything is forgotten and built anew, which is slow and never wrong."""

IDENTITY = ("service.name", "service.namespace", "service.instance.id")
_KEY_BYTES = 1_000  # of a frozenset of up to 19 labels, and what holds it

Attributes = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HistogramSeries:
    """The numbers of the series of one attribute set of a histogram or summary; `parts` are its buckets or quantiles."""

    parts: tuple[int, ...]
    sum: int
    count: int


class Family:
    """The series of one metric name of one resource, by their numbers in the cache's table."""

    def __init__(self, name: str, target: LabelKey, cache: SeriesCache) -> None:
        self.name = name
        self._target = target
        self._cache = cache
        self.known: dict[bytes | Attributes, int] = {}
        self._known_parts: dict[tuple[Attributes, tuple[float, ...]], HistogramSeries] = {}

    def series(self, intake: Intake, attributes: Attributes, known_as: bytes | Attributes) -> int | None:
        """Return the series of a number point; None when its labels are refused."""
        found = self.known.get(known_as)
        if found is None and (own := self._own(intake, attributes)) is not None:
            found = self.known[known_as] = self._add(own, self.name)
            self._cache.spend(attributes, 1)
        return found

    def parts(
        self, intake: Intake, attributes: Attributes, label: str, values: tuple[float, ...]
    ) -> HistogramSeries | None:
        """Return the series whose `label` has these values, with sum and count; None when refused."""
        found = self._known_parts.get((attributes, values))
        if found is None and (own := self._own(intake, attributes)) is not None:
            name = f"{self.name}_bucket" if label == "le" else self.name
            found = self._known_parts[attributes, values] = HistogramSeries(
                tuple(self._add(own | {(label, decimal(value))}, name) for value in values),
                self._add(own, f"{self.name}_sum"),
                self._add(own, f"{self.name}_count"),
            )
            self._cache.spend(attributes, len(values) + 2)
        return found

    def _add(self, own: LabelKey, name: str) -> int:
        return self._cache.table.add(own | {("__name__", name)})

    def _own(self, intake: Intake, attributes: Attributes) -> LabelKey | None:
        try:
            own = labels(read_attributes(attributes)) | dict(self._target)
        except DecodeError:
            intake.refuse(f"metric {self.name!r}: a point has attributes that cannot be read")
            return None
        if reason := excess(own.items(), f"a point of metric {self.name!r}"):
            intake.refuse(reason)
            return None
        return self._cache.shared(own)


class Target:
    """One resource: `job` and `instance` for its series, and its `target_info`."""

    def __init__(self, resource: bytes, cache: SeriesCache) -> None:
        described = attributes(Resource.FromString(resource).attributes)
        name, namespace, instance = (text(described.pop(key, None)) for key in IDENTITY)
        job = f"{namespace}/{name}" if namespace and name else name
        pairs = {label: value for label, value in (("job", job), ("instance", instance)) if value}
        info = labels(described)
        self.info: int | None = None
        if pairs and info and not excess(info.items(), "a resource"):
            self.info = cache.table.add(cache.shared({**info, **pairs, "__name__": "target_info"}))
        self._pairs = cache.shared(pairs)
        self._cache = cache
        self._families: dict[str, Family] = {}

    def family(self, name: str) -> Family:
        found = self._families.get(name)
        if found is None:
            found = self._families[name] = Family(name, self._pairs, self._cache)
        return found


class SeriesCache:
    """All that one decoder has seen, bounded in memory."""

    def __init__(self, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self.size_bytes = 0
        self.table = KeyTable()
        self._max_bytes = max_bytes
        self._targets: dict[bytes, Target] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}

    def spend(self, known_as: Iterable[bytes], keys: int) -> None:
        self.size_bytes += sum(map(len, known_as)) + keys * _KEY_BYTES

    def bound(self) -> None:
        """Forget everything when there is too much of it."""
        if self.size_bytes > self._max_bytes:
            self.table = KeyTable()
            self._targets.clear()
            self._pairs.clear()
            self.size_bytes = 0

    def target(self, resource: bytes) -> Target:
        found = self._targets.get(resource)
        if found is None:
            found = self._targets[resource] = Target(resource, self)
            self.spend([resource], 1)
        return found

    def shared(self, own: dict[str, str]) -> LabelKey:
        """Return labels as a key whose pairs are the same objects in every series that has them."""
        return frozenset([self._pairs.setdefault(pair, pair) for pair in own.items()])
