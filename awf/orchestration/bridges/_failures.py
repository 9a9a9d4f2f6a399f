"""What went wrong in a framework, in the few words that queries group by; and the boundary behind which
a bridge keeps its own mistakes.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

from awf.core.semconv import CANCELLED
from awf.orchestration._drops import is_worth_telling

logger = logging.getLogger(__name__)

MAX_ERROR_CHARS = 500
RATE_LIMIT, TIMEOUT, AUTHENTICATION = "rate_limit", "timeout", "authentication"

_STATUSES = {401: AUTHENTICATION, 403: AUTHENTICATION, 408: TIMEOUT, 429: RATE_LIMIT, 504: TIMEOUT}
_CANCELLATIONS = {"CancelledError", "GeneratorExit", "KeyboardInterrupt"}
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LEADING_CLASS = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Z]\w*(?:Error|Exception)):")
_SPEAKS_OF_LIMIT = re.compile(r"\b429\b|rate.?limit|too many requests", re.IGNORECASE)
_SPEAKS_OF_TIMEOUT = re.compile(r"\btime(?:d|s)?[ _-]?out\b|\btimeout", re.IGNORECASE)

P = ParamSpec("P")
R = TypeVar("R")


class Failure(NamedTuple):
    """An `error_type` from a small set, or the exception's class in snake_case, and the text."""

    error_type: str
    error: str = ""

    @property
    def is_cancellation(self) -> bool:
        return self.error_type == CANCELLED


def of_exception(error: BaseException) -> Failure:
    """Return what an exception means. Its HTTP status, where it has one, says more than its class."""
    names = [kind.__name__ for kind in type(error).__mro__]
    status = getattr(error, "status_code", None)
    if status is None:
        status = getattr(getattr(error, "response", None), "status_code", None)
    text = str(error) or names[0]
    if isinstance(status, int) and status in _STATUSES:
        return of_status(status, text)
    return named(names[0], text, names[1:])


def of_status(status: int, text: str) -> Failure:
    """Return what an HTTP status means."""
    return Failure(_STATUSES.get(status, f"http_{status}"), text[:MAX_ERROR_CHARS])


def named(name: str, text: str, ancestors: list[str] | None = None) -> Failure:
    """Return the failure for an exception of which only the class's name and the text are known."""
    names = [name.rpartition(".")[2], *(ancestors or [])]
    text = text[:MAX_ERROR_CHARS]
    if not _CANCELLATIONS.isdisjoint(names):
        return Failure(CANCELLED, text)
    if any("RateLimit" in each for each in names):
        return Failure(RATE_LIMIT, text)
    if any("Timeout" in each or "TimedOut" in each for each in names):
        return Failure(TIMEOUT, text)
    return Failure(_WORD_STARTS.sub("_", names[0]).lower(), text)


def of_text(text: str, otherwise: str) -> Failure:
    """Return what an error's text tells, where a framework hands on nothing else. `otherwise` is the name
    for one that begins with no exception's class and speaks of no limit."""
    found = _LEADING_CLASS.match(text)
    name = found[1] if found else otherwise
    if _SPEAKS_OF_LIMIT.search(text):
        return Failure(RATE_LIMIT, text[:MAX_ERROR_CHARS])
    if _SPEAKS_OF_TIMEOUT.search(text):
        return Failure(TIMEOUT, text[:MAX_ERROR_CHARS])
    return named(name, text)


def never_raises(callback: Callable[P, R]) -> Callable[P, R | None]:
    """Make a callback that logs what goes wrong in it instead of raising it into the watched program."""
    failed = 0

    @functools.wraps(callback)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        nonlocal failed
        try:
            return callback(*args, **kwargs)
        except Exception:  # boundary: telemetry must not break the program that it watches
            failed += 1
            if is_worth_telling(failed):
                fields = {"callback": callback.__qualname__, "failed": failed}
                logger.warning("a bridge could not record what happened", extra=fields, exc_info=True)
            return None

    return call
