"""The place in a query's tokens: what every part of the grammar works with."""

from __future__ import annotations

from awf.embedded.promql.lexer import NUMBER_WORDS, Token
from awf.embedded.promql.literals import read_duration_ms, read_number, read_string
from awf.embedded.promql.mistakes import ParseError
from awf.embedded.promql.syntax import Number, Span


class Cursor:
    """The tokens of a query, the place among them, and the errors that can be there."""

    def __init__(self, query: str, found: list[Token]) -> None:
        self.query = query
        self._tokens = found
        self._at = 0

    @property
    def current(self) -> Token:
        """The token to come. Raises ParseError when the text there is none."""
        token = self._tokens[self._at]
        if token.mistake:
            raise token.mistake
        return token

    @property
    def is_done(self) -> bool:
        return self.current.kind == "end"

    @property
    def following(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    @property
    def last(self) -> Token:
        """The token taken last."""
        return self._tokens[max(self._at - 1, 0)]

    def take(self) -> Token:
        token = self.current
        self._at += token.kind != "end"
        return token

    def sees(self, *texts: str) -> bool:
        """Tell whether the current token is one of these symbols or words, in any case."""
        token = self.current
        return (
            token.lower in texts if token.kind == "word" else token.kind == "symbol" and token.text in texts
        )

    def skip(self, *texts: str) -> Token | None:
        """Take the current token if it is one of these."""
        return self.take() if self.sees(*texts) else None

    def expect(self, text: str, context: str, expected: str = "") -> Token:
        if not self.sees(text):
            raise self.unexpected(context, expected or f'"{text}"')
        return self.take()

    def unexpected(self, context: str = "", expected: str = "", hint: str = "") -> ParseError:
        complaint = f"unexpected {self.current.describe()}"
        if context:
            complaint += f" in {context}"
        if expected:
            complaint += f", expected {expected}"
        return self.error(self.current.span, complaint, hint)

    def error(self, span: Span, complaint: str, hint: str = "") -> ParseError:
        return ParseError(self.query, span, complaint, hint)

    def string(self, token: Token) -> str:
        try:
            return read_string(token.text)
        except ValueError as error:
            complaint = f"error unquoting string {token.text}: {error}"
            raise self.error(token.span, complaint, "Use backquotes for text with backslashes.") from error

    def number(self, token: Token) -> Number:
        """Read a number, or a duration as seconds."""
        try:
            if token.kind == "duration":
                return Number(read_duration_ms(token.text) / 1000, is_duration=True, span=token.span)
            return Number(read_number(token.text), span=token.span)
        except ValueError as error:
            hint = "Write the units from the longest to the shortest, each once, as in 1d12h."
            raise self.error(token.span, str(error), hint if token.kind == "duration" else "") from error

    def labels(self, hint: str = "Labels are words or strings, parted by commas.") -> tuple[str, ...]:
        """Read label names in parentheses."""
        self.expect("(", "grouping opts")
        names: list[str] = []
        while not self.sees(")"):
            token = self.current
            if token.kind not in ("word", "string") or token.lower in NUMBER_WORDS:
                raise self.unexpected("grouping opts", "label", hint)
            name = self.string(self.take()) if token.kind == "string" else self.take().text
            if not name or (":" in name and token.kind == "word"):
                raise self.error(token.span, f'invalid label name for grouping: "{name}"')
            names.append(name)
            if not self.skip(",") and not self.sees(")"):
                raise self.unexpected("grouping opts", '"," or ")"', hint)
        self.take()
        return tuple(names)
