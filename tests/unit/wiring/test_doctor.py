"""The doctor looks at everything and says what to do; nothing that is wrong stops it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from awf.settings import load
from awf.wiring.doctor import Finding, examine
from awf.wiring.secrets import WEBHOOK, read_or_make
from tests.unit.cli._program import HOST, awf, free_ports
from tests.unit.cli._server import serving

NAMES = ["data directory", "mcp-grafana", "webhook secret", "API", "Grafana"]


async def _examine(tmp_path: Path, **changes: Any) -> dict[str, Finding]:
    ports = {name.removeprefix("AWF_").lower(): port for name, port in free_ports().items()}
    found = await examine(load(**{"host": HOST, "data_dir": tmp_path / "data", **ports, **changes}))
    assert [finding.what for finding in found] == NAMES
    return {finding.what: finding for finding in found}


def _program(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


async def test_on_a_fresh_machine_it_names_what_to_start_and_what_to_set(tmp_path: Path) -> None:
    found = await _examine(tmp_path)
    assert found["data directory"].ok
    assert "made at the first start" in found["data directory"].detail
    assert found["mcp-grafana"].ok
    for what in ("webhook secret", "API", "Grafana"):
        assert not found[what].ok
        assert found[what].hint


async def test_what_is_there_is_ok(tmp_path: Path) -> None:
    read_or_make(tmp_path / "data", WEBHOOK)
    async with serving() as server:
        found = await _examine(tmp_path, api_port=server.port)
    assert found["webhook secret"].ok
    assert (found["API"].ok, found["API"].detail) == (True, server.url)


@pytest.mark.parametrize("is_executable", [True, False])
async def test_a_file_is_no_data_directory(is_executable: bool, tmp_path: Path) -> None:
    file = _program(tmp_path / "file", "", 0o755 if is_executable else 0o644)
    finding = (await _examine(tmp_path, data_dir=file))["data directory"]
    assert (finding.ok, finding.detail) == (False, f"{file} is not a writable directory")
    assert "AWF_DATA_DIR" in finding.hint


async def test_a_program_that_is_not_there_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    finding = (await _examine(tmp_path, mcp_grafana="no-such-program"))["mcp-grafana"]
    assert not finding.ok
    assert "'no-such-program' (AWF_MCP_GRAFANA) was not found" in finding.detail
    assert "pip install" in finding.hint


@pytest.mark.parametrize(
    ("text", "mode", "detail"),
    [
        ("#!/bin/sh\necho 2.0.0\n", 0o755, "is 2.0.0, expected 2.1.1"),
        ("#!/bin/sh\n", 0o755, "is silent about its version, expected 2.1.1"),
        ("#!/bin/sh\necho 2.1.1\n", 0o644, "cannot be run: Permission denied"),
        ("not a program", 0o755, "cannot be run: Exec format error"),
    ],
    ids=["another version", "no version", "not executable", "no program"],
)
async def test_a_program_that_will_not_do_is_named_with_the_reason(
    text: str, mode: int, detail: str, tmp_path: Path
) -> None:
    program = _program(tmp_path / "mcp", text, mode)
    finding = (await _examine(tmp_path, mcp_grafana=program))["mcp-grafana"]
    assert (finding.ok, finding.detail) == (False, f"{program} {detail}")
    assert finding.hint


async def test_a_server_that_answers_but_is_not_ready_is_named_with_what_it_says(tmp_path: Path) -> None:
    async with serving() as server:  # the API knows nothing of Grafana's health
        finding = (await _examine(tmp_path, grafana_url=server.url))["Grafana"]
    assert not finding.ok
    assert finding.detail.startswith(f"{server.url}/api/health answers 40")


def test_the_command_exits_with_one_and_shows_the_same_to_a_machine(tmp_path: Path) -> None:
    settings = {"AWF_HOST": HOST, **free_ports()}
    done = awf(tmp_path, "doctor", "--json", **settings)
    assert (done.returncode, done.stderr) == (1, "")
    assert [finding["what"] for finding in json.loads(done.stdout)] == NAMES
    shown = awf(tmp_path, "doctor", **settings).stdout.splitlines()
    assert [line.split()[0] for line in shown if line[0] != " "] == ["ok", "ok", "FAIL", "FAIL", "FAIL"]
