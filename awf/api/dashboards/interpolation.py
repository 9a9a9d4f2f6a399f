"""Variables put into queries. Values come from telemetry and from the address: inside a literal they are
escaped for that literal, outside of one only what is harmless is let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from awf.errors import QueryError

_REFERENCE: Final = r"\$(?P<plain>\w+)|\$\{(?P<braced>\w+)(?:\.[^:}]+)?(?::(?P<format>[^}]+))?\}|\[\[(?P<old>\w+)(?::(?P<old_format>\w+))?\]\]"
_IN_QUERY: Final = re.compile(
    rf"(?P<escape>\\.)|(?P<quote>[\"'`])|(?P<comment>#[^\n]*)|{_REFERENCE}", re.DOTALL
)
_IN_TEXT: Final = re.compile(_REFERENCE)
_REGEX_SYNTAX: Final = re.compile(r"[\\^$*+?.()|\[\]{}]")
# Outside a literal: names, numbers and durations, such as a label to group by or a window.
_HARMLESS: Final = re.compile(r"[\w:.+-]{1,200}", re.ASCII)
_NAMED: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Value:
    """What is chosen of a variable.

    `is_trusted`: the text stands in the dashboard itself (a custom option, the value for All) and goes in as
    it is written. `is_regex`: a variable that may stand for several values, which Grafana therefore writes
    as a regular expression.
    """

    texts: tuple[str, ...]
    is_trusted: bool = False
    is_regex: bool = False


def interpolate_query(template: str, values: Mapping[str, Value]) -> str:
    """Return the query with its variables filled in; unknown ones stay, as in Grafana.

    Raises QueryError for a value that cannot stand where the query wants it.
    """
    quote = ""

    def replace(found: re.Match[str]) -> str:
        nonlocal quote
        if found["escape"]:
            if quote != "`":
                return found[0]
            quote = "" if found[0][1] == "`" else quote  # a backslash means nothing in a raw literal
            return found[0]
        if found["quote"]:
            quote = "" if quote == found[0] else quote or found[0]
            return found[0]
        if found["comment"]:
            # In a literal the number sign is text, and what follows it is read as usual.
            return "#" + _IN_QUERY.sub(replace, found[0][1:]) if quote else found[0]
        name, style = _reference(found)
        value = values.get(name)
        return found[0] if value is None else _in_query(name, value, style, quote)

    return _IN_QUERY.sub(replace, template)


def interpolate_text(template: str, values: Mapping[str, Value]) -> str:
    """Return text that no query language reads, such as a title."""

    def replace(found: re.Match[str]) -> str:
        value = values.get(_reference(found)[0])
        return found[0] if value is None else " + ".join(value.texts)

    return _IN_TEXT.sub(replace, template)


def names_in(template: str) -> set[str]:
    """Return the names of the variables that a text refers to."""
    return {_reference(found)[0] for found in _IN_TEXT.finditer(template)}


def _reference(found: re.Match[str]) -> tuple[str, str]:
    name = found["plain"] or found["braced"] or found["old"]
    return name, found["format"] or found["old_format"] or ""


def _in_query(name: str, value: Value, style: str, quote: str) -> str:
    styled = _STYLES.get(style)
    if styled is None:
        raise QueryError(
            f"variable ${{{name}:{style}}} has a format that is not known here",
            hint=f"Known are {', '.join(each for each in _STYLES if each)}.",
        )
    text = styled(value)
    if value.is_trusted:
        return text
    if quote == "`":
        if "`" in text:
            raise QueryError(f"the value of ${name} has a backquote, which cannot stand in a `...` literal")
        return text
    if quote:
        return _escaped(text, quote)
    if not all(_HARMLESS.fullmatch(each) for each in value.texts):
        raise QueryError(
            f"the value of ${name} would become part of the query itself: {text!r:.80}",
            hint="Outside of quotes only names, numbers and durations can be filled in.",
        )
    return text


def _escaped(text: str, quote: str) -> str:
    return "".join(f"\\{char}" if char == quote else _NAMED.get(char, char) for char in text)


def _as_regex(value: Value) -> str:
    if value.is_trusted:
        return "|".join(value.texts) if len(value.texts) == 1 else f"({'|'.join(value.texts)})"
    parts = [_REGEX_SYNTAX.sub(r"\\\g<0>", text) for text in value.texts]
    return parts[0] if len(parts) == 1 else f"({'|'.join(parts)})"


def _default(value: Value) -> str:
    return _as_regex(value) if value.is_regex else ",".join(value.texts)


_STYLES: Final[Mapping[str, Callable[[Value], str]]] = {
    "": _default,
    "regex": _as_regex,
    "pipe": lambda value: "|".join(value.texts),
    "csv": lambda value: ",".join(value.texts),
    "raw": lambda value: ",".join(value.texts),
    "text": lambda value: " + ".join(value.texts),
}
