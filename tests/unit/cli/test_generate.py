"""`awf generate` in a copy of the repository's generated files: up to date, found out, repaired."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from awf.errors import ConfigError
from tests.unit.cli._program import REPOSITORY, awf


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with the repository's generated files."""
    for name in ("dashboards", "rules"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    (tmp_path / "docs").mkdir()
    for name in ("settings.md", "runbooks.md"):
        shutil.copy(REPOSITORY / "docs" / name, tmp_path / "docs")
    return tmp_path


def test_the_generated_files_of_the_repository_are_up_to_date(copy: Path) -> None:
    done = awf(copy, "generate", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("generated files are up to date.\n")


def test_the_alerts_link_to_runbooks_at_the_address_that_is_given(copy: Path) -> None:
    assert awf(copy, "generate", "--public-url", "https://awf.example.com/").returncode == 0
    text = (copy / "rules/alerts/agents.yaml").read_text()
    assert "runbook_url: https://awf.example.com/ui/runbooks#awfagenterrors" in text


def test_a_file_changed_by_hand_is_found_out_and_written_anew(copy: Path) -> None:
    page, rules = copy / "docs/settings.md", copy / "rules/alerts/agents.yaml"
    before = rules.read_text()
    page.unlink()
    rules.write_text(before.replace("AWFAgentErrors", "AWFAgentFailures"))
    checked = awf(copy, "generate", "--check")
    assert (checked.returncode, checked.stdout.splitlines()) == (
        1, ["out of date: rules/alerts/agents.yaml", "out of date: docs/settings.md", "Run `awf generate`."],
    )  # fmt: skip
    assert not page.exists()
    wrote = awf(copy, "generate", "--json")
    assert json.loads(wrote.stdout)["changed"] == ["rules/alerts/agents.yaml", "docs/settings.md"]
    assert rules.read_text() == before
    assert awf(copy, "generate", "--check").returncode == 0


@pytest.mark.parametrize("output", ["file", "/proc/awf-cannot-write-here"])
def test_a_folder_that_cannot_be_written_is_named(output: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = awf(tmp_path, "generate", "--output", output)
    assert done.returncode == ConfigError.exit_code
    assert done.stderr.startswith("awf: ")
    assert output in done.stderr
    assert "Traceback" not in done.stderr
