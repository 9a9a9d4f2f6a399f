"""What is a query, what is not, and what is one but is not answered."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awf.embedded.traceql import parse
from awf.embedded.traceql.values import format_duration
from awf.errors import QueryError, QueryLimit, UnsupportedQuery

WRONG = {
    "": "end of the query",
    "true": "identifier|unexpected",
    "{ .a = }": "line 1, col 8.*unexpected '}'",
    "{ .a < 3": "unexpected the end of the query",
    "{}\n| rate(": "line 2, col 8",
    "{ .a == 4 }": "line 1, col 7.*unexpected '='",
    "{ . }": "unexpected",
    "{ span. }": "unexpected|unknown",
    "{ agent_id = 4 }": r"unknown identifier agent_id; attributes are written \.agent_id",
    "{ trace:status = error }": "unknown intrinsic trace:status",
    '{ .a = "open }': "unexpected",
    r'{ .a = "\q" }': r"invalid escape \\q",
    "{ 1 + 1 }": "must be a boolean",
    "{ status }": "must be a boolean; status is a status",
    '{ 1 = "a" }': "compares a number with a string",
    "{ duration > `x` }": "compares a number with a string",
    "{ name = 1 }": "compares a string with a number",
    "{ status > ok }": "> does not compare a status",
    "{ .a =~ 2 }": "=~ does not compare a number",
    "{ .a =~ .b }": "must be a string",
    '{ .a =~ "[" }': "invalid regular expression",
    '{ !"a" = .b }': "must be a boolean",
    "{ -ok = status }": "must be a number",
    "{ status = nil }": "status is never nil",
    "{ .a > nil }": "nil can only be compared",
    "{ true } = { true }": "does not relate spansets",
    "{} | count()": r"count\(\) must be compared",
    "{} | count(.a) > 1": "takes no argument",
    "{} | max() > 1": "takes one expression",
    "{} | max(name) > 1": "must be a number; name is a string",
    "{} | max(3) > 1": "must name an attribute",
    "{} | by(1)": "must name an attribute",
    "{} | by()": "takes one expression",
    "{} | select(1)": "takes attributes",
    "{} | nothing() > 1": r"unknown function nothing\(\)",
    "coalesce() | {}": "cannot be the first",
    "{ true } && count() > 1": "&& stands between spansets",
    "rate()": "needs spans",
    "{} | rate(.a)": "takes no argument",
    "{} | quantile_over_time(duration)": "quantiles",
    "{} | quantile_over_time(duration, 2)": "from 0 to 1",
    "{} | max_over_time(duration, 1)": "takes an attribute",
    "{} | max_over_time(name)": "takes a number",
    "5": "is no stage",
    "{} | count() > 1 / 0": "has no value",
    "{ 99999999999999999999 = .a }": "out of range",
    "{ duration > 300y }": "out of range",
    "{} | rate() | topk(0)": "takes a whole number",
    "{} | rate() | topk(1.5)": "takes a whole number",
    "{} | topk(3)": "needs a metric before it",
    "{} | rate() | rate()": "one metrics function ends",
    "{} | rate() + 1": "needs its metrics in parentheses",
    "({} | rate()) + 1s": "a duration cannot be used",
    "({} | rate()) % 2": "% is not known between metrics",
    "({} | rate()) && ({} | rate())": "&& does not join metrics",
    "(({} | rate()) > 5) * 2": "cannot be wrapped again",
    "5 < ({} | rate())": "must stand to the left of <",
    "({} | compare({ true })) / ({} | rate())": r"compare\(\) cannot be used with",
    "{} | compare({ true }) | topk(3)": r"compare\(\) cannot be used with",
    "{} | compare({ true }, 0)": "1 to 1000 values",
    "{} | compare({ true }, 10, 5, 4)": "must be after its start",
    "{} | compare(1)": "takes a spanset",
    "{} | compare({ true }) by (name)": "takes no by",
    "({} | rate()) | {}": "can follow a metrics function",
    "({} | count() > 1) && {}": "joins a pipeline with a spanset",
    "({} | count() > 1) | count() > 1": "no stage can follow or precede pipelines",
    "{ duration > " + "9" * 400 + "s }": "out of range",
}

UNSUPPORTED = {
    "{ parent.a = 1 }": "parent",
    "{ parent = 1 }": "parent",
    '{ instrumentation.a = "x" }': "instrumentation.a",
    "{} | rate() | { status = error }": "can follow a metrics function",
    "{} | count() + count() > 1": r"arithmetic \(\+\)",
    "{} | avg(.a) > max(.b)": "comparing",
    "1 < count()": "to the left",
    "{} | rate() by (.a, .b, .c, .d, .e, .f)": "more than 5",
    "{} | avg_over_time(.x) by (.a, .b, .c, .d, .e)": "more than 4",
    "{} | rate() with (extrapolate = true)": "extrapolate",
    r'{ .a =~ "(a+)+b" }': "regular expression",
}


@pytest.mark.parametrize("query", WRONG)
def test_a_wrong_query_is_an_error_that_says_what_is_wrong(query: str) -> None:
    with pytest.raises(QueryError, match=WRONG[query]):
        parse(query)


@pytest.mark.parametrize("query", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name(query: str) -> None:
    with pytest.raises(UnsupportedQuery, match=UNSUPPORTED[query]):
        parse(query)


@pytest.mark.parametrize(
    ("query", "caret", "hint"),
    [
        ("{ status == error }", "{ status == error }\n          ^", "Equality is written with one ="),
        ("{}\n| rate(", "| rate(\n       ^", "1 ( is not closed by )"),
        ("{ .a = 1", "{ .a = 1\n        ^", "1 { is not closed by }"),
        ("status = error", "status = error\n       ^", "Conditions on spans stand in braces"),
        ("{ .a = 'x' }", "{ .a = 'x' }\n       ^", "double quotes or backticks"),
        ("{ .a = 1 and .b = 2 }", "{ .a = 1 and .b = 2 }\n         ^", "joined by &&"),
        ("{ .a = 1 & .b = 2 }", "{ .a = 1 & .b = 2 }\n         ^", "joined by &&"),
        ("{ statuss = error }", "{ statuss = error }\n  ^", "Did you mean status?"),
        ("{ trace:rootname = `x` }", "{ trace:rootname = `x` }\n  ^", "Did you mean trace:rootName?"),
        ("{} | count_overtime()", "{} | count_overtime()\n     ^", "Did you mean count_over_time?"),
        ("{ duraton > 1s }", "^", "Did you mean duration?"),
        ("{ " + ".a = 1 && " * 50 + "}", "^", ""),
    ],
)
def test_a_parse_error_shows_the_place_and_says_what_to_do(query: str, caret: str, hint: str) -> None:
    with pytest.raises(QueryError, match="parse error at line") as caught:
        parse(query)
    assert caret in caught.value.message
    assert hint in caught.value.hint
    assert all(len(line) <= 160 for line in caught.value.message.splitlines())


def test_power_binds_tighter_than_a_sign_and_to_the_right() -> None:
    assert parse("{ -.a ^ .b ^ 2 = 1 }") == parse("{ -(.a ^ (.b ^ 2)) = 1 }")
    assert parse("{ 2 * .a ^ 2 = 1 }") == parse("{ 2 * (.a ^ 2) = 1 }")


def test_hints_change_nothing_but_the_number_of_exemplars() -> None:
    assert parse("{} | rate() with (sample = 0.1, most_recent = true, step = 5)") == parse("{} | rate()")
    assert parse("{} | rate() with (exemplars = 7)").exemplars == 7
    assert parse("{} | rate() with (exemplars = false)").exemplars == 0


def test_size_and_depth_are_bounded() -> None:
    with pytest.raises(QueryLimit, match="at most 8192"):
        parse("{ .a = " + "1" * 9000 + " }")
    with pytest.raises(QueryLimit, match="levels deep"):
        parse("{ " + "!" * 200 + ".a }")
    with pytest.raises(QueryLimit, match="levels deep"):
        parse("{ .a" + " + 1" * 200 + " = 1 }")


def test_parentheses_and_long_chains_do_not_count_as_depth() -> None:
    parse("{ " + "(" * 1000 + ".a" + ")" * 1000 + " }")
    parse("{ " + " || ".join(f".a = {n}" for n in range(400)) + " }")
    parse(" && ".join(["{ .a = 1 }"] * 400))


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("1.5s", 1_500_000_000), ("300ms", 300_000_000), ("2m", 120_000_000_000), ("1h30m", 5_400_000_000_000),
     ("15us", 15_000), ("15µs", 15_000), ("7ns", 7), ("1d", 86_400_000_000_000)],
)  # fmt: skip
def test_durations_have_units(text: str, nanoseconds: int) -> None:
    assert parse(f"{{ duration > {text} }}") == parse(f"{{ duration > {nanoseconds}ns }}")


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0s"), (7, "7ns"), (15_500, "15.5µs"), (300_000_000, "300ms"), (1_500_000_000, "1.5s"),
     (3_723_000_000_000, "1h2m3s"), (3_600_000_000_000, "1h0m0s"), (-60_000_000_000, "-1m0s")],
)  # fmt: skip
def test_durations_are_written_as_go_writes_them(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text


def test_strings_are_read_as_go_reads_them() -> None:
    assert parse(r'{ .a = "\"\\\t\u00e9\x41" }') == parse('{ .a = `"\\\té' + "A` }")


def test_a_quoted_name_may_hold_any_character() -> None:
    assert parse('{ span."a b = \\"c\\"" = 1 }') == parse('{ span.a" b = \\"c\\"" = 1 }')


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}()|&!~=<>.\"`'+-*/%^,: \n19anserroduti_", max_size=40))
def test_any_text_is_a_query_or_a_query_error(text: str) -> None:
    with suppress(QueryError):
        parse(text)
