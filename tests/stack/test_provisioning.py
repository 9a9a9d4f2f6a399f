"""Grafana's provisioning files, read as Grafana reads them: variables filled in, `$$` turned into a dollar sign."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from awf.core.semconv import STEP_DURATION, STEP_ID, WORKFLOW_ID, WORKFLOWS
from awf.embedded.promql import parse
from awf.settings import Settings
from awf.stack.plan import SECRETS
from tests.stack._compose import ROOT, SERVICES

FOLDER = ROOT / "docker/grafana/provisioning"
ENVIRONMENT: dict[str, str] = SERVICES["grafana"]["environment"]
FILES = sorted(path for path in FOLDER.rglob("*.yaml"))
UIDS = {Settings.model_fields[f"datasource_{kind}"].default for kind in ("metrics", "logs", "traces")}


def as_grafana_reads(value: Any) -> Any:
    """Return a value after Grafana's interpolation. Raises KeyError for a variable that it is not told."""
    if isinstance(value, dict):
        return {key: as_grafana_reads(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_grafana_reads(each) for each in value]
    return _interpolated(value) if isinstance(value, str) else value


def _interpolated(text: str) -> str:
    def fill(found: re.Match[str]) -> str:
        return ENVIRONMENT[found[1] or found[2]]

    # `$$` first splits the text, so that what stands after it is never taken for a variable.
    parts = [re.sub(r"\$\{(\w+)\}|\$([A-Za-z_]\w*)", fill, part) for part in text.split("$$")]
    return "$".join(parts)


def document(path: str) -> dict[str, Any]:
    read: dict[str, Any] = as_grafana_reads(yaml.safe_load((FOLDER / path).read_text(encoding="utf-8")))
    return read


@pytest.fixture
def datasources() -> dict[str, dict[str, Any]]:
    return {each["uid"]: each for each in document("datasources/awf.yaml")["datasources"]}


def test_the_datasources_have_the_uids_that_awf_and_the_dashboards_use(datasources: dict[str, Any]) -> None:
    assert set(datasources) == UIDS == {"mimir", "loki", "tempo"}
    assert [uid for uid, each in datasources.items() if each.get("isDefault")] == ["mimir"]


def test_a_datasource_that_is_taken_out_of_the_file_is_removed() -> None:
    assert document("datasources/awf.yaml")["prune"] is True


def test_the_datasources_reach_the_services_of_compose_at_their_ports(datasources: dict[str, Any]) -> None:
    assert {uid: each["url"] for uid, each in datasources.items()} == {
        "mimir": "http://mimir:9009/prometheus",
        "loki": "http://loki:3100",
        "tempo": "http://tempo:3200",
    }


def test_an_exemplar_leads_to_its_trace(datasources: dict[str, Any]) -> None:
    (link,) = datasources["mimir"]["jsonData"]["exemplarTraceIdDestinations"]
    assert (link["name"], link["datasourceUid"]) == ("trace_id", "tempo")


def test_a_log_line_leads_to_its_trace(datasources: dict[str, Any]) -> None:
    (field,) = datasources["loki"]["jsonData"]["derivedFields"]
    assert (field["matcherType"], field["matcherRegex"]) == ("label", "trace_id")
    assert (field["url"], field["datasourceUid"]) == ("${__value.raw}", "tempo")


def test_a_trace_leads_to_its_logs(datasources: dict[str, Any]) -> None:
    link = datasources["tempo"]["jsonData"]["tracesToLogsV2"]
    assert link["datasourceUid"] == "loki"
    assert link["query"] == '{${__tags}} | trace_id = "${__trace.traceId}"'
    assert {"key": "service.name", "value": "service_name"} in link["tags"]


def test_a_trace_leads_to_metrics_that_exist_by_queries_that_parse(datasources: dict[str, Any]) -> None:
    link = datasources["tempo"]["jsonData"]["tracesToMetrics"]
    assert link["datasourceUid"] == "mimir"
    for each in link["queries"]:
        filled = re.sub(r"\$\{__span\.tags\.\w+\}", "x", each["query"].replace("$__tags", 'service="x"'))
        parse(filled)
        assert "$" not in filled.replace("$__tags", "")
    queries = " ".join(each["query"] for each in link["queries"])
    assert f'{WORKFLOWS}{{{WORKFLOW_ID}="${{__span.tags.{WORKFLOW_ID}}}"}}' in queries
    assert f'{STEP_DURATION}_bucket{{{STEP_ID}="${{__span.tags.{STEP_ID}}}"}}' in queries


def test_the_service_map_is_drawn_from_the_metrics(datasources: dict[str, Any]) -> None:
    assert datasources["tempo"]["jsonData"]["serviceMap"]["datasourceUid"] == "mimir"


def test_dashboards_go_into_the_folder_awf_from_where_they_are_mounted() -> None:
    (provider,) = document("dashboards/awf.yaml")["providers"]
    assert (provider["folder"], provider["folderUid"]) == ("AWF", "awf")
    mounted = {each["target"] for each in SERVICES["grafana"]["volumes"] if isinstance(each, dict)}
    assert provider["options"]["path"] in mounted


def test_alert_rules_are_in_a_folder_of_another_name_than_the_dashboards() -> None:
    """Rules cannot say a folder's uid: of the same name Grafana would make a second folder beside the dashboards'."""
    (provider,) = document("dashboards/awf.yaml")["providers"]
    rules = yaml.safe_load((FOLDER / "alerting/rules.yaml").read_text(encoding="utf-8"))
    assert provider["folder"] not in {group["folder"] for group in rules["groups"]}


def test_grafana_opens_with_a_dashboard_that_is_there() -> None:
    home = Path(ENVIRONMENT["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent.as_posix() == ENVIRONMENT["AWF_DASHBOARDS_DIR"]
    assert (ROOT / "dashboards" / home.name).is_file()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_file_asks_grafana_to_read_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    copies = {f"/run/secrets/{each.name}" for each in SECRETS if "grafana" in each.services}
    assert set(re.findall(r"\$__file\{([^}]+)\}", text)) <= copies
    assert set(re.findall(r"\$__env\{([^}]+)\}", text)) <= set(ENVIRONMENT)
    json.dumps(yaml.safe_load(text))
