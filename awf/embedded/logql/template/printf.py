"""Go's `printf`: verbs with flags, width and precision; a wrong verb shows itself instead of failing."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final

from awf.embedded.logql.template.values import NO_VALUE, TemplateError, Time, bounded, show, type_name

MAX_WIDTH: Final = 1_000
_VERB: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d*))?(?P<verb>.)?", re.DOTALL
)


def sprintf(template: str, values: Sequence[Any]) -> str:
    pending = list(values)
    length = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal length
        text = one(found)
        length += len(text)
        bounded(length)
        return text

    def one(found: re.Match[str]) -> str:
        verb = found["verb"]
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        width = _size(found["width"], pending)
        precision = _size(found["precision"], pending)
        if not pending:
            return f"%!{verb}(MISSING)"
        return _verb(verb, found["flags"], width, precision, pending.pop(0))

    text = _VERB.sub(replace, template)
    if pending:
        extra = ", ".join(f"{type_name(value)}={show(value)}" for value in pending)
        text += f"%!(EXTRA {extra})"
    return text


def _size(text: str | None, pending: list[Any]) -> int | None:
    if text is None:
        return None
    size = (pending.pop(0) if pending else 0) if text == "*" else int(text[:9] or 0)
    if not isinstance(size, int) or abs(size) > MAX_WIDTH:
        raise TemplateError(f"printf: a width or precision of more than {MAX_WIDTH}")
    return size


def _verb(verb: str, flags: str, width: int | None, precision: int | None, value: Any) -> str:
    if width is not None and width < 0:
        flags, width = flags + "-", -width
    text, is_number = _formatted(verb, flags, precision, value)
    if width is None or len(text) >= width:
        return text
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and (is_number or verb in "sqvxX"):
        sign = text[0] if is_number and text[:1] in {"+", "-", " "} else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width)


def _formatted(verb: str, flags: str, precision: int | None, value: Any) -> tuple[str, bool]:  # noqa: PLR0911
    """Return the text, and whether zeros may go between its sign and its digits."""
    if verb == "v":
        if isinstance(value, float):
            return _float("g", flags, precision, value), True
        if isinstance(value, int) and not isinstance(value, bool):
            return _integer("d", flags, value), True
        return ("<nil>" if value is None else show(value)), False
    if verb == "T":
        return type_name(value), False
    if verb == "t" and isinstance(value, bool):
        return show(value), False
    if verb in "sqxX" and isinstance(value, str | Time) and not (isinstance(value, Time) and verb in "xX"):
        text = show(value)
        text = text if precision is None else text[:precision]
        return _string(verb, flags, text), False
    if isinstance(value, int) and not isinstance(value, bool) and verb in "bcdoqxXU":
        return _integer(verb, flags, value), verb in "bdoxX"
    if isinstance(value, float) and verb in "eEfFgG":
        return _float(verb, flags, precision, value), True
    shown = NO_VALUE if value is None else f"{type_name(value)}={show(value)}"
    return f"%!{verb}({shown})", False


def _string(verb: str, flags: str, text: str) -> str:
    if verb == "q":
        return json.dumps(text, ensure_ascii="+" in flags)
    if verb == "s":
        return text
    raw = text.encode(errors="replace")
    coded = raw.hex(" ") if " " in flags else raw.hex()
    return coded.upper() if verb == "X" else coded


def _integer(verb: str, flags: str, value: int) -> str:
    if verb in "cqU" and not 0 <= value <= 0x10FFFF:
        return "\ufffd"
    if verb == "c":
        return chr(value)
    if verb == "q":
        return f"'{chr(value)}'"
    if verb == "U":
        return f"U+{value:04X}"
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
    sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    return sign + prefix + format(abs(value), verb)


def _float(verb: str, flags: str, precision: int | None, value: float) -> str:
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if not math.isfinite(value):
        text = show(value)
        return text if "+" in flags else text.removeprefix("+")
    if verb in "gG" and precision is None:
        text = show(value)
    else:
        text = format(value, f".{6 if precision is None else precision}{verb}")
    return text if text.startswith("-") else sign + text
