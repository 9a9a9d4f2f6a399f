"""Every read tool of the real `mcp-grafana` in its default set: it works, or says what is not there."""

from __future__ import annotations

from typing import Any, Final

from mcp import Client, StdioServerParameters

from .conftest import TOKEN, TRACE_ID, Embedded
from .test_mcp_grafana import PROGRAM, serving

LOGS: Final = '{service_name="awf-demo"}'
BOARD: Final = "awf-overview"

WORKS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("alerting_manage_routing", {"operation": "get_contact_points"}),
    ("alerting_manage_routing", {"operation": "get_contact_point", "contact_point_title": "awf-watcher"}),
    ("alerting_manage_routing", {"operation": "get_notification_policies"}),
    ("alerting_manage_routing", {"operation": "get_time_intervals"}),
    ("alerting_rules_read", {"operation": "list"}),
    ("alerting_rules_read", {"operation": "get", "rule_uid": "awf_agent_errors"}),
    ("alerting_rules_read", {"operation": "list", "datasource_uid": "mimir"}),
    ("alerting_silences_read", {"operation": "list"}),
    ("analyze_loki_labels", {"datasourceUid": "loki"}),
    ("check_datasources_health", {}),
    ("generate_deeplink", {"resourceType": "dashboard", "dashboardUid": BOARD}),
    ("get_annotation_tags", {}),
    ("get_annotations", {}),
    ("get_dashboard_by_uid", {"uid": BOARD}),
    ("get_dashboard_panel_queries", {"uid": BOARD}),
    ("get_dashboard_property", {"uid": BOARD, "jsonPath": "$.title"}),
    ("get_dashboard_summary", {"uid": BOARD}),
    ("get_datasource", {"uid": "mimir"}),
    ("get_plugin", {"pluginId": "grafana-irm-app"}),
    ("get_tempo_trace", {"datasourceUid": "tempo", "trace_id": TRACE_ID}),
    ("get_tempo_traceql_docs", {"topic": "basic"}),
    ("grafana_api_request", {"endpoint": "/api/health"}),
    ("list_dashboard_versions", {"uid": BOARD}),
    ("list_datasources", {}),
    ("list_loki_label_names", {"datasourceUid": "loki"}),
    ("list_loki_label_values", {"datasourceUid": "loki", "labelName": "service_name"}),
    ("list_prometheus_label_names", {"datasourceUid": "mimir"}),
    ("list_prometheus_label_values", {"datasourceUid": "mimir", "labelName": "agent_id"}),
    ("list_prometheus_metric_metadata", {"datasourceUid": "mimir"}),
    ("list_prometheus_metric_names", {"datasourceUid": "mimir"}),
    ("list_snapshots", {}),
    ("list_tempo_attribute_names", {"datasourceUid": "tempo"}),
    ("list_tempo_attribute_values", {"datasourceUid": "tempo", "name": ".agent_id"}),
    ("query_loki_logs", {"datasourceUid": "loki", "logql": LOGS}),
    ("query_loki_patterns", {"datasourceUid": "loki", "logql": LOGS}),
    ("query_loki_stats", {"datasourceUid": "loki", "logql": LOGS}),
    ("query_prometheus", {"datasourceUid": "mimir", "expr": "agent_failures", "endTime": "now",
                          "queryType": "instant"}),
    ("query_prometheus_histogram", {"datasourceUid": "mimir", "metric": "latency", "percentile": 95}),
    ("query_tempo_metrics", {"datasourceUid": "tempo", "query": "{} | rate()"}),
    ("search_dashboards", {"query": ""}),
    ("search_folders", {"query": ""}),
    ("search_tempo_traces", {"datasourceUid": "tempo", "query": "{}"}),
    ("suggest_loki_alloy_label_config", {"approvedLabels": ["service_name"]}),
    ("user_info", {}),
]  # fmt: skip

REFUSED: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "diff_tempo_traces": (
        {"datasourceUid": "tempo", "base_trace_id": TRACE_ID, "compare_trace_id": TRACE_ID}, "not supported here"
    ),
    "get_alert_group": ({"alertGroupId": "1"}, "settings API: 404"),
    "get_assertions": ({"startTime": "now-1h", "endTime": "now"}, "is not installed"),
    "get_current_oncall_users": ({"scheduleId": "1"}, "settings API: 404"),
    "get_incident": ({"id": "1"}, "is not installed"),
    "get_oncall_shift": ({"shiftId": "1"}, "settings API: 404"),
    "get_panel_image": ({"dashboardUid": BOARD, "panelId": 1}, "image renderer not available"),
    "get_snapshot": ({"key": "x"}, "does not serve"),
    "list_alert_groups": ({}, "settings API: 404"),
    "list_incident_custom_fields": ({}, "is not installed"),
    "list_incidents": ({}, "is not installed"),
    "list_oncall_schedules": ({}, "settings API: 404"),
    "list_oncall_teams": ({}, "settings API: 404"),
    "list_oncall_users": ({}, "settings API: 404"),
    "list_provisioning_repositories": ({}, "does not serve"),
    "list_pyroscope_label_names": ({"data_source_uid": "p"}, "not found"),
    "list_pyroscope_label_values": ({"data_source_uid": "p", "name": "x"}, "not found"),
    "list_pyroscope_profile_types": ({"data_source_uid": "p"}, "not found"),
    "query_pyroscope": ({"data_source_uid": "p", "profile_type": "x"}, "not found"),
    "validate_provisioning_file": ({"repo": "x", "path": "x"}, "does not serve"),
}  # fmt: skip

ASKS_GRAFANA_COM: Final = {"get_doc", "search_docs", "search_plugin_information"}


async def test_every_read_tool_works_or_says_what_is_not_there(embedded: Embedded) -> None:
    async with serving(embedded) as url:
        environment = {
            "GRAFANA_URL": url, "GRAFANA_USAGE_STATS": "disabled", "NO_PROXY": "127.0.0.1",
            "GRAFANA_SERVICE_ACCOUNT_TOKEN": TOKEN,
        }  # fmt: skip
        server = StdioServerParameters(
            command=str(PROGRAM), args=["--disable-write", "--log-level", "error"], env=environment
        )
        async with Client(server, read_timeout_seconds=20) as client:
            offered = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
            assert set(offered) == {name for name, _ in WORKS} | set(REFUSED) | ASKS_GRAFANA_COM
            for name, arguments in WORKS:
                result = await client.call_tool(name, arguments)
                assert not result.is_error, (name, result.content)
            for name, (arguments, words) in REFUSED.items():
                known = {key: value for key, value in arguments.items() if key in offered[name]["properties"]}
                result = await client.call_tool(name, known)
                assert result.is_error, name
                assert words in str(result.content), (name, result.content)
