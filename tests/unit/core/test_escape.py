"""Values stay values in every language, whatever they hold: checked with our own parsers."""

from __future__ import annotations

import re

import pytest

from awf.core.escape import logql_string, plain_text, promql_any_of, promql_string, traceql_string
from awf.embedded import logql, traceql
from awf.errors import QueryError

NASTY = [
    'quo"te',
    "back\\slash",
    "new\nline",
    'a"} or vector(1) #',
    'x" || true || "',
    "tab\tbell\x07",
    "a.*b|c(d",
    "`tick`",
    "ünïcode ☃",
    "",
]


@pytest.mark.parametrize("value", NASTY)
def test_a_promql_literal_holds_the_value(value: str) -> None:
    assert _matchers(f"up{{a={promql_string(value)}}}") == [("=", value)]


@pytest.mark.parametrize("value", NASTY)
def test_a_promql_regex_matches_the_value_and_nothing_else(value: str) -> None:
    ((op, pattern),) = _matchers(f"up{{a=~{promql_any_of([value, 'other'])}}}")
    assert op == "=~"
    assert re.fullmatch(pattern, value)
    assert not re.fullmatch(pattern, value + "x")


@pytest.mark.parametrize("value", NASTY)
def test_logql_and_traceql_parse_the_literal_as_one_value(value: str) -> None:
    parsed = logql.parse(f'{{service_name="awf"}} | agent_id={logql_string(value)}')
    assert repr(value) in repr(parsed)
    span = traceql.parse(f"{{ span.agent_id = {traceql_string(value)} }}")
    assert repr(value) in repr(span)


def test_an_absurdly_long_value_is_refused() -> None:
    with pytest.raises(QueryError, match="5000 characters"):
        promql_string("x" * 5000)


def test_plain_text_is_one_bounded_line_without_control_characters() -> None:
    assert plain_text("a\x1b[31m\u202eb\n  c\u200b") == "a [31m b c"
    assert plain_text("x" * 50, 10) == "x" * 9 + "…"


def _matchers(query: str) -> list[tuple[str, str]]:
    import promql_parser

    selector = promql_parser.parse(query)
    return [
        ({"Equal": "=", "Re": "=~"}[str(each.op).rpartition(".")[2]], each.value)
        for each in selector.matchers.matchers
    ]
