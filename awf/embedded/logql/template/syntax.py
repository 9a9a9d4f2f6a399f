"""The syntax tree of a template: text, actions and the pipelines inside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """A string, number, bool or nil as written; a number fits whichever numeric parameter it meets."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Dot:
    pass


@dataclass(frozen=True, slots=True)
class Function:
    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """`.a.b` of the dot, or of what stands before it."""

    names: tuple[str, ...]
    of: Operand | None = None


@dataclass(frozen=True, slots=True)
class Pipe:
    """Commands whose value goes to the next one as its last argument, and the variables that keep it."""

    commands: tuple[tuple[Operand, ...], ...]
    variables: tuple[str, ...] = ()
    declares: bool = False


Operand: TypeAlias = Constant | Dot | Function | Variable | Field | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` or `range`."""

    kind: str
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    kind: str


Node: TypeAlias = Text | Action | Branch | Jump


def field_names(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Yield every name that follows a dot: the labels that a template may read."""
    for node in nodes:
        if isinstance(node, Action):
            yield from _names_in(node.pipe)
        elif isinstance(node, Branch):
            yield from _names_in(node.pipe)
            yield from field_names(node.body)
            yield from field_names(node.otherwise)


def _names_in(operand: Operand) -> Iterator[str]:
    if isinstance(operand, Pipe):
        for command in operand.commands:
            for argument in command:
                yield from _names_in(argument)
    elif isinstance(operand, Field):
        yield from operand.names
        if operand.of is not None:
            yield from _names_in(operand.of)
