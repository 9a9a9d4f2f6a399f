"""What the embedded backend is told: the generated rules and dashboards as they are now, and our secrets."""

from __future__ import annotations

from pathlib import Path

from awf.generate.output import render_dashboards, render_rules
from awf.generate.slo import DEFAULT_FILE
from awf.settings import load
from awf.wiring.secrets import GRAFANA, WEBHOOK, read_or_make
from awf.wiring.telemetry import embedded_config


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_rules_and_dashboards_are_written_where_the_backend_reads_them(tmp_path: Path) -> None:
    config = embedded_config(load(data_dir=tmp_path))
    assert _files(config.rules_dir) == set(render_rules())
    assert config.dashboards_dir is not None
    assert _files(config.dashboards_dir) == set(render_dashboards())


def test_a_rule_of_an_older_version_is_not_evaluated(tmp_path: Path) -> None:
    rules = embedded_config(load(data_dir=tmp_path)).rules_dir
    (rules / "alerts" / "older.yaml").write_text("groups: []")
    (rules / "alerts" / "agents.yaml").write_text("changed")
    embedded_config(load(data_dir=tmp_path))
    assert _files(rules) == set(render_rules())
    assert (rules / "alerts" / "agents.yaml").read_text() == render_rules()["alerts/agents.yaml"]


def test_rules_of_the_user_are_read_where_they_are_and_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "own.yaml").write_text("groups: []")
    assert embedded_config(load(data_dir=tmp_path / "data", rules_dir=mine)).rules_dir == mine
    assert _files(mine) == {"own.yaml"}


def test_ruler_and_watcher_share_a_secret_that_nobody_had_to_set(tmp_path: Path) -> None:
    config = embedded_config(load(data_dir=tmp_path))
    assert config.webhook_secret == read_or_make(tmp_path, WEBHOOK)
    assert config.grafana_token == read_or_make(tmp_path, GRAFANA)
    assert embedded_config(load(data_dir=tmp_path, webhook_secret="mine")).webhook_secret == "mine"


def test_the_objectives_of_the_user_are_those_of_the_ruler(tmp_path: Path) -> None:
    file = tmp_path / "slos.yaml"
    file.write_text(DEFAULT_FILE.read_text().replace("target: 0.99", "target: 0.5"))
    rules = embedded_config(load(data_dir=tmp_path, slo_file=file)).rules_dir
    assert "vector(0.5)" in (rules / "recording" / "slo_hours.yaml").read_text()
