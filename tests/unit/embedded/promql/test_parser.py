"""The guard before the native parser, and what is read off a query."""

from __future__ import annotations

import pytest

from awf.embedded.promql import label_names, metric_names, parse
from awf.embedded.promql.parser import format_query
from awf.errors import QueryError, QueryLimit


@pytest.mark.parametrize(
    "query",
    [
        "(" * 10_000 + "x" + ")" * 10_000,
        "(" * 3000 + "x" + ")" * 3000,
        "x" + "+x" * 3000,
        "x" + " or x" * 1000,
        "-" * 4000 + "x",
        "sum(" * 200 + "x" + ")" * 200,
        "(" * 4000,
        "x" * 9000,
        "a " + "/* */" * 500,
        "x{a='" + "é" * 5000 + "'}",
    ],
)
def test_what_could_overflow_the_parser_is_refused_first(query: str) -> None:
    with pytest.raises(QueryLimit):
        parse(query)


def test_brackets_and_operators_in_strings_and_comments_do_not_count() -> None:
    parse('x{a="' + "((((++++" * 100 + '"} # ' + "(+" * 300)
    parse(r"""x{a='\'"('} or y{b="\"("} or z{b=`\(`}""")
    parse("x{b=`" + "\\(" * 200 + "`}")


def test_a_chain_of_ordinary_length_is_accepted() -> None:
    parse(" or ".join(f'x{{a="{number}"}}' for number in range(90)))


def test_an_unopened_bracket_is_an_error_of_the_query() -> None:
    with pytest.raises(QueryError, match="no bracket is open"):
        parse(")" * 5000)


def test_raw_strings_are_raw() -> None:
    assert parse(r"x{a=~`\d\\+`}") == parse(r'x{a=~"\\d\\\\+"}')
    assert parse("x{a=`\"\n'`}") == parse(r"""x{a="\"\n'"}""")


def test_names_in_a_query() -> None:
    query = (
        'sum by (a) (rate(m_total{b="1"}[5m])) / on (c) group_left (d) {__name__="n",e=~"x"} '
        'unless {__name__=~"o.*"}'
    )
    assert metric_names(query) == {"m_total", "n"}
    assert label_names(query) == {"a", "b", "c", "d", "e"}


def test_a_query_is_laid_out_readably() -> None:
    assert format_query("sum(rate(x[5m]))by(a)") == "sum by (a) (rate(x[5m]))"


def test_operators_bind_as_in_prometheus() -> None:
    assert parse("-a * 2 ^ 3 ^ 2 + 1") == parse("((-a) * (2 ^ (3 ^ 2))) + 1")
    assert parse("-a ^ 2") == parse("-(a ^ 2)")
    assert parse("a or b and c == d + e") == parse("a or (b and (c == (d + e)))")
