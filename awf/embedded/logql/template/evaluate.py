"""Rendering a template for one entry, with a bound on steps and on the text it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from awf.embedded.logql.template import syntax
from awf.embedded.logql.template.functions import FUNCTIONS, LAZY, Spec
from awf.embedded.logql.template.parser import parse
from awf.embedded.logql.template.syntax import Node, Operand
from awf.embedded.logql.template.values import (
    MAX_TEXT,
    LabelMap,
    TemplateError,
    Time,
    is_true,
    show,
    type_name,
)

TEMPLATE_ERROR: Final = "TemplateFormatErr"
MAX_STEPS: Final = 10_000
_STEP_TEXT: Final = 256  # characters that a function may read for the price of a step
_NOTHING: Final = object()


class Template:
    """A parsed template; rendering does not change it, so that threads may share it."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self._nodes = nodes
        self.names = frozenset(syntax.field_names(nodes))
        self._simple = _simple(nodes)

    @classmethod
    def parse(cls, source: str) -> Template:
        """Raises QueryError for a broken template, UnsupportedQuery for what is only not answered here."""
        return _parsed(source)

    def render(self, labels: Mapping[str, str], line: str = "", timestamp_ns: int = 0) -> str:
        """Return the text. Raises TemplateError, after which Loki keeps the entry as it was."""
        if self._simple is not None:
            return "".join(part if is_text else labels.get(part, "") for part, is_text in self._simple)
        run = _Run(LabelMap(labels), line, timestamp_ns)
        run.nodes(self._nodes, run.root)
        return "".join(run.out)


@lru_cache(maxsize=256)
def _parsed(source: str) -> Template:
    return Template(parse(source, _NAMES))


_NAMES: Final = FUNCTIONS.keys() | LAZY | {"__line__", "__timestamp__"}


def _simple(nodes: tuple[Node, ...]) -> list[tuple[str, bool]] | None:
    """Return (text or label name, whether it is text) of a template that only puts labels into text."""
    parts: list[tuple[str, bool]] = []
    for node in nodes:
        match node:
            case syntax.Text(text):
                parts.append((text, True))
            case syntax.Action(syntax.Pipe(((syntax.Field((name,), None),),), ())):
                parts.append((name, False))
            case _:
                return None
    return parts


class _Jump(Exception):
    """`break` or `continue` on its way to the range around it."""


class _Break(_Jump):
    pass


class _Continue(_Jump):
    pass


class _Run:
    """One rendering: the output so far, the variables in scope, the steps taken."""

    def __init__(self, root: LabelMap, line: str, timestamp_ns: int) -> None:
        self.root = root
        self.out: list[str] = []
        self._variables: list[tuple[str, Any]] = [("$", root)]
        self._length = 0
        self._steps = 0
        self._values: dict[str, Callable[[], Any]] = {
            "__line__": lambda: line,
            "__timestamp__": lambda: Time(timestamp_ns),
        }

    def nodes(self, nodes: Iterable[Node], dot: Any) -> None:
        for node in nodes:
            self._step()
            match node:
                case syntax.Text(text):
                    self._write(text)
                case syntax.Action(pipe):
                    value = self._pipe(pipe, dot)
                    if not pipe.variables:
                        self._write(show(value))
                case syntax.Branch():
                    self._branch(node, dot)
                case syntax.Jump(kind):
                    raise _Break if kind == "break" else _Continue

    def _step(self, more: int = 0) -> None:
        self._steps += 1 + more
        if self._steps > MAX_STEPS:
            raise TemplateError(f"the template takes more than {MAX_STEPS} steps")

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_TEXT:
            raise TemplateError(f"the template makes more than {MAX_TEXT} bytes")
        self.out.append(text)

    def _branch(self, node: syntax.Branch, dot: Any) -> None:
        depth = len(self._variables)
        if node.kind == "range":
            self._range(node, dot)
        else:
            value = self._pipe(node.pipe, dot)
            inner = value if node.kind == "with" and is_true(value) else dot
            self.nodes(node.body if is_true(value) else node.otherwise, inner)
        del self._variables[depth:]

    def _range(self, node: syntax.Branch, dot: Any) -> None:
        names = node.pipe.variables
        pairs = _items(self._pipe(syntax.Pipe(node.pipe.commands), dot))
        depth = len(self._variables)
        for key, value in pairs:
            self._step()
            chosen = (key, value) if len(names) == 2 else (value,)
            for name, item in zip(names, chosen, strict=False):
                self._assign(name, item, declares=node.pipe.declares)
            try:
                self.nodes(node.body, value)
            except _Break:
                break
            except _Continue:
                pass
            finally:
                del self._variables[depth:]
        if not pairs:
            self.nodes(node.otherwise, dot)

    # -- pipelines

    def _pipe(self, pipe: syntax.Pipe, dot: Any) -> Any:
        value: Any = _NOTHING
        for command in pipe.commands:
            value = self._command(command, dot, value)
        for name in pipe.variables:
            self._assign(name, value, declares=pipe.declares)
        return value

    def _assign(self, name: str, value: Any, *, declares: bool) -> None:
        if declares:
            self._variables.append((name, value))
            return
        for index in range(len(self._variables) - 1, -1, -1):
            if self._variables[index][0] == name:
                self._variables[index] = (name, value)
                return

    def _command(self, command: tuple[Operand, ...], dot: Any, final: Any) -> Any:
        self._step()
        first, *rest = command
        if isinstance(first, syntax.Function):
            return self._call(first.name, rest, dot, final)
        if rest or final is not _NOTHING:
            raise TemplateError(f"can't give argument to non-function {_shown(first)}")
        return self._value(first, dot)

    def _value(self, operand: Operand, dot: Any) -> Any:
        match operand:
            case syntax.Constant(value):
                return value
            case syntax.Dot():
                return dot
            case syntax.Variable(name):
                return next(value for known, value in reversed(self._variables) if known == name)
            case syntax.Function(name):
                return self._call(name, [], dot, _NOTHING)
            case syntax.Pipe():
                return self._pipe(operand, dot)
            case syntax.Field(names, of):
                value = dot if of is None else self._value(of, dot)
                for name in names:
                    value = _field(value, name)
                return value

    # -- calls

    def _call(self, name: str, operands: list[Operand], dot: Any, final: Any) -> Any:
        if name in LAZY:
            return self._lazy(name, operands, dot, final)
        own = self._values.get(name)
        if own is not None:
            if operands or final is not _NOTHING:
                raise TemplateError(f"wrong number of args for {name}: want 0 got {len(operands) + 1}")
            return own()
        spec = FUNCTIONS[name]
        count = len(operands) + (final is not _NOTHING)
        kinds = _kinds(name, spec, count)
        values = [self._argument(item, kind, dot) for item, kind in zip(operands, kinds, strict=False)]
        if final is not _NOTHING:
            values.append(_fitting(final, kinds[-1], constant=False))
        self._step(sum(len(value) for value in values if isinstance(value, str | dict)) // _STEP_TEXT)
        try:
            return spec.call(*values)
        except (OverflowError, RecursionError) as error:
            raise TemplateError(f"error calling {name}: {error}") from error

    def _lazy(self, name: str, operands: list[Operand], dot: Any, final: Any) -> Any:
        value: Any = _NOTHING
        for operand in operands:
            value = self._value(operand, dot)
            if is_true(value) == (name == "or"):
                return value
        value = value if final is _NOTHING else final
        if value is _NOTHING:
            raise TemplateError(f"wrong number of args for {name}: want at least 1 got 0")
        return value

    def _argument(self, operand: Operand, kind: str, dot: Any) -> Any:
        return _fitting(self._value(operand, dot), kind, constant=isinstance(operand, syntax.Constant))


def _kinds(name: str, spec: Spec, count: int) -> str:
    """Return a letter for each argument, or fail for too few or too many."""
    takes = spec.takes
    if not takes.endswith("*"):
        if count != len(takes):
            raise TemplateError(f"wrong number of args for {name}: want {len(takes)} got {count}")
        return takes
    fixed, repeated = takes[:-2], takes[-2]
    if count < len(fixed):
        raise TemplateError(f"wrong number of args for {name}: want at least {len(fixed)} got {count}")
    return fixed + repeated * (count - len(fixed))


_TYPES: Final = {"s": "string", "i": "int", "f": "float64", "t": "time.Time"}


def _fitting(value: Any, kind: str, *, constant: bool) -> Any:
    """Return the value for a parameter. A number as written fits int and float, other values do not turn."""
    if kind == "a":
        return value
    if constant and isinstance(value, int | float) and not isinstance(value, bool):
        if kind == "f":
            return float(value)
        if kind == "i" and float(value).is_integer():
            return int(value)
    expected = {"s": str, "i": int, "f": float, "t": Time}[kind]
    if type(value) is not expected:
        raise TemplateError(f"wrong type for value; expected {_TYPES[kind]}; got {type_name(value)}")
    return value


def _field(value: Any, name: str) -> Any:
    if isinstance(value, LabelMap):
        return value.get(name, "")
    if isinstance(value, Mapping):
        return value.get(name)
    if value is None:
        raise TemplateError(f"nil data; no entry for key {name!r}")
    raise TemplateError(f"can't evaluate field {name} in type {type_name(value)}")


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return [(index, index) for index in range(min(value, MAX_STEPS + 1))]
    if value is None:
        return []
    raise TemplateError(f"range can't iterate over {show(value)}")


def _shown(operand: Operand) -> str:
    match operand:
        case syntax.Field(names):
            return "." + ".".join(names)
        case syntax.Constant(value):
            return show(value)
    return type(operand).__name__.lower()
