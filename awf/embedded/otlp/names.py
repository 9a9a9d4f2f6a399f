"""Metric and label names as Prometheus' OTLP translation makes them, with unit and type suffixes on.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics compatibility", "OTLP metric points to
Prometheus".
"""

from __future__ import annotations

import re
from functools import lru_cache

UNITS = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
    "Hz": "hertz", "1": "", "%": "percent",
}  # fmt: skip
PER_UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}

_SEPARATORS = re.compile(r"[^a-zA-Z0-9:]+")
_ILLEGAL_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_SEPARATORS_IN_LABEL = re.compile(r"[^a-zA-Z0-9]+")


@lru_cache(maxsize=4096)
def metric_name(name: str, unit: str, kind: str) -> str:
    """Return the Prometheus name; `kind` is `counter` (a monotonic sum), `gauge` or anything else.

    Empty when nothing of the name is legal.
    """
    tokens = [token for token in _SEPARATORS.split(name) if token]
    if not tokens:
        return ""
    main, per = _unit_words(unit)
    tokens += [word for word in (main, per) if word and word not in tokens]
    suffix = "total" if kind == "counter" else "ratio" if kind == "gauge" and unit == "1" else ""
    if suffix:
        tokens = [*(token for token in tokens if token != suffix), suffix]
    joined = "_".join(tokens)
    return f"_{joined}" if joined[0].isdigit() else joined


@lru_cache(maxsize=4096)
def label_name(attribute: str) -> str:
    """Return a legal label name: `http.route` becomes `http_route`; no leading digit or underscore."""
    name = _ILLEGAL_IN_LABEL.sub("_", attribute)
    if name[:1].isdigit():
        return f"key_{name}"
    return f"key{name}" if name.startswith("_") and not name.startswith("__") else name


@lru_cache(maxsize=4096)
def metadata_name(attribute: str) -> str:
    """Return the name that Loki gives an attribute: as a label's, but `a__b` and `a.-b` become `a_b`."""
    reserved = len(attribute) > 4 and attribute.startswith("__") and attribute.endswith("__")
    name = _SEPARATORS_IN_LABEL.sub("_", attribute[2:-2] if reserved else attribute)
    if reserved:
        return f"__{name}__"
    return f"key_{name}" if name[:1].isdigit() else name.lstrip("_") and name


def unit_name(unit: str) -> str:
    """Return the unit as metadata shows it."""
    return "_".join(word for word in _unit_words(unit) if word)


def _unit_words(unit: str) -> tuple[str, str]:
    """Split `By/s` into `bytes` and `per_second`; units in braces are annotations and say nothing."""
    main, _, per = (part.strip() for part in unit.partition("/"))
    main_word = "" if "{" in main or "}" in main else _clean(UNITS.get(main, main))
    per_word = "" if "{" in per or "}" in per else _clean(PER_UNITS.get(per, per))
    return main_word, f"per_{per_word}" if per_word else ""


def _clean(word: str) -> str:
    return "_".join(part for part in _SEPARATORS.split(word) if part)
