"""What the store leaves out of its own accord changes no answer: the same queries over a plain list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from awf.embedded.model import SpanCondition, SpanConditions, SpanMention, SpanTest
from awf.embedded.store import MemoryStore, spans
from awf.embedded.traceql import parse
from awf.embedded.traceql.candidates import conditions_of
from awf.embedded.traceql.nodes import Pipeline

from ._answers import difference
from ._asking import Embedded, comparable
from ._queries import Queries
from ._telemetry import SECOND, export_request, stored
from ._traces import Spans

T0 = 1_790_000_040 * SECOND
SPANS = stored(export_request(11, T0, 25), T0 + 3600 * SECOND)


@pytest.fixture(scope="module")
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    asyncio.run(store.write(spans=SPANS[:100]))
    asyncio.run(store.write(spans=SPANS[60:]))  # some are sent twice
    yield store
    store.close()


@pytest.mark.parametrize("kind", ["search", "range", "instant"])
async def test_answers_over_the_store_and_over_a_list_are_equal(store: MemoryStore, kind: str) -> None:
    pushed, plain = Embedded(store), Embedded(Spans(SPANS))
    queries = Queries(3)
    for query in (queries.searches if kind == "search" else queries.metrics)(40):
        ours, theirs = await pushed.ask(kind, query, T0), await plain.ask(kind, query, T0)
        assert ours.status_code == theirs.status_code, (query, ours.text)
        if ours.status_code == 200:
            told = difference(comparable(kind, ours.json()), comparable(kind, theirs.json()))
            assert told == "", query


COUNTED = """
{} | rate()
{} | count_over_time() by (name)
{} | count_over_time() by (name, status, kind, statusMessage)
{ status = error } | rate()
{ status = error && kind = client } | rate() by (resource.service.name)
{ resource.service.name = "gateway" && duration > 1s } | count_over_time() by (resource.replicas, name)
{ duration > 1s && duration < 5s } | avg_over_time(duration) by (resource.deployment.environment.name)
{ 1s < duration } | rate()
{ duration >= 40ms || status = error } | rate() by (name)
{ name =~ "awf.*" && !(kind = client) } | rate() by (instrumentation:name)
{ status = error || resource.replicas > 1 } | rate() by (name)
{ resource.nothing = nil } | rate() by (resource.nothing)
{ name = "nothing" } | rate()
{ resource.shared != nil } | rate() by (resource.shared)
{} | min_over_time(duration) by (status)
{} | max_over_time(duration)
{} | sum_over_time(duration) by (kind)
{} | avg_over_time(duration)
{} | quantile_over_time(duration, .5, .9) by (resource.service.name)
{ kind != client } | histogram_over_time(duration) by (name)
{ duration < 3ms } | histogram_over_time(duration)
({ status = error } | rate() by (name)) / ({} | rate() by (name))
{ status = error || kind = client } | rate() by (status)
{ span.attempt > 1 } | rate()
{ span.attempt > 1 || span.mixed = "two" } | rate() by (span.attempt, .mixed)
{} | rate() by (span.cost_usd, .shared)
{ .shared = "span-1" && span.tags != nil } | count_over_time() by (span.tags)
{ span.tokens * 2 > span.attempt } | avg_over_time(duration) by (span.dry_run)
{} | max_over_time(span.attempt) by (name)
{ status = error } | min_over_time(span.cost_usd)
{ span.attempt > 1 } | avg_over_time(span.attempt) by (status)
{} | avg_over_time(span.mixed)
{} | quantile_over_time(span.tokens, .5, .9) by (kind)
{} | histogram_over_time(.attempt)
{} | max_over_time(resource.replicas)
""".strip().splitlines()


class OnlyCounts:
    """A reader that counts spans and reads none."""

    def __init__(self, store: MemoryStore) -> None:
        self.span_groups = store.span_groups


@pytest.mark.parametrize("query", COUNTED)
async def test_spans_that_look_alike_are_counted_by_the_store(store: MemoryStore, query: str) -> None:
    counting = Embedded(OnlyCounts(store))  # type: ignore[arg-type]
    for kind in ("range", "instant"):
        ours, theirs = await counting.ask(kind, query, T0), await Embedded(Spans(SPANS)).ask(kind, query, T0)
        assert ours.status_code == 200, ours.text
        assert difference(comparable(kind, ours.json()), comparable(kind, theirs.json())) == ""


@pytest.mark.parametrize(
    "query", ["{ status = error }", "{ span.attempt > 1 } > { kind = client }", "{ duration > 1s }"]
)
def test_traces_are_the_same_whether_times_or_conditions_are_looked_at_first(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    for seconds in (5, 60, 3600):
        span = (T0 + 20 * SECOND, T0 + (20 + seconds) * SECOND)
        found = []
        for share in (0, 2):
            monkeypatch.setattr(spans, "FEW", share)
            found.append(store.traces(*span, asked(query)))
        assert found[0] == found[1]
        assert found[0] or seconds < 3600


@pytest.mark.parametrize("most", [0, 10**6])
async def test_spans_that_were_sent_twice_count_once_however_many(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(spans, "MAX_REPEATED", most)
    groups = store.span_groups(T0 - 3600 * SECOND, T0 + 3600 * SECOND, bucket_ns=SECOND, columns=["name"])
    assert groups is not None
    assert sum(cell.spans for group in groups for cell in group.cells) == len(SPANS)


@pytest.mark.parametrize(
    "query",
    [
        "{ duration > 1s || status = error } | max_over_time(duration)",
        "{} | rate() by (duration)",
        "{} | rate() by (event:name)",
        "{ link.kind = `retry` } | rate()",
        "{ span.tokens != nil } | sum_over_time(span.tokens)",
        "{ duration / 2 > 1s } | rate()",
        "{ rootName = `awf.workflow` } | rate()",
        "{} >> {} | rate()",
        "{} | count() > 1 | rate()",
    ],
)
async def test_what_the_columns_do_not_decide_is_read(store: MemoryStore, query: str) -> None:
    with pytest.raises(AttributeError, match="no attribute 'traces'"):
        await Embedded(OnlyCounts(store)).ask("range", query, T0)  # type: ignore[arg-type]
    ours = await Embedded(store).ask("range", query, T0)
    theirs = await Embedded(Spans(SPANS)).ask("range", query, T0)
    assert difference(comparable("range", ours.json()), comparable("range", theirs.json())) == ""


def asked(query: str) -> tuple[SpanCondition, ...]:
    body = parse(query).body
    assert isinstance(body, Pipeline)
    return conditions_of(body)


def test_what_can_be_decided_by_a_column_is_asked_of_the_store() -> None:
    slow, failed = SpanTest("duration_ns", ">", 10**9), SpanTest("status", "=", 2)
    assert asked("{ duration > 1s }") == (slow,)
    assert asked("{ 1s < duration } >> { status = error }") == (slow, failed)
    assert asked("{ duration > 1s } !>> { status = error }") == (failed,)
    assert asked("{ duration > 1s } || { status = error }") == (SpanConditions((slow, failed), is_all=False),)
    assert asked("{ duration > 1s && status = error }") == (SpanConditions((slow, failed), is_all=True),)
    assert asked("{ status = error || .x + 1 = 2 }") == ()
    assert asked("{ status = error || nestedSetLeft > 1 } | count() > 1") == ()
    assert asked('{} | by(name) | { name =~ "a.*" }') == (SpanTest("name", "=~", "a.*"),)
    key, text = SpanMention("attributes", "a", is_key=True), SpanMention("attributes", "b", is_key=False)
    found = SpanConditions(
        (SpanConditions((text,), is_all=False), SpanConditions((key,), is_all=False)), is_all=True
    )
    assert asked('{ span.a = "b" }') == (found,)
    assert asked("{ span.a != nil }") == (SpanConditions((key,), is_all=False),)
    assert asked("{ span.a = nil }") == ()
    assert asked('{ resource.service.name != "b" }') == ()


def test_the_store_finds_traces_by_what_their_spans_are(store: MemoryStore) -> None:
    everything = store.traces(T0, T0 + 3600 * SECOND)
    assert sum(trace.spans for trace in everything) == len(SPANS) + 40
    starts = [trace.first_ns for trace in everything]
    assert starts == sorted(starts, reverse=True)
    failed = store.traces(T0, T0 + 3600 * SECOND, [SpanTest("status", "=", 2)])
    assert {trace.trace_id for trace in failed} == {span.trace_id for span in SPANS if span.status == 2}
    mention = SpanMention("attributes", "writer", is_key=False)
    assert {trace.trace_id for trace in store.traces(T0, T0 + 3600 * SECOND, [mention])} == {
        span.trace_id for span in SPANS if span.attributes.get("agent_id") == "writer"
    }
    with pytest.raises(ValueError, match="not a column"):
        store.traces(T0, T0, [SpanTest("start_ns; drop table x", "=", 1)])
