"""Masks secrets and personal data in what leaves the process as telemetry.

    redactor = Redactor({"employee": r"EMP-\\d{6}"}, counters=counters)
    redactor.text("mail bob@example.com")          # 'mail [email]'
    redactor.value("password", "hunter2")          # '[password]'

It errs on the side of masking, and masking twice changes nothing. It is no substitute for not logging a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from awf.core import semconv
from awf.core._redact_names import SECRET
from awf.core._redact_pairs import Pairs
from awf.core._redact_shapes import (
    BASICS,
    BEARERS,
    CARDS,
    EMAILS,
    KEYS,
    PRIVATE_KEYS,
    URL_PASSWORDS,
    USER_OPTIONS,
    Rule,
    Span,
)
from awf.core.counters import Counters
from awf.errors import ConfigError

KINDS: Final = ("email", "card", "bearer", "api_key", "private_key", "password", "secret")
"""What is found without being told; a user's kinds come in addition."""
MAX_DEPTH: Final = 12
MAX_ITEMS: Final = 10_000
TOO_DEEP: Final = "[too deep]"
TOO_MANY: Final = "[too many]"

MEMO_STRINGS: Final = 8_192
MEMO_CHARACTERS: Final = 512
# Two passes are the rule: one that masks, one that finds nothing more.
MAX_PASSES: Final = 6

_KIND = re.compile(r"[A-Za-z][\w-]{0,31}", re.ASCII)
_NAME = re.compile(r"[A-Za-z][\w .-]{0,63}", re.ASCII)
_TOKEN = re.compile(r"[0-9a-f]{8,32}")
_PROBE = "Ab1 _-.@:/\n\u00e9"


class SecretTokens(Protocol):
    """Turns a secret into a short token by which it is recognised again, and perhaps found again."""

    def token(self, kind: str, secret: str) -> str:
        """Return 8 to 32 lower-case hexadecimal digits, the same for the same secret. Never raises."""
        ...


class Redactor:
    """Masks secrets in text and in structured data; safe to use from several threads.

    `patterns` are further regular expressions by kind; `secret_names` are further names whose values are secret.
    With `tokens` masks carry a token (`[email:3fa9c1d2]`). Raises ConfigError for a pattern or name that cannot
    be used.
    """

    def __init__(
        self,
        patterns: Mapping[str, str] = {},
        *,
        secret_names: Iterable[str] = (),
        tokens: SecretTokens | None = None,
        counters: Counters | None = None,
    ) -> None:
        kinds = "|".join(map(re.escape, dict.fromkeys((*KINDS, *patterns))))
        mask = rf"\[(?:{kinds})(?::[0-9a-f]{{8,32}})?\]"
        self._mask = re.compile(mask)
        self._pairs = Pairs(mask, map(_checked, secret_names))
        further = [self._user_rule(kind, _compiled(kind, pattern)) for kind, pattern in patterns.items()]
        # What encloses others goes first: a password may contain an address, an address no password.
        self._rules = (
            PRIVATE_KEYS, KEYS, BEARERS, BASICS, URL_PASSWORDS, USER_OPTIONS, self._pairs.rule, *further, EMAILS, CARDS,
        )  # fmt: skip
        self._tokens = tokens
        self._counters = counters or Counters()
        self._clean: set[str] = set()
        self._masked: dict[str, tuple[str, dict[str, int]]] = {}
        self._names: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return the text with its secrets masked."""
        if text in self._clean:
            return text
        known = self._masked.get(text)
        if known is None:
            known = self._look(text)
        masked, counts = known
        for kind, count in counts.items():
            self._counters.add(semconv.REDACTIONS, count, kind=kind)
        return masked

    def value(self, name: str, value: object) -> object:
        """Return a value of structured data, masked whole when its name is that of a secret.

        Mappings, lists and tuples keep their form down to MAX_DEPTH; objects become their text.
        """
        return self._inner(name, value, MAX_DEPTH, [MAX_ITEMS])

    # -- text

    def _look(self, text: str) -> tuple[str, dict[str, int]]:
        counts: dict[str, int] = {}
        masked = self._settle(text, counts)
        if len(text) <= MEMO_CHARACTERS:
            if len(self._clean) + len(self._masked) >= MEMO_STRINGS:
                self._clean.clear()
                self._masked.clear()
            if masked == text:
                self._clean.add(text)
            else:
                self._masked[text] = masked, counts
        return masked, counts

    def _settle(self, text: str, counts: dict[str, int]) -> str:
        """Mask until nothing more is found, so that masking twice changes nothing."""
        for _ in range(MAX_PASSES):
            masked = self._pass(text, counts)
            if masked == text:
                return text
            text = masked
        # Only text made to deceive gets here; it is not worth a closer look.
        return self._hide(SECRET, text, counts)

    def _pass(self, text: str, counts: dict[str, int]) -> str:
        lowered = text.lower()
        for rule in self._rules:
            if rule.may_find(lowered) and (spans := list(rule.find(text))):
                text = self._replaced(text, spans, counts)
                lowered = text.lower()
        return text

    def _replaced(self, text: str, spans: list[Span], counts: dict[str, int]) -> str:
        parts: list[str] = []
        end = 0
        for start, stop, kind in spans:
            secret = text[start:stop]
            is_mask = self._mask.fullmatch(secret) is not None
            parts += (text[end:start], secret if is_mask else self._hide(kind, secret, counts))
            end = stop
        parts.append(text[end:])
        return "".join(parts)

    def _hide(self, kind: str, secret: str, counts: dict[str, int]) -> str:
        counts[kind] = counts.get(kind, 0) + 1
        token = self._tokens.token(kind, secret) if self._tokens else ""
        return f"[{kind}:{token}]" if _TOKEN.fullmatch(token) else f"[{kind}]"

    def _user_rule(self, kind: str, pattern: re.Pattern[str]) -> Rule:
        def find(text: str) -> Iterator[Span]:
            start = 0
            for mask in self._mask.finditer(text):
                yield from between(text, start, mask.start())
                start = mask.end()
            yield from between(text, start, len(text))

        def between(text: str, start: int, end: int) -> Iterator[Span]:
            for found in pattern.finditer(text[start:end]):
                if found[0]:
                    yield start + found.start(), start + found.end(), kind

        return Rule(find)

    # -- structured data

    def _inner(self, name: str, value: object, depth: int, items: list[int]) -> object:
        if value is None or isinstance(value, bool):
            return value
        kind = self._kind(name)
        if kind is not None:
            return self._whole(kind, value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float):
            return value
        if not isinstance(value, Mapping | list | tuple):
            return self.text(_shown(value))
        if depth == 0:
            return TOO_DEEP
        if isinstance(value, Mapping):
            return self._mapping(value, depth - 1, items)
        inner = self._sequence(name, value, depth - 1, items)
        return inner if isinstance(value, list) else tuple(inner)

    def _mapping(self, value: Mapping[object, object], depth: int, items: list[int]) -> dict[object, object]:
        found: dict[object, object] = {}
        twins: dict[object, int] = {}
        label = value.get("name", value.get("key"))
        for key, each in value.items():
            if not _take(items):
                found[TOO_MANY] = TOO_MANY
                break
            name = key if isinstance(key, str) else _shown(key)
            masked = key if isinstance(key, bool | int | float) or key is None else self.text(name)
            shown: object = masked
            while shown in found:  # two secret keys look alike: neither may hide the other's value
                twins[masked] = twins.get(masked, 1) + 1
                shown = f"{masked} {twins[masked]}"
            if key == "value" and isinstance(label, str):
                name = label  # {"name": "password", "value": "hunter2"}
            found[shown] = self._inner(name, each, depth, items)
        return found

    def _sequence(
        self, name: str, value: list[object] | tuple[object, ...], depth: int, items: list[int]
    ) -> list[object]:
        found: list[object] = []
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
            return [self.text(value[0]), self._inner(value[0], value[1], depth, items)]  # headers, as pairs
        for each in value:
            if not _take(items):
                found.append(TOO_MANY)
                break
            found.append(self._inner(name, each, depth, items))
        return found

    def _whole(self, kind: str, value: object) -> str:
        text = value if isinstance(value, str) else _shown(value)
        if not text or self._mask.fullmatch(text):
            return text
        shaped = self.text(text)
        if self._mask.fullmatch(shaped):
            return shaped  # `[api_key]` says more than `[secret]`
        counts: dict[str, int] = {}
        masked = self._hide(kind, text, counts)
        self._counters.add(semconv.REDACTIONS, kind=kind)
        return masked

    def _kind(self, name: str) -> str | None:
        known = self._names.get(name)  # "" for a harmless name
        if known is None:
            if len(self._names) >= MEMO_STRINGS:
                self._names.clear()
            # A mask that stands for a part of a name says nothing about the value.
            known = self._pairs.kind(self._mask.sub(" ", self._settle(name, {}))) or ""
            if len(name) <= MEMO_CHARACTERS:
                self._names[name] = known
        return known or None


def _take(items: list[int]) -> bool:
    items[0] -= 1
    return items[0] >= 0


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception:  # the boundary: an object's own code runs here, and telemetry must not fail
        return f"[{type(value).__name__}]"


def _checked(name: str) -> str:
    """Return a user's secret name. Raises ConfigError for what can be no name."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"the secret name {name!r} is no name",
            hint="Write it with letters, digits, spaces and . _ -, at most 64, for example employee_number.",
        )
    return name


def _compiled(kind: str, pattern: str) -> re.Pattern[str]:
    """Compile a user's pattern. Raises ConfigError naming it."""
    if not _KIND.fullmatch(kind):
        raise ConfigError(
            f"the redaction kind {kind!r} cannot be shown in a mask",
            hint="Name it with letters, digits, - and _, at most 32 of them.",
        )
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"the redaction pattern {kind!r} is no regular expression: {error} in {pattern!r}",
            hint="It is written as for Python's re module.",
        ) from error
    if compiled.search("") or any(not found[0] for found in compiled.finditer(_PROBE)):
        raise ConfigError(
            f"the redaction pattern {kind!r} matches the empty string: {pattern!r}",
            hint="Write + instead of *, or require at least one character.",
        )
    return compiled
