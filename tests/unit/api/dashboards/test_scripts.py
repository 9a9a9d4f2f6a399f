"""The scripts of the dashboard page in a real Chromium, one module at a time; nothing is served, nothing leaves."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from awf.api.gate import HEADERS
from awf.api.ui.render import HERE
from tests.e2e.browser import browser_page

ORIGIN = "http://awf.test"
Run = Callable[..., Any]
HOSTILE = "<img src=x onerror=window.hacked=1>"


def _serve(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
    file = HERE / path.removeprefix("/ui/").lstrip("/")
    if path.startswith("/ui/static/") and file.is_file():
        kind = mimetypes.guess_type(file.name)[0] or "text/plain"
        route.fulfill(body=file.read_bytes(), content_type=kind)
    elif path == "/":
        page = (
            '<!doctype html><link rel="stylesheet" href="/ui/static/dash/dash.css">'
            '<script src="/ui/static/uplot-1.6.32.min.js"></script><div class="panel"><div id="host"></div></div>'
        )
        route.fulfill(body=page, content_type="text/html", headers=dict(HEADERS))
    else:
        route.abort()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser_page(width=900, height=600) as opened:
        opened.route("**/*", _serve)
        opened.goto(f"{ORIGIN}/")
        yield opened


@pytest.fixture
def run(page: Page) -> Run:
    """Call a module's export: `run("units.js", "formatValue", 1, "s")`."""

    def call(module: str, name: str, *arguments: Any) -> Any:
        script = "async ([module, name, args]) => (await import(`/ui/static/dash/${module}`))[name](...args)"
        return page.evaluate(script, [module, name, list(arguments)])

    return call


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1234.5, "short", "1.23 K"), (0.5, "short", "0.500"), (12, "short", "12"), (2_500_000, "short", "2.50 Mil"), (0, "short", "0"),
        (0.9876, "percentunit", "98.8%"), (1, "percentunit", "100%"), (42.25, "percent", "42.3%"),
        (250, "ms", "250 ms"), (1500, "ms", "1.50 s"), (90_000, "ms", "1.50 mins"), (3_600_000, "ms", "1 hour"), (0, "ms", "0 ms"),
        (0.25, "s", "250 ms"), (30, "s", "30 s"), (90, "s", "1.50 mins"), (7200, "s", "2 hours"), (0.00002, "s", "20 µs"),
        (129_600, "s", "1.50 days"), (12.34, "eps", "12.3 evt/s"), (1234, "ops", "1.23K ops/s"), (0.2, "reqps", "0.200 req/s"),
        (1234.5, "currencyUSD", "$1.23K"), (-3, "currencyUSD", "-$3"), (1536, "bytes", "1.50 KiB"), (1_500_000, "decbytes", "1.50 MB"),
        (2048, "Bps", "2.05 kB/s"), (999.9, "short", "1.00 K"), (1, "bool", "True"), (3, "none", "3"), (3, "", "3"), (3.14159, "none", "3.14"),
        (3, "apples", "3 apples"), (3, "suffix:rpm", "3 rpm"), (None, "s", ""),
    ],
)  # fmt: skip
def test_units_are_written_as_grafana_writes_them(run: Run, value: float, unit: str, expected: str) -> None:
    assert run("units.js", "formatValue", value, unit) == expected


def test_given_decimals_are_kept(run: Run) -> None:
    assert run("units.js", "formatValue", 2, "ms", 2) == "2.00 ms"
    assert run("units.js", "formatValue", 0.12345, "percentunit", 1) == "12.3%"


@pytest.mark.parametrize(
    ("written", "expected"),
    [("now", 1_000_000_000_000), ("now-5m", 999_999_700_000), ("now+1h", 1_000_003_600_000), ("1700000000000", 1_700_000_000_000),
     ("2026-01-31T12:00:00Z", 1_769_860_800_000), ("rubbish", None), ("now-5x", None), ("", None)],
)  # fmt: skip
def test_times_are_read(run: Run, written: str, expected: int | None) -> None:
    assert run("time.js", "parseTime", written, {"now": 1_000_000_000_000}) == expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("now-30m", "now", "Last 30 minutes"),
        ("now-10m", "now", "Last 10 minutes"),
        ("now-1w", "now", "Last 1 week"),
        ("now-2h", "now-1h", "now-2h to now-1h"),
    ],
)
def test_a_time_range_is_said_in_words(run: Run, start: str, end: str, expected: str) -> None:
    assert run("time.js", "describeRange", start, end) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("10s", 10_000), ("1s", 5_000), ("5m", 300_000), ("", 0), ("soon", 0)]
)
def test_no_page_renews_itself_faster_than_every_five_seconds(run: Run, text: str, expected: int) -> None:
    assert run("time.js", "refreshMs", text) == expected


@pytest.mark.parametrize(
    ("calc", "expected"),
    [
        ("lastNotNull", 3),
        ("max", 7),
        ("min", 1),
        ("mean", 11 / 3),
        ("sum", 11),
        ("firstNotNull", 1),
        ("diff", 2),
        ("count", 5),
    ],
)
def test_calculations_leave_gaps_out(run: Run, calc: str, expected: float) -> None:
    assert run("reduce.js", "reduce", [None, 1, 7, 3, None], calc) == pytest.approx(expected)


def test_overrides_win_over_defaults_by_name(run: Run) -> None:
    override = {
        "matcher": {"id": "byName", "options": "Cost"},
        "properties": [{"id": "unit", "value": "currencyUSD"}, {"id": "custom.align", "value": "left"}],
    }
    panel = {"fieldConfig": {"defaults": {"unit": "short", "custom": {"width": 1}}, "overrides": [override]}}
    found = run("fields.js", "configOf", panel, {"name": "Cost"})
    assert (found["unit"], found["custom"]) == ("currencyUSD", {"width": 1, "align": "left"})
    assert run("fields.js", "configOf", panel, {"name": "Other"})["unit"] == "short"


@pytest.mark.parametrize(
    ("value", "expected"), [(0.5, "red"), (0.9, "yellow"), (0.989, "yellow"), (1, "green"), (-5, "red")]
)
def test_thresholds_colour_a_value_from_their_start(run: Run, value: float, expected: str) -> None:
    steps = [
        {"color": "red", "value": None},
        {"color": "yellow", "value": 0.9},
        {"color": "green", "value": 0.99},
    ]
    assert (
        run("fields.js", "colorName", {"thresholds": {"mode": "absolute", "steps": steps}}, value) == expected
    )


def test_mappings_give_words_and_colours(run: Run) -> None:
    config = {"mappings": [{"type": "value", "options": {"1": {"text": "Up", "color": "green"}}},
                           {"type": "range", "options": {"from": 2, "to": 9, "result": {"text": "Many"}}},
                           {"type": "special", "options": {"match": "null", "result": {"text": "Nobody knows"}}}]}  # fmt: skip
    assert run("fields.js", "display", config, 1)["text"] == "Up"
    assert run("fields.js", "display", config, 1)["color"] == "green"
    assert run("fields.js", "display", config, 5)["text"] == "Many"
    assert run("fields.js", "display", config, None)["text"] == "Nobody knows"


def instant(ref_id: str, **by_agent: float) -> dict[str, Any]:
    series = [{"labels": {"agent_id": agent}, "values": [value]} for agent, value in by_agent.items()]
    return {"ref_id": ref_id, "format": "table", "times": [1], "series": series, "legend": ""}


def test_instant_queries_are_joined_to_one_table(run: Run) -> None:
    tables = run("frames.js", "tablesOf", {"queries": [instant("A", a=1, b=2), instant("B", b=0.5)]})
    join = {"id": "joinByField", "options": {"byField": "agent_id", "mode": "outer"}}
    organize = {"id": "organize", "options": {"excludeByName": {"Time 1": True, "Time 2": True}, "indexByName": {"agent_id": 0, "Value #B": 1, "Value #A": 2},
                                              "renameByName": {"agent_id": "Agent", "Value #A": "Calls"}}}  # fmt: skip
    (table,), unknown = run("transforms.js", "transform", tables, [join, organize, {"id": "joinByMagic"}])
    assert [(field["name"], field["values"]) for field in table["fields"]] == [
        ("Agent", ["a", "b"]), ("Value #B", [None, 0.5]), ("Calls", [1, 2]),
    ]  # fmt: skip
    assert unknown == ["joinByMagic"]
    (merged,), _ = run("transforms.js", "transform", tables, [{"id": "merge"}])
    assert [field["name"] for field in merged["fields"]] == ["Time", "agent_id", "Value #A", "Value #B"]


def test_buckets_of_a_classic_histogram_are_told_apart(run: Run) -> None:
    series = [
        {"labels": {"le": le}, "values": values}
        for le, values in (("+Inf", [9, 9]), ("10", [2, None]), ("100", [7, 5]))
    ]
    answer = {"queries": [{"ref_id": "A", "legend": "{{le}}", "times": [0, 1], "series": series}]}
    found = run("panels/heatmap.js", "bucketsOf", {}, answer)
    assert found["counts"] == [[2, None], [5, 5], [2, 4]]


def test_equal_states_are_one_stretch(run: Run) -> None:
    series = {"name": "w", "times": [0, 10, 20, 30], "values": [1, 1, None, 0], "config": {}}
    found = run("panels/statetimeline.js", "stretchesOf", series, 40)
    assert [(each["from"], each["to"], each["text"]) for each in found] == [(0, 20, "1"), (30, 40, "0")]


def test_a_repeated_panel_stands_once_for_each_value(page: Page) -> None:
    found = page.evaluate(
        "async () => (await import('/ui/static/dash/board.js')).repeated({repeat: 'w', gridPos: {x: 0, y: 4, w: 24, h: 6}, maxPerRow: 2}, () => ['a', 'b', 'c'])"
    )
    assert [(each["scoped"]["w"], each["panel"]["gridPos"]) for each in found] == [
        (["a"], {"w": 12, "h": 6, "x": 0, "y": 4}), (["b"], {"w": 12, "h": 6, "x": 12, "y": 4}), (["c"], {"w": 12, "h": 6, "x": 0, "y": 10}),
    ]  # fmt: skip


def test_the_nodes_of_a_graph_stand_right_of_what_leads_to_them(run: Run) -> None:
    pairs = [("w", "a"), ("w", "b"), ("a", "c"), ("c", "a"), ("x", "x")]
    layers = run(
        "panels/nodegraph.js", "layersOf", [{"source": source, "target": target} for source, target in pairs]
    )
    depth = {node: number for number, layer in enumerate(layers) for node in layer}
    assert depth["w"] < depth["a"] < depth["c"] or depth["w"] < depth["c"]
    assert depth["w"] == depth["x"] == 0
    assert set(depth) == {"w", "a", "b", "c", "x"}


def test_a_graph_is_drawn_from_a_table_of_edges_and_its_names_are_text(page: Page) -> None:
    series = [{"labels": {"source": "w", "target": HOSTILE, "id": "1"}, "values": [3]}]
    organize = {
        "id": "organize",
        "options": {"renameByName": {"Value": "mainstat"}, "excludeByName": {"Time": True}},
    }
    query = {"ref_id": "A", "format": "table", "times": [1], "series": series, "legend": ""}
    found = page.evaluate(DRAW, ["nodegraph", {"id": 1, "transformations": [organize]}, {"queries": [query]}])
    assert (found["images"], page.locator("#host path.edge").count()) == (0, 1)
    assert "<img" in page.locator("#host svg").get_attribute("aria-label")  # type: ignore[operator]


STATE = """const state = {chosen: {workflow: ['$__all'], agent: ['a b', 'c&d']}, range: {from: 1, to: 2}, timeQuery: () => 'from=now-1h&to=now',
  variableQuery: (names = ['workflow', 'agent']) => names.map((name) => `var-${name}=${state.chosen[name].map(encodeURIComponent).join(',')}`).join('&')};"""


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/d/awf-pipeline?${__url_time_range}&${workflow:queryparam}", f"{ORIGIN}/ui/dashboards/awf-pipeline?from=now-1h&to=now&var-workflow=%24__all"),
        ("/d/x/slug?var-agent=${agent}", f"{ORIGIN}/ui/dashboards/x?var-agent=a%20b%20%2B%20c%26d"),
        ("/d/x?var-agent=${__data.fields.Agent}", f"{ORIGIN}/ui/dashboards/x?var-agent=%22%3E%3Cb%3E"),
        ("https://example.org/${__value.raw}", "https://example.org/7"),
        ("javascript:alert(1)", ""), ("/alerting/list", ""), ("data:text/html,x", ""),
    ],
)  # fmt: skip
def test_links_carry_time_and_variables_and_lead_nowhere_else(page: Page, url: str, expected: str) -> None:
    script = f"async ([url]) => {{ {STATE} const m = await import('/ui/static/dash/links.js'); return m.hrefOf(url, state, {{value: 7, config: {{}}, fields: {{Agent: '\"><b>'}}}}); }}"
    assert page.evaluate(script, [url]) == expected


DRAW = """async ([kind, panel, answer]) => {
  const hostile = '<img src=x onerror=window.hacked=1>';
  const host = document.getElementById('host');
  host.setAttribute('class', 'body');
  host.parentElement.style.setProperty('height', '300px');
  host.replaceChildren();
  const { Tip } = await import('/ui/static/dash/tip.js');
  const { draw } = await import(`/ui/static/dash/panels/${kind}.js`);
  const said = [];
  draw(host, {panel, answer, range: {from: 0, to: 120000}, annotations: [{name: hostile, text: hostile, color: 'purple', at: 1000, end: 2000, tags: [hostile]}],
    tip: new Tip(), state: {chosen: {}, range: {from: 0, to: 1}, timeQuery: () => '', variableQuery: () => ''}, memory: {}, sync: null, redraw() {}, keep() {}, say: (words) => said.push(words)});
  await new Promise((resolve) => setTimeout(resolve, 60));
  return {text: host.innerText, images: host.querySelectorAll('img, script').length, said, hacked: window.hacked ?? null, height: host.firstElementChild?.getBoundingClientRect().height};
}"""


def ranged(**changes: Any) -> dict[str, Any]:
    series = [
        {"labels": {"w": HOSTILE, "le": "10"}, "values": [1, 2, None]},
        {"labels": {"w": "b", "le": "+Inf"}, "values": [3, "Infinity", 4]},
    ]
    query = {
        "ref_id": "A",
        "legend": "{{w}}",
        "expr": "a",
        "format": "time_series",
        "times": [0, 60_000, 120_000],
        "series": series,
        **changes,
    }
    return {"from": 0, "to": 120_000, "queries": [query]}


@pytest.mark.parametrize(
    "kind", ["timeseries", "stat", "gauge", "bargauge", "piechart", "table", "statetimeline"]
)
def test_markup_in_labels_stays_text_in_every_kind_of_panel(page: Page, kind: str) -> None:
    found = page.evaluate(
        DRAW,
        [
            kind,
            {"id": 1, "title": "t", "options": {"legend": {"displayMode": "table", "calcs": ["max"]}}},
            ranged(),
        ],
    )
    assert found["images"] == 0
    assert found["hacked"] is None
    assert HOSTILE[:8] in found["text"] or kind == "statetimeline"
    assert found["height"] > 20


def test_a_heatmap_is_drawn_with_its_colour_scale(page: Page) -> None:
    found = page.evaluate(DRAW, ["heatmap", {"id": 1, "options": {"cellValues": {"unit": "ops"}}}, ranged()])
    assert "ops/s" in found["text"]


def test_log_lines_are_text_and_open_to_their_labels(page: Page) -> None:
    lines = [{"at": 5, "line": HOSTILE, "labels": {"level": "error", "trace_id": "abc", HOSTILE: HOSTILE}}]
    found = page.evaluate(DRAW, ["logs", {"id": 1}, {"queries": [{"ref_id": "A", "lines": lines}]}])
    assert HOSTILE in found["text"]
    assert (found["images"], found["hacked"]) == (0, None)
    page.locator("details.log summary").click()
    assert page.locator("details.log a").get_attribute("href") == f"{ORIGIN}/ui/traces/abc"


def test_a_trace_is_a_waterfall_whose_spans_open_to_their_attributes(page: Page) -> None:
    span = {"id": "1", "name": HOSTILE, "service": HOSTILE, "depth": 0, "start": 0, "width": 1000, "duration_ms": 1234,
            "is_error": True, "message": HOSTILE, "attributes": [[HOSTILE, HOSTILE]]}  # fmt: skip
    child = {**span, "id": "2", "name": "child", "depth": 1, "start": 250.5, "width": 100, "is_error": False}
    trace = {"trace_id": "ab12", "start_ms": 5.5, "duration_ms": 1234, "spans": [span, child]}
    found = page.evaluate(DRAW, ["traces", {"id": 1}, {"queries": [{"ref_id": "A", "trace": trace}]}])
    assert (found["images"], found["hacked"]) == (0, None)
    assert "1.23 s" in found["text"]
    assert page.locator("#host a").get_attribute("href") == "/ui/traces/ab12"
    assert page.locator("#host .span-bar rect").nth(1).get_attribute("x") == "250.5"
    page.locator("#host summary").first.click()
    assert page.locator("#host dd").first.inner_text() == HOSTILE


def test_a_histogram_of_tempo_is_not_taken_for_a_cumulative_one(run: Run) -> None:
    series = [{"labels": {"__bucket": edge}, "values": [3, 2]} for edge in ("0.5", "1")]
    answer = {"queries": [{"ref_id": "A", "times": [0, 60_000], "series": series}]}
    assert run("panels/heatmap.js", "bucketsOf", {"id": 1}, answer)["counts"] == [[3, 2], [3, 2]]


def test_a_text_panel_reads_markdown_and_no_html(page: Page) -> None:
    content = f"# Head\n\nSome **bold** `code` {HOSTILE} [in](https://example.org) [out](javascript:alert(1))\n\n- one\n- two"
    found = page.evaluate(DRAW, ["text", {"id": 1, "options": {"content": content}}, {"queries": []}])
    assert HOSTILE in found["text"]
    assert (found["images"], page.locator("#host li").count(), page.locator("#host a").count()) == (0, 2, 1)


@pytest.mark.parametrize(
    "kind", ["stat", "gauge", "bargauge", "piechart", "table", "heatmap", "logs", "traces"]
)
def test_a_panel_without_data_says_so_in_the_words_of_the_dashboard(page: Page, kind: str) -> None:
    panel = {"id": 1, "fieldConfig": {"defaults": {"noValue": "no data yet"}}}
    assert page.evaluate(DRAW, [kind, panel, ranged(series=[])])["text"].strip() == "no data yet"


def test_what_a_table_leaves_out_is_said(page: Page) -> None:
    many = instant("A", **{f"a{n}": n for n in range(600)})
    found = page.evaluate(
        DRAW, ["table", {"id": 1, "transformations": [{"id": "joinByMagic"}]}, {"queries": [many]}]
    )
    assert any("joinByMagic" in words for words in found["said"])
    assert "500 of 600 rows are shown." in found["said"]
