"""Damaged queries are taken or refused as Debian's Prometheus 2.42 does, and good ones written alike.

What Prometheus 3 takes and 2.42 does not is listed in `NEWER`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

import httpx
import pytest

from awf.embedded.promql.lexer import tokens
from awf.embedded.promql.mistakes import ParseError
from awf.embedded.promql.parser import format_query
from tests.prometheus import running_prometheus

from ._generate import Generator

pytestmark = pytest.mark.promtool

COUNT = 1500
SCRAPS = [
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    "+",
    "-",
    "*",
    "^",
    "by",
    "on",
    "offset",
    "5m",
    "5",
    '"x"',
    "=",
    "==",
    "=~",
    "bool",
    "sum",
    "rate",
    "and",
    "@",
    "start",
    "end",
    "group_left",
    "without",
    "foo",
    ":",
    "ignoring",
    "1h1m",
    "unless",
    "inf",
    "x:y",
    "0x1",
    ".",
    ">=",
]
NEWER = (
    "unexpected duration",  # 5m is a number as well
    r"unexpected string .* in (grouping opts|label matching)",  # names in quotes
    "missing unit character in duration",  # [300] are seconds
    r'unexpected "\("',  # start() and end() are functions
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        running_prometheus(tmp_path_factory.mktemp("prometheus"), []) as address,
        httpx.Client(base_url=address, timeout=30) as found,
    ):
        yield found


def damaged(query: str, random: Random) -> str:
    """Leave out, put in, exchange or swap a word or two."""
    words = [token.text for token in tokens(query) if token.kind != "end"]
    for _ in range(random.randint(1, 2)):
        at, other = random.randrange(len(words)), random.randrange(len(words))
        match random.randrange(4):
            case 0 if len(words) > 1:
                del words[at]
            case 1:
                words.insert(at, random.choice(SCRAPS))
            case 2:
                words[at] = random.choice(SCRAPS)
            case _:
                words[at], words[other] = words[other], words[at]
    return " ".join(words)


def bare(text: str) -> str:
    """Without spaces: 2.42 writes `by(x)`, Prometheus 3 `by (x)`."""
    return re.sub(r"\s", "", text)


def verdict(query: str, client: httpx.Client) -> str | None:
    """Return how the two differ about a query, or None."""
    theirs = client.post("format_query", data={"query": query}).json()
    try:
        ours = format_query(query)
    except ParseError as error:
        if theirs["status"] == "success":
            return f"only ours refuses: {error.message}"
        return None
    if theirs["status"] == "success":
        return None if bare(ours) == bare(theirs["data"]) else f"{ours}\n    {theirs['data']}"
    return (
        None
        if any(re.search(newer, theirs["error"]) for newer in NEWER)
        else f"only theirs refuses: {theirs}"
    )


def test_generated_queries_are_written_alike(client: httpx.Client) -> None:
    generator = Generator(71)
    found = [(query, verdict(query, client)) for query in (generator.query() for _ in range(COUNT // 3))]
    assert [item for item in found if item[1]] == []


def test_damaged_queries_are_refused_alike(client: httpx.Client) -> None:
    generator, random = Generator(73), Random(73)
    queries = [damaged(generator.query(), random) for _ in range(COUNT)]
    found = [(query, verdict(query, client)) for query in queries]
    assert [item for item in found if item[1]] == []
