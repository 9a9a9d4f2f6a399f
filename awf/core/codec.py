"""Dataclasses to JSON values and back, by their type hints.

Wire names are the field names. Unknown keys are ignored, so that a newer peer may send more. What a type's hints ask
for is worked out once; after that a value is only read.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from awf.core.clock import isoformat, parse_time
from awf.errors import InvalidInput

T = TypeVar("T")
Path: typing.TypeAlias = tuple[Any, ...]  # the path of what holds the value, then its name or number there
Reader = Callable[[Any, Path], Any]

_PLAIN = frozenset({str, int, float, bool, type(None)})
_A_TIME = "a time such as 2026-01-31T12:00:00Z"


def to_json(value: object) -> Any:
    """Return a JSON value: dataclasses become objects, times RFC 3339, enums their values."""
    if type(value) in _PLAIN:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_json(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return isoformat(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], value: object, *, path: str = "") -> T:
    """Build a value of `kind` from JSON. Raises InvalidInput naming the field that does not fit."""
    read = _reader(cast("Any", kind))
    return cast("T", read(value, (path,) if path else ()))


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _reader(kind: Any) -> Reader:
    if hasattr(kind, "__supertype__"):
        return _reader(kind.__supertype__)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        return _optional(_reader(options[0]))
    if origin is not None:
        return _generic(origin, typing.get_args(kind))
    if kind is Any or kind is object:
        return lambda value, _: value
    if is_dataclass(kind):
        return _dataclass(cast("type", kind))
    if kind is datetime:
        return _time
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    return _float if kind is float else _scalar(kind)


def _optional(read: Reader) -> Reader:
    return lambda value, path: None if value is None else read(value, path)


def _generic(origin: Any, arguments: tuple[Any, ...]) -> Reader:
    if issubclass(origin, Mapping):
        return _mapping(_reader(arguments[1]))
    if issubclass(origin, Sequence):
        return _sequence(_reader(arguments[0]), tuple if origin is tuple else list)
    raise TypeError(f"no JSON form for {origin}")


def _mapping(read: Reader) -> Reader:
    def reader(value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "an object")
        return {str(key): read(item, (path, key)) for key, item in value.items()}

    return reader


def _sequence(read: Reader, made: type) -> Reader:
    def reader(value: Any, path: Path) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, value, "a list")
        return made([read(item, (path, index)) for index, item in enumerate(value)])

    return reader


def _dataclass(kind: type) -> Reader:
    hints = typing.get_type_hints(kind)
    needed = {
        each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING
    }
    readers: list[
        tuple[str, Reader]
    ] = []  # filled at the first value: a type's hints may name the type itself

    def reader(value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "an object")
        if not readers:
            readers.extend((name, _reader(hints[name])) for name in _names(kind))
        arguments = {}
        for name, read in readers:
            if name in value:
                arguments[name] = read(value[name], (path, name))
            elif name in needed:
                where = _words((path, name))
                raise InvalidInput(f"{where} is missing", field=where)
        try:
            return kind(**arguments)
        except ValueError as error:
            raise InvalidInput(str(error), field=_words(path)) from error

    return reader


def _time(value: Any, path: Path) -> datetime:
    if not isinstance(value, str):
        raise _wrong(path, value, _A_TIME)
    try:
        return parse_time(value)
    except ValueError as error:
        raise _wrong(path, value, _A_TIME) from error


def _enum(kind: type[Enum]) -> Reader:
    def reader(value: Any, path: Path) -> Any:
        try:
            return kind(value)
        except ValueError as error:
            choices = ", ".join(str(member.value) for member in kind)
            raise _wrong(path, value, f"one of {choices}") from error

    return reader


def _float(value: Any, path: Path) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _wrong(path, value, "float")
    try:
        return float(value)
    except OverflowError as error:  # JSON's integers have no limit
        raise _wrong(path, value, "a number") from error


def _scalar(kind: Any) -> Reader:
    def reader(value: Any, path: Path) -> Any:
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        raise _wrong(path, value, kind.__name__)

    return reader


def _wrong(path: Path, value: object, expected: str) -> InvalidInput:
    where = _words(path)
    return InvalidInput(f"{where or 'the body'} is {value!r:.80}, expected {expected}", field=where)


def _words(path: Path) -> str:
    """Return a path as people write it: `alerts[0].labels`."""
    if not path:
        return ""
    *holder, last = path
    before = _words(holder[0]) if holder else ""
    return f"{before}[{last}]" if isinstance(last, int) else f"{before}.{last}".lstrip(".")
