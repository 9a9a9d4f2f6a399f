"""What is parsed, how its mistakes are told, and how it is written again."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from awf.embedded.promql import label_names, metric_names, parse
from awf.embedded.promql.mistakes import ParseError
from awf.embedded.promql.parser import format_query
from awf.embedded.promql.syntax import Paren
from awf.errors import QueryError, QueryLimit


def bracketed(node: Any) -> Any:
    """The tree without parentheses, which by then say nothing new."""
    if isinstance(node, Paren):
        return bracketed(node.expr)
    if isinstance(node, tuple):
        return tuple(bracketed(item) for item in node)
    if not is_dataclass(node) or isinstance(node, type) or not hasattr(node, "span"):
        return node
    changes = {field.name: bracketed(getattr(node, field.name)) for field in fields(node)}
    return replace(node, **changes)


@pytest.mark.parametrize(
    "query",
    [
        "(" * 10_000 + "x" + ")" * 10_000,
        "(" * 3000 + "x" + ")" * 3000,
        "x" + "+x" * 3000,
        "x" + " or x" * 1000,
        "-" * 4000 + "x",
        "sum(" * 200 + "x" + ")" * 200,
        "x[" + "(" * 200 + "5m" + ")" * 200 + "]",
        "x" * 9000,
        "a " + "/* */" * 500,
        "x{a='" + "é" * 5000 + "'}",
    ],
)
def test_a_query_that_is_too_long_or_too_deep_is_refused(query: str) -> None:
    with pytest.raises(QueryLimit):
        parse(query)


def test_brackets_and_operators_in_strings_and_comments_do_not_count() -> None:
    parse('x{a="' + "((((++++" * 100 + '"} # ' + "(+" * 300)
    parse(r"""x{a='\'"('} or y{b="\"("} or z{b=`\(`}""")
    parse("x{b=`" + "\\(" * 200 + "`}")


def test_a_chain_of_ordinary_length_is_accepted() -> None:
    parse(" or ".join(f'x{{a="{number}"}}' for number in range(90)))


@pytest.mark.parametrize(
    ("query", "place", "complaint", "hint"),
    [
        ("", "1:1", "no expression found in input", "metric name"),
        ("sum(rate(x[5m])", "1:16", "unclosed left parenthesis", "at 1:4"),
        ("x[5m", "1:5", "unclosed left bracket", "']'"),
        ('x{a="b"', "1:8", "unexpected end of input inside braces", "'}'"),
        (")" * 5000, "1:1", "unexpected right parenthesis ')'", "Nothing is open"),
        ("rtae(x[5m])", "1:1", 'unknown function with name "rtae"', "Did you mean rate()?"),
        ("Sum_over_time(x[5m])", "1:1", 'unknown function with name "Sum_over_time"', "sum_over_time()"),
        ("rate(x)", "1:6", 'expected type range vector in call to function "rate", got instant vector', "x[5m]"),
        ("rate(x + y)", "1:6", "expected type range vector", "(x + y)[30m:1m]"),
        ("sum(x[5m])", "1:5", "expected type instant vector in aggregation expression", "rate("),
        ("x[5mm]", "1:3", 'bad number or duration syntax: "5mm"', "ms, s, m, h"),
        ("x[1m1h]", "1:3", 'not a valid duration string: "1m1h"', "longest to the shortest"),
        ("x[]", "1:3", 'unexpected "]" in subquery or range selector', "[5m]"),
        ("x[0s]", "1:3", "duration must be greater than 0", ""),
        ("rate(x[5m] offset 5m) offset 1m", "1:1", "offset modifier must be preceded by", "behind the selector"),
        ("(x + y)[5m]", "1:8", "ranges only allowed for vector selectors", "[30m:1m]"),
        ("x offset 5m[5m]", "1:12", "no offset modifiers allowed before range", "range first"),
        ("x{a=b}", "1:5", 'unexpected identifier "b" in label matching, expected string', 'a="b"'),
        ('x{a="b" c="d"}', "1:9", 'unexpected identifier "c" in label matching, expected "," or "}"', "commas"),
        ('x{a=="b"}', "1:4", "in label matching, expected label matching operator", "=~"),
        ("x = 5", "1:3", 'unexpected "="', "=="),
        ("rate(x[5m)", "1:10", 'unexpected ")" in subquery or range, expected ":" or "]"', ""),
        ("x =~ 'a'", "1:3", "unexpected character after '=': '~'", "inside braces"),
        ("x}", "1:2", "unexpected character: '}'", "Nothing is open"),
        ("x && y", "1:3", "unexpected character: '&'", "`and`"),
        ("1 > 2", "1:3", "comparisons between scalars must use BOOL modifier", "> bool"),
        ("rate(x[5m]) by (a)", "1:13", "unexpected <by>", "sum by (label)"),
        ("x y", "1:3", 'unexpected identifier "y"', "operator between"),
        ("sum by a (x)", "1:8", 'unexpected identifier "a" in grouping opts, expected "("', ""),
        ("topk(x)", "1:1", "wrong number of arguments for aggregate expression provided, expected 2, got 1", "topk(k"),
        ("{}", "1:1", "vector selector must contain at least one non-empty matcher", "Name a metric"),
        ("a\n+\n  b[", "3:5", "unclosed left bracket", "at 3:4"),
        ("abs(x, y)", "1:1", 'expected 1 argument(s) in call to "abs", got 2', ""),
        ("round()", "1:1", 'expected at least 1 argument(s) in call to "round", got 0', ""),
        ("abs(x,)", "1:6", "trailing commas not allowed in function call args", ""),
        ('"a', "1:1", "unterminated quoted string", "same quote"),
        (r'x{a="\d"}', "1:5", "error unquoting string", "backquotes"),
        ("x * group_left (a) y", "1:5", "unexpected <group_left>", "on (...)"),
        ("x * on (a) group_left (sum(y))", "1:27", 'unexpected "(" in grouping opts', "write () before"),
        ("x and on (a) group_left y", "1:1", 'no grouping allowed for "and" operation', ""),
        ("x{__name__='y'}", "1:1", 'metric name must not be set twice: "x" or "y"', ""),
        ("x[5m:] anchored", "1:1", "anchored modifier is not supported for subqueries", ""),
        ("info(x, y)", "1:9", "expected label selectors only, got vector selector instead", '__name__="y"'),
        ("x @ y", "1:5", 'unexpected identifier "y" in @, expected timestamp', "start()"),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_with_its_place_and_what_to_do(
    query: str, place: str, complaint: str, hint: str
) -> None:
    with pytest.raises(ParseError) as caught:
        parse(query)
    first, line, caret, *hints = caught.value.message.split("\n")
    assert first.startswith(f"{place}: parse error: {complaint}") or complaint in first
    assert first.startswith(f"{place}: ")
    row, column = map(int, place.split(":"))
    if len(query) < 80:
        assert line == query.split("\n")[row - 1]
        assert caret.index("^") == column - 1
    assert hint in "".join(hints)
    assert bool(hints) == bool(hint)


def test_the_caret_spans_the_mistake_and_stays_in_sight_on_a_long_line() -> None:
    with pytest.raises(ParseError) as caught:
        parse("abs(rtae(x[5m]))")
    assert caught.value.message.split("\n")[1:3] == ["abs(rtae(x[5m]))", "    ^~~~"]
    with pytest.raises(ParseError) as caught:
        parse("a + " * 90 + "rtae(x[5m])")
    _, line, caret, _ = caught.value.message.split("\n")
    assert line[caret.index("^") :].startswith("rtae(")
    assert len(line) <= 160


def test_a_regular_expression_that_is_none_is_an_error_of_the_query() -> None:
    with pytest.raises(QueryError, match="invalid regular expression"):
        parse("x{a=~'['}")


def test_raw_strings_are_raw() -> None:
    assert parse(r"x{a=~`\d\\+`}") == parse(r'x{a=~"\\d\\\\+"}')
    assert parse("x{a=`\"\n'`}") == parse(r"""x{a="\"\n'"}""")


def test_strings_have_the_escapes_of_go() -> None:
    assert parse(r'"\x41\u00e9\101\U0001f600\t\""') == parse("`Aé" + 'A😀\t"`')
    for wrong in (r'"\q"', r'"\ud800"', r'"\x4"'):
        with pytest.raises(ParseError):
            parse(wrong)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x1F", 31), ("010", 8), ("08", 8), ("1_000", 1000), ("1e3", 1000), (".5", 0.5), ("1h30m", 5400), ("5ms", 0.005),
     ("-2", -2), ("+Inf", float("inf"))],
)  # fmt: skip
def test_numbers_are_read_as_go_reads_them(text: str, value: float) -> None:
    assert parse(text).value == value  # type: ignore[union-attr]


def test_words_of_the_language_may_be_names() -> None:
    for word in ("sum", "by", "offset", "step", "fill", "anchored", "group", "start", "unless_x", "and"):
        assert metric_names(f"{word} + {word}") == {word}
    assert label_names("sum by (on, bool, by, sum) (x)") == {"on", "bool", "by", "sum"}
    assert metric_names('{"a b", "c.d"="e"}') == {"a b"}


def test_names_in_a_query() -> None:
    query = (
        'sum by (a) (rate(m_total{b="1"}[5m])) / on (c) group_left (d) {__name__="n",e=~"x"} '
        'unless {__name__=~"o.*"}'
    )
    assert metric_names(query) == {"m_total", "n"}
    assert label_names(query) == {"a", "b", "c", "d", "e"}


def test_operators_bind_as_in_prometheus() -> None:
    for query, grouped in (
        ("-a * 2 ^ 3 ^ 2 + 1", "((-a) * (2 ^ (3 ^ 2))) + 1"),
        ("-a ^ 2", "-(a ^ 2)"),
        ("a or b and c == d + e", "a or (b and (c == (d + e)))"),
        ("a - b - c", "(a - b) - c"),
        ("a offset 2 ^ 2", "(a offset 2) ^ 2"),
        ("-a offset 2", "-(a offset 2)"),
    ):
        assert bracketed(parse(query)) == bracketed(parse(grouped)), query


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("sum(rate(x[5m]))by(a)", "sum by (a) (rate(x[5m]))"),
        ("SUM WITHOUT(b,a)(x)", "sum without (b, a) (x)"),
        ('{b="2",a!~"1",__name__="m"}', '{__name__="m",a!~"1",b="2"}'),
        ('m{b="2",a="1"}[90s]@5 offset -1h', 'm{a="1",b="2"}[1m30s] @ 5.000 offset -1h'),
        ("m[14d:7d] offset 400d", "m[2w:1w] offset 400d"),
        ("a*on(x)group_left(y)b", "a * on (x) group_left (y) b"),
        ("a>bool ignoring(x)b", "a > bool ignoring (x) b"),
        ("a+fill(0)b", "a + fill (0) b"),
        ("a + fill_left(1) fill_right(Inf) b", "a + fill_left (1) fill_right (+Inf) b"),
        ("1e3+0x10+5m", "1000 + 16 + 5m"),
        ("rate(m[5m]anchored)", "rate(m[5m] anchored)"),
        ("m[step()+5m*2]offset(1m)", "m[step() + 5m * 2] offset (1m)"),
        (r'label_replace(m,"a","\"$1\"","b","\\d")', r'label_replace(m, "a", "\"$1\"", "b", "\\d")'),
        ('sum by ("a.b",c)(m)', 'sum by ("a.b", c) (m)'),
        ("-(a)+ +b", "-(a) + +b"),
    ],
)
def test_a_query_is_written_as_prometheus_writes_it(query: str, shown: str) -> None:
    assert format_query(query) == shown
    assert format_query(shown) == shown


def test_a_long_query_is_laid_out_over_lines() -> None:
    long = "a_metric_with_a_rather_long_name_total"
    query = f'topk(3,sum by(job)(rate({long}{{job="x"}}[5m]))/(sum(rate({long}[5m]))+histogram_quantile(0.9,{long})))'
    assert (
        format_query(query)
        == f"""topk(
  3,
    sum by (job) (rate({long}{{job="x"}}[5m]))
  /
    (
        sum(rate({long}[5m]))
      +
        histogram_quantile(0.9, {long})
    )
)"""
    )
