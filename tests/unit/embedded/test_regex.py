"""RE2 patterns mean in Python what they mean in Prometheus, or are refused."""

from __future__ import annotations

import pytest

from awf.embedded.model import Matcher, MatchOp
from awf.embedded.regex import compile_re2
from awf.errors import QueryError, UnsupportedQuery


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a|b", "b", True),
        ("a.c", "a\nc", True),
        ("(?i)abc", "ABC", True),
        ("((?i)a)b", "Ab", True),
        ("((?i)a)b", "AB", False),
        ("(?i:a)b", "Ab", True),
        ("a$", "a", True),
        ("a", "a\n", False),
        ("a$", "a\n", False),
        (r"\d+", "12", True),
        (r"\d+", "١٢", False),
        (r"[\w-]+", "a-b", True),
        (r"\D", "é", True),
        (r"(\d{1,3}\.){3}\d{1,3}", "10.0.0.1", True),
        ("a{,3}", "a{,3}", True),
        ("a{2}", "aa", True),
        (r"\Qa.b\E+", "a.b", True),
        ("(?<n>a)b", "ab", True),
        ("[]a]", "]", True),
        ("[^]]", "]", False),
        ("[a&&b]", "&", True),
        ("[a|b]", "|", True),
        ("[[]", "[", True),
        ("a+?b*", "aab", True),
        (r"\x41\.\/", "A./", True),
        (r"a\z", "a", True),
        ("", "", True),
        (".*", "", True),
        ("prod-(eu|us)-[0-9]+", "prod-eu-12", True),
        ("(foo|bar)?", "bar", True),
    ],
)
def test_a_pattern_matches_as_in_re2(pattern: str, text: str, expected: bool) -> None:
    assert (compile_re2(pattern).fullmatch(text) is not None) is expected
    assert Matcher("a", MatchOp.REGEX, pattern).matches(text) is expected


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|b)*", "(a|a)*b", "(a?){50}a", "(.*a){20}", "((a|b)(c|d)?)+", ".*a" * 9, "[[:alpha:]]", r"\pL", r"\C",
     "(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "a(?i)b", "(?x)a", "(?U)a", "(?#c)", r"[\W]", "(?>a)", r"\bfoo", "[a--b]",
     "((((a{1,9}){1,9}){1,9}){1,9}){1,9}"],
)  # fmt: skip
def test_what_could_run_away_or_means_something_else_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedQuery):
        compile_re2(pattern)


@pytest.mark.parametrize("pattern", ["(", ")", "[", "a**", "a*+", "*a", "a\\", "a{2,1}", "a{2000}", "[b-a]"])
def test_a_wrong_pattern_is_a_query_error(pattern: str) -> None:
    with pytest.raises(QueryError):
        compile_re2(pattern)
