"""Counts, gauges and histograms that a part keeps about itself; read by `/metrics` and by the telemetry bridge."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from awf.core.semconv import HISTOGRAM_BUCKETS

LabelSet = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """`counts[i]` measurements were at most `buckets[i]` and above the bucket before; one more for the rest."""

    buckets: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Counters:
    """Named values with labels. Names come from `semconv`: one ending in `_total` is a counter, one with buckets
    there a histogram, any other a gauge."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, LabelSet], float] = {}
        self._distributions: dict[tuple[str, LabelSet], Distribution] = {}

    def begin_anew(self) -> None:
        """Count from zero: in the child of a fork, where another thread may have held the lock, and where the
        parent goes on with what was counted so far."""
        self._lock = threading.Lock()
        self._values = {}
        self._distributions = {}

    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Raise a counter."""
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            self._values[key] = self._values.get(key, 0.0) + value

    def bind(self, name: str, **labels: str) -> Callable[[], None]:
        """Return what raises one counter by 1, for places that do so very often."""
        key = (name, tuple(sorted(labels.items())))

        def add_one() -> None:
            # Asked for each time: `begin_anew` puts others in their place.
            with self._lock:
                self._values[key] = self._values.get(key, 0.0) + 1.0

        return add_one

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            self._values[name, tuple(sorted(labels.items()))] = value

    def prepare(self, name: str, **labels: str) -> None:
        """Make a counter's or a histogram's series exist, at zero: one that appears with its first count hides
        that count from `rate`."""
        key = (name, tuple(sorted(labels.items())))
        with self._lock:
            if name in HISTOGRAM_BUCKETS:
                self._distributions.setdefault(key, _empty(name))
            else:
                self._values.setdefault(key, 0.0)

    def unset(self, name: str, **labels: str) -> None:
        """Take a gauge away: there is nothing that it could say."""
        with self._lock:
            self._values.pop((name, tuple(sorted(labels.items()))), None)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one measurement to a histogram, whose buckets are those of `semconv`."""
        key = (name, tuple(sorted(labels.items())))
        bucket = bisect_left(HISTOGRAM_BUCKETS[name], value)
        with self._lock:
            found = self._distributions.get(key) or _empty(name)
            counts = (*found.counts[:bucket], found.counts[bucket] + 1, *found.counts[bucket + 1 :])
            self._distributions[key] = replace(found, counts=counts, sum=found.sum + value)

    def get(self, name: str, **labels: str) -> float:
        """Return a value, 0 when it was never touched."""
        with self._lock:
            return self._values.get((name, tuple(sorted(labels.items()))), 0.0)

    def snapshot(self) -> Iterator[tuple[str, dict[str, str], float]]:
        """Yield (name, labels, value), sorted."""
        with self._lock:
            items = sorted(self._values.items())
        for (name, labels), value in items:
            yield name, dict(labels), value

    def distributions(self) -> Iterator[tuple[str, dict[str, str], Distribution]]:
        """Yield (name, labels, distribution) of every histogram, sorted."""
        with self._lock:
            items = sorted(self._distributions.items(), key=lambda item: item[0])
        for (name, labels), found in items:
            yield name, dict(labels), found

    def render(self) -> str:
        """Return the Prometheus text format (0.0.4)."""
        lines: list[str] = []
        previous = ""
        for name, labels, value in self.snapshot():
            if name != previous:
                lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
                previous = name
            lines.append(_line(name, labels, value))
        for name, labels, found in self.distributions():
            if name != previous:
                lines.append(f"# TYPE {name} histogram")
                previous = name
            lines += _histogram_lines(name, labels, found)
        return "\n".join(lines) + "\n" if lines else ""


def _empty(name: str) -> Distribution:
    buckets = HISTOGRAM_BUCKETS[name]
    return Distribution(buckets, (0,) * (len(buckets) + 1), 0.0)


def _histogram_lines(name: str, labels: dict[str, str], found: Distribution) -> Iterator[str]:
    count = 0
    for bound, inside in zip((*map(repr, found.buckets), "+Inf"), found.counts, strict=True):
        count += inside
        yield _line(f"{name}_bucket", labels | {"le": bound}, count)
    yield _line(f"{name}_sum", labels, found.sum)
    yield _line(f"{name}_count", labels, count)


def _line(name: str, labels: dict[str, str], value: float) -> str:
    inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    return f"{name}{{{inner}}} {value!r}" if inner else f"{name} {value!r}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
