"""compose.yaml against the specification's schema, and against what the docs and the design promise of it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from awf import __version__
from awf.agents._mcp_tools import READ_FLAGS, WRITE_FLAGS
from awf.settings import check_names
from awf.stack.pins import Pin, read_pins
from awf.stack.plan import SECRETS, VOLUMES
from awf.stack.plan import SERVICES as HOLDERS
from tests.stack._compose import COMPOSE, ONE_SHOTS, ROOT, SERVICES, TEXT, mounts, published

DOCS = (ROOT / "docs/deploying-with-grafana.md").read_text(encoding="utf-8")
PHONE_HOME_OFF = {
    "grafana": {
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
    },
    "mcp-grafana-read": {"GRAFANA_USAGE_STATS": "disabled"},
    "mcp-grafana-annotate": {"GRAFANA_USAGE_STATS": "disabled"},
}
each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def test_it_is_valid_by_the_schema_of_the_compose_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_of_the_design_is_there() -> None:
    always = {
        "secrets", "postgres", "mimir", "loki", "tempo", "alloy", "grafana", "bootstrap", "mcp-grafana-read",
        "mcp-grafana-annotate", "awf",
    }  # fmt: skip
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"demo": ["demo"], "grafana-llm": ["llm"]}
    assert set(SERVICES) == always | set(profiles)


@each_service
def test_what_a_service_mounts_from_the_repository_exists(name: str) -> None:
    for mount in mounts(name):
        if mount.kind == "bind" and not mount.source.startswith("./secrets/"):
            assert (ROOT / mount.source).exists(), mount.source


@each_service
def test_configuration_is_mounted_read_only_and_a_missing_file_stops_the_start(name: str) -> None:
    for each in SERVICES[name].get("volumes", ()):
        if isinstance(each, dict) and not each["source"].startswith("./secrets"):
            assert each["read_only"] is True
            assert each["bind"]["create_host_path"] is False


@each_service
def test_state_is_kept_in_a_named_volume(name: str) -> None:
    for mount in mounts(name):
        if mount.kind == "volume":
            assert mount.source in COMPOSE["volumes"]


@each_service
def test_a_service_has_limits_a_restart_policy_a_grace_period_and_logs_that_rotate(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["stop_grace_period"]
    assert service["restart"] == ("no" if name in ONE_SHOTS else "unless-stopped")
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@each_service
def test_a_service_can_gain_no_privileges_and_is_root_only_where_that_is_its_job(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    if name == "secrets":
        assert service["network_mode"] == "none"
        assert set(service["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER"}
    else:
        assert "cap_add" not in service
        assert not service["user"].startswith("0")
    assert "privileged" not in service
    assert "docker.sock" not in TEXT


@each_service
def test_the_root_file_system_is_read_only_where_that_is_safe(name: str) -> None:
    is_writable = name in {"postgres", "grafana", "grafana-llm"}
    assert SERVICES[name].get("read_only", False) is not is_writable


def test_versions_stand_in_one_place_with_a_tag_that_names_one() -> None:
    pins = read_pins(ROOT / "compose.yaml")
    for name, pin in pins.items():
        assert re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?", pin.tag), name
    images = {Pin.parse(service["image"]) for service in SERVICES.values()}
    assert images | {pins["python"]} == set(pins.values())
    for pin in pins.values():
        assert TEXT.count(f"{pin.repository}:{pin.tag}") == 1
    assert pins["awf"].tag == __version__


def test_only_our_own_image_is_built_and_the_others_of_it_wait_for_that() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["secrets"]
    for name, service in SERVICES.items():
        if name != "secrets" and service["image"] == SERVICES["secrets"]["image"]:
            assert service["pull_policy"] == "never"
            assert "secrets" in _waits_for(name)


def _waits_for(name: str) -> set[str]:
    direct = set(SERVICES[name].get("depends_on", {}))
    return direct.union(*(_waits_for(each) for each in direct)) if direct else direct


def test_ports_are_published_on_loopback_only_and_are_those_of_the_docs() -> None:
    assert {address for address, _, _ in published().values()} == {"127.0.0.1"}
    table = {
        int(port): service for port, service in re.findall(r"^\| (\d+) \| `([\w-]+)` \|", DOCS, re.MULTILINE)
    }
    assert table == {port: service for port, (_, _, service) in published().items()}


def test_every_variable_of_compose_is_in_the_docs_with_its_default_and_none_looks_like_a_setting_of_awf() -> (
    None
):
    used = dict(re.findall(r"(?<!\$)\$\{(\w+):-([^}]*)\}", TEXT))
    table = dict(re.findall(r"^\| `(STACK_\w+)` \| `?([^|`]*)`? \|", DOCS, re.MULTILINE))
    assert {name: default.strip() for name, default in table.items()} == used
    assert not re.findall(r"(?<!\$)\$\{?AWF_", TEXT)


def test_nothing_waits_for_the_health_of_a_store() -> None:
    for name in SERVICES:
        assert not _waits_for(name) & {"mimir", "loki", "tempo", "alloy"}
    assert "healthcheck" not in SERVICES["mimir"]


def test_a_service_waits_for_health_only_where_there_is_a_health_check() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert other in ONE_SHOTS


def test_tempo_gets_the_time_that_it_needs_to_stop() -> None:
    assert SERVICES["tempo"]["stop_grace_period"] == "40s"


def test_programs_that_report_home_are_told_not_to() -> None:
    for name, wanted in PHONE_HOME_OFF.items():
        assert SERVICES[name]["environment"].items() >= wanted.items()
    assert "--disable-reporting" in SERVICES["alloy"]["command"]
    for path, keys in (
        ("docker/mimir/mimir.yaml", ("usage_stats", "enabled")),
        ("docker/loki/loki.yaml", ("analytics", "reporting_enabled")),
        ("docker/tempo/tempo.yaml", ("usage_report", "reporting_enabled")),
    ):
        document = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
        assert document[keys[0]][keys[1]] is False, path


def test_no_secret_is_written_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN", variable) and not variable.endswith("_FILE"):
                pytest.fail(f"{name}: {variable}={value}")
            if variable.endswith("_FILE"):
                assert value.startswith("/run/"), variable


@each_service
def test_a_secret_file_that_a_service_is_told_of_is_among_its_copies(name: str) -> None:
    told = re.findall(r"/run/secrets/([\w-]+)", yaml.safe_dump(SERVICES[name]))
    holds = {secret.name for secret in SECRETS if name in secret.services}
    assert set(told) == holds - ({"webhook-secret"} if name == "grafana" else set())
    sources = [mount.source for mount in mounts(name) if mount.target == "/run/secrets"]
    assert sources == ([f"./secrets/containers/{name}"] if holds else [])


@each_service
def test_a_service_runs_as_the_user_that_its_secrets_and_volumes_are_given_to(name: str) -> None:
    user = SERVICES[name]["user"]
    if name in HOLDERS:
        assert user == "{}:{}".format(*HOLDERS[name])
    if name == "secrets":
        return
    given = {mount.source: mount.target.removeprefix("/volumes/") for mount in mounts("secrets")}
    for mount in mounts(name):
        if mount.kind == "volume":
            assert user == "{}:{}".format(*VOLUMES[given[mount.source]]), mount.source


def test_every_volume_is_given_to_somebody() -> None:
    volumes = {mount.source for mount in mounts("secrets") if mount.kind == "volume"}
    assert volumes == set(COMPOSE["volumes"])
    assert {m.target.removeprefix("/volumes/") for m in mounts("secrets") if m.kind == "volume"} == set(
        VOLUMES
    )


@each_service
def test_variables_of_awf_are_settings_that_exist(name: str) -> None:
    if SERVICES[name]["image"] == SERVICES["secrets"]["image"]:
        check_names(SERVICES[name].get("environment", {}))


def test_the_two_grafana_mcp_servers_have_the_flags_that_the_toolbox_relies_on() -> None:
    assert SERVICES["mcp-grafana-read"]["environment"]["FLAGS"].split() == list(READ_FLAGS)
    assert SERVICES["mcp-grafana-annotate"]["environment"]["FLAGS"].split() == list(WRITE_FLAGS)
    for name in ("mcp-grafana-read", "mcp-grafana-annotate"):
        assert f"{name}:8000" in SERVICES[name]["environment"]["ALLOWED_HOSTS"].split(",")


def test_only_the_service_reaches_the_database() -> None:
    assert COMPOSE["networks"]["database"] == {"internal": True}
    on_it = {name for name, service in SERVICES.items() if "database" in service.get("networks", ())}
    assert on_it == {"postgres", "awf"}


def test_each_half_of_the_watcher_sees_the_token_of_its_own_account_only() -> None:
    held = {name: {m.source for m in mounts(name) if m.source.startswith("grafana-")} for name in SERVICES}
    assert held["mcp-grafana-read"] == {"grafana-read-token"}
    assert held["mcp-grafana-annotate"] == {"grafana-annotate-token"}
    assert held["awf"] == {"grafana-read-token"}
