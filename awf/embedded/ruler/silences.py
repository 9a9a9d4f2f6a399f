"""Silences: alerts that match are not notified while one is active. Alertmanager's v2 semantics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from awf.core.types import new_id
from awf.embedded.model import Matcher, MatchOp
from awf.errors import InvalidInput, NotFound, QueryError, TooLarge

MAX_SILENCES: Final = 1000
MAX_MATCHERS: Final = 32
MAX_TEXT: Final = 1024
EXPIRED_RETENTION_MS: Final = 5 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class SilenceMatcher:
    """A condition on one label, as Alertmanager's API names its parts."""

    name: str
    value: str
    is_regex: bool
    is_equal: bool

    @property
    def matcher(self) -> Matcher:
        ops = {
            (False, True): MatchOp.EQUAL,
            (False, False): MatchOp.NOT_EQUAL,
            (True, True): MatchOp.REGEX,
            (True, False): MatchOp.NOT_REGEX,
        }
        return Matcher(self.name, ops[self.is_regex, self.is_equal], self.value)


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence; all its matchers have to accept an alert's labels."""

    id: str
    matchers: tuple[SilenceMatcher, ...]
    starts_at_ms: int
    ends_at_ms: int
    created_by: str
    comment: str
    updated_at_ms: int

    def state(self, now_ms: int) -> str:
        """Return pending, active or expired."""
        if now_ms < self.starts_at_ms:
            return "pending"
        return "active" if now_ms < self.ends_at_ms else "expired"


class Silences:
    """All silences of one ruler, in memory; the ruler saves them with its state."""

    def __init__(self, now_ms: Callable[[], int], silences: Iterable[Silence] = ()) -> None:
        self._now_ms = now_ms
        self._silences = {silence.id: silence for silence in silences}
        self._matchers = {silence.id: _compile(silence.matchers) for silence in silences}

    def all(self) -> list[Silence]:
        """Return every silence, also those that ended within the last five days."""
        limit = self._now_ms() - EXPIRED_RETENTION_MS
        for silence in list(self._silences.values()):
            if silence.ends_at_ms < limit:
                del self._silences[silence.id], self._matchers[silence.id]
        return list(self._silences.values())

    def get(self, silence_id: str) -> Silence:
        """Raises NotFound."""
        try:
            return self._silences[silence_id]
        except KeyError:
            raise NotFound(f"silence {silence_id!r:.60} does not exist") from None

    def put(self, silence: Silence) -> str:
        """Create a silence (empty id) or replace one, and return its id. Raises InvalidInput, NotFound."""
        now = self._now_ms()
        _check(silence, now)
        matchers = _compile(silence.matchers)
        if silence.id:
            self.get(silence.id)
        elif len(self.all()) >= MAX_SILENCES:
            raise TooLarge(f"there are {MAX_SILENCES} silences already", hint="Expire some first.")
        silence = replace(silence, id=silence.id or new_id("silence"), updated_at_ms=now)
        self._silences[silence.id], self._matchers[silence.id] = silence, matchers
        return silence.id

    def expire(self, silence_id: str) -> None:
        """End a silence now. Raises NotFound."""
        now, silence = self._now_ms(), self.get(silence_id)
        ends = min(silence.ends_at_ms, now)
        self._silences[silence_id] = replace(
            silence, starts_at_ms=min(silence.starts_at_ms, ends), ends_at_ms=ends, updated_at_ms=now
        )

    def silenced_by(self, labels: Mapping[str, str]) -> list[str]:
        """Return the ids of the active silences that match these labels."""
        now = self._now_ms()
        return [
            silence.id
            for silence in self._silences.values()
            if silence.state(now) == "active"
            and all(matcher.accepts(labels) for matcher in self._matchers[silence.id])
        ]


def _compile(matchers: Sequence[SilenceMatcher]) -> tuple[Matcher, ...]:
    return tuple(matcher.matcher for matcher in matchers)


def _check(silence: Silence, now_ms: int) -> None:
    if not 0 < len(silence.matchers) <= MAX_MATCHERS:
        raise InvalidInput(f"a silence needs 1 to {MAX_MATCHERS} matchers, got {len(silence.matchers)}")
    for item in silence.matchers:
        if not item.name or len(item.name) + len(item.value) > MAX_TEXT:
            raise InvalidInput(
                f"the matcher of {item.name!r:.60} has no name or is over {MAX_TEXT} characters"
            )
        try:
            item.matcher.matches("")
        except QueryError as error:
            raise InvalidInput(f"matcher {item.name!r:.60}: {error.message}") from error
    if all(matcher.matches("") for matcher in _compile(silence.matchers)):
        raise InvalidInput("at least one matcher of a silence must not match the empty string")
    if silence.ends_at_ms <= max(silence.starts_at_ms, now_ms):
        raise InvalidInput("a silence must end after its start, and in the future")
    if len(silence.comment) > MAX_TEXT or len(silence.created_by) > MAX_TEXT:
        raise InvalidInput(f"comment and createdBy of a silence have at most {MAX_TEXT} characters")
