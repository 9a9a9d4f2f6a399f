"""A `LogFilter` as an SQL condition on the columns of logs: sid, ts, line, metadata (canonical JSON)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from awf.embedded.blocks import encode
from awf.embedded.model import LineTest, LogFilter, Matcher, MatchOp

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LabelsOf = Callable[[int], Mapping[str, str] | None]


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL with a question mark for each value."""

    sql: str
    values: tuple[object, ...] = ()


def condition(where: LogFilter, ids: Sequence[int], labels_of: _LabelsOf) -> Condition:
    """Return what rows of these streams must fulfil."""
    parts = [_line(test) for test in where.lines]
    parts += [_label(matcher, ids, labels_of) for matcher in where.labels]
    parts += [_value(text, ids, labels_of) for text in where.values]
    return Condition(
        " and ".join(f"({part.sql})" for part in parts) or "true",
        tuple(value for part in parts for value in part.values),
    )


def metadata_value(name: str) -> str:
    """Return SQL for the value of one piece of metadata, null when it is not there."""
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a label name: {name!r}")
    return f"json_extract_string(metadata, '$.{name}')"


def _line(test: LineTest) -> Condition:
    one = "regexp_matches(line, ?)" if test.is_regex else "contains(line, ?)"
    texts = tuple(f"(?-s:{text})" for text in test.texts) if test.is_regex else test.texts
    joined = " or ".join([one] * len(texts)) or "false"
    return Condition(f"not ({joined})" if test.negative else joined, texts)


def _label(matcher: Matcher, ids: Sequence[int], labels_of: _LabelsOf) -> Condition:
    """The stream's label decides where it has one."""
    known = {label_id: value for label_id in ids if (value := (labels_of(label_id) or {}).get(matcher.name))}
    own = _metadata(matcher)
    if not known:
        return own
    accepted = [label_id for label_id, value in known.items() if matcher.matches(value)]
    found = f"sid in ({','.join(map(str, accepted))})" if accepted else "false"
    others = [label_id for label_id in ids if label_id not in known]
    if not others:
        return Condition(found)
    return Condition(f"{found} or (sid in ({','.join(map(str, others))}) and ({own.sql}))", own.values)


def _value(text: str, ids: Sequence[int], labels_of: _LabelsOf) -> Condition:
    """Parsers make a space of what is no character, so that U+FFFD may stand for one."""
    hidden = ["\\", "\ufffd"] if " " in text else ["\\"]
    having = [label_id for label_id in ids if text in (labels_of(label_id) or {}).values()]
    own = f" or sid in ({','.join(map(str, having))})" if having else ""
    in_line = " or ".join(["contains(line, ?)"] * (len(hidden) + 1))
    return Condition(f"{in_line} or contains(metadata, ?){own}", (text, *hidden, encode([text])[1:-1]))


def _metadata(matcher: Matcher) -> Condition:
    """Metadata is canonical JSON, so that a pair is a piece of its text: quotes inside values are escaped."""
    if matcher.op in {MatchOp.EQUAL, MatchOp.NOT_EQUAL}:
        pair = "contains(metadata, ?)"
        values: tuple[object, ...] = (encode({matcher.name: matcher.value})[1:-1],)
        if not matcher.value:
            pair, values = f"{pair} or not contains(metadata, ?)", (*values, f'"{matcher.name}":')
        return Condition(pair if matcher.op is MatchOp.EQUAL else f"not ({pair})", values)
    matches = f"regexp_full_match(coalesce({metadata_value(matcher.name)}, ''), ?)"
    return Condition(matches if matcher.op is MatchOp.REGEX else f"not {matches}", (f"(?s:{matcher.value})",))
