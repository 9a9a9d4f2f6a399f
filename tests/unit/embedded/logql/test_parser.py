import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awf.embedded.logql import nodes, parse, parse_selector
from awf.embedded.model import Matcher, MatchOp
from awf.errors import AwfError, QueryError, QueryLimit, UnsupportedQuery

ACCEPTED = [
    '{service_name="awf-demo"}',
    '({service_name="awf-demo"})',
    '{service_name="awf-demo", level!="debug"} |= "failed" != "retry" |~ "a.*b" !~ `c\\d+`',
    '{a="b"} |= "x" or "y" or "z"',
    '{a="b"} | json | line_format "{{.msg}} {{.level}}" | label_format out=msg, kind="{{.a}}-x"',
    '{a="b"} | json first="a.b[0]", second | logfmt --strict --keep-empty x="y"',
    '{a="b"} | regexp "(?P<word>\\\\w+)" | pattern "<ip> <_> <path>" | unpack | decolorize',
    '{a="b"} | status >= 500 and duration > 1.5s or size<10KB, level="error"',
    '{a="b"} | (a="1" or b="2") and c!="3"',
    '{a="b"} | drop __error__, level="debug" | keep level, agent_id=~"s.+"',
    'count_over_time({a="b"}[5m])',
    'rate({a="b"} |= "x" [1h30m] offset 10m)',
    'rate({a="b"}[5m] |= "x")',
    'rate(({a="b"} |= "x")[5m])',
    'sum by (level) (rate({a="b"}[5m]))',
    'SUM(RATE({a="b"}[5m])) BY (level)',
    'topk(3, sum(rate({a="b"}[5m])) without (level))',
    'quantile_over_time(0.99, {a="b"} | json | unwrap duration(took) | __error__="" [1m]) by (agent_id)',
    'sum(rate({a="b"}[5m])) / on(x) sum(rate({a="b"}[5m])) > bool 0.5',
    'sum(rate({a="b"}[5m])) or vector(0)',
    "1 + 2 * 3 ^ 2 ^ 0.5 - -1",
    'label_replace(rate({a="b"}[5m]), "x", "$1", "a", "(.*)")',
    '# a comment\n{a="b"} # another',
    '{rate="x"} | json | sum > 5',
    '{a="b"} |> "<_> x" or "y <_>" !> `<_>z`',
    '{a="b"} |= ip("10.0.0.0/8") or "x" or ip("::1") != ip("10.0.0.1-10.0.0.9") | addr != ip("10.1.2.3")',
    '{a="b"} | line_format `{{ if eq .a "b" }}{{ .c | upper | trunc 5 }}{{ else }}{{ __line__ }}{{ end }}`',
    'rate_counter({a="b"} | unwrap x [5m])',
    'approx_topk(2, rate({a="b"}[5m]))',
    'rate({a="b"}[5m]) / on(x) group_left (y, z) rate({a="b"}[5m])',
    'rate({a="b"}[5m]) > bool ignoring(x) group_right rate({a="b"}[5m])',
]


@pytest.mark.parametrize("query", ACCEPTED)
def test_accepts(query: str) -> None:
    assert parse(query)


WRONG = [
    ("", "parse error : syntax error: unexpected $end"),
    ('{a="b"', "parse error at line 1, col 7: syntax error: unexpected $end, expecting , or }"),
    ("{a=b}", "parse error at line 1, col 4: syntax error: unexpected IDENTIFIER, expecting STRING"),
    ('{a="b"}\n| json |', "parse error at line 2, col 9: syntax error: unexpected $end"),
    ('{a="b"} | json | unwrap x', "col 18: unwrap is only allowed inside a range aggregation"),
    ('sum({a="b"})', "parse error at line 1, col 5: syntax error: unexpected {"),
    ('rate({a="b"}[5x])', "parse error at line 1, col 13: not a valid duration string: '5x'"),
    ('rate({a="b"}[5m)', "parse error at line 1, col 13: missing closing ']' in duration"),
    ('rate({a="b"}[0s])', "must be longer than 0"),
    ('{a="b} ', "parse error at line 1, col 4: literal not terminated"),
    ('{a="\\q"}', "invalid escape \\q in string"),
    ('{a=~"("}', "parse error at line 1, col 5: invalid regular expression '('"),
    ('{a="b"} | regexp "no groups"', "at least one named capture must be supplied"),
    ('{a="b"} | pattern "plain"', "at least one capture is required"),
    ('{a="b"} | pattern "<a><b>"', "found consecutive capture"),
    ('{a="b"} | json x="a["', "cannot parse expression [a[]"),
    ('{a="b"} | logfmt --lax', "unknown flag --lax"),
    ('{a="b"} | label_format x=a, x=b', "multiple label name 'x' not allowed"),
    ('{a="b"} | line_format "{{.a"', "unclosed action"),
    ('{a="b"} | label_format x="{{ .a | shout }}"', 'function "shout" not defined'),
    ('{a="b"} |> "a <_><_> b"', "col 12: found consecutive capture"),
    ('{a="b"} !> "<name>"', "named captures are not allowed: found '<name>'"),
    ('{a="b"} |= ip("10.0.0.0/33")', 'col 15: ip: invalid pattern: "10.0.0.0/33"'),
    ('{a="b"} |~ ip("10.0.0.0/8")', "ip: invalid operation"),
    ('{a="b"} | addr =~ ip("10.0.0.0/8")', "ip: invalid operation"),
    ('rate_counter({a="b"}[5m])', "invalid aggregation rate_counter without unwrap"),
    ('approx_topk(2, rate({a="b"}[5m])) by (a)', "grouping not allowed for approx_topk"),
    ('sum_over_time({a="b"}[5m])', "invalid aggregation sum_over_time without unwrap"),
    ('count_over_time({a="b"} | unwrap x [5m])', "invalid aggregation count_over_time with unwrap"),
    ('rate({a="b"}[5m]) by (x)', "grouping not allowed for rate aggregation"),
    ('topk(rate({a="b"}[5m]))', "parameter required for operation topk"),
    ('topk(0, rate({a="b"}[5m]))', "invalid parameter topk(0"),
    ('sum(2, rate({a="b"}[5m]))', "unsupported parameter for operation sum(2"),
    ('quantile_over_time({a="b"} | unwrap x [5m])', "parameter required for operation quantile_over_time"),
    ('1 and rate({a="b"}[5m])', "unexpected literal"),
    ("{}", "at least one regexp or equality matcher"),
    ('{a=~".*"}', "at least one regexp or equality matcher"),
    ('{a="", b!="c"}', "at least one regexp or equality matcher"),
]


@pytest.mark.parametrize(("query", "message"), WRONG)
def test_refuses_what_is_wrong_and_says_where(query: str, message: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    assert message in caught.value.message
    assert not isinstance(caught.value, UnsupportedQuery)


HINTS = [
    ("{a='b'}", 4, "Strings stand in double quotes"),
    ('{a=="b"}', 4, "equality is written with one ="),
    ("{app=web}", 6, "Values of labels are quoted"),
    ('{a="b"} | lin', 14, "Did you mean line_format?"),
    ('{a="b"} | josn', 15, "Did you mean json?"),
    ('{a="b"} |= "x" && "y"', 16, "Filters are joined by and"),
    ('sum({a="b"})', 5, "needs a range"),
    ('coutn_over_time({a="b"}[5m])', 1, "Did you mean count_over_time?"),
    ('{a="b"', 7, "A { is not closed by }."),
    ('sum(rate({a="b"}[5m])', 22, "A ( is not closed by )."),
    ("hello", 1, "A query begins with the streams"),
]


@pytest.mark.parametrize(("query", "column", "hint"), HINTS)
def test_a_caret_stands_under_the_place_and_a_hint_says_what_to_do(
    query: str, column: int, hint: str
) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    _, shown, caret = caught.value.message.split("\n")
    assert shown == query
    assert caret == " " * (column - 1) + "^"
    assert hint in caught.value.hint


def test_a_long_line_is_cut_around_the_caret() -> None:
    with pytest.raises(QueryError) as caught:
        parse('{a="b"} |= "' + "x" * 300 + '" oops |= "' + "y" * 300 + '"')
    _, shown, caret = caught.value.message.split("\n")
    assert shown[len(caret) - 1 :].startswith("oops")
    assert len(shown) <= 120


UNSUPPORTED = [
    ('{a="b"} | line_format `{{define "x"}}y{{end}}`', "the template action {{define}}"),
    ('{a="b"} | label_format c=`{{ js .a }}`', "the template action {{js}}"),
    ('{a="b"} |~ "(?=x)"', "line 1, col 12"),
]


@pytest.mark.parametrize(("query", "construct"), UNSUPPORTED)
def test_names_what_it_does_not_support_and_where(query: str, construct: str) -> None:
    with pytest.raises(UnsupportedQuery) as caught:
        parse(query)
    assert construct in caught.value.message
    assert "not supported" in caught.value.message


def test_a_long_query_is_refused() -> None:
    with pytest.raises(QueryLimit, match="at most 8192"):
        parse('{a="' + "x" * 9_000 + '"}')


@pytest.mark.parametrize(
    "query",
    [
        "+".join(["1"] * 500),
        "sum(" * 200 + 'rate({a="b"}[5m])' + ")" * 200,
        '{a="b"} | '
        + " or ".join(f"(a=1 and {'(' * i}b=2{')' * i})" for i in range(3))
        + ", c=1 or d=2" * 150,
    ],
)
def test_a_deep_query_is_refused(query: str) -> None:
    with pytest.raises(QueryLimit, match="nests more than"):
        parse(query)


def filters_of(query: str) -> object:
    tree = parse_selector('{app="x"} | ' + query)
    return tree.stages[0]


def number(name: str, value: float) -> nodes.LabelCompare:
    return nodes.LabelCompare(name, "==", value, "number")


A, B, C, D = number("a", 1), number("b", 2), number("c", 3), number("d", 4)


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("a=1 and b=2 or c=3", nodes.LabelOr((nodes.LabelAnd((A, B)), C))),
        ("a=1 or b=2 and c=3", nodes.LabelOr((A, nodes.LabelAnd((B, C))))),
        ("a=1 or b=2, c=3", nodes.LabelOr((A, nodes.LabelAnd((B, C))))),
        ("a=1, b=2 or c=3", nodes.LabelAnd((A, nodes.LabelOr((B, C))))),
        ("a=1 or b=2, c=3 or d=4", nodes.LabelOr((A, nodes.LabelAnd((B, nodes.LabelOr((C, D))))))),
        ("a=1 b=2", nodes.LabelAnd((A, B))),
        ("(a=1 or b=2) and c=3", nodes.LabelAnd((nodes.LabelOr((A, B)), C))),
    ],
)
def test_label_filters_bind_as_in_loki(query: str, tree: object) -> None:
    assert filters_of(query) == tree


def test_operators_bind_as_in_loki() -> None:
    tree = parse("1 - 2 - 3 * 4 ^ 2 ^ 2")
    assert isinstance(tree, nodes.Binary)
    assert tree.op == "-"
    assert isinstance(tree.left, nodes.Binary)
    assert isinstance(tree.right, nodes.Binary)
    power = tree.right.right
    assert isinstance(power, nodes.Binary)
    assert isinstance(power.right, nodes.Binary), "the exponent binds to the right"


def test_strings_are_read_as_go_reads_them() -> None:
    tree = parse_selector(r'{a="tab\tquote\" \x41 A"} |= `raw \t`')
    assert tree.matchers == (Matcher("a", MatchOp.EQUAL, 'tab\tquote" A A'),)
    assert tree.stages == (nodes.LineFilter("|=", ("raw \\t",)),)


def test_a_metric_query_is_no_selector() -> None:
    with pytest.raises(QueryError, match="only label matchers"):
        parse_selector('rate({a="b"}[5m])')


TOKENS = ["{", "}", "(", ")", "[5m]", "a", '"b"', "=", "!=", "|=", "|", "json", "sum", "rate", "by", "5", "5s",
          "and", "or", ",", "+", "unwrap", "offset", "`x`", "on", "bool", "^", "[", "\\", "\ud800"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(TOKENS), max_size=25).map(" ".join)))
def test_any_text_gives_a_tree_or_one_of_our_errors(text: str) -> None:
    with contextlib.suppress(AwfError):
        assert parse(text) is not None
