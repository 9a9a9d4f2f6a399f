"""Thousands of generated queries have the same answers as Debian's Prometheus 2.42, to 1e-9.

What Prometheus 3 answers differently is listed here, and each such answer must be of that kind:

- ranges and the lookback are open on the left (the engine closes them for this comparison),
- a rate is extrapolated less far to the left near zero (the data's counters stay away from it),
- a comparison between vectors fails on an ambiguous match also where it would leave one of them out: `STRICTER`,
- atan2 drops the name of its metric (the generated ones are inside abs, which drops it in both),
- the spread of one NaN or infinity is NaN, not 0, and that of great numbers exact (not generated),
- timestamp() of a selector with both @ and offset may forget the offset, in Prometheus 3 too (not generated),
- a negated vector, or a histogram's quantiles, may join series of several metrics that never meet (not generated).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from random import Random
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from awf.embedded.model import SeriesData
from awf.embedded.promql import Engine, parse
from awf.embedded.promql.syntax import Aggregate, Binary, Call, RangeSelector, Selector, Subquery, walk
from awf.errors import QueryError
from tests.prometheus import difference, our_points, running_prometheus, their_points

from ._generate import Generator
from ._memory import MemoryReader
from ._samples import SPAN_MS, START_MS, data_set

pytestmark = pytest.mark.promtool

Asked = tuple[str, dict[str, int]]
"""A query and the times to ask it for, in milliseconds."""

BATCHES = 18
PER_BATCH = 300
AT_ONCE = 4
STRICTER = "multiple matches for labels"
FUNCTIONS_OF_2_42 = """
    abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp clamp_max
    clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month deg delta deriv exp floor
    histogram_quantile holt_winters hour idelta increase irate label_join label_replace last_over_time ln log10 log2
    max_over_time min_over_time minute month pi predict_linear present_over_time quantile_over_time rad rate resets
    round scalar sgn sin sinh sort sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh time
    timestamp vector year
"""


@pytest.fixture(scope="module")
def series() -> list[SeriesData]:
    return data_set()


@pytest.fixture(scope="module")
def address(series: list[SeriesData], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), series) as found:
        yield found


@pytest.fixture(scope="module")
def seen() -> Counter[str]:
    return Counter()


def requests(seed: int) -> list[Asked]:
    """Return queries, half of them over a range."""
    generator, random = Generator(seed), Random(seed)
    found = []
    for _ in range(PER_BATCH):
        query = generator.query()
        start = START_MS + random.randint(600_000, SPAN_MS - 1_500_000)
        if random.random() < 0.5:
            found.append((query, {"time": start}))
        else:
            step = random.choice((7_000, 37_000, 61_000, 240_000))
            found.append((query, {"start": start, "end": start + step * random.randint(1, 12), "step": step}))
    return found


def their_answers(address: str, asked: Sequence[Asked]) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        shares = list(pool.map(lambda share: _answers(address, asked[share::AT_ONCE]), range(AT_ONCE)))
    return [shares[number % AT_ONCE][number // AT_ONCE] for number in range(len(asked))]


def _answers(address: str, asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """Ask one query after the other over one connection."""
    target = urlsplit(address)
    found = []
    with closing(HTTPConnection(target.netloc, timeout=30)) as connection:
        for query, times in asked:
            moments = {name: f"{moment / 1000:.3f}" for name, moment in times.items()}
            path = f"{target.path}/{'query' if 'time' in times else 'query_range'}"
            form = urlencode({"query": query, **moments})
            connection.request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})
            found.append(json.loads(connection.getresponse().read()))
    return found


def our_answer(engine: Engine, query: str, times: dict[str, int]) -> Any:
    if "time" in times:
        return engine.instant(query, times["time"])
    return engine.range(query, times["start"], times["end"], times["step"])


def judge(engine: Engine, query: str, times: dict[str, int], theirs: dict[str, Any]) -> str | None:
    """Return how the answers differ, or None."""
    try:
        ours = our_points(our_answer(engine, query, times))
    except QueryError as error:
        if theirs["status"] == "error":
            return (
                None if _shape(error.message) == _shape(theirs["error"]) else f"other errors: {error.message}"
            )
        return (
            None
            if STRICTER in error.message and re.search("[<>=]", query)
            else f"only ours fails: {error.message}"
        )
    if theirs["status"] == "error":
        return f"only theirs fails: {theirs['error']}"
    return difference(ours, their_points(theirs["data"]))


def _shape(message: str) -> str:
    """The error without the series it happens to name."""
    return re.sub(r"\{.*?\}|\[.*\]", "", message)


def parts(query: str) -> Iterator[str]:
    """Yield the functions, operators and modifiers of a query."""
    for node in walk(parse(query)):
        match node:
            case Call():
                yield node.name
            case Aggregate():
                yield f"{node.op} {'without' if node.without else 'by' if node.labels else 'all'}"
            case Binary():
                yield f"{node.op}{' bool' if node.returns_bool else ''}"
                yield "on" if node.matching.on else "ignoring" if node.matching.labels else "all labels"
                yield f"group_{node.matching.many}"
            case Selector():
                yield from (f"matcher {matcher.op}" for matcher in node.matchers)
                yield f"@ {type(node.at).__name__}{' offset' if node.offset_ms else ''}"
            case RangeSelector() | Subquery():
                yield type(node).__name__


@pytest.mark.parametrize("seed", range(BATCHES))
def test_generated_queries_have_the_same_answers(
    seed: int, address: str, series: list[SeriesData], seen: Counter[str]
) -> None:
    asked = requests(seed)
    engine = Engine(MemoryReader(series), closed_ranges=True)
    wrong = []
    for (query, times), theirs in zip(asked, their_answers(address, asked), strict=True):
        if why := judge(engine, query, times, theirs):
            wrong.append(f"{query}  {times}\n    {why}")
        if theirs["status"] == "success":
            seen.update(["valid", *set(parts(query))])
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:10])


def test_the_queries_were_many_and_of_every_kind(seen: Counter[str]) -> None:
    if not seen["valid"]:
        pytest.skip("the comparison did not run")
    assert seen["valid"] >= 5000
    assert [name for name in FUNCTIONS_OF_2_42.split() if name not in seen] == []
    kinds = [name for name, count in seen.items() if count >= 5]
    assert len(kinds) >= 100
