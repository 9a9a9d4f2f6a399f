"""Counts and gauges that a part keeps about itself; read by `/metrics` and by the telemetry bridge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

LabelSet = tuple[tuple[str, str], ...]


class Counters:
    """Named values with labels. Names come from `semconv`; a name ending in `_total` is a counter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, LabelSet], float] = {}

    def begin_anew(self) -> None:
        """Count from zero: in the child of a fork, where another thread may have held the lock, and where the
        parent goes on with what was counted so far."""
        self._lock = threading.Lock()
        self._values = {}

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

    def render(self) -> str:
        """Return the Prometheus text format (0.0.4)."""
        lines: list[str] = []
        previous = ""
        for name, labels, value in self.snapshot():
            if name != previous:
                lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
                previous = name
            inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
            lines.append(f"{name}{{{inner}}} {value!r}" if inner else f"{name} {value!r}")
        return "\n".join(lines) + "\n" if lines else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
