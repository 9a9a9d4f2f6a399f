"""The list of incidents with its filters, why an action was chosen, and the charts of evidence."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from awf.api.ui.incidents.chart import MAX_LINES, draw
from awf.api.ui.incidents.evidence import is_counted
from awf.api.ui.incidents.why import why_of
from awf.core.incidents import Advice, CauseClass, Incident, IncidentStatus, Target, TimelineEntry
from awf.core.ports import Datasource, Series
from awf.errors import Unavailable
from tests.unit.api._parts import START, Api, make_incident

DECIDED = TimelineEntry(
    START, "decision", "switch_fallback: it has one",
    {"play": "agents that fail", "considered": ["restart_workflow: <i>slower</i>"]},
)  # fmt: skip
JUDGED = TimelineEntry(
    START, "policy", "switch_fallback is allowed: by default",
    {"rule": "defaults/switch_fallback", "policy_hash": "ab" * 32},
)  # fmt: skip


class Grafana:
    """A `DashboardSource` with one Prometheus that answers what a test gave it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def datasources(self) -> list[Datasource]:
        return [Datasource("loki", "Loki", "loki"), Datasource("mimir", "Mimir", "prometheus")]

    async def query(self, datasource: str, path: str, parameters: Any) -> Any:
        self.asked.append((datasource, path, dict(parameters)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def matrix(**agents: list[float]) -> dict[str, Any]:
    at = START.timestamp() - 600
    return {
        "status": "success",
        "data": {
            "resultType": "matrix",
            "result": [
                {
                    "metric": {"agent_id": name, "status": "failed"},
                    "values": [[at + 60 * n, str(value)] for n, value in enumerate(values)],
                }
                for name, values in agents.items()
            ],
        },
    }


def charted(query: str = "sum by (agent_id, status) (awf_agent_invocations_total)") -> Incident:
    incident = make_incident()
    (best,) = incident.hypotheses
    evidence = replace(best.evidence[0], query=query, start=START - timedelta(minutes=10), end=START)
    return replace(
        incident,
        hypotheses=(replace(best, evidence=(evidence,)),),
        timeline=(TimelineEntry(START - timedelta(minutes=2), "action", "done"),),
        resolved_at=START - timedelta(minutes=1),
    )


async def fill(api: Api) -> None:
    store = api.state.incidents
    await store.save(make_incident("inc_writer"))
    await store.save(replace(make_incident("inc_slow"), severity="warning", cause=CauseClass.AGENT_LATENCY,
                             target=Target(agent_id="planner"), hypotheses=()))  # fmt: skip
    await store.save(replace(make_incident("inc_open"), status=IncidentStatus.INVESTIGATING))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"inc_writer", "inc_slow", "inc_open"}),
        ("severity=warning", {"inc_slow"}),
        ("cause=agent_error", {"inc_writer", "inc_open"}),
        ("cause=agent_error&status=resolved", {"inc_writer"}),
        ("q=PLANNER", {"inc_slow"}),
        ("q=it+fails", {"inc_writer", "inc_open"}),
        ("q=awfagenterrors+inc_open", {"inc_open"}),
        ("severity=info", set()),
    ],
)
async def test_incidents_are_filtered_alike_over_http_and_on_the_page(
    api: Api, query: str, expected: set[str]
) -> None:
    await fill(api)
    client = api.client("viewer")
    answer = (await client.get(f"/incidents?{query}")).json()
    assert {item["id"] for item in answer["items"]} == expected
    page = (await client.get(f"/ui/incidents?{query}")).text
    assert set(re.findall(r'href="/ui/incidents/(inc_\w+)"', page)) == expected


async def test_a_filtered_list_goes_on_where_its_search_ended(api: Api) -> None:
    for number in range(130):
        severity = "warning" if number % 13 == 0 else "critical"
        await api.state.incidents.save(replace(make_incident(f"inc_{number}"), severity=severity))
    client, found, cursor = api.client("viewer"), [], ""
    while True:
        answer = (await client.get(f"/incidents?severity=warning&limit=4{cursor}")).json()
        assert len(answer["items"]) <= 4
        found += [item["id"] for item in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"
    assert found == [f"inc_{number}" for number in range(117, -1, -13)]


@pytest.mark.parametrize("query", ["status=closed", "cause=gremlins"])
async def test_a_filter_that_does_not_exist_is_named(api: Api, query: str) -> None:
    answer = await api.client("viewer").get(f"/ui/incidents?{query}")
    assert answer.status_code == 422
    assert query.split("=")[1] in answer.text
    assert (await api.client("viewer").get(f"/incidents?{query}")).status_code == 422


async def test_an_incident_says_why_its_action_was_chosen(api: Api) -> None:
    incident = replace(make_incident(), timeline=(DECIDED, JUDGED))
    await api.state.incidents.save(incident)
    page = (await api.client("viewer").get("/ui/incidents/inc_1")).text
    for text in ("agents that fail", "defaults/switch_fallback", "abababababab", "&lt;i&gt;slower&lt;/i&gt;"):
        assert text in page
    assert why_of(make_incident()).rule == ""


async def test_the_chart_of_a_counter_shows_its_rise_around_the_incident(api: Api) -> None:
    await api.state.incidents.save(charted())
    grafana = Grafana(matrix(**{"fact-checker": [0, 0, 60, 120, 180], "writer": [0, 900, 1800]}))
    page = (await api.client("viewer", dashboards=grafana).get("/ui/incidents/inc_1/evidence/1/1")).text
    ((datasource, path, parameters),) = grafana.asked
    assert (datasource, path) == ("mimir", "/api/v1/query_range")
    assert float(parameters["start"]) == START.timestamp() - 600
    assert page.count('class="line line-') == 1  # only what the hypothesis is about
    assert "rise in a minute" in page
    assert all(f">{text}</text>" in page for text in ("alert", "action", "over"))
    # step 5 s: a rise of 60 in one step would be 720 a minute
    assert ">720</text>" in page


async def test_labels_in_a_chart_are_escaped(api: Api) -> None:
    await api.state.incidents.save(charted("rate(x[5m])"))
    grafana = Grafana(matrix(**{"<script>alert(1)</script>": [1, 2], "b": [3, 4]}))
    page = (await api.client("viewer", dashboards=grafana).get("/ui/incidents/inc_1/evidence/1/1")).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Unavailable("Grafana does not answer"), "No chart: Grafana does not answer"),
        (matrix(), "the query finds nothing any more"),
        (matrix(a=[float("nan")]), "the query finds nothing any more"),
    ],
)
async def test_a_chart_that_cannot_be_drawn_says_why(api: Api, answer: Any, said: str) -> None:
    await api.state.incidents.save(charted())
    found = await api.client("viewer", dashboards=Grafana(answer)).get("/ui/incidents/inc_1/evidence/1/1")
    assert (found.status_code, said in found.text) == (200, True)


async def test_evidence_that_does_not_exist_is_404(api: Api) -> None:
    await api.state.incidents.save(charted())
    for path in ("/ui/incidents/inc_1/evidence/2/1", "/ui/incidents/inc_1/evidence/1/9"):
        assert (await api.client("viewer").get(path)).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [("sum(awf_retry_total)", True), ("sum(rate(awf_retry_total[5m]))", False), ("awf_workers", False),
     ("histogram_quantile(0.9, rate(x_bucket[5m]))", False)],
)  # fmt: skip
def test_what_is_a_counter_as_it_is(query: str, expected: bool) -> None:
    assert is_counted(query) is expected


def test_a_chart_keeps_the_highest_series_within_its_frame() -> None:
    at = START.timestamp()
    series = [
        Series({"agent_id": f"a{n}", "job": "x"}, ((at, float(n)), (at + 30, float(-n)), (at + 99, 5.0)))
        for n in range(9)
    ]
    chart = draw(series, START, START + timedelta(seconds=60), [(START + timedelta(seconds=30), "alert")])
    assert chart is not None
    assert [line.legend for line in chart.lines] == [f"a{n}" for n in range(8, 2, -1)]
    assert (len(chart.lines), chart.left_out) == (MAX_LINES, 3)
    numbers = [float(text) for line in chart.lines for text in re.findall(r"-?[\d.]+", line.path)]
    assert min(numbers) >= 0
    assert max(numbers) <= chart.width
    assert draw([], START, START + timedelta(seconds=60), []) is None


async def test_a_page_says_what_was_ruled_out_not_looked_at_and_advised(api: Api) -> None:
    advice = Advice(reason="the model is of no help: it took too long")
    incident = replace(
        make_incident(), ruled_out=("worker saturation: nothing waits",), not_looked_at=("logs: Loki is away",), advice=advice
    )  # fmt: skip
    await api.state.incidents.save(incident)
    page = (await api.client("viewer").get("/ui/incidents/inc_1")).text
    for said in (
        "worker saturation: nothing waits",
        "logs: Loki is away",
        "The rules decided: the model is of no help",
    ):
        assert said in page, said
    await api.state.incidents.save(replace(make_incident(), ruled_out=(), not_looked_at=(), advice=Advice()))
    page = (await api.client("viewer").get("/ui/incidents/inc_1")).text
    for part in ("ruled-out", "not-looked-at", "advice"):
        assert f'id="{part}"' not in page
