"""The part of Prometheus' templates that alert labels and annotations may use, checked when rules load.

`{{ $labels.name }}`, `{{ $value }}` and `{{ $value | filter }}` with the filters below; nothing is executed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_ACTION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL: Final = re.compile(r"\$labels\.([A-Za-z_][A-Za-z0-9_]*)")
_VALUE: Final = re.compile(r"\$value(?:\s*\|\s*(.+))?", re.DOTALL)
_PRINTF: Final = re.compile(r'printf\s+"((?:[^"%\\]|%%)*)(%(?:\.\d{1,2})?[feg])((?:[^"%\\]|%%)*)"')

_SUPPORTED: Final = (
    "{{ $labels.name }}, {{ $value }} and {{ $value | f }} "
    'with f one of humanize, humanizePercentage, humanizeDuration, printf "%.2f"'
)

Part = Callable[[Mapping[str, str], float], str]


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template; `source` is its text as written."""

    source: str
    parts: tuple[Part, ...]

    def render(self, labels: Mapping[str, str], value: float) -> str:
        """Return the text for one alert; a label that is not there renders as nothing."""
        return "".join(part(labels, value) for part in self.parts)


def compile_template(source: str) -> Template:
    """Check a template. Raises ValueError naming the construct that is not supported."""
    parts: list[Part] = []
    end = 0
    for match in _ACTION.finditer(source):
        parts.append(_literal(source[end : match.start()]))
        parts.append(_action(match.group(1).strip()))
        end = match.end()
    parts.append(_literal(source[end:]))
    return Template(source, tuple(parts))


def _literal(text: str) -> Part:
    if "{{" in text:
        msg = f"the template {text.strip()!r:.60} opens {{{{ and never closes it"
        raise ValueError(msg)
    return lambda _labels, _value: text


def _action(inner: str) -> Part:
    if (match := _LABEL.fullmatch(inner)) is not None:
        name = match.group(1)
        return lambda labels, _value: labels.get(name, "")
    if (match := _VALUE.fullmatch(inner)) is not None:
        render = _filter(match.group(1))
        if render is not None:
            return lambda _labels, value: render(value)
    msg = f"the template {{{{ {inner:.80} }}}} is not supported; supported are {_SUPPORTED}"
    raise ValueError(msg)


def _filter(text: str | None) -> Callable[[float], str] | None:
    if text is None:
        return format_value
    if (match := _PRINTF.fullmatch(text)) is not None:
        before, verb, after = match.groups()
        before, after = before.replace("%%", "%"), after.replace("%%", "%")
        return lambda value: f"{before}{_go_percent(verb, value)}{after}"
    return {
        "humanize": humanize,
        "humanizePercentage": humanize_percentage,
        "humanizeDuration": humanize_duration,
    }.get(text)


def _go_percent(verb: str, value: float) -> str:
    return verb % value if math.isfinite(value) else format_value(value)


def format_value(value: float) -> str:
    """Return a float as Go prints it: shortest digits, an exponent from 1e+21 on and below 1e-04."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value != 0 and not 1e-4 <= abs(value) < 1e21:
        return format_exponent(value)
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def format_exponent(value: float) -> str:
    """Return a float as Go's `%e` with the shortest digits, such as `1e+00`."""
    if not math.isfinite(value):
        return format_value(value)
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    if value == 0:
        return "-0e+00" if sign else "0e+00"
    power = len(digits) - 1 + int(exponent)
    text = "".join(map(str, digits)).rstrip("0")
    mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    return f"{'-' if sign else ''}{mantissa}e{power:+03d}"


def humanize(value: float) -> str:
    """Return a number with a metric prefix: 1234567 is `1.235M`."""
    if value == 0 or not math.isfinite(value):
        return _go_percent("%.4g", value)
    if abs(value) < 1:
        return _small(value)
    prefix = ""
    for prefix_ in "kMGTPEZY":
        if abs(value) < 1000:
            break
        prefix, value = prefix_, value / 1000
    return f"{value:.4g}{prefix}"


def humanize_percentage(value: float) -> str:
    """Return a ratio in percent: 0.1234 is `12.34%`."""
    return _go_percent("%.4g", value * 100) + "%"


def humanize_duration(value: float) -> str:
    """Return seconds in words: 3661 is `1h 1m 1s`."""
    if not math.isfinite(value):
        return format_value(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        return f"{_small(value)}s"
    sign = "-" if value < 0 else ""
    total = int(abs(value))
    minutes, seconds = divmod(total, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{abs(value):.4g}s"


def _small(value: float) -> str:
    prefix = ""
    for prefix_ in "munpfazy":
        if abs(value) >= 1:
            break
        prefix, value = prefix_, value * 1000
    return f"{value:.4g}{prefix}"
