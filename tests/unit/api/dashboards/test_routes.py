"""The data routes: who may ask, what can be asked for, and what comes back when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from awf.core.ports import Datasource
from awf.errors import QueryError, Unavailable
from awf.testing import FakeDashboards
from tests.unit.api._parts import START, Api, make_incident

NOW = 1_800_000_000_000
ASKED = {"from": NOW - 1_800_000, "to": NOW, "points": 200, "variables": {}}
HOSTILE = "<img src=x onerror=alert(1)>"
METRICS = {"type": "prometheus", "uid": "${datasource}"}
BOARD: dict[str, Any] = {
    "uid": "b",
    "title": HOSTILE,
    "templating": {"list": [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "current": {"value": "mimir"}},
        {"name": "w", "type": "query", "multi": True, "includeAll": True, "allValue": ".*", "datasource": METRICS,
         "query": "label_values(a, w)", "current": {"value": ["$__all"]}},
    ]},
    "annotations": {"list": [
        {"name": "Done", "enable": True, "iconColor": "purple", "datasource": {"uid": "-- Grafana --"},
         "target": {"type": "tags", "tags": ["awf"]}},
        {"name": "Starts", "enable": True, "datasource": METRICS, "expr": "changes(a[1m])", "titleFormat": "{{w}}"},
        {"name": "Off", "enable": False, "datasource": {"uid": "gone"}},
        {"name": "Broken", "enable": True, "datasource": {"uid": "gone"}},
    ]},
    "panels": [
        {"id": 1, "type": "timeseries", "title": "Lines", "datasource": METRICS, "targets": [
            {"refId": "A", "expr": 'a{w=~"$w"}'}, {"refId": "B", "expr": "b", "datasource": {"uid": "gone"}}]},
        {"id": 2, "type": "row", "collapsed": True, "panels": [
            {"id": 3, "type": "stat", "datasource": METRICS, "targets": [{"refId": "A", "expr": "c", "instant": True}]}]},
        {"id": 4, "type": "text"},
    ],
}  # fmt: skip
RANGE = ("mimir", "/api/v1/query_range")


def a_grafana(**changes: Any) -> FakeDashboards:
    values: dict[str, Any] = {"boards": {"b": BOARD}, **changes}
    return FakeDashboards(**values)


async def ask(api: Api, source: FakeDashboards, path: str, role: str = "viewer", **changes: Any) -> Any:
    client = api.client(role, dashboards=source)
    return await client.post(f"/api/v1/dashboards/{path}", json={**ASKED, **changes})


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "admin"])
async def test_who_may_read_may_see_panels(api: Api, role: str) -> None:
    assert (await ask(api, a_grafana(), "b/panels/1", role)).status_code == 200


@pytest.mark.parametrize("path", ["b/panels/1", "b/variables", "b/annotations"])
async def test_a_worker_and_a_stranger_see_nothing(api: Api, path: str) -> None:
    source = a_grafana()
    assert (await ask(api, source, path, "worker")).status_code == 403
    assert (await ask(api, source, path, "")).status_code == 401
    assert source.asked == []


async def test_a_browser_needs_the_csrf_token(api: Api) -> None:
    client = api.client(dashboards=a_grafana())
    await client.post("/ui/login", data={"token": api.tokens["viewer"]})
    assert (await client.post("/api/v1/dashboards/b/panels/1", json=ASKED)).status_code == 403


async def test_the_query_is_the_dashboards_own(api: Api) -> None:
    source = a_grafana()
    answer = await ask(api, source, "b/panels/1", variables={"w": ['x"} or b{w="']})
    assert [asked[:2] for asked in source.asked] == [RANGE]
    assert source.asked[0][2]["query"] == r'a{w=~"x\"\\} or b\\{w=\""}'
    assert answer.json()["queries"][0]["expr"] == source.asked[0][2]["query"]


@pytest.mark.parametrize(
    "extra", [{"expr": "up"}, {"queries": []}, {"datasource": "loki"}, {"url": "/api/v1/labels"}]
)
async def test_a_browser_cannot_name_a_query_or_a_datasource(api: Api, extra: dict[str, Any]) -> None:
    source = a_grafana()
    assert (await ask(api, source, "b/panels/1", **extra)).status_code == 422
    assert source.asked == []


async def test_a_variable_leads_to_no_datasource_of_another_type(api: Api) -> None:
    sources = (
        Datasource("mimir", "Mimir", "prometheus", is_default=True),
        Datasource("secret", "S", "mysql"),
    )
    source = a_grafana(sources=sources)
    await ask(api, source, "b/panels/1", variables={"datasource": ["secret"]})
    assert {uid for uid, _, _ in source.asked} == {"mimir"}


@pytest.mark.parametrize(
    ("path", "words"), [("b/panels/99", "no panel 99"), ("other/panels/1", "no dashboard")]
)
async def test_a_foreign_panel_or_dashboard_is_404(api: Api, path: str, words: str) -> None:
    source = a_grafana()
    answer = await ask(api, source, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert words in answer.json()["detail"]
    assert source.asked == []


async def test_a_panel_in_a_folded_row_and_one_without_queries_answer(api: Api) -> None:
    source = a_grafana()
    assert (await ask(api, source, "b/panels/3")).status_code == 200
    assert source.asked[0][1] == "/api/v1/query"
    assert (await ask(api, source, "b/panels/4")).json()["queries"] == []


async def test_one_query_that_fails_leaves_the_others(api: Api) -> None:
    series = [{"metric": {"w": HOSTILE}, "values": [[NOW / 1000, "1"]]}]
    source = a_grafana(answers={RANGE: {"data": {"resultType": "matrix", "result": series}}})
    first, second = (await ask(api, source, "b/panels/1")).json()["queries"]
    assert first["error"] is None
    assert first["series"][0]["labels"]["w"] == HOSTILE
    assert (second["error"]["status"], second["error"]["reason"]) == (404, "not_found")
    assert "gone" in second["error"]["detail"]


@pytest.mark.parametrize(
    "error", [QueryError("parse error at char 3"), Unavailable("Grafana is down", hint="Start it.")]
)
async def test_what_a_datasource_says_is_passed_on_as_a_problem(api: Api, error: Any) -> None:
    answer = await ask(api, a_grafana(answers={RANGE: error}), "b/panels/1")
    problem = answer.json()["queries"][0]["error"]
    assert (problem["detail"], problem["hint"]) == (error.message, error.hint)


@pytest.mark.parametrize(
    "changes",
    [{"from": NOW, "to": NOW}, {"from": -1}, {"points": 0}, {"points": 100_000}, {"variables": {"w": ["x" * 2_000]}},
     {"variables": {f"v{n}": [] for n in range(60)}}, {"variables": {"w": ["x"] * 600}}, {"to": 10**18}],
)  # fmt: skip
async def test_a_request_out_of_bounds_is_refused_and_named(api: Api, changes: dict[str, Any]) -> None:
    source = a_grafana()
    answer = await ask(api, source, "b/panels/1", **changes)
    assert answer.status_code == 422
    assert answer.json()["reason"] == "invalid_input"
    assert source.asked == []


async def test_annotations_come_from_the_dashboards_own_queries(api: Api) -> None:
    event = {"time": NOW - 5, "timeEnd": NOW, "text": HOSTILE, "tags": ["awf"]}
    series = [{"metric": {"w": "deploy"}, "values": [[(NOW - 60_000) / 1000, "1"], [NOW / 1000, "0"]]}]
    source = a_grafana(
        events=[event, {**event, "tags": []}],
        answers={RANGE: {"data": {"resultType": "matrix", "result": series}}},
    )
    found = (await ask(api, source, "b/annotations")).json()
    assert [(each["name"], each["text"]) for each in found["events"]] == [
        ("Starts", "deploy"),
        ("Done", HOSTILE),
    ]
    assert [(each["name"], each["error"]["status"]) for each in found["errors"]] == [("Broken", 404)]


async def test_variables_say_what_there_is(api: Api) -> None:
    source = a_grafana(answers={("mimir", "/api/v1/label/w/values"): {"data": ["y", HOSTILE]}})
    _, variable = (await ask(api, source, "b/variables")).json()["items"]
    assert [option["value"] for option in variable["options"]] == ["$__all", "y", HOSTILE]
    assert variable["chosen"] == ["$__all"]


async def test_the_list_and_the_json_are_there_for_readers(api: Api) -> None:
    client = api.client("viewer", dashboards=a_grafana())
    assert (await client.get("/api/v1/dashboards")).json()["items"][0]["uid"] == "b"
    assert (await client.get("/api/v1/dashboards/b")).json() == BOARD


async def test_a_page_shows_hostile_titles_as_text(api: Api) -> None:
    client = api.client(dashboards=a_grafana())
    await client.post("/ui/login", data={"token": api.tokens["viewer"]})
    for path in ("/ui/dashboards", "/ui/dashboards/b"):
        page = (await client.get(path)).text
        assert "<img" not in page
        assert "&lt;img src=x" in page


async def test_a_page_of_a_dashboard_that_is_not_there_is_404(api: Api) -> None:
    client = api.client(dashboards=a_grafana())
    await client.post("/ui/login", data={"token": api.tokens["viewer"]})
    answer = await client.get("/ui/dashboards/nowhere")
    assert answer.status_code == 404
    assert "no dashboard" in answer.text


async def test_without_grafana_the_page_says_what_to_set(api: Api) -> None:
    client = api.client()
    await client.post("/ui/login", data={"token": api.tokens["viewer"]})
    answer = await client.get("/ui/dashboards")
    assert answer.status_code == 503
    assert "AWF_GRAFANA_URL" in answer.text


async def test_a_trace_is_a_page_and_a_missing_one_is_404(api: Api) -> None:
    span = {"name": HOSTILE, "spanId": "a", "startTimeUnixNano": str(NOW) + "000000", "endTimeUnixNano": str(NOW + 5) + "000000",
            "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
            "attributes": [{"key": "execution_id", "value": {"stringValue": "exec_1"}}]}  # fmt: skip
    found = {"trace": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}}
    sources = (Datasource("tempo", "Tempo", "tempo"),)
    source = a_grafana(
        sources=sources, answers={("tempo", "/api/v2/traces/ab12"): found, ("tempo", "/api/v2/traces/cd"): {}}
    )
    client = api.client(dashboards=source)
    await client.post("/ui/login", data={"token": api.tokens["viewer"]})
    page = (await client.get("/ui/traces/ab12")).text
    assert "&lt;img src=x" in page
    assert "/ui/executions/exec_1" in page
    assert "boom" in page
    assert (await client.get("/ui/traces/cd")).status_code == 404
    assert (await client.get("/ui/traces/..%2fadmin")).status_code in (404, 422)


async def test_an_incident_leads_to_the_dashboard_around_its_time(api: Api) -> None:
    await api.state.incidents.save(make_incident())
    client = api.client(dashboards=a_grafana())
    await client.post("/ui/login", data={"token": api.tokens["viewer"]})
    page = (await client.get("/ui/incidents/inc_1")).text
    start = int(START.timestamp() * 1000) - 15 * 60_000
    link = f"/ui/dashboards/awf-agent-fleet?from={start}&amp;to=now&amp;var-agent=fact-checker"
    assert link in page


async def test_exemplars_are_sampled_where_the_store_refuses_to_read_them_all(api: Api) -> None:
    class Refusing(FakeDashboards):
        async def query(self, datasource: str, path: str, parameters: Mapping[str, str]) -> Any:
            if path.endswith("exemplars") and float(parameters["end"]) - float(parameters["start"]) > 60:
                raise QueryError("more than 10000 exemplars")
            if path.endswith("exemplars"):
                found = {
                    "labels": {"trace_id": "t"},
                    "value": "1",
                    "timestamp": float(parameters["start"]) + 1,
                }
                return {"data": [{"seriesLabels": {}, "exemplars": [found]}]}
            return await super().query(datasource, path, parameters)

    panel = {"id": 1, "type": "timeseries", "targets": [{"refId": "A", "expr": "a", "exemplar": True}]}
    (query,) = (await ask(api, Refusing({"b": {"panels": [panel]}}), "b/panels/1")).json()["queries"]
    assert len({exemplar["at"] for exemplar in query["exemplars"]}) == 12
    source = a_grafana(
        boards={"b": {"panels": [panel]}}, answers={("mimir", "/api/v1/query_exemplars"): QueryError("no")}
    )
    (query,) = (await ask(api, source, "b/panels/1")).json()["queries"]
    assert (query["exemplars"], query["cut"]) == ([], "exemplars are missing: no")


async def test_the_openapi_description_names_the_routes(api: Api) -> None:
    paths = json.loads((await api.client("viewer").get("/openapi.json")).text)["paths"]
    assert "/api/v1/dashboards/{uid}/panels/{panel_id}" in paths
