"""What of a pipeline the store can decide: filters of lines not yet rewritten and of labels not yet parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from awf.embedded.logql import nodes
from awf.embedded.logql.entry import ALL_LABELS, COLLISION_SUFFIX, ERROR, ERROR_DETAILS, Hints
from awf.embedded.logql.extract import LineShape
from awf.embedded.model import LineTest, LogFilter, Matcher, MatchOp

_PARSERS: Final = (
    nodes.JsonStage, nodes.LogfmtStage, nodes.RegexpStage, nodes.PatternStage, nodes.UnpackStage,
)  # fmt: skip
_READ_LINES: Final = (nodes.LineFilter, *_PARSERS)
_NEW_TEXTS: Final = (nodes.LineFormat, nodes.LabelFormat, nodes.DecolorizeStage)
"""What can make texts that no part of the entry has."""
_REWRITES: Final = (nodes.LineFormat, nodes.DecolorizeStage, nodes.UnpackStage)


@dataclass(frozen=True, slots=True)
class Pushdown:
    """`where` lets through all that the pipeline does, and exactly that when it is `complete`."""

    where: LogFilter
    complete: bool


def pushed(stages: Sequence[nodes.Stage], hints: Hints = ALL_LABELS) -> Pushdown:
    """Read stages in order; parsers count for nothing when the query needs no label of them."""
    lines: list[LineTest] = []
    labels: list[Matcher] = []
    values: list[str] = []
    complete = same_line = same_labels = same_texts = True
    for stage in stages:
        if isinstance(stage, _PARSERS) and hints.required == frozenset():
            continue
        if isinstance(stage, nodes.LineFilter):
            tests, is_whole = _line_tests(stage)
            lines += tests if same_line else ()
            complete &= same_line and is_whole
        elif isinstance(stage, nodes.LabelFilter):
            found, is_whole = _matchers(stage)
            labels += found if same_labels else ()
            values += _values(stage) if same_texts and not same_labels else ()
            complete &= same_labels and is_whole
        else:
            complete = same_labels = False
            same_line &= not isinstance(stage, _REWRITES)
            same_texts &= not isinstance(stage, _NEW_TEXTS)
    return Pushdown(LogFilter(tuple(lines), tuple(labels), tuple(values)), complete)


def without_idle_formats(node: nodes.RangeAggregation) -> nodes.RangeAggregation:
    """Leave out `line_format` where nothing reads the line any more, as Loki does: it cannot fail then."""
    stages = node.range.query.stages
    if node.op.startswith("bytes"):
        return node
    last = max((i for i, stage in enumerate(stages) if isinstance(stage, _READ_LINES)), default=-1)
    kept = tuple(s for i, s in enumerate(stages) if i < last or not isinstance(s, nodes.LineFormat))
    query = replace(node.range.query, stages=kept)
    return node if kept == stages else replace(node, range=replace(node.range, query=query))


def is_plain(name: str) -> bool:
    """Tell whether a name means the same to the store: no error label, no renamed collision."""
    return name not in {ERROR, ERROR_DETAILS} and not name.endswith(COLLISION_SUFFIX)


def _line_tests(stage: nodes.LineFilter) -> tuple[list[LineTest], bool]:
    """Return tests that every passing line fulfils, and whether they are the whole filter."""
    negative = stage.op.startswith("!")
    if stage.op in {"|>", "!>"}:
        single = [] if negative or len(stage.texts) > 1 else LineShape.parse(stage.texts[0]).literals
        return [LineTest((literal,)) for literal in single], False
    if stage.op in {"|~", "!~"}:
        if any("(?<" in text for text in stage.texts):  # not every RE2 knows groups named so
            return [], False
        return [LineTest(stage.texts, is_regex=True, negative=negative)], True
    if stage.addresses and not negative:
        return [], False
    return [LineTest(stage.texts, negative=negative)] if stage.texts else [], not stage.addresses


def _matchers(stage: nodes.LabelFilter) -> tuple[list[Matcher], bool]:
    match stage:
        case nodes.LabelMatch(matcher) if is_plain(matcher.name) and "(?<" not in matcher.value:
            return [matcher], True
        case nodes.LabelAnd(filters):
            parts = [_matchers(child) for child in filters]
            return [matcher for found, _ in parts for matcher in found], all(whole for _, whole in parts)
    return [], False


def _values(stage: nodes.LabelFilter) -> list[str]:
    """Return what labels must be for a line to pass: parsers take texts from the line, so that it has them."""
    match stage:
        case nodes.LabelMatch(Matcher(name, MatchOp.EQUAL, value)) if name not in {ERROR, ERROR_DETAILS}:
            return [value] if value else []
        case nodes.LabelAnd(filters):
            return [value for child in filters for value in _values(child)]
    return []
