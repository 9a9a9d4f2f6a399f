"""Every panel's query, asked of a running embedded stack with the demo and its faults: none errs, and where there
should be something to see there is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from math import isfinite
from typing import Any

import httpx
import pytest

from tests.e2e.product import Product
from tests.stack.generated_boards import Query, queries

SETTING = {"prometheus": "MIMIR", "loki": "LOKI", "tempo": "TEMPO"}
RANGE_S = 600
SHOWN = ("awf-overview", "awf-agent-fleet", "awf-watcher", "awf-slo")
# Nothing of the kind happens in the demo, or only with programs that the embedded stack has not.
MAY_BE_EMPTY = {
    "awf-overview": set[str](),
    "awf-agent-fleet": set[str](),
    "awf-watcher": set[str](),
    "awf-slo": set[str](),
}
ALL = queries()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product after one incident was resolved by itself, and while another waits for an approval."""
    product = Product(
        tmp_path_factory.mktemp("boards") / "data",
        AWF_DEMO_FAULTS="agent_errors:8", AWF_SETTLE_S="5", AWF_GROUP_WAIT_S="1",
    )  # fmt: skip
    product.start()

    def has(status: str) -> bool:
        return any(incident["status"] == status for incident in product.items("/incidents"))

    try:
        product.wait_for("resolved incident", lambda: has("resolved"), 180)
        product.fault("worker_shortage")  # not before: two faults at once are one incident
        product.wait_for("question", lambda: has("awaiting_approval"), 180)
        # Budgets are the rarest to be recorded: every three minutes.
        product.wait_for("all data", lambda: not _empty(product, SHOWN), 300)
    except AssertionError:
        pass  # the tests say what is missing
    yield product
    if product.is_running:
        product.stop()


def ask(product: Product, query: Query) -> httpx.Response:
    """Ask a query as Grafana does, over the last ten minutes."""
    end = time.time()
    base, at = SETTING[query.kind], {"start": end - RANGE_S, "end": end}
    if query.kind == "tempo":
        path, parameters = (
            "/api/search",
            {"q": query.asked, "limit": 20, **{key: int(value) for key, value in at.items()}},
        )
    elif query.kind == "loki":
        path, parameters = "/loki/api/v1/query_range", {"query": query.asked, "limit": 100, **at}
    elif query.target["instant"]:
        path, parameters = "/prometheus/api/v1/query", {"query": query.asked, "time": end}
    else:
        path, parameters = "/prometheus/api/v1/query_range", {"query": query.asked, "step": 5, **at}
    return httpx.get(product.url(base, path), params=parameters, timeout=30)


def found(query: Query, answer: dict[str, Any]) -> list[Any]:
    """Return traces, streams, or the series that have a number."""
    if query.kind == "tempo":
        return list(answer["traces"])
    result = list(answer["data"]["result"])
    if query.kind == "loki":
        return result
    return [
        each for each in result if any(isfinite(float(v)) for _, v in each.get("values") or [each["value"]])
    ]


def _empty(product: Product, uids: tuple[str, ...]) -> set[str]:
    """Return the panels of which no query finds anything."""
    lacking: dict[str, bool] = {}
    for query in ALL:
        if query.board in uids and query.panel["title"] not in MAY_BE_EMPTY[query.board]:
            name = f"{query.board}: {query.panel['title']}"
            try:
                is_there = bool(found(query, ask(product, query).json()))
            except (httpx.HTTPError, ValueError, KeyError):
                is_there = False
            lacking[name] = lacking.get(name, True) and not is_there
    return {name for name, is_lacking in lacking.items() if is_lacking}


@pytest.mark.parametrize("query", ALL, ids=[query.where for query in ALL])
def test_a_query_is_answered_without_error(product: Product, query: Query) -> None:
    response = ask(product, query)
    assert response.status_code == 200, f"{query.asked}\n{response.text[:500]}"
    if query.kind != "tempo":
        assert response.json()["status"] == "success"


@pytest.mark.parametrize("uid", SHOWN)
def test_every_panel_that_should_have_data_has_it(product: Product, uid: str) -> None:
    assert _empty(product, (uid,)) == set()


def test_failed_runs_lead_from_a_line_to_its_trace(product: Product) -> None:
    """The way that Grafana's derived field takes: the trace id is beside the line, and the trace is there."""
    (query,) = [each for each in ALL if each.where.startswith("awf-overview: What the failed said")]
    streams = found(query, ask(product, query).json())
    ids = [stream["stream"]["trace_id"] for stream in streams]
    assert ids
    assert httpx.get(product.url("TEMPO", f"/api/traces/{ids[0]}"), timeout=20).status_code == 200


def test_exemplars_of_the_duration_panels_lead_to_traces(product: Product) -> None:
    (query,) = [each for each in ALL if each.where.startswith("awf-overview: Step duration, p95 (")]
    end = time.time()
    parameters = {"query": query.asked, "start": end - RANGE_S, "end": end}
    path = "/prometheus/api/v1/query_exemplars"
    answer = httpx.get(product.url("MIMIR", path), params=parameters, timeout=20).json()
    trace_id = answer["data"][0]["exemplars"][0]["labels"]["trace_id"]
    assert httpx.get(product.url("TEMPO", f"/api/traces/{trace_id}"), timeout=20).status_code == 200


def test_a_deployment_is_marked_with_the_tags_that_the_dashboards_show(product: Product) -> None:
    command = [
        sys.executable,
        "-m",
        "awf",
        "annotate",
        "deployment",
        "billing-agent 1.4.2",
        "--tag",
        "billing",
    ]
    done = subprocess.run(
        command, env=product.environ, capture_output=True, text=True, timeout=30, check=True
    )
    found = product.annotations(["awf", "deployment"])
    assert [(each["text"], each["tags"]) for each in found] == [
        ("billing-agent 1.4.2", ["awf", "deployment", "billing"])
    ]
    assert done.stdout == f"Marked in Grafana as annotation {found[0]['id']}.\n"


def test_a_deployment_that_cannot_be_marked_says_why(product: Product) -> None:
    command = [sys.executable, "-m", "awf", "annotate", "deployment", "x"]
    wrong = [
        ({"AWF_GRAFANA_TOKEN": "nonsense"}, "may write annotations"),
        ({"AWF_GRAFANA_URL": product.url("LOKI")}, "AWF_GRAFANA_URL"),
        ({"AWF_GRAFANA_URL": "http://127.0.0.1:9"}, "does not answer"),
    ]
    for settings, words in wrong:
        environ = product.environ | settings
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode != 0
        assert words in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
