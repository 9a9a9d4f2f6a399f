"""From the pieces of a template to its tree, with Go's rules of what may stand where."""

from __future__ import annotations

import json
import re
from collections.abc import Container
from typing import Final

from awf.embedded.logql.template.lexer import Token, invalid, pieces
from awf.embedded.logql.template.syntax import (
    Action,
    Branch,
    Constant,
    Dot,
    Field,
    Function,
    Jump,
    Node,
    Operand,
    Pipe,
    Text,
    Variable,
)
from awf.errors import UnsupportedQuery

MAX_DEPTH: Final = 50
_REFUSED: Final = {"define", "template", "block", "js", "call"}
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
                  "\\": "\\", '"': '"', "'": "'"}  # fmt: skip
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "nil": None}


def parse(source: str, functions: Container[str]) -> tuple[Node, ...]:
    """Raises QueryError for what Go refuses too, UnsupportedQuery for what is only not answered here."""
    return _Parser(source, functions).run()


class _Parser:
    def __init__(self, source: str, functions: Container[str]) -> None:
        self._pieces = pieces(source)
        self._functions = functions
        self._scopes: list[set[str]] = [{"$"}]
        self._loops = 0

    def run(self) -> tuple[Node, ...]:
        nodes, end = self._nodes()
        if end is not None:
            raise invalid(f"unexpected {{{{{end[0].text}}}}}")
        return nodes

    def _nodes(self) -> tuple[tuple[Node, ...], list[Token] | None]:
        """Return nodes up to `else`, `end` or the end of the template, and the tokens that ended them."""
        nodes: list[Node] = []
        for piece in self._pieces:
            if isinstance(piece, str):
                if piece:
                    nodes.append(Text(piece))
                continue
            word = piece[0].text if piece[0].kind == "word" else ""
            if word in {"else", "end"}:
                return tuple(nodes), piece
            nodes.append(self._action(word, piece))
        return tuple(nodes), None

    def _action(self, word: str, tokens: list[Token]) -> Node:
        if word in {"if", "with", "range"}:
            return self._branch(word, tokens[1:])
        if word in {"break", "continue"}:
            if not self._loops or len(tokens) > 1:
                raise invalid(f"{{{{{word}}}}} outside {{{{range}}}}")
            return Jump(word)
        if word in _REFUSED:
            raise _refused(word)
        return Action(self._pipe(tokens))

    def _branch(self, kind: str, tokens: list[Token]) -> Branch:
        if len(self._scopes) > MAX_DEPTH:
            raise invalid(f"more than {MAX_DEPTH} levels deep")
        self._scopes.append(set())
        pipe = self._pipe(tokens, is_range=kind == "range")
        self._loops += kind == "range"
        body, end = self._nodes()
        self._loops -= kind == "range"
        otherwise: tuple[Node, ...] = ()
        if end is not None and end[0].text == "else":
            otherwise, end = self._else(kind, end[1:])
        if end is None:
            raise invalid("unexpected EOF: a block is not closed with {{end}}")
        if len(end) > 1:
            raise invalid(f"unexpected {end[1].text!r} in end")
        self._scopes.pop()
        return Branch(kind, pipe, body, otherwise)

    def _else(self, kind: str, rest: list[Token]) -> tuple[tuple[Node, ...], list[Token] | None]:
        if not rest:
            return self._nodes()
        if rest[0].text != kind or kind == "range":
            raise invalid(f"unexpected {rest[0].text!r} in else")
        nested = self._branch(kind, rest[1:])  # the one {{end}} closes both
        return (nested,), [Token("word", "end", glued=False)]

    # -- pipelines

    def _pipe(self, tokens: list[Token], *, is_range: bool = False) -> Pipe:
        reader = _Reader(tokens)
        names, declares = reader.variables(is_range=is_range)
        if not declares:
            for name in names:
                self._known(name)
        pipe = self._commands(reader, names, declares=declares, depth=0)
        if reader.token is not None:
            raise invalid(f"unexpected {reader.token.text!r}")
        if declares:
            self._scopes[-1].update(names)
        return pipe

    def _commands(self, reader: _Reader, names: tuple[str, ...], *, declares: bool, depth: int) -> Pipe:
        if depth > MAX_DEPTH:
            raise invalid(f"more than {MAX_DEPTH} levels deep")
        commands: list[tuple[Operand, ...]] = []
        while True:
            command: list[Operand] = []
            while (token := reader.token) is not None and token.text not in {"|", ")"}:
                if command and token.glued:
                    raise invalid(f"unexpected {token.text!r} in operand")
                command.append(self._operand(reader, depth))
            if not command:
                raise invalid("missing value for command")
            if commands and not isinstance(command[0], Function | Field | Variable):
                raise invalid(f"non executable command in pipeline stage {len(commands) + 1}")
            commands.append(tuple(command))
            if reader.token is None or reader.token.text != "|":
                return Pipe(tuple(commands), names, declares)
            reader.next()

    def _operand(self, reader: _Reader, depth: int) -> Operand:
        token = reader.next()
        operand = self._term(token, reader, depth)
        names: list[str] = []
        while (after := reader.token) is not None and after.kind == "field" and after.glued:
            names.append(reader.next().text[1:])
        if not names:
            return operand
        if isinstance(operand, Field) and operand.of is None:
            return Field((*operand.names, *names))
        if isinstance(operand, Constant | Dot):
            raise invalid(f"unexpected .{names[0]} after {token.text}")
        return Field(tuple(names), operand)

    def _term(self, token: Token, reader: _Reader, depth: int) -> Operand:
        match token.kind:
            case "string":
                return Constant(_unquoted(token.text))
            case "char":
                return Constant(_character(token.text))
            case "number":
                return Constant(_number(token.text))
            case "field":
                return Field((token.text[1:],))
            case "variable":
                return self._known(token.text)
            case "word":
                return self._word(token.text)
        if token.text == ".":
            return Dot()
        if token.text != "(":
            raise invalid(f"unexpected {token.text!r} in operand")
        pipe = self._commands(reader, (), declares=False, depth=depth + 1)
        if reader.token is None:
            raise invalid("unclosed left paren")
        reader.next()
        return pipe

    def _word(self, name: str) -> Operand:
        if name in _WORDS:
            return Constant(_WORDS[name])
        if name in _REFUSED:
            raise _refused(name)
        if name not in self._functions:
            raise invalid(f'function "{name}" not defined')
        return Function(name)

    def _known(self, name: str) -> Variable:
        if not any(name in scope for scope in self._scopes):
            raise invalid(f'undefined variable "{name}"')
        return Variable(name)


class _Reader:
    """The tokens of one action, from the first to the last."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def token(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def next(self) -> Token:
        token = self.token
        if token is None:
            raise invalid("missing value for command")
        self._at += 1
        return token

    def variables(self, *, is_range: bool) -> tuple[tuple[str, ...], bool]:
        """Read `$a :=`, `$a =` or, in a range, `$key, $value :=`."""
        texts = [token.text if token.kind == "mark" else token.kind for token in self._tokens[:4]]
        width = 0
        if texts[:2] in (["variable", ":="], ["variable", "="]):
            width = 1
        elif is_range and texts[:3] == ["variable", ",", "variable"] and texts[3:] in ([":="], ["="]):
            width = 3
        if not width:
            return (), False
        self._at = width + 1
        names = tuple(token.text for token in self._tokens[:width] if token.kind == "variable")
        return names, self._tokens[width].text == ":="


def _refused(name: str) -> UnsupportedQuery:
    return UnsupportedQuery(f"the template action {{{{{name}}}}}", hint="Write the template without it.")


def _number(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        pass  # a float, or digits with a leading zero
    try:
        return int(text, 8) if text.lstrip("+-").isdigit() else float(text)
    except (ValueError, OverflowError):
        raise invalid(f"bad number syntax: {text!r:.60}") from None


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1].replace("\r", "")
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _character(text: str) -> int:
    plain = _ESCAPE.sub(_unescaped, text[1:-1])
    if len(plain) != 1:
        raise invalid(f"malformed character constant: {text}")
    return ord(plain)


def _unescaped(found: re.Match[str]) -> str:
    body = found[1]
    if body in _SIMPLE:
        return _SIMPLE[body]
    if body[0] in "xuU" and len(body) > 1:
        code = int(body[1:], 16)
        if code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
            return chr(code)
    elif len(body) == 3:
        return chr(int(body, 8))
    raise invalid(f"invalid escape {json.dumps(body)} in a string")
