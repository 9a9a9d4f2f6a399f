"""`awf stack` as a person and as compose run it: what it prints, and with which code it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from awf.errors import ConfigError, DataDirError, InvalidInput
from tests.unit.cli._program import HOST, REPOSITORY, awf, free_ports

NOBODY: dict[str, object] = {"AWF_HOST": HOST, **free_ports()}
COMPOSE = str(REPOSITORY / "compose.yaml")
NOWHERE = [
    part
    for name in ("mimir", "loki", "tempo", "alloy", "mcp-grafana")
    for part in ("--at", f"{name}=http://{HOST}:{NOBODY['AWF_API_PORT']}")
]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")


@needs_root
def test_what_is_needed_to_log_in_is_printed_at_the_first_start_only(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    first = awf(tmp_path, "stack", "secrets", "--folder", str(folder))
    password = (folder / "grafana-admin-password").read_text().strip()
    token = (folder / "admin-token").read_text().strip()
    assert (first.returncode, first.stderr) == (0, "")
    assert password in first.stdout
    assert token in first.stdout
    assert (folder / "postgres-password").read_text().strip() not in first.stdout
    second = awf(tmp_path, "stack", "secrets", "--folder", str(folder))
    assert second.stdout == "All secrets are there.\n"
    shown = awf(tmp_path, "stack", "secrets", "--folder", str(folder), "--show")
    assert password in shown.stdout
    assert token in shown.stdout


@needs_root
def test_a_password_of_ones_own_is_never_printed(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "grafana-admin-password").write_text("correct horse battery")
    done = awf(tmp_path, "stack", "secrets", "--folder", str(folder))
    assert done.returncode == 0
    assert "correct horse" not in done.stdout


def test_secrets_that_are_not_there_are_not_shown(tmp_path: Path) -> None:
    done = awf(tmp_path, "stack", "secrets", "--folder", str(tmp_path), "--show")
    assert done.returncode == ConfigError.exit_code
    assert "grafana-admin-password cannot be read" in done.stderr
    missing = awf(tmp_path, "stack", "secrets", "--folder", str(tmp_path / "x"))
    assert missing.returncode == DataDirError.exit_code


def test_bootstrap_without_a_grafana_says_so_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse battery")
    done = awf(
        tmp_path, "stack", "bootstrap", "--admin-password-file", str(tmp_path / "password"), "--read-token", "r",
        "--annotate-token", "a", "--wait", "0", **NOBODY,
    )  # fmt: skip
    assert done.returncode == 7
    assert "is not ready after 0 s" in done.stderr
    assert "Traceback" not in done.stderr


def test_versions_shows_what_is_pinned_though_nothing_runs(tmp_path: Path) -> None:
    done = awf(tmp_path, "stack", "versions", "--file", COMPOSE, *NOWHERE, "--json", **NOBODY)
    assert done.returncode == 0, done.stderr
    items = {item["program"]: item for item in json.loads(done.stdout)["items"]}
    assert items["loki"]["pinned"] == "3.7.8"
    assert items["mcp-grafana"]["pinned"] == "2.1.1"
    assert items["loki"]["running"] == ""
    assert "does not answer" in items["loki"]["trouble"]
    assert "python" not in items


def test_upgrade_check_exits_1_when_something_comes_first_and_0_otherwise(tmp_path: Path) -> None:
    arguments = ("stack", "upgrade-check", "--file", COMPOSE, *NOWHERE)
    clean = awf(tmp_path, *arguments, **NOBODY)
    assert clean.returncode == 0, clean.stdout
    assert "Nothing has to be done first." in clean.stdout
    assert "Not known which version runs of alloy" in clean.stdout
    old = awf(tmp_path, *arguments, "--running", "mimir=2.14.0", **NOBODY)
    assert old.returncode == 1
    assert old.stdout.startswith("FIRST  mimir 2.14.0 -> ")
    items = json.loads(awf(tmp_path, *arguments, "--running", "tempo=2.6.1", "--json", **NOBODY).stdout)[
        "items"
    ]
    assert items[0]["program"] == "tempo"
    assert items[0]["first"] is True


@pytest.mark.parametrize("text", ["mimir", "mimir=", "=3"])
def test_an_option_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    done = awf(tmp_path, "stack", "upgrade-check", "--file", COMPOSE, "--running", text)
    assert done.returncode == InvalidInput.exit_code
    assert "is not PROGRAM=" in done.stderr


@pytest.mark.parametrize("text", ["mimri=2.14.0", "mimir=latest"])
def test_a_version_that_would_be_passed_over_is_refused_rather_than_fine(tmp_path: Path, text: str) -> None:
    done = awf(tmp_path, "stack", "upgrade-check", "--file", COMPOSE, "--running", text)
    assert done.returncode == InvalidInput.exit_code
    assert text in done.stderr
    assert "Nothing has to be done" not in done.stdout
