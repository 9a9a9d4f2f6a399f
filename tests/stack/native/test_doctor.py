"""`awf doctor` on the real Alloy, Loki, Tempo and Prometheus, with the embedded Grafana's face before them."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from awf.generate.output import render_dashboards, render_rules, write
from awf.wiring.doctor.arrival import LONGEST_PAUSE_S
from tests.e2e.grafana_face import serving
from tests.stack.native import _queries as ask
from tests.stack.native._programs import wait_for
from tests.stack.native._workload import SECRET, TOKEN, Workload

LIMIT_S = 30
RECORDED = "workflow:awf_executions:rate5m"


@pytest.fixture(scope="module")
def busy(workload: Workload) -> Workload:
    """The workload once the first rules have recorded."""
    wait_for("recorded series", lambda: ask.samples(workload.stack, RECORDED), 90, workload.explain)
    return workload


async def _examine(workload: Workload, folder: Path, *areas: str, **stores: str) -> dict[str, dict[str, Any]]:
    write(folder / "rules", render_rules())
    write(folder / "dashboards", render_dashboards())
    known = {
        "prometheus": workload.stack.promql_url,
        "loki": workload.stack.url("loki"),
        "tempo": workload.stack.url("tempo"),
    }
    webhook = workload.url("API", "/webhooks/grafana-alerts")
    only = [part for area in areas for part in ("--only", area)]
    command = [sys.executable, "-m", "awf", "doctor", "--json", "--timeout", str(LIMIT_S), *only]
    async with serving(
        folder, known | stores, token=TOKEN, webhook_url=webhook, webhook_secret=SECRET
    ) as url:
        ports = {f"AWF_{name.upper()}_PORT": str(workload.stack.ports[name]) for name in ("loki", "tempo")}
        environ = workload.environ | ports | {"AWF_GRAFANA_URL": url}
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
        said, _ = await asyncio.wait_for(process.communicate(), 180)
    return {finding["what"]: finding for finding in json.loads(said)["findings"]}


async def test_nothing_fails_and_what_is_sent_is_found_in_all_three_stores(
    busy: Workload, tmp_path: Path
) -> None:
    found = await _examine(busy, tmp_path)
    bad = {
        what: finding["detail"] for what, finding in found.items() if finding["status"] in {"fail", "skip"}
    }
    assert bad == {}
    for what in (
        "metric arrives", "log lines arrive", "log lines arrive with their trace id",
        "trace arrives (by id)", "trace arrives (by search)", "recording rules", "Loki's recording rules",
    ):  # fmt: skip
        assert found[what]["status"] == "ok", found[what]
    assert found["Mimir or Prometheus"]["status"] == found["Alloy"]["status"] == "ok"
    telemetry = [finding["took_s"] for finding in found.values() if finding["area"] == "telemetry"]
    assert max(telemetry) < LIMIT_S + LONGEST_PAUSE_S


async def test_a_datasource_that_leads_nowhere_is_told_from_a_store_that_has_nothing(
    busy: Workload, tmp_path: Path
) -> None:
    found = await _examine(busy, tmp_path, "telemetry", loki="http://127.0.0.1:1")
    assert {what for what, finding in found.items() if finding["status"] == "fail"} == {"logs: loki"}
    assert "502" in found["logs: loki"]["detail"]
    assert found["log lines arrive"]["status"] == "warn"
    assert busy.stack.url("loki") in found["log lines arrive"]["detail"]
