"""What the store decides by itself gives the same answer as looking at every entry."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from awf.embedded.logql import Engine, parse
from awf.embedded.logql import nodes as syntax
from awf.embedded.logql.pushdown import pushed
from awf.embedded.model import LogRecord
from awf.embedded.store import MemoryStore

from ._memory import MINUTE, SECOND, T0

S = '{service_name=~".+"}'
FILTERS = [
    "", '|= "failed"', '!= "failed" |= "Step"', '|~ "fa.led|1[0-9]+ ms$"', '!~ "a{2}"', '|= "x" or "ms"', '!= "a" or "7"',
    '| agent="writer"', '| agent!="writer"', '| agent=""', '| agent=~"w.*|"', '| agent!~".*er"', '| level="error"',
    '| level=~"err.*" | agent!=""', '|= "Step" | agent="a" and level!="info" |= "ms"', '| level="warn"', '|= "é"',
]  # fmt: skip
SHAPES = [
    "sum(count_over_time({} [{}]))", "sum by (agent) (count_over_time({} [{}]))", "rate({} [{}])",
    "sum without (id) (bytes_over_time({} [{}]))", "max(bytes_rate({} [{}]))", "absent_over_time({} [{}])",
    "count by (level) (count_over_time({} [{}]))", "sum by (level, agent) (rate({} [{}]))",
    "sum(count_over_time({} [{}] offset 30s))",
]  # fmt: skip


@pytest.fixture(scope="module")
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()


@pytest.fixture(scope="module")
def engine(store: MemoryStore) -> Engine:
    chance = random.Random(5)
    records = []
    for _ in range(600):
        labels = {"service_name": chance.choice(["a", "b"])}
        if chance.random() < 0.7:
            labels["level"] = chance.choice(["info", "error"])
        metadata = {"id": str(chance.randrange(20))}
        if chance.random() < 0.7:
            metadata["agent"] = chance.choice(["writer", "searcher", "a", "é"])
        if chance.random() < 0.2:
            metadata["level"] = "warn"
        line = f"Step {chance.choice(['failed', 'completed', 'aa', 'xé'])} in {chance.randrange(200)} ms"
        records.append(LogRecord(T0 + chance.randrange(300) * SECOND, line, labels, metadata))
    asyncio.run(store.write(logs=records + records[:50]))
    return Engine(store)


@pytest.mark.parametrize("shape", SHAPES)
def test_counts_equal_what_counting_entries_gives(engine: Engine, shape: str) -> None:
    """`drop` of a label that no entry has keeps the store from counting."""
    for filters in FILTERS:
        for window in ("1m", "7s"):
            by_store = shape.format(f"{S} {filters}", window)
            by_entries = shape.format(f"{S} {filters} | drop no_such_label", window)
            span = (T0, T0 + 5 * MINUTE, 20 * SECOND)
            left, right = (engine.range(query, *span) for query in (by_store, by_entries))
            assert _rows(left) == _rows(right), by_store
            assert left.stats.lines >= right.stats.lines


def _rows(result: object) -> list[tuple[object, ...]]:
    return [(item.labels, item.timestamps_ns.tolist(), item.values.tolist()) for item in result.series]  # type: ignore[attr-defined]


@pytest.mark.parametrize("filters", FILTERS)
def test_entries_equal_what_filtering_them_here_gives(engine: Engine, filters: str) -> None:
    """A `line_format` that changes nothing keeps line filters from the store."""
    span = (T0, T0 + 10 * MINUTE, SECOND)
    found = engine.range(f"{S} {filters}", *span, limit=5_000)
    same = engine.range(f"{S} | line_format `{{{{__line__}}}}` {filters}", *span, limit=5_000)
    assert found.entries == same.entries  # type: ignore[union-attr]
    assert found.stats.lines <= same.stats.lines


@pytest.mark.parametrize(
    ("stages", "lines", "labels", "complete"),
    [
        ('|= "a" | json |= "b" | x="y"', 2, 0, False),
        ('|= "a" | line_format "z" |= "b"', 1, 0, False),
        ('| x="y" and z!="w"', 0, 2, True),
        ('| x="y" or z!="w"', 0, 0, False),
        ('| x="y" | n > 5', 0, 1, False),
        ('| x_extracted="y"', 0, 0, False),
        ('| __error__=""', 0, 0, False),
        ('|> "<_> a <_>b"', 2, 0, False),
        ('!> "<_> a"', 0, 0, False),
        ('|~ "(?<name>a)"', 0, 0, False),
        ('|= ip("10.0.0.1") or "x"', 0, 0, False),
        ('!= "x" or ip("10.0.0.1")', 1, 0, False),
    ],
)
def test_what_is_pushed_down(stages: str, lines: int, labels: int, complete: bool) -> None:
    tree = parse(f"{S} {stages}")
    assert isinstance(tree, syntax.LogQuery)
    down = pushed(tree.stages)
    assert (len(down.where.lines), len(down.where.labels), down.complete) == (lines, labels, complete)


LINES = [
    '{"a": "x y", "b": {"a": "x y"}, "n": 7}', '{"a": "x\\u0020y"}', '{"a": "x\ufffdy"}', '{"a": "xy"}', '{"a": ["x y"]}',
    '{"a": "x y", "broken', 'a="x y" n=7', 'a="x\ufffdy"', 'a="x\\" y"', "a=xy", "(x y) 7", "(é)", '{"a": "\\u00e9"}',
    '{"_entry": "a=7 b=\\"x y\\"", "a": "x y"}', '{"service_name": "x y", "level": "x y"}', '{"a": "C:\\\\x"}', "",
]  # fmt: skip
PARSERS = [
    "json", 'json a="b.a"', 'json a="a[0]"', "logfmt", "logfmt --strict", 'regexp "^.(?P<a>.*)\\\\)"', "pattern `(<a>) <n>`",
    "unpack", "unpack | logfmt", "json | drop level", "json | keep a, level", "json | logfmt",
]  # fmt: skip
WANTED = [
    'a="x y"', 'b_a="x y"', 'n="7"', 'a="é"', 'service_name_extracted="x y"', 'level="x y"', 'level_extracted="x y"',
    'a="x y", n="7"', 'a="x y" or n="7"', 'a="C:\\\\x"', 'a="x\\" y"', 'a=""', 'b="x y"', 'm="x y"', '__error__="JSONParserErr"',
]  # fmt: skip


@pytest.mark.parametrize("parser", PARSERS)
def test_lines_that_cannot_have_a_wanted_value_are_not_read(parser: str) -> None:
    """A `label_format` of a label that no entry has keeps values from the store."""
    store = MemoryStore()
    streams = [{"service_name": "a"}, {"service_name": "x y", "level": "x y"}]
    extras = [{}, {"m": "x y"}, {"a": "x y"}, {"level": "7"}, {"m": "é"}]
    records = [
        LogRecord(T0 + at * SECOND, line, streams[at % 2], extras[at % 5])
        for at, line in enumerate(LINES * 10)
    ]
    asyncio.run(store.write(logs=records))
    engine = Engine(store)
    span = (T0, T0 + 10 * MINUTE, SECOND)
    for wanted in WANTED:
        found = engine.range(f"{S} | {parser} | {wanted}", *span, limit=5_000)
        same = engine.range(f"{S} | {parser} | label_format zz=zz | {wanted}", *span, limit=5_000)
        assert found.entries == same.entries, wanted  # type: ignore[union-attr]
        assert found.stats.lines <= same.stats.lines
    store.close()


def test_a_value_is_asked_of_the_store_until_texts_are_made() -> None:
    tree = parse(
        f'{S} | json | a="1" and b!="2" | c="" | level_extracted="3" | line_format "x" | logfmt | d="4"'
    )
    assert isinstance(tree, syntax.LogQuery)
    assert pushed(tree.stages).where.values == ("1", "3")
