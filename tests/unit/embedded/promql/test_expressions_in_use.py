"""Every PromQL expression of our dashboards, rules and documentation has the same answer on a real Prometheus."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml

from awf.core import semconv as sc
from awf.embedded.model import MatchOp, SeriesData
from awf.embedded.promql import Engine, parse
from awf.embedded.promql.parser import selectors
from awf.errors import QueryError
from awf.generate import foreign_metrics
from tests.prometheus import difference, our_points, running_prometheus, their_points
from tests.stack.generated_boards import queries

from ._memory import MemoryReader

pytestmark = pytest.mark.promtool

ROOT = Path(__file__).parents[4]
START_MS, SPAN_MS, STEP_MS = 1_700_000_400_000, 5_400_000, 30_000


def on_dashboards() -> set[str]:
    return {query.asked for query in queries("prometheus")}


def in_rules() -> set[str]:
    found = set()
    for path in [*(ROOT / "rules/recording").glob("*.yaml"), *(ROOT / "rules/alerts").glob("*.yaml")]:
        groups = yaml.safe_load(path.read_text())["groups"] or []
        found |= {rule["expr"] for group in groups for rule in group["rules"]}
    return found


def in_docs() -> set[str]:
    """What stands in code and reads one of our metrics."""
    found = set()
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = path.read_text()
        for code in [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"```promql\n(.*?)```", text, re.DOTALL)]:
            try:
                reads = selectors(code)
            except QueryError:
                continue
            if any(matcher.value.startswith("awf_") for matchers in reads for matcher in matchers):
                found.add(code)
    return found


EXPRESSIONS = sorted(on_dashboards() | in_rules() | in_docs())


def data_set() -> list[SeriesData]:
    """Series of every metric that is asked for, with the label values that are asked for."""
    values: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    known = dict(sc.METRIC_LABELS) | foreign_metrics.LABELS
    for matchers in [found for query in EXPRESSIONS for found in selectors(query)]:
        names = [item.value for item in matchers if item.name == "__name__" and item.op is MatchOp.EQUAL]
        for name in names:
            for label in known.get(re.sub("_(bucket|sum|count)$", "", name), known.get(name, ())):
                values[name][label] |= {f"{label}-1", f"{label}-2"}
            for item in matchers:
                if item.op is MatchOp.EQUAL and item.name != "__name__" and item.value:
                    values[name][item.name].add(item.value)
            if name.endswith("_bucket"):
                values[name]["le"] |= {"10", "100", "1000", "+Inf"}
    random = np.random.default_rng(3)
    return [series for name in sorted(values) for series in _of_metric(name, values[name], random)]


def _of_metric(name: str, values: dict[str, set[str]], random: np.random.Generator) -> Iterator[SeriesData]:
    """Yield series in which every value of every label appears, and values meet in several ways."""
    bounds = sorted(values.pop("le", {""}), key=lambda text: float(text or 0))
    moments = np.arange(START_MS, START_MS + SPAN_MS, STEP_MS)
    is_counter = re.search("_(total|bucket|sum|count)$", name)
    for labels in sorted(_combinations({label: sorted(found) for label, found in values.items()})):
        grown = np.cumsum(random.poisson(4, (len(bounds), len(moments))), axis=1) + 50_000.0
        for bound, counts in zip(bounds, np.cumsum(grown, axis=0), strict=True):
            shown = {"__name__": name, **dict(labels), **({"le": bound} if bound else {})}
            gauge = np.round(random.normal(5, 2, len(moments)), 3)
            yield SeriesData(shown, moments, counts if is_counter else gauge)


def _combinations(values: dict[str, list[str]]) -> set[tuple[tuple[str, str], ...]]:
    most = max((len(choices) for choices in values.values()), default=1)
    return {
        tuple(
            (label, choices[row // (1 + shift * place) % len(choices)])
            for place, (label, choices) in enumerate(sorted(values.items()))
        )
        for row in range(2 * most)
        for shift in (0, 1)
    }


@pytest.fixture(scope="module")
def series() -> list[SeriesData]:
    return data_set()


@pytest.fixture(scope="module")
def prometheus(series: list[SeriesData], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        running_prometheus(tmp_path_factory.mktemp("prometheus"), series) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


def ask(client: httpx.Client, path: str, query: str, **times: int) -> dict[str, Any]:
    moments = {name: str(moment / 1000) for name, moment in times.items()}
    body: dict[str, Any] = client.post(path, data={"query": query, **moments}).json()
    assert body["status"] == "success", body
    return dict(body["data"])


def test_the_expressions_are_found() -> None:
    assert len(on_dashboards()) >= 50
    assert len(in_rules()) >= 30
    assert in_docs()


@pytest.mark.parametrize("query", EXPRESSIONS)
def test_an_expression_in_use_has_the_answers_of_prometheus(
    query: str, prometheus: httpx.Client, series: list[SeriesData]
) -> None:
    parse(query)
    engine = Engine(MemoryReader(series), closed_ranges=True)
    at, start = START_MS + SPAN_MS - 45_000, START_MS + SPAN_MS // 2
    theirs = ask(prometheus, "query", query, time=at)
    assert not difference(our_points(engine.instant(query, at)), their_points(theirs))
    theirs = ask(prometheus, "query_range", query, start=start, end=at, step=300_000)
    assert not difference(our_points(engine.range(query, start, at, 300_000)), their_points(theirs))


def test_most_expressions_have_an_answer(series: list[SeriesData]) -> None:
    engine = Engine(MemoryReader(series), closed_ranges=True)
    answered = [query for query in EXPRESSIONS if engine.instant(query, START_MS + SPAN_MS - 45_000)]
    assert len(answered) > 0.6 * len(EXPRESSIONS)
