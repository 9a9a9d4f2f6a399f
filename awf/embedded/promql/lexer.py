"""Text to tokens. Numbers and durations are recognised here, words are told apart by the grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from awf.embedded.promql.mistakes import ParseError, position
from awf.embedded.promql.syntax import Span

TokenKind = Literal["number", "duration", "string", "word", "symbol", "end"]

AGGREGATORS = frozenset(
    {"sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values",
     "quantile", "limitk", "limit_ratio"}
)  # fmt: skip
KEYWORDS = frozenset(
    {"offset", "smoothed", "anchored", "by", "without", "on", "ignoring", "group_left", "group_right", "bool",
     "start", "end", "step", "range", "fill", "fill_left", "fill_right", "max_of", "min_of"}
)  # fmt: skip
NUMBER_WORDS = frozenset({"inf", "nan"})
WORD_OPERATORS = frozenset({"and", "or", "unless", "atan2"})

_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)+")
_WORD = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?")
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|`[^`]*`', re.DOTALL)
_SYMBOL = re.compile(r"==|!=|=~|!~|<=|>=|</|>/|[-+*/%^=<>(){}\[\],@:]")
_INSIDE_BRACES = frozenset({"=", "!=", "=~", "!~", ",", "}", "=="})
_NUMBER_GOES_ON = re.compile(r"[A-Za-z0-9_.]")
_UNITS = "Units are ms, s, m, h, d, w and y, as in 5m or 1h30m."


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    text: str
    span: Span
    mistake: ParseError | None = None

    @property
    def lower(self) -> str:
        return self.text.lower() if self.kind == "word" else ""

    def describe(self) -> str:
        """Name the token as Prometheus does in its errors."""
        match self.kind:
            case "end":
                return "end of input"
            case "word":
                return self._describe_word()
            case "symbol":
                return f'"{self.text}"' if self.text in "(){}[],:=@" else f"<op:{self.text}>"
            case _:
                quoted = self.text.replace("\\", "\\\\").replace('"', '\\"')
                shown = f'"{quoted}"' if len(self.text) <= 10 else f'"{quoted[:10]}"...'
                return f"{self.kind} {shown}"

    def _describe_word(self) -> str:
        if self.lower in NUMBER_WORDS:
            return f'number "{self.text}"'
        for words, kind in ((WORD_OPERATORS, "op:"), (AGGREGATORS, "aggr:"), (KEYWORDS, "")):
            if self.lower in words:
                return f"<{kind}{self.text}>"
        return f'identifier "{self.text}"'


def tokens(query: str) -> list[Token]:
    """Return the tokens, the last of kind "end". Where the text is no token, that one has the mistake: an
    earlier one of the grammar is told first."""
    return _Lexer(query).run()


class _Lexer:
    def __init__(self, query: str) -> None:
        self._query = query
        self._at = 0
        self._open: list[Token] = []
        self._found: list[Token] = []

    def run(self) -> list[Token]:
        try:
            while self._at < len(self._query):
                if space := _SPACE.match(self._query, self._at):
                    self._at = space.end()
                    continue
                self._next()
            self._check_closed()
            self._emit("end", self._at)
        except ParseError as mistake:
            self._found.append(Token("end", "", mistake.span, mistake))
        return self._found

    def _next(self) -> None:
        char = self._query[self._at]
        inside = self._open[-1].text if self._open else ""
        if char.isascii() and (
            char.isdigit() or (char == "." and self._query[self._at + 1 : self._at + 2].isdigit())
        ):
            self._number()
        elif char in "\"'`":
            self._string()
        elif word := (_PLAIN_WORD if inside in ("[", "{") else _WORD).match(self._query, self._at):
            self._emit("word", word.end())
        elif (symbol := _SYMBOL.match(self._query, self._at)) and (
            inside != "{" or symbol[0] in _INSIDE_BRACES
        ):
            if symbol[0] in ("=~", "!~") and inside != "{":
                complaint = f"unexpected character after '{symbol[0][0]}': '~'"
                hint = "Regular expressions compare labels, inside braces."
                raise self._error(Span(self._at, symbol.end()), complaint, hint)
            self._emit("symbol", symbol.end())
            self._track_brackets(self._found[-1])
        else:
            hint = {"&": "Write `and`.", "|": "Write `or`.", "!": "Write `!=`, `!~` or `unless`."}.get(
                char, ""
            )
            where = " inside braces" if inside == "{" else ""
            raise self._error(Span(self._at, self._at + 1), f"unexpected character{where}: {char!r}", hint)

    def _emit(self, kind: TokenKind, end: int) -> None:
        self._found.append(Token(kind, self._query[self._at : end], Span(self._at, end)))
        self._at = end

    def _error(self, span: Span, complaint: str, hint: str = "") -> ParseError:
        return ParseError(self._query, span, complaint, hint)

    def _number(self) -> None:
        for kind, pattern in (("number", _NUMBER), ("duration", _DURATION)):
            found = pattern.match(self._query, self._at)
            if found and not _NUMBER_GOES_ON.match(self._query, found.end()):
                self._emit("number" if kind == "number" else "duration", found.end())
                return
        wrong = re.compile(r"[\w.]+").match(self._query, self._at)
        text = wrong[0] if wrong else self._query[self._at]
        span = Span(self._at, self._at + len(text))
        raise self._error(span, f'bad number or duration syntax: "{text}"', _UNITS)

    def _string(self) -> None:
        found = _STRING.match(self._query, self._at)
        if not found:
            raw = self._query[self._at] == "`"
            complaint = "unterminated raw string" if raw else "unterminated quoted string"
            raise self._error(
                Span(self._at, len(self._query)), complaint, "Close the string with the same quote."
            )
        self._emit("string", found.end())

    def _track_brackets(self, token: Token) -> None:
        closes = {")": "(", "]": "[", "}": "{"}
        names = {")": "right parenthesis ", "]": "right bracket ", "}": "character: "}
        if token.text in "([{":
            self._open.append(token)
        elif token.text in closes:
            if token.text == ")" and self._open and self._open[-1].text == "[":
                return  # the grammar knows better what is missing
            if not self._open or self._open[-1].text != closes[token.text]:
                self._found.pop()
                hint = f"Nothing is open that {token.text!r} would close."
                if self._open:
                    opened = self._open[-1]
                    hint = f"{opened.text!r} at {position(self._query, opened.span.start)} is still open."
                raise self._error(token.span, f"unexpected {names[token.text]}'{token.text}'", hint)
            self._open.pop()

    def _check_closed(self) -> None:
        if not self._open:
            return
        opened = self._open[-1]
        complaint = {
            "(": "unclosed left parenthesis", "[": "unclosed left bracket",
            "{": "unexpected end of input inside braces",
        }[opened.text]  # fmt: skip
        closing = {"(": ")", "[": "]", "{": "}"}[opened.text]
        end = len(self._query)
        hint = f"Close the {opened.text!r} at {position(self._query, opened.span.start)} with {closing!r}."
        raise self._error(Span(end, end), complaint, hint)
