"""`awf generate` in a copy of the repository's generated files: up to date, edited, old, no longer generated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from awf.errors import ConfigError, InvalidInput
from tests.unit.cli._program import REPOSITORY, awf

RECORD = ".awf-generated.json"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with the repository's generated files."""
    shutil.copy(REPOSITORY / RECORD, tmp_path)
    for name in json.loads((REPOSITORY / RECORD).read_text())["sha256"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_generated_files_of_the_repository_are_up_to_date(copy: Path) -> None:
    done = awf(copy, "generate", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("generated files are up to date.\n")


def test_the_alerts_link_to_runbooks_at_the_address_that_is_given(copy: Path) -> None:
    assert awf(copy, "generate", "--public-url", "https://awf.example.com/").returncode == 0
    for path in ("rules/alerts/agents.yaml", "docker/grafana/provisioning/alerting/rules.yaml"):
        assert "runbook_url: https://awf.example.com/ui/runbooks#awfagenterrors" in (copy / path).read_text()


def test_an_edited_file_is_named_and_nothing_is_written(copy: Path) -> None:
    (copy / "docs/settings.md").unlink()
    rules = copy / "rules/alerts/agents.yaml"
    rules.write_text(rules.read_text().replace("AWFAgentErrors", "AWFAgentFailures"))
    before = _files(copy)
    checked = awf(copy, "generate", "--check")
    assert (checked.returncode, checked.stdout.splitlines()) == (
        1, ["out of date: docs/settings.md", "edited: rules/alerts/agents.yaml", "Run `awf generate`."],
    )  # fmt: skip
    refused = awf(copy, "generate")
    assert refused.returncode == ConfigError.exit_code
    assert "changed by hand" in refused.stderr
    assert "rules/alerts/agents.yaml" in refused.stderr
    assert _files(copy) == before


def test_force_writes_an_edited_file_and_keeps_what_was_in_it(copy: Path) -> None:
    rules = copy / "rules/alerts/agents.yaml"
    before = rules.read_text()
    rules.write_text(before + "# mine\n")
    wrote = awf(copy, "generate", "--force", "--json")
    said = json.loads(wrote.stdout)
    assert said["changed"] == ["rules/alerts/agents.yaml"]
    assert (copy / said["kept"][0]).read_text() == before + "# mine\n"
    assert rules.read_text() == before
    assert awf(copy, "generate", "--check").returncode == 0


def test_a_file_of_an_earlier_version_is_written_anew_without_asking(copy: Path) -> None:
    assert awf(copy, "generate", "--public-url", "https://old.example").returncode == 0
    wrote = awf(copy, "generate")
    assert wrote.returncode == 0, wrote.stderr
    assert "wrote rules/alerts/agents.yaml" in wrote.stdout
    assert _files(copy)["rules/alerts/agents.yaml"] == (REPOSITORY / "rules/alerts/agents.yaml").read_bytes()


def test_what_is_no_longer_generated_is_named_and_removed(copy: Path) -> None:
    (copy / "slos.yaml").write_text("# none\n")
    checked = awf(copy, "generate", "--check", "--slos", "slos.yaml")
    assert "no longer generated: rules/recording/slo_hours.yaml" in checked.stdout
    wrote = awf(copy, "generate", "--slos", "slos.yaml")
    assert "removed rules/recording/slo_hours.yaml" in wrote.stdout
    assert not (copy / "rules/recording/slo_hours.yaml").exists()
    alerts = (copy / "docker/grafana/provisioning/alerting/rules.yaml").read_text()
    assert "uid: awf_error_budget_burns_fast" in alerts.split("deleteRules:")[1]


def test_the_objectives_of_the_setting_are_those_of_the_rules(copy: Path) -> None:
    text = (REPOSITORY / "awf/generate/slos.yaml").read_text().replace("target: 0.99", "target: 0.9")
    (copy / "mine.yaml").write_text(text)
    assert awf(copy, "generate", AWF_SLO_FILE=copy / "mine.yaml").returncode == 0
    assert "vector(0.9)" in (copy / "rules/recording/slo_hours.yaml").read_text()


def test_a_wrong_objective_is_named_with_its_line_and_nothing_is_written(copy: Path) -> None:
    text = (REPOSITORY / "awf/generate/slos.yaml").read_text().replace("target: 0.99", "target: 99")
    (copy / "mine.yaml").write_text(text)
    (copy / "docs/settings.md").unlink()
    before = _files(copy)
    done = awf(copy, "generate", "--slos", "mine.yaml")
    assert done.returncode == ConfigError.exit_code
    line = text[: text.index("target: 99")].count("\n") + 1
    assert done.stderr.startswith(f"awf: mine.yaml:{line}: spec.objectives[0].target: is 99")
    assert "Traceback" not in done.stderr
    assert _files(copy) == before


@pytest.mark.parametrize("output", ["file", "/proc/awf-cannot-write-here"])
def test_a_folder_that_cannot_be_written_is_named(output: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = awf(tmp_path, "generate", "--output", output)
    assert done.returncode == ConfigError.exit_code
    assert done.stderr.startswith("awf: ")
    assert output in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["not a url", "awf.example.com", "javascript:alert(1)", "http://[x", ""])
def test_an_address_that_no_browser_follows_is_not_written_into_the_alerts(url: str, tmp_path: Path) -> None:
    done = awf(tmp_path, "generate", "--public-url", url)
    assert done.returncode == InvalidInput.exit_code
    assert repr(url) in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_is_named_without_advice_to_remove_it(tmp_path: Path) -> None:
    (tmp_path / "rules/alerts/agents.yaml").mkdir(parents=True)
    done = awf(tmp_path, "generate")
    assert done.returncode == ConfigError.exit_code
    assert "rules/alerts/agents.yaml cannot be read: Is a directory" in done.stderr
    assert "emove" not in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "rules"]
