"""What queries find in two workflow traces. Spans are written g1 (span 1 of GOOD), b3 (span 3 of BAD)."""

from __future__ import annotations

import pytest

from awf.embedded.model import Span, SpanEvent
from awf.embedded.traceql import Engine, FoundTrace
from awf.errors import QueryError, UnsupportedQuery

from ._traces import BAD, GOOD, MS, SECOND, T0, Spans, span, workflow_traces

RANGE = (T0, T0 + 60 * SECOND)


def search(query: str, spans: list[Span] | None = None, **options: int) -> tuple[FoundTrace, ...]:
    engine = Engine(Spans(workflow_traces() if spans is None else spans))
    return engine.search(
        query, *RANGE, options.pop("limit", 20), options.pop("spans_per_set", 100), **options
    ).traces


def sets(query: str, spans: list[Span] | None = None) -> list[str]:
    """Return each spanset as its spans, sorted: `g1 g2`."""
    prefix = {GOOD: "g", BAD: "b"}
    return sorted(
        " ".join(sorted(f"{prefix[trace.trace_id]}{int(found.span.span_id, 16)}" for found in spanset.spans))
        for trace in search(query, spans)
        for spanset in trace.spansets
    )


FILTERS = {
    "{}": ["b1 b2 b3 b4 b5", "g1 g2 g3 g4 g5"],
    "{ true }": ["b1 b2 b3 b4 b5", "g1 g2 g3 g4 g5"],
    "{ false }": [],
    "{ status = error }": ["b1 b3"],
    "{ status != error }": ["b2 b4 b5", "g1 g2 g3 g4 g5"],
    "{ status = ok }": ["b5"],
    "{ span:status = unset && kind = client }": ["g3 g5"],
    "{ kind = client }": ["b3 b5", "g3 g5"],
    '{ name = "awf.workflow" }': ["b1", "g1"],
    "{ name = `awf.workflow` }": ["b1", "g1"],
    '{ "awf.workflow" = name }': ["b1", "g1"],
    '{ statusMessage = "gave up" }': ["b1"],
    '{ span.agent_id = "writer" }': ["g4 g5"],
    '{ .agent_id = "writer" }': ["g4 g5"],
    '{ span."agent_id" = "writer" }': ["g4 g5"],
    '{ resource.agent_id = "writer" }': [],
    '{ resource.service.name = "awf-agents" }': ["b3 b5", "g3 g5"],
    '{ .service.name = "awf-agents" && .gen_ai.usage.input_tokens > 100 }': ["b5"],
    "{ .gen_ai.usage.input_tokens > 100.5 }": [],  # the values are whole numbers: Tempo looks by type
    "{ .gen_ai.usage.input_tokens + 0 > 100.5 }": ["b5"],
    "{ .cost_usd > 0 }": [],
    "{ .cost_usd > 0.3 }": ["b5"],
    "{ duration > 1000000000.5 && kind = internal }": ["b1 b4"],
    "{ 100 < .gen_ai.usage.input_tokens }": [],  # Tempo asks its storage for what is less than 100
    "{ 1s < duration }": [],
    "{ .cost_usd = 0.5 }": ["b5"],
    "{ .dry_run = true }": ["b1"],
    "{ .dry_run }": ["b1"],
    "{ span.attempt + 1 = 3 }": ["b4"],
    "{ span.attempt * 2 - 1 >= 3 }": ["b4"],
    "{ -span.attempt < -1 }": ["b4"],
    "{ span.attempt % 2 = 0 }": ["b4"],
    "{ 7 / 2 = 3 && span.attempt = 2 }": ["b4"],
    '{ span.agent_id =~ "sea.*" && duration > 1s }': ["b4 b5"],
    '{ span.agent_id =~ "sea" }': [],
    '{ span.agent_id =~ "writer|nobody" }': ["g4 g5"],
    '{ span.agent_id !~ "sea.*" }': ["g4 g5"],
    "{ duration >= 1.5s }": ["b1 b4"],
    "{ duration < 100ms }": ["b3"],
    "{ span:duration = 1500ms }": ["b4"],
    "{ traceDuration > 1s && span:id = `0000000000000002` }": ["b2"],
    "{ trace:duration > 1m }": [],
    f'{{ trace:id = "{GOOD}" && span:parentID = "0000000000000001" }}': ["g2 g4"],
    '{ rootName = "awf.workflow" && rootServiceName = "awf-engine" && name = "awf.workflow" }': ["b1", "g1"],
    '{ instrumentation:name = "awf" && instrumentation:version = "0.1.0" && nestedSetParent < 0 }': [
        "b1",
        "g1",
    ],
    "{ nestedSetParent = nestedSetLeft }": [],
    "{ span:childCount = 2 }": ["b1", "g1"],
    '{ event:name = "exception" }': ["b3"],
    '{ event.exception.type = "RateLimited" && event.code >= 429 }': ["b3"],
    "{ event:timeSinceStart > 10ms }": ["b3"],
    '{ link.kind = "retry" }': ["b5"],
    f'{{ link:traceID = "{GOOD.lstrip("0")}" }}': ["b5"],
    f'{{ link:traceID = "{GOOD}" }}': [],
    '{ span.tags = "b" && span.attempt = 2 }': ["b4"],
    '{ span.tags != "b" }': ["b2 b4", "g2 g4"],  # of the tags a and b only a is handed over
    '{ span.tags !~ "[ab]" }': [],
    f'{{ trace:id = "{GOOD.lstrip("0")}" && status = error || trace:id = "{BAD}" }}': ["b1 b2 b3 b4 b5"],
    '{ span.tags != "z" && span.attempt = 2 }': ["b4"],
    "{ span.workflow_id != nil }": ["b1", "g1"],
    "{ nil = span.agent_id }": ["b1", "g1"],
    "{ !span.dry_run }": [],
    "{ !(span.attempt = 2) }": [],  # spans whose attempt is 2 are all that Tempo looks at
    '{ !(span.attempt = 2) || name = "awf.workflow" }': ["b1", "g1"],
    "{ span.attempt > 0 && span.attempt < 1.5 }": ["b2", "g2 g4"],
    "{ span.attempt ^ 2 = 4 }": ["b4"],
    "{ span.cost_usd ^ 2 = 0.25 }": ["b5"],
    "{ maxInt > span.attempt && span.attempt > 1 }": ["b4"],
}


@pytest.mark.parametrize("query", FILTERS)
def test_a_filter_keeps_the_spans_for_which_it_is_true(query: str) -> None:
    assert sets(query) == FILTERS[query]


@pytest.mark.parametrize(
    "condition",
    ['span.attempt = "1"', 'span.attempt != "1"', "span.agent_id = 1", "span.agent_id != 1", "span.dry_run > 0",
     "span.missing = 1", "span.missing != 1", "span.missing < 1", "span.missing + 1 > 0", "!span.agent_id",
     "span.agent_id", "span.attempt / 0 = 0", "span.attempt * maxInt * maxInt > 0", "1e400 % span.attempt >= 0", "-span.agent_id = 1", "span.agent_id + 1 != 0"],
)  # fmt: skip
def test_types_do_not_mix_and_what_is_missing_compares_with_nothing(condition: str) -> None:
    assert sets(f"{{ {condition} }}") == []


def test_and_and_or_have_one_precedence_and_associate_to_the_left() -> None:
    assert sets('{ name = "awf.workflow" || name = "awf.step" && status = error }') == ["b1"]
    assert sets('{ name = "awf.workflow" || (name = "awf.step" && status = error) }') == ["b1", "g1"]


def test_a_span_attribute_hides_the_same_attribute_of_its_resource() -> None:
    spans = [span(GOOD, 1, 0, "x", at_ms=0, ms=1, attributes={"a": 2}, resource={"a": 1})]
    assert sets("{ .a = 2 }", spans) == ["g1"]
    assert sets("{ .a = 1 }", spans) == []
    assert sets("{ resource.a = 1 }", spans) == ["g1"]


RELATIONS = {
    "{ status = error } && { status = ok }": ["b1 b3 b5"],
    '{ status = error } || { .agent_id = "writer" }': ["b1 b3", "g4 g5"],
    '{ name = "awf.workflow" } > { status = error }': [],
    '{ name = "awf.step" } > { status = error }': ["b3"],
    '{ name = "awf.workflow" } >> { status = error }': ["b3"],
    "{ status = error } >> { status = ok }": ["b5"],
    '{ status = ok } << { name = "awf.workflow" }': ["b1"],
    '{ status = ok } < { name = "awf.step" }': ["b4"],
    '{ .agent_id = "writer" } ~ { name = "awf.step" }': ["g2"],
    '{ .agent_id = "searcher" } !~ { name = "awf.step" }': ["g2"],
    '{ name = "awf.step" } !> { kind = client }': [],
    '{ status = ok } !>> { name = "awf.workflow" }': ["b1", "g1"],
    '{ name = "awf.step" } !< { name = "awf.workflow" }': [],
    '{ status = error } !<< { name = "awf.step" }': ["b4", "g2 g4"],
    '{ name = "awf.step" } &> { status = error }': ["b2 b3"],
    '{ name = "awf.workflow" } &>> { status = ok }': ["b1 b5"],
    '{ status = ok } &<< { name = "awf.workflow" }': ["b1 b5"],
    '{ status = ok } &< { name = "awf.step" }': ["b4 b5"],
    '{ .agent_id = "writer" } &~ { .agent_id = "searcher" }': ["g2 g4"],
    '{ name = "awf.workflow" } > { name = "awf.step" } > { status = error }': ["b3"],
    '({ name = "awf.step" } | count() > 1) >> ({ status = ok })': ["b5"],
}


@pytest.mark.parametrize("query", RELATIONS)
def test_spansets_relate_by_their_place_in_the_trace(query: str) -> None:
    assert sets(query) == RELATIONS[query]


def test_a_loop_of_parents_and_a_missing_parent_end_and_match_nothing_wrong() -> None:
    spans = [
        span(GOOD, 1, 2, "a", at_ms=0, ms=1),
        span(GOOD, 2, 1, "b", at_ms=1, ms=1),
        span(GOOD, 3, 3, "self", at_ms=2, ms=1),
        span(GOOD, 4, 99, "orphan", at_ms=3, ms=1),
        span(GOOD, 5, 98, "orphan", at_ms=4, ms=1),
    ]
    assert sets('{ name = "a" } >> {}', spans) == []
    assert sets('{ name = "a" } << {}', spans) == []
    assert sets("{} ~ {}", spans) == []
    assert sets('{ name = "self" } > {}', spans) == []
    assert sets("{ nestedSetLeft > 0 }", spans) == []
    assert search("{}", spans)[0].root_name == ""
    assert search("{}", spans)[0].root_service == "<root span not yet received>"
    assert sets('{ rootServiceName = "" && rootName = "" && name = "a" }', spans) == ["g1"]


EVENTS = [SpanEvent(T0, "exception", {"type": "IOError", "n": 5}), SpanEvent(T0 + 9 * MS, "retry", {"n": 6})]
EVENT_FILTERS = {
    '{ event:name = "exception" && event.n = 5 }': ["g1"],
    '{ event:name = "exception" && event.n = 6 }': [],
    '{ event:name = "retry" && event.n = 6 }': ["g1"],
    '{ event.type = "IOError" && event:name = "retry" }': [],
    "{ event.n != 5 && event.n != 6 }": [],
    "{ event.n != 6 }": ["g1"],
    '{ event:name = "exception" || event.n > 5 }': ["g1"],
    '{ (event:name = "exception" && event.n = 6) || status = error }': [],
    '{ event:timeSinceStart > 8ms && event:name = "exception" }': [],
    "{ event.n > 5.5 }": [],
}


@pytest.mark.parametrize("query", EVENT_FILTERS)
def test_all_conditions_on_events_hold_for_one_event(query: str) -> None:
    spans = [span(GOOD, 1, 0, "x", at_ms=0, ms=20, events=EVENTS), span(GOOD, 2, 1, "y", at_ms=0, ms=1)]
    assert sets(query, spans) == EVENT_FILTERS[query]


def test_a_result_shows_the_event_that_was_asked_for() -> None:
    spans = [span(GOOD, 1, 0, "x", at_ms=0, ms=20, events=EVENTS)]
    (trace,) = search("{ event:timeSinceStart > 8ms }", spans)
    assert trace.spansets[0].spans[0].attributes == (("event:timeSinceStart", 9 * MS),)


def test_a_service_without_a_name_has_an_empty_one() -> None:
    spans = [
        span(GOOD, 1, 0, "x", at_ms=0, ms=1, resource={"cloud": "eu"}),
        span(GOOD, 2, 1, "y", at_ms=0, ms=1),
    ]
    assert sets('{ resource.service.name = "" }', spans) == ["g1"]
    assert sets('{ .service.name != "awf-engine" }', spans) == ["g1"]
    assert sets("{ resource.service.name != nil }", spans) == ["g1 g2"]
    with pytest.raises(QueryError, match="never nil"):
        search("{ resource.service.name = nil }", spans)


def test_an_aggregate_that_depends_on_the_order_of_spans_is_refused() -> None:
    with pytest.raises(UnsupportedQuery, match="some have no number"):
        search("{} | sum(span.gen_ai.usage.input_tokens * 2) > 400")


PIPELINES = {
    "{ status = error } | count() > 1": ["b1 b3"],
    "{ status = error } | count() = 1": [],
    "{ status = error } | count() > 3 - 2": ["b1 b3"],
    "{} | avg(duration) > 500ms": ["b1 b2 b3 b4 b5"],
    "{} | max(duration) >= 2s": ["b1 b2 b3 b4 b5"],
    "{} | min(duration) < 100ms": ["b1 b2 b3 b4 b5"],
    "{} | sum(span.cost_usd) = 0.5": ["g1 g2 g3 g4 g5"],
    "{ kind = client } | sum(span.gen_ai.usage.input_tokens * 2) > 400": ["b3 b5"],
    "{} | sum(span.missing) >= 0": [],
    '{ name = "awf.step" } | by(span.agent_id)': ["b2 b4", "g2", "g4"],
    '{ name = "awf.step" } | by(span.agent_id) | count() > 1': ["b2 b4"],
    '{ name = "awf.step" } | by(span.agent_id) | coalesce()': ["b2 b4", "g2 g4"],
    "{ status = error } | { kind = client }": ["b3"],
    "count() > 4 | { status = error }": [],  # only the spans with an error are counted
    "count() > 1 | { status = error }": ["b1 b3"],
    "{ status = error } | by(event:name)": ["b1", "b3"],
    "{} | max(event.code) > 400": ["b1 b2 b3 b4 b5"],
    "{} | select(status) | { kind = client }": [],  # after select() everything is read too late
    "{ status = error } | select(span.agent_id)": ["b1 b3"],
    "({ status = error } | count() > 1) || ({ false } | count() > 1)": ["b1 b3"],
    "{ status = error } | count() > 1 with (most_recent = true)": ["b1 b3"],
}


@pytest.mark.parametrize("query", PIPELINES)
def test_pipelines_filter_spansets_by_aggregates_and_groups(query: str) -> None:
    assert sets(query) == PIPELINES[query]


def test_a_structural_operator_over_groups_is_refused() -> None:
    with pytest.raises(UnsupportedQuery, match="after by"):
        search("({} | by(name)) >> ({ status = ok })")


def test_a_result_describes_its_trace_and_shows_what_the_query_names() -> None:
    (trace,) = search('{ status = error && .agent_id =~ ".+" } | select(name, event.code, span.cost_usd)')
    assert (trace.trace_id, trace.root_name, trace.root_service) == (BAD, "awf.workflow", "awf-engine")
    assert (trace.start_ns, trace.duration_ns) == (T0 + 10 * SECOND, 2 * SECOND)
    assert trace.services == {"awf-engine": (3, 1), "awf-agents": (2, 1)}
    (found,) = trace.spansets[0].spans
    assert found.name == "awf.agent.invoke"
    shown = {name: getattr(value, "value", value) for name, value in found.attributes}
    assert shown == {"status": "error", "agent_id": "searcher", "code": 429, "cost_usd": 0.25}


def test_the_group_and_the_aggregate_are_shown_on_the_spanset() -> None:
    (trace,) = search('{ name = "awf.step" } | by(span.agent_id) | count() > 1')
    assert trace.spansets[0].attributes == (("by(span.agent_id)", "searcher"), ("count()", 2))


def test_an_attribute_called_name_is_not_the_name_of_the_span() -> None:
    spans = [span(GOOD, 1, 0, "the span", at_ms=0, ms=1, attributes={"name": "the attribute"})]
    found = search('{ .name = "the attribute" }', spans)[0].spansets[0].spans[0]
    assert (found.name, found.attributes) == ("", (("name", "the attribute"),))


def test_the_newest_traces_come_first_and_spans_are_cut_but_counted() -> None:
    assert [trace.trace_id for trace in search("{}")] == [BAD, GOOD]
    (trace,) = search("{}", limit=1, spans_per_set=2)
    assert trace.trace_id == BAD
    assert (len(trace.spansets[0].spans), trace.spansets[0].matched) == (2, 5)


def test_durations_bound_the_whole_trace() -> None:
    assert [trace.trace_id for trace in search("{}", min_duration_ns=1500 * MS)] == [BAD]
    assert [trace.trace_id for trace in search("{}", max_duration_ns=1500 * MS)] == [GOOD]


def test_a_metrics_query_is_no_search() -> None:
    with pytest.raises(QueryError, match=r"rate\(\) is a metrics query"):
        search("{} | rate()")
