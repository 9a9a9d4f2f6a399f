"""Literals of a query and errors that say where they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from lark import Token

from awf.embedded.logql import units
from awf.embedded.logql.extract import LineShape
from awf.embedded.logql.ip import ip_test
from awf.embedded.logql.regex import MAX_PATTERN_CHARS
from awf.embedded.regex import compile_re2
from awf.errors import QueryError, UnsupportedQuery

T = TypeVar("T")

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}


def fail(token: Token, message: str) -> NoReturn:
    raise QueryError(f"parse error at line {token.line}, col {token.column}: {message}")


def refuse(token: Token, construct: str, hint: str = "") -> NoReturn:
    raise UnsupportedQuery(
        f"line {token.line}, col {token.column}: {construct} is not supported by the embedded store",
        hint=hint or "Rewrite the query without it, or run it against Loki.",
    )


def unquote(token: Token) -> str:
    """Return the text of a string literal as Go reads it."""
    if token.startswith("`"):
        return token[1:-1].replace("\r", "")

    def replace(found: re.Match[str]) -> str:
        body = found[1]
        if body in _SIMPLE:
            return _SIMPLE[body]
        code = int(body[1:], 16) if body[0] in "xuU" and len(body) > 1 else -1
        if 0 <= code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
            return chr(code)
        if len(body) == 3 and body.isdigit():
            return chr(int(body, 8))
        fail(token, f"invalid escape \\{body} in string")

    return _ESCAPE.sub(replace, token[1:-1])


def pattern(token: Token) -> str:
    """Return a regular expression literal after checking that it can be used."""
    text = unquote(token)
    if len(text) > MAX_PATTERN_CHARS:
        fail(token, f"regular expression of {len(text)} characters; at most {MAX_PATTERN_CHARS}")
    try:
        compile_re2(text)
    except UnsupportedQuery as error:
        raise UnsupportedQuery(
            f"line {token.line}, col {token.column}: {error.message}", hint=error.hint
        ) from error
    except QueryError as error:
        fail(token, error.message)
    return text


def address_pattern(token: Token) -> str:
    """Return the argument of `ip()` after checking it."""
    text = unquote(token)
    try:
        ip_test(text)
    except ValueError as error:
        fail(token, str(error))
    return text


def line_shape(token: Token) -> str:
    """Return a pattern of `|>` after checking it."""
    text = unquote(token)
    try:
        LineShape.parse(text)
    except ValueError as error:
        fail(token, str(error))
    return text


def read(token: Token, reader: Callable[[str], T]) -> T:
    try:
        return reader(str(token))
    except ValueError as error:
        fail(token, str(error))


def window(token: Token) -> int:
    text = token[1:-1].strip()
    try:
        value = units.range_ns(text)
    except ValueError as error:
        fail(token, str(error))
    if value <= 0:
        fail(token, f"the range [{text}] must be longer than 0")
    return value
