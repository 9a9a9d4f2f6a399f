"""From lark's reductions to nodes, with the checks that need a position in the query.

Every method is named after a rule of the grammar and takes that rule's children.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from lark import Token, Transformer, v_args

from awf.embedded.logql import nodes, units
from awf.embedded.logql.extract import LinePattern
from awf.embedded.logql.extract_json import JsonPath
from awf.embedded.logql.filter_joining import joined
from awf.embedded.logql.literals import (
    address_pattern,
    fail,
    line_shape,
    pattern,
    read,
    refuse,
    unquote,
    window,
)
from awf.embedded.logql.regex import line_pattern
from awf.embedded.logql.template import Template
from awf.embedded.model import Matcher, MatchOp
from awf.errors import QueryError, UnsupportedQuery

_GROUPABLE = {
    "avg_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time",
    "max_over_time", "min_over_time", "first_over_time", "last_over_time",
}  # fmt: skip
_LINE_RANGES = {"count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time"}
_UNWRAPPED_RANGES = _GROUPABLE | {"sum_over_time", "rate", "rate_counter", "absent_over_time"}
_SET_OPERATORS = {"and", "or", "unless"}
_NO_EMPTY_MATCHER = (
    "queries require at least one regexp or equality matcher that does not have an empty-compatible value. "
    'For instance, app=~".*" does not meet this requirement, but app=~".+" will'
)


@v_args(inline=True)
class Builder(Transformer):  # type: ignore[type-arg]
    """Builds `nodes` from the rules of `grammar`."""

    def start(self, query: nodes.Query) -> nodes.Query:
        if isinstance(query, nodes.LogQuery):
            for stage in query.stages:
                if isinstance(stage, _PlacedUnwrap):
                    fail(stage.token, "unwrap is only allowed inside a range aggregation")
        return query

    def group(self, inner: Any) -> Any:
        return inner

    # -- selectors

    def pipeline_query(self, matchers: tuple[Matcher, ...], *stages: Any) -> nodes.LogQuery:
        return nodes.LogQuery(matchers, stages)

    def selector(self, *matchers: Matcher | None) -> tuple[Matcher, ...]:
        found = tuple(matcher for matcher in matchers if matcher is not None)
        if all(matcher.matches("") for matcher in found):
            raise QueryError(f"parse error : {_NO_EMPTY_MATCHER}")
        return found

    def matcher(self, name: Token, op: Token, text: Token) -> Matcher:
        kind = MatchOp(str(op))
        if kind in {MatchOp.EQUAL, MatchOp.NOT_EQUAL}:
            return Matcher(str(name), kind, unquote(text))
        return Matcher(str(name), kind, pattern(text))

    def match_op(self, op: Token) -> Token:
        return op

    line_op = compare_op = compare = match_op

    # -- line filters

    def line_filter(self, op: Token, *operands: Token | _Address) -> nodes.LineFilter:
        addresses = [operand.text for operand in operands if isinstance(operand, _Address)]
        texts = [operand for operand in operands if isinstance(operand, Token) and operand.type != "OR"]
        if addresses and op not in {"|=", "!="}:
            fail(op, "ip: invalid operation: only |= and != take ip()")
        read_text = {"|~": pattern, "!~": pattern, "|>": line_shape, "!>": line_shape}.get(str(op), unquote)
        return nodes.LineFilter(str(op), tuple(map(read_text, texts)), tuple(addresses))  # type: ignore[arg-type]

    def line_operand(self, text: Token) -> Token:
        return text

    def ip_operand(self, _ip: Token, text: Token) -> _Address:
        return _Address(address_pattern(text))

    # -- parsers

    def json_stage(self, token: Token, extractions: Any) -> nodes.JsonStage:
        pairs = extractions or ()
        for _name, path in pairs:
            try:
                JsonPath.parse(path)
            except ValueError as error:
                fail(token, f"cannot parse expression [{path}]: {error}")
        return nodes.JsonStage(pairs)

    def logfmt_stage(self, token: Token, *rest: Any) -> nodes.LogfmtStage:
        *flags, extractions = rest
        for flag in flags:
            if flag not in {"--strict", "--keep-empty"}:
                fail(flag, f"unknown flag {flag} of logfmt")
        pairs = tuple((name, self._logfmt_key(token, key)) for name, key in extractions or ())
        return nodes.LogfmtStage("--strict" in flags, "--keep-empty" in flags, pairs)

    def _logfmt_key(self, token: Token, text: str) -> str:
        found = re.fullmatch(r'\s*(?:([A-Za-z_]\w*)|"([^"]*)")\s*', text, re.ASCII)
        if found is None:
            fail(token, f"cannot parse expression [{text}]: a name or a name in double quotes is expected")
        return found[1] or found[2]

    def extractions(self, *pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        return pairs

    def extraction(self, name: Token, path: Token | None) -> tuple[str, str]:
        return str(name), str(name) if path is None else unquote(path)

    def regexp_stage(self, _: Token, text: Token) -> nodes.RegexpStage:
        regex = pattern(text)
        if not line_pattern(regex).groupindex:
            fail(text, "invalid regexp parser: at least one named capture must be supplied")
        return nodes.RegexpStage(regex)

    def pattern_stage(self, _: Token, text: Token) -> nodes.PatternStage:
        try:
            LinePattern.parse(unquote(text))
        except ValueError as error:
            fail(text, f"invalid pattern parser: {error}")
        return nodes.PatternStage(unquote(text))

    def unpack_stage(self, _: Token) -> nodes.UnpackStage:
        return nodes.UnpackStage()

    def decolorize_stage(self, _: Token) -> nodes.DecolorizeStage:
        return nodes.DecolorizeStage()

    # -- formats

    def line_format(self, _: Token, text: Token) -> nodes.LineFormat:
        return nodes.LineFormat(self._template(text))

    def label_format(self, token: Token, *items: Any) -> nodes.LabelFormat:
        assignments = tuple(item for item in items if isinstance(item, nodes.LabelAssignment))
        names = [assignment.name for assignment in assignments]
        for name in names:
            if names.count(name) > 1:
                fail(token, f"multiple label name '{name}' not allowed in a single format operation")
            if name == "__error__":
                fail(token, "__error__ cannot be formatted")
        return nodes.LabelFormat(assignments)

    def rename(self, name: Token, source: Token) -> nodes.LabelAssignment:
        return nodes.LabelAssignment(str(name), str(source), renames=True)

    def assign(self, name: Token, text: Token) -> nodes.LabelAssignment:
        return nodes.LabelAssignment(str(name), self._template(text), renames=False)

    def _template(self, token: Token) -> str:
        text = unquote(token)
        try:
            Template.parse(text)
        except UnsupportedQuery as error:
            refuse(token, error.message, error.hint)
        except QueryError as error:
            fail(token, error.message)
        return text

    def target_name(self, name: Token) -> str:
        return str(name)

    def drop_stage(self, _: Token, *targets: Any) -> nodes.Drop:
        return nodes.Drop(tuple(target for target in targets if not isinstance(target, Token)))

    def keep_stage(self, _: Token, *targets: Any) -> nodes.Keep:
        return nodes.Keep(tuple(target for target in targets if not isinstance(target, Token)))

    # -- label filters

    def label_match(self, matcher: Matcher) -> nodes.LabelMatch:
        return nodes.LabelMatch(matcher)

    def label_number(self, name: Token, op: Token, value: float) -> nodes.LabelCompare:
        return nodes.LabelCompare(str(name), _equals(op), value, "number")

    def label_duration(self, name: Token, op: Token, text: Token) -> nodes.LabelCompare:
        return nodes.LabelCompare(str(name), _equals(op), read(text, units.literal_ns), "duration")

    def label_bytes(self, name: Token, op: Token, text: Token) -> nodes.LabelCompare:
        return nodes.LabelCompare(str(name), _equals(op), read(text, units.size_bytes), "bytes")

    def label_ip(self, name: Token, op: Token, _ip: Token, text: Token) -> nodes.LabelAddress:
        if op not in {"=", "!="}:
            fail(op, "ip: invalid operation: only = and != take ip()")
        return nodes.LabelAddress(str(name), address_pattern(text), negative=op == "!=")

    def joined_filter(self, joiner: Token, item: nodes.LabelFilter) -> tuple[str, nodes.LabelFilter]:
        return str(joiner).lower(), item

    def label_filter(self, first: nodes.LabelFilter, *rest: Any) -> nodes.LabelFilter:
        return joined(first, rest)

    # -- ranges

    def unwrap_stage(self, token: Token, *rest: Token) -> _PlacedUnwrap:
        name, conversion = rest[-1], str(rest[0]).lower() if len(rest) == 2 else ""
        kind = "duration" if conversion == "duration_seconds" else conversion
        return _PlacedUnwrap(token, nodes.Unwrap(str(name), kind))  # type: ignore[arg-type]

    def offset(self, _: Token, text: Token) -> _Offset:
        return _Offset(read(text, units.literal_ns))

    def log_range(self, matchers: tuple[Matcher, ...], *parts: Any) -> nodes.LogRange:
        stages: list[nodes.Stage] = []
        filters: list[nodes.LabelFilter] = []
        unwrap: nodes.Unwrap | None = None
        range_ns = offset_ns = 0
        for part in parts:
            if isinstance(part, Token):
                range_ns = window(part)
            elif isinstance(part, _Offset):
                offset_ns = part.value
            elif isinstance(part, _PlacedUnwrap):
                if unwrap is not None:
                    fail(part.token, "only one unwrap is allowed")
                unwrap = part.unwrap
            elif unwrap is None:
                stages.append(part)
            elif isinstance(part, nodes.LabelFilter):
                filters.append(part)
            else:
                raise QueryError("parse error : only label filters are allowed after unwrap")
        query = nodes.LogQuery(matchers, tuple(stages))
        return nodes.LogRange(query, range_ns, offset_ns, unwrap, tuple(filters))

    def range_aggregation(
        self, op: Token, text: Token | None, log_range: nodes.LogRange, grouping: nodes.Grouping | None
    ) -> nodes.RangeAggregation:
        name = str(op).lower()
        if grouping is not None and name not in _GROUPABLE:
            fail(op, f"grouping not allowed for {name} aggregation")
        if log_range.unwrap is not None and name not in _UNWRAPPED_RANGES:
            fail(op, f"invalid aggregation {name} with unwrap")
        if log_range.unwrap is None and name not in _LINE_RANGES:
            fail(op, f"invalid aggregation {name} without unwrap")
        if text is not None and name != "quantile_over_time":
            fail(text, f"parameter {text} not supported for operation {name}")
        if text is None and name == "quantile_over_time":
            fail(op, f"parameter required for operation {name}")
        return nodes.RangeAggregation(name, log_range, grouping, None if text is None else float(text))

    # -- vectors

    def labels(self, *names: Token | None) -> tuple[str, ...]:
        return tuple(str(name) for name in names if name is not None and name.type != "COMMA")

    def grouping(self, kind: Token, names: tuple[str, ...]) -> nodes.Grouping:
        return nodes.Grouping(names, without=kind.lower() == "without")

    def grouped_aggregation(
        self, op: Token, grouping: nodes.Grouping, text: Token | None, operand: nodes.Metric
    ) -> nodes.VectorAggregation:
        return self.vector_aggregation(op, text, operand, grouping)

    def vector_aggregation(
        self, op: Token, text: Token | None, operand: nodes.Metric, grouping: nodes.Grouping | None
    ) -> nodes.VectorAggregation:
        name = str(op).lower()
        if name == "approx_topk" and grouping is not None:
            fail(op, "grouping not allowed for approx_topk aggregation")
        if isinstance(operand, nodes.Number):
            fail(op, f"{name} expects a vector, not a number")
        if name in {"sort", "sort_desc"} and grouping is not None:
            fail(op, "sort and sort_desc doesn't allow grouping by")
        if name not in {"topk", "bottomk", "approx_topk"}:
            if text is not None:
                fail(text, f"unsupported parameter for operation {name}({text},")
            return nodes.VectorAggregation(name, operand, grouping)
        if text is None:
            fail(op, f"parameter required for operation {name}")
        if not text.isdecimal() or len(text) > 9 or int(text) < 1:
            fail(text, f"invalid parameter {name}({text},: a whole number greater than 0 is expected")
        return nodes.VectorAggregation(name, operand, grouping, int(text))

    def modifier(self, returns_bool: Token | None, matching: Any) -> tuple[bool, nodes.Matching | None]:
        return returns_bool is not None, matching

    def matching(
        self, kind: Token, names: tuple[str, ...], side: Token | None, include: tuple[str, ...] | None
    ) -> nodes.Matching:
        many = "" if side is None else side.lower().removeprefix("group_")
        return nodes.Matching(kind.lower() == "on", names, many=many, include=include or ())  # type: ignore[arg-type]

    def binary(self, left: nodes.Metric, op: Token, modifier: Any, right: nodes.Metric) -> nodes.Binary:
        name = str(op).lower()
        returns_bool, found = modifier
        literal = isinstance(left, nodes.Number) or isinstance(right, nodes.Number)
        if name in _SET_OPERATORS and literal:
            fail(op, f"unexpected literal for a leg of logical/set binary operation ({name})")
        base = found or nodes.Matching()
        return nodes.Binary(name, left, right, replace(base, returns_bool=returns_bool))

    def label_replace(self, token: Token, operand: nodes.Metric, *texts: Token) -> nodes.LabelReplace:
        destination, replacement, source, regex = (text for text in texts if text.type == "STRING")
        if isinstance(operand, nodes.Number):
            fail(token, "label_replace expects a vector, not a number")
        return nodes.LabelReplace(
            operand, unquote(destination), unquote(replacement), unquote(source), pattern(regex)
        )

    def vector(self, _: Token, value: Token) -> nodes.VectorLiteral:
        return nodes.VectorLiteral(float(value))

    def number(self, sign: Token | None, text: Token) -> float:
        return math.copysign(float(text), -1.0 if sign == "-" else 1.0)

    def number_literal(self, value: float) -> nodes.Number:
        return nodes.Number(value)


@dataclass(frozen=True, slots=True)
class _PlacedUnwrap:
    """An unwrap and where it stands; only a range may hold one."""

    token: Token
    unwrap: nodes.Unwrap


@dataclass(frozen=True, slots=True)
class _Address:
    """The operand `ip("...")` of a line filter."""

    text: str


@dataclass(frozen=True, slots=True)
class _Offset:
    value: int


def _equals(op: Token) -> str:
    return "==" if op == "=" else str(op)
