"""`awf doctor` on the whole product in processes: green when it is well, and each fault named where it is."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.collector import Collector
from tests.e2e.grafana_face import serving
from tests.e2e.product import Product, free_ports
from tests.e2e.tampering import Answer, Tamper, TamperingProxy

Findings = dict[str, dict[str, Any]]
RECORDED = "workflow:awf_executions:rate5m"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(tmp_path_factory.mktemp("doctor") / "data", AWF_DEMO_FAULTS="")
    product.start()
    product.wait_for("API", product.is_ready, 60)

    def recorded() -> bool:
        answer = product.query("MIMIR", "/prometheus/api/v1/query", {"query": f"count({RECORDED})"})
        return bool(answer.get("data", {}).get("result"))

    product.wait_for("recorded series", recorded, 90)
    yield product
    product.stop()


def doctor(
    product: Product, *arguments: str, timeout: float = 20, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as a person does, with the product's settings and others."""
    command = [sys.executable, "-m", "awf", "doctor", "--timeout", str(timeout), *arguments]
    return subprocess.run(
        command, env=product.environ | settings, capture_output=True, text=True, timeout=120, check=False
    )


def examine(product: Product, *areas: str, timeout: float = 20, **settings: str) -> Findings:
    """Return the findings by what they are about; `timeout` is how long the synthetic workflow may take."""
    only = [part for area in areas for part in ("--only", area)]
    done = doctor(product, "--json", *only, timeout=timeout, **settings)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["status"] == "fail" else 0)
    return {finding["what"]: finding for finding in report["findings"]}


def failing(findings: Findings) -> set[str]:
    return {what for what, finding in findings.items() if finding["status"] == "fail"}


def through(product: Product, tamper: Tamper, *areas: str, timeout: float = 20, **settings: str) -> Findings:
    """Examine a product whose Grafana answers through a proxy that tampers."""
    with TamperingProxy(product.url("GRAFANA"), tamper) as proxy:
        return examine(product, *areas, timeout=timeout, AWF_GRAFANA_URL=proxy.url, **settings)


def test_a_healthy_product_is_green_from_end_to_end(product: Product) -> None:
    done = doctor(product, "--json")
    report = json.loads(done.stdout)
    bad = [finding for finding in report["findings"] if finding["status"] != "ok"]
    assert (bad, done.returncode, done.stderr) == ([], 0, "")
    assert {finding["area"] for finding in report["findings"]} == {
        "settings", "service", "grafana", "datasources", "telemetry", "dashboards", "rules", "notifications",
        "clocks", "versions",
    }  # fmt: skip


def test_it_opens_no_incident_and_makes_no_second_series(product: Product) -> None:
    def series() -> list[dict[str, str]]:
        selector = '{job="awf-doctor"}'
        return list(product.query("MIMIR", "/prometheus/api/v1/series", {"match[]": selector})["data"])

    examine(product, "telemetry", "notifications")
    before = series()
    examine(product, "telemetry", "notifications")
    assert product.items("/incidents") == []
    assert {each["instance"] for each in before} == {"awf-doctor"}
    assert series() == before
    own = product.query(
        "MIMIR", "/prometheus/api/v1/series", {"match[]": 'awf_events_total{job="awf-doctor"}'}
    )
    assert own["data"] == []  # or its silence would fire AWFTelemetryAbsent where no engine runs


def test_on_paper_each_area_has_its_lines_and_the_last_one_counts(product: Product) -> None:
    lines = doctor(product, "--only", "datasources").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")][:-1] == ["settings", "grafana", "datasources"]
    assert [line.split()[0] for line in lines if line.startswith("  ")] == ["ok"] * 6
    assert lines[-1].startswith("6 ok in ")


def test_a_dead_otlp_endpoint_is_named_and_what_stands_behind_it_is_skipped(product: Product) -> None:
    (port,) = free_ports(1)
    found = examine(product, "telemetry", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
    assert failing(found) == {"OTLP endpoint"}
    assert f"127.0.0.1:{port} (grpc): nothing listens there" in found["OTLP endpoint"]["detail"]
    for what in ("synthetic workflow", "metric arrives", "log lines arrive", "trace arrives"):
        assert found[what]["status"] == "skip"


@pytest.mark.parametrize(
    ("port", "protocol", "words", "hint"),
    [
        ("OTLP_HTTP", "grpc", "it speaks HTTP, not gRPC", "http/protobuf"),
        ("OTLP_GRPC", "http/protobuf", "not in this protocol", "4317"),
    ],
)
def test_the_wrong_protocol_for_a_port_is_said_in_words(
    product: Product, port: str, protocol: str, words: str, hint: str
) -> None:
    found = examine(
        product,
        "telemetry",
        OTEL_EXPORTER_OTLP_ENDPOINT=product.url(port),
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )
    assert failing(found) == {"OTLP endpoint"}
    assert words in found["OTLP endpoint"]["detail"]
    assert hint in found["OTLP endpoint"]["hint"]


def test_what_the_collector_takes_and_does_not_pass_on_is_lost_behind_it(product: Product) -> None:
    with Collector() as sink:
        found = examine(product, "telemetry", timeout=3, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert found["synthetic workflow"]["status"] == "ok"
    assert failing(found) >= {"log lines arrive", "trace arrives (by id)", "trace arrives (by search)"}
    logs = found["log lines arrive"]
    assert logs["detail"] == f"the collector took it, but the store at {product.url('LOKI')} does not have it"
    assert "otelcol_exporter_queue_size" in logs["hint"]


def test_one_signal_that_goes_elsewhere_is_the_only_one_lost(product: Product) -> None:
    (port,) = free_ports(1)
    found = examine(
        product, "telemetry",
        OTEL_EXPORTER_OTLP_ENDPOINT=product.url("OTLP_GRPC"),
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    assert failing(found) == {"OTLP endpoint", "synthetic workflow"}
    assert "[metrics]" in found["OTLP endpoint"]["detail"]
    assert found["metric arrives"]["status"] == "skip"
    for what in ("log lines arrive", "trace arrives (by id)"):
        assert found[what]["status"] == "ok"


def test_what_is_in_the_store_but_not_seen_through_grafana_is_the_datasource(product: Product) -> None:
    def another_tenant(answer: Answer) -> None:
        if "/proxy/uid/tempo/api/v2/traces/" in answer.path:
            answer.json = {"trace": {}}

    found = through(product, another_tenant, "telemetry", timeout=3)
    assert failing(found) == {"trace arrives (by id)"}
    assert "in the store (3 spans" in found["trace arrives (by id)"]["detail"]
    assert "'tempo' leads elsewhere" in found["trace arrives (by id)"]["hint"]


def test_a_store_that_refuses_is_named_and_the_others_go_on(product: Product) -> None:
    def away(answer: Answer) -> None:
        if "/proxy/uid/loki/" in answer.path:
            answer.refuse(502, "dial tcp: connect: connection refused")

    found = through(product, away, "telemetry", "dashboards", "versions")
    # The store itself has them, as is seen without Grafana: it is the way there that is broken.
    assert failing(found) == {"logs: loki"}
    assert "502: dial tcp" in found["logs: loki"]["detail"]
    assert found["log lines arrive"]["status"] == "warn"
    assert "it is in the store (6 lines" in found["log lines arrive"]["detail"]
    assert "Loki" not in found
    assert found["metric arrives"]["status"] == found["trace arrives (by id)"]["status"] == "ok"


def test_a_datasource_that_is_not_there_is_named_with_those_that_are(product: Product) -> None:
    found = examine(product, "datasources", AWF_DATASOURCE_LOGS="lokki", AWF_DATASOURCE_TRACES="mimir")
    assert failing(found) == {"logs: lokki", "traces: mimir"}
    assert "AWF_DATASOURCE_LOGS" in found["logs: lokki"]["hint"]
    assert "of that type: loki" in found["logs: lokki"]["hint"]
    assert "is of type 'prometheus', expected 'tempo'" in found["traces: mimir"]["detail"]


def test_dashboards_that_were_changed_or_are_gone_are_named_with_the_panel(product: Product) -> None:
    folder = product.data_dir / "generated" / "dashboards"
    edited, gone = folder / "awf-overview.json", folder / "awf-agent-fleet.json"
    kept = {path: path.read_text() for path in (edited, gone)}
    board = json.loads(kept[edited])
    panel = next(panel for panel in board["panels"] if panel.get("targets"))
    panel["targets"][0]["expr"] = "sum(no_such_metric) +"
    try:
        edited.write_text(json.dumps(board))
        gone.unlink()
        found = examine(product, "dashboards")
    finally:
        for path, text in kept.items():
            path.write_text(text)
    assert found["AWF Overview"]["status"] == "warn"
    assert f"panel {panel['title']!r} has other targets" in found["AWF Overview"]["detail"]
    assert "Grafana has no dashboard" in found["Agent Fleet Health"]["detail"]
    assert "dashboards/awf-agent-fleet.json" in found["Agent Fleet Health"]["hint"]
    broken = found["panels of AWF Overview"]
    assert broken["status"] == "fail"
    assert repr(panel["title"]) in broken["detail"]
    assert "parse error: unexpected end of input" in broken["detail"]
    assert any("answers" in item for item in broken["items"])


def test_a_wrong_webhook_secret_is_refused_and_said_so(product: Product) -> None:
    found = examine(product, "notifications", AWF_WEBHOOK_SECRET="another")
    assert failing(found) == {"signed webhook"}
    assert "refuses the signature" in found["signed webhook"]["detail"]
    assert "one secret" in found["signed webhook"]["hint"]
    assert found["Grafana notifies"]["status"] == "ok"


async def test_a_grafana_with_another_secret_than_the_watcher_is_told_from_a_wrong_secret_here(
    product: Product, tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    stores = {
        "prometheus": product.url("MIMIR", "/prometheus"), "loki": product.url("LOKI"), "tempo": product.url("TEMPO"),
    }  # fmt: skip
    webhook = product.url("API", "/webhooks/grafana-alerts")
    token = (product.data_dir / "grafana-token").read_text().strip()
    async with serving(tmp_path, stores, token=token, webhook_url=webhook, webhook_secret="another") as url:
        found = await asyncio.to_thread(examine, product, "notifications", AWF_GRAFANA_URL=url)
    assert failing(found) == {"Grafana notifies"}
    assert "could not deliver: 401" in found["Grafana notifies"]["detail"]
    assert "different secrets" in found["Grafana notifies"]["hint"]


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_a_grafana_12_is_asked_in_its_own_way(product: Product, status: str) -> None:
    def grafana_12(answer: Answer) -> None:
        if answer.path.startswith("/apis/notifications"):
            answer.refuse(404, "Not found")
        if answer.path.endswith("/config/api/v1/receivers/test"):
            answer.status = 200 if status == "ok" else 400
            config = {
                "name": "awf-watcher",
                "uid": "awf-watcher",
                "status": status,
                "error": "dial tcp: refused",
            }
            answer.json = {
                "receivers": [{"name": "awf-watcher", "grafana_managed_receiver_configs": [config]}]
            }

    finding = through(product, grafana_12, "notifications")["Grafana notifies"]
    assert "its Alertmanager API" in finding["detail"]
    assert finding["status"] == ("ok" if status == "ok" else "fail")
    assert ("dial tcp" in finding["detail"]) == (status == "failed")


def test_a_contact_point_that_is_missing_or_not_routed_to_is_named(product: Product) -> None:
    def other(answer: Answer) -> None:
        if answer.path.endswith("/policies"):
            answer.json = {"receiver": "grafana-default-email", "routes": []}

    def none(answer: Answer) -> None:
        if "/contact-points" in answer.path:
            answer.json = [{"name": "mail", "type": "email", "settings": {}}]

    found = through(product, other, "notifications")
    assert failing(found) == {"notification policy"}
    assert "never reach the watcher" in found["notification policy"]["detail"]
    found = through(product, none, "notifications")
    assert failing(found) == {"contact point"}
    assert "it has: mail" in found["contact point"]["detail"]
    assert found["Grafana notifies"]["status"] == "skip"


def test_a_clock_that_is_off_is_named_with_what_it_breaks(product: Product) -> None:
    def late(answer: Answer) -> None:
        answer.headers["date"] = formatdate(time.time() - 400, usegmt=True)

    found = through(product, late, "clocks")
    assert failing(found) == {"clocks"}
    assert "Grafana is 400 s behind this machine" in found["clocks"]["detail"]
    assert "AWF service is" not in found["clocks"]["detail"]
    assert "refuses Grafana's webhooks" in found["clocks"]["hint"]


def test_a_token_without_rights_is_named_with_what_it_may_not(product: Product) -> None:
    def viewer_of_nothing(answer: Answer) -> None:
        if answer.path.startswith(("/api/search", "/api/prometheus/grafana")):
            answer.refuse(403, "You'll need additional permissions to perform this action.")

    found = through(product, viewer_of_nothing, "grafana")
    assert failing(found) == {"rights of the token"}
    assert "may not read dashboards, read alert rules" in found["rights of the token"]["detail"]
    found = examine(product, "grafana", "notifications", AWF_GRAFANA_TOKEN="wrong")
    assert found["rights of the token"]["status"] == "warn"
    assert "not annotate: 401" in found["rights of the token"]["detail"]
    assert found["Grafana notifies"]["status"] == "skip"


def test_a_viewers_token_may_not_read_datasources_and_that_is_no_fault_of_theirs(product: Product) -> None:
    def viewer(answer: Answer) -> None:
        if (
            answer.path.startswith(("/api/datasources/uid/", "/api/datasources?"))
            and "health" not in answer.path
        ):
            answer.refuse(403, "You'll need additional permissions to perform this action.")

        if "api/v1/rules?type=record" in answer.path or "/provisioning/" in answer.path:
            answer.refuse(403, "You'll need additional permissions to perform this action.")

    found = through(product, viewer, "datasources", "rules", "notifications")
    assert failing(found) == set()
    for what in ("recording rules", "contact point", "Grafana notifies"):
        assert found[what]["status"] == "skip"


def test_an_old_grafana_and_an_old_tempo_are_named_with_the_range(product: Product) -> None:
    def old(answer: Answer) -> None:
        if answer.path.startswith("/api/health"):
            answer.json = answer.json | {"version": "11.4.0"}
        if "tempo/api/status/buildinfo" in answer.path:
            answer.json = answer.json | {"version": "v2.4.1"}

    found = through(product, old, "versions")
    assert found["Grafana"]["status"] == found["Tempo"]["status"] == "warn"
    assert "too old, expected 12.0 or later" in found["Grafana"]["detail"]
    assert "v2.4.1: too old" in found["Tempo"]["detail"]


def test_something_that_is_not_grafana_is_said_so_and_all_that_needs_it_is_skipped(product: Product) -> None:
    found = examine(product, AWF_GRAFANA_URL=product.url("LOKI"))
    assert failing(found) == {"Grafana"}
    assert found["datasources"]["status"] == found["dashboards"]["status"] == "skip"
    assert found["synthetic workflow"]["status"] == "ok"
    assert found["trace arrives (by id)"]["status"] == "warn"


def test_progress_does_not_get_into_what_is_piped(product: Product, tmp_path: Path) -> None:
    done = doctor(product, "--only", "telemetry", "-v")
    assert done.stderr == ""
    assert any("execution awf-doctor-" in line for line in done.stdout.splitlines())
