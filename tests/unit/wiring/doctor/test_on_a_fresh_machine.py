"""Where nothing runs yet the doctor looks at everything and says what to do; nothing that is wrong stops it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from awf.settings import load
from awf.wiring.doctor import Finding, Status, examine
from awf.wiring.secrets import WEBHOOK, read_or_make
from tests.unit.cli._program import HOST, awf, free_ports
from tests.unit.cli._server import serving


async def _examine(tmp_path: Path, *areas: str, **changes: Any) -> dict[str, Finding]:
    ports = {name.removeprefix("AWF_").lower(): port for name, port in free_ports().items()}
    settings = load(**{"host": HOST, "data_dir": tmp_path / "data", **ports, **changes})
    report = await examine(settings, only=areas, timeout_s=1.0)
    return {finding.what: finding for finding in report.findings}


def _program(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


async def test_it_names_what_to_start_and_what_to_set_and_skips_the_rest(tmp_path: Path) -> None:
    found = await _examine(tmp_path)
    assert found["data directory"].status is Status.OK
    assert "made at the first start" in found["data directory"].detail
    assert found["mcp-grafana"].status is Status.OK
    for what in ("webhook secret", "API", "Grafana", "OTLP endpoint"):
        assert found[what].status is Status.FAIL
        assert found[what].hint
    assert "nothing listens there" in found["Grafana"].detail
    assert found["datasources"].status is Status.SKIP
    assert found["datasources"].detail == "needs: Grafana"


async def test_what_is_there_is_ok(tmp_path: Path) -> None:
    read_or_make(tmp_path / "data", WEBHOOK)
    async with serving() as server:
        found = await _examine(tmp_path, "settings", "service", api_port=server.port, token=server.token)
    assert found["webhook secret"].status is Status.OK
    assert (found["API"].status, found["API"].detail) == (Status.OK, server.url)
    assert found["API token"].detail == "accepted, role admin (AWF_TOKEN)"


async def test_a_token_is_told_by_what_it_may(tmp_path: Path) -> None:
    async with serving() as server:
        viewer, worker = (
            await server.state.tokens.create("eve", "viewer"),
            await server.state.tokens.create("w", "worker"),
        )
        found = {}
        for token in (viewer, worker, "made-up"):
            found[token] = (await _examine(tmp_path, "service", api_port=server.port, token=token))[
                "API token"
            ]
    assert found[viewer].detail == "accepted, role viewer (AWF_TOKEN)"
    assert (found[worker].status, "role worker" in found[worker].detail) == (Status.WARN, True)
    assert (found["made-up"].status, "is refused" in found["made-up"].detail) == (Status.FAIL, True)


@pytest.mark.parametrize("is_executable", [True, False])
async def test_a_file_is_no_data_directory(is_executable: bool, tmp_path: Path) -> None:
    file = _program(tmp_path / "file", "", 0o755 if is_executable else 0o644)
    finding = (await _examine(tmp_path, "settings", data_dir=file))["data directory"]
    assert (finding.status, finding.detail) == (Status.FAIL, f"{file} is not a writable directory")
    assert "AWF_DATA_DIR" in finding.hint


async def test_a_program_that_is_not_there_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    finding = (await _examine(tmp_path, "settings", mcp_grafana="no-such-program"))["mcp-grafana"]
    assert finding.status is Status.FAIL
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
    finding = (await _examine(tmp_path, "settings", mcp_grafana=program))["mcp-grafana"]
    assert (finding.status, finding.detail) == (Status.FAIL, f"{program} {detail}")
    assert finding.hint


async def test_a_server_that_is_another_is_named(tmp_path: Path) -> None:
    async with serving() as server:  # the API knows nothing of Grafana's health
        finding = (await _examine(tmp_path, "grafana", grafana_url=server.url))["Grafana"]
    assert finding.status is Status.FAIL
    assert finding.detail.startswith("/api/health answers 40")


@pytest.mark.parametrize(
    ("environ", "status", "words"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://alloy:4318"},
            Status.WARN,
            "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://alloy:4317",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            Status.WARN,
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://alloy:4317", "HTTPS_PROXY": "http://proxy:3128"},
            Status.WARN,
            "add alloy to NO_PROXY",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://alloy:4317",
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=x",
            },
            Status.WARN,
            "unencrypted",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://alloy"}, Status.WARN, "no port"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "alloy:70000"}, Status.FAIL, "http://collector:4317"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://alloy:4317"}, Status.OK, ""),
    ],
)
async def test_pitfalls_of_the_otlp_address_show_before_anything_is_sent(
    environ: dict[str, str], status: Status, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    finding = (await _examine(tmp_path, "settings"))["OTLP settings"]
    assert finding.status is status
    assert words in finding.hint


def test_the_command_exits_with_one_and_shows_the_same_to_a_machine(tmp_path: Path) -> None:
    settings = {"AWF_HOST": HOST, **free_ports()}
    done = awf(tmp_path, "doctor", "--json", "--only", "grafana", **settings)
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert report["status"] == "fail"
    assert report["counts"] == {"ok": 0, "warn": 0, "fail": 1, "skip": 1}
    assert [sorted(finding) for finding in report["findings"]] == [
        ["area", "check", "detail", "hint", "items", "status", "took_s", "what"]
    ] * 2
    shown = awf(tmp_path, "doctor", "--only", "grafana", **settings).stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["grafana", "FAIL", "->", "skip", "0"]


@pytest.mark.parametrize(
    "arguments",
    [("--only", "nothing"), ("--timeout", "0"), ("--timeout", "soon")],
    ids=lambda value: " ".join(value),
)
def test_a_wrong_argument_is_refused(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = awf(tmp_path, "doctor", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


async def test_a_secret_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    found = await _examine(
        tmp_path, "settings", grafana_token_file=tmp_path / "none", webhook_secret_file=tmp_path / "no"
    )
    for what, setting in (("Grafana's token", "GRAFANA_TOKEN"), ("webhook secret", "WEBHOOK_SECRET")):
        assert found[what].status is Status.FAIL
        assert f"AWF_{setting}_FILE" in found[what].detail
