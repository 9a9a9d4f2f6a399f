"""Each program says of its own file that it is right, with compose's defaults: nothing in the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack.native._programs import given, require
from tests.stack.native._stack import REPOSITORY

PLAIN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
ALLOY_FILES = sorted((REPOSITORY / "alloy").glob("*.alloy"))


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [given(name), *arguments]
    return subprocess.run(command, env=PLAIN, capture_output=True, text=True, timeout=120, check=False)


def test_loki_takes_its_file() -> None:
    require("loki")
    config = REPOSITORY / "docker/loki/loki.yaml"
    found = _run("loki", f"-config.file={config}", "-config.expand-env=true", "-verify-config")
    assert found.returncode == 0, found.stderr


def test_tempo_takes_its_file_and_warns_of_nothing_but_its_mcp_server() -> None:
    require("tempo")
    config = REPOSITORY / "docker/tempo/tempo.yaml"
    found = _run("tempo", f"-config.file={config}", "-config.expand-env=true", "-config.verify=true")
    # It ends with 1 when it has so much as a warning.
    said = [
        line for line in (found.stdout + found.stderr).splitlines() if "CONFIGURATION WARNINGS" not in line
    ]
    assert [line for line in said if "MCPServer.Enabled" not in line] == []


def test_mimir_takes_its_file() -> None:
    require("mimir")
    config = REPOSITORY / "docker/mimir/mimir.yaml"
    found = _run("mimir", f"-config.file={config}", "-config.expand-env=true", "-modules")
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("path", ALLOY_FILES, ids=lambda path: path.name)
def test_alloy_files_are_formatted_and_valid(path: Path, tmp_path: Path) -> None:
    require("alloy")
    formatted = _run("alloy", "fmt", str(path))
    assert formatted.returncode == 0, formatted.stderr
    assert formatted.stdout == path.read_text(), "run `alloy fmt -w` on it"
    for each in {path, REPOSITORY / "alloy/config.alloy"}:
        shutil.copy(each, tmp_path)
    found = _run("alloy", "validate", "--stability.level=public-preview", str(tmp_path))
    assert found.returncode == 0, found.stderr
