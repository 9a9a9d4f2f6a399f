"""`awf slo`: a copy to edit, a check that names the line, a list of what is in use."""

from __future__ import annotations

import json
from pathlib import Path

from awf.errors import ConfigError
from tests.unit.cli._program import awf


def test_a_copy_is_checked_edited_and_used(tmp_path: Path) -> None:
    made = awf(tmp_path, "slo", "init")
    assert made.returncode == 0, made.stderr
    file = tmp_path / "slos.yaml"
    assert f"AWF_SLO_FILE={file}" in made.stdout
    checked = awf(tmp_path, "slo", "check", "slos.yaml")
    assert checked.returncode == 0, checked.stderr
    assert "3 SLOs, good for" in checked.stdout
    file.write_text(file.read_text().replace("target: 0.99", "target: 0.9"))
    listed = json.loads(awf(tmp_path, "slo", "list", "--json", AWF_SLO_FILE=file).stdout)
    assert listed["file"] == str(file)
    assert listed["slos"][0] == {
        "name": "workflow-success", "objective": 0.9, "window": "30d", "group_by": ["workflow_id"],
    }  # fmt: skip


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "slos.yaml").write_text("mine\n")
    done = awf(tmp_path, "slo", "init")
    assert done.returncode == ConfigError.exit_code
    assert "slos.yaml exists" in done.stderr
    assert (tmp_path / "slos.yaml").read_text() == "mine\n"


def test_a_mistake_is_one_sentence_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: X\nspec: {}\n")
    done = awf(tmp_path, "slo", "check", "mine.yaml")
    assert done.returncode == ConfigError.exit_code
    assert done.stderr.startswith("awf: mine.yaml:4: metadata.name: is 'X'\n")
    assert "Traceback" not in done.stderr


def test_without_a_file_the_packaged_ones_are_listed(tmp_path: Path) -> None:
    done = awf(tmp_path, "slo", "list")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [
        "workflow-success", "step-latency", "agent-success",
    ]  # fmt: skip
