"""Variables in queries: as Grafana writes them, and never more than a value."""

from __future__ import annotations

import re

import pytest

from awf.api.dashboards.interpolation import Value, interpolate_query, interpolate_text, names_in
from awf.embedded.logql import parse_selector
from awf.embedded.promql.parser import selectors
from awf.errors import QueryError

HOSTILE = [
    'a"} or vector(1) #',
    "a'} or vector(1) #",
    "a\\",
    'a\\"',
    "a\nb",
    "a.b|c*(d)[e]{f}^$+?",
    "${other}",
    "$other",
    "`x`",
    "",
    "ünïcode-\u202e",
]


def fill(template: str, **values: Value) -> str:
    return interpolate_query(template, values)


def test_one_value_of_a_variable_that_may_have_several_is_a_regular_expression() -> None:
    assert fill('a{b=~"$v"}', v=Value(("x.y",), is_regex=True)) == r'a{b=~"x\\.y"}'


def test_several_values_are_alternatives() -> None:
    assert fill('a{b=~"$v"}', v=Value(("x", "y+"), is_regex=True)) == r'a{b=~"(x|y\\+)"}'


def test_a_single_value_is_escaped_for_its_literal_only() -> None:
    assert fill('a{b="$v"}', v=Value(('x."y"\\',))) == r'a{b="x.\"y\"\\"}'


def test_what_stands_for_all_goes_in_as_the_dashboard_says() -> None:
    assert fill('a{b=~"${v}"}', v=Value((".+",), is_trusted=True)) == 'a{b=~".+"}'


@pytest.mark.parametrize("reference", ["$v", "${v}", "[[v]]", "${v:regex}"])
def test_every_way_to_write_a_reference_is_read(reference: str) -> None:
    assert fill(f'a{{b=~"{reference}"}}', v=Value(("x",), is_regex=True)) == 'a{b=~"x"}'


@pytest.mark.parametrize(
    ("style", "expected"),
    [("pipe", "a|b"), ("csv", "a,b"), ("raw", "a,b"), ("text", "a + b"), ("regex", "(a|b)")],
)
def test_the_formats_of_grafana(style: str, expected: str) -> None:
    assert fill(f'x{{y="${{v:{style}}}"}}', v=Value(("a", "b"), is_regex=True)) == f'x{{y="{expected}"}}'


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(QueryError, match=r"\$\{v:glob\}"):
        fill('a{b="${v:glob}"}', v=Value(("x",)))


def test_an_unknown_variable_stays_and_groups_of_label_replace_too() -> None:
    query = 'label_replace(a{b="$nobody"}, "c", "$1", "d", "(.*)")'
    assert fill(query, v=Value(("x",))) == query


def _matches_only(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value) is not None and re.fullmatch(pattern, f"{value}x") is None


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_a_value_cannot_leave_its_literal_in_promql(value: str, quote: str) -> None:
    template = f"sum(a{{b={quote}$v{quote}, c=~{quote}$w{quote}}})"
    query = fill(template, v=Value((value,)), w=Value((value,), is_regex=True), other=Value(("no",)))
    (matchers,) = selectors(query)
    found = {matcher.name: matcher.value for matcher in matchers}
    assert found["b"] == value
    assert _matches_only(found["c"], value)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_cannot_leave_its_literal_in_logql(value: str) -> None:
    query = fill('{a="x", b="$v", c=~"$w"}', v=Value((value,)), w=Value((value,), is_regex=True))
    found = {matcher.name: matcher.value for matcher in parse_selector(query).matchers}
    assert found["b"] == value
    assert _matches_only(found["c"], value)


def test_a_value_with_a_backquote_is_refused_in_a_raw_literal() -> None:
    assert fill("a{b=`$v`}", v=Value(('x"\\',))) == 'a{b=`x"\\`}'
    with pytest.raises(QueryError, match="backquote"):
        fill("a{b=`$v`}", v=Value(("x`} or b{c=`",)))


@pytest.mark.parametrize("value", ["5m", "workflow_id", "0.95", "job:rate5m"])
def test_outside_of_a_literal_names_numbers_and_durations_are_let_through(value: str) -> None:
    assert fill("sum by ($v) (a)", v=Value((value,))) == f"sum by ({value}) (a)"


@pytest.mark.parametrize("value", ["a) or (b", "a{}", "a,b", "", "a #"])
def test_outside_of_a_literal_nothing_else_is(value: str) -> None:
    with pytest.raises(QueryError, match=r"\$v would become part of the query"):
        fill("sum by ($v) (a)", v=Value((value,)))


def test_a_quote_in_a_comment_opens_no_literal() -> None:
    with pytest.raises(QueryError):
        fill("a # it's\n or $v", v=Value(("b{}",)))


def test_a_number_sign_in_a_literal_opens_no_comment() -> None:
    query = fill('a{b="#1"} + c{d="$v"}', v=Value(('"',)))
    assert query == 'a{b="#1"} + c{d="\\""}'


def test_text_shows_the_values() -> None:
    assert interpolate_text("Steps of $v and ${w}", {"v": Value(("a", "b"))}) == "Steps of a + b and ${w}"


def test_names_are_found_in_every_way_of_writing() -> None:
    assert names_in("$a ${b:csv} [[c]] ${d.text}") == {"a", "b", "c", "d"}
