"""The command lines of compose.yaml, run: what can be had of the programs here is the real thing."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import yaml

from tests.stack._compose import ROOT, SERVICES

DOCS = (ROOT / "docs/deploying-with-grafana.md").read_text(encoding="utf-8")
INITIALIZE = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def mcp_server(name: str, folder: Path, token: str | None = "s3cret-token") -> Iterator[tuple[str, str]]:
    """Run a service's own command with its own environment; only address and files are of this machine."""
    service, port = SERVICES[name], free_port()
    token_file = folder / "token"
    if token is not None:
        token_file.write_text(f"{token}\n")
    environ = service["environment"] | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GRAFANA_URL": "http://127.0.0.1:9",
        "GRAFANA_SERVICE_ACCOUNT_TOKEN_FILE": str(folder / "grafana"),
        "SERVER_TOKEN_FILE": str(token_file),
    }
    command = [part.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for part in service["command"]]
    with subprocess.Popen(command, env=environ, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            base = f"http://127.0.0.1:{port}"
            _wait(base, process)
            yield base, service["environment"]["ALLOWED_HOSTS"].split(",")[0]
        finally:
            process.terminate()


def _wait(base: str, process: subprocess.Popen[str]) -> None:
    for _ in range(400):
        if process.poll() is not None:
            raise AssertionError(process.stderr.read() if process.stderr else "")
        try:
            httpx.get(f"{base}/healthz")
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("mcp-grafana did not start")


def _post(base: str, body: object, *, host: str, token: str = "") -> httpx.Response:
    headers = {"Host": host, "Accept": "application/json, text/event-stream"}
    return httpx.post(
        f"{base}/mcp", json=body, headers=headers | ({"Authorization": f"Bearer {token}"} if token else {})
    )


@pytest.mark.parametrize("name", ["mcp-grafana-read", "mcp-grafana-annotate"])
def test_an_mcp_server_answers_to_its_token_and_its_name_only(name: str, tmp_path: Path) -> None:
    with mcp_server(name, tmp_path) as (base, host):
        assert host == f"{name}:8000"
        assert _post(base, INITIALIZE, host=host, token="s3cret-token").status_code == 200
        assert _post(base, INITIALIZE, host=host).status_code == 401
        assert _post(base, INITIALIZE, host=host, token="another").status_code == 401
        assert _post(base, INITIALIZE, host="attacker.example:8000", token="s3cret-token").status_code == 403


def test_the_health_check_of_an_mcp_server_passes_its_check_of_names(tmp_path: Path) -> None:
    with mcp_server("mcp-grafana-read", tmp_path) as (base, _):
        assert httpx.get(f"{base}/healthz", headers={"Host": "127.0.0.1:8000"}).status_code == 200
    assert "http://127.0.0.1:8000/healthz" in SERVICES["mcp-grafana-read"]["healthcheck"]["test"][-1]


def test_the_half_that_reads_cannot_write_and_the_other_only_annotates(tmp_path: Path) -> None:
    tools = {}
    for name in ("mcp-grafana-read", "mcp-grafana-annotate"):
        with mcp_server(name, tmp_path) as (base, host):
            listed = _post(base, LIST, host=host, token="s3cret-token").json()["result"]["tools"]
            tools[name] = {tool["name"] for tool in listed}
    assert not [
        name for name in tools["mcp-grafana-read"] if re.match("create|update|delete|grafana_api", name)
    ]
    assert {"query_prometheus", "query_loki_logs", "search_tempo_traces"} <= tools["mcp-grafana-read"]
    assert "create_annotation" in tools["mcp-grafana-annotate"]
    assert all("annotation" in name for name in tools["mcp-grafana-annotate"])


def test_an_mcp_server_without_its_token_does_not_start_open_to_everybody(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="No such file"),
        mcp_server("mcp-grafana-read", tmp_path, token=None),
    ):
        pass


class Alloy(BaseHTTPRequestHandler):
    """Answers as Alloy's /-/ready does."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/-/ready" else 404)
        self.end_headers()
        self.wfile.write(b"Alloy is ready.\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("status", "is_healthy"), [(200, True), (503, False)])
def test_the_health_check_of_alloy_needs_bash_only_and_tells_ready_from_not_ready(
    status: int, is_healthy: bool
) -> None:
    handler = type("Handler", (Alloy,), {"status": status})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        assert (_alloy_check(server.server_address[1]) == 0) is is_healthy
    finally:
        server.shutdown()
        server.server_close()
    assert _alloy_check(free_port()) != 0


def _alloy_check(port: int) -> int:
    how, shell, option, script = SERVICES["alloy"]["healthcheck"]["test"]
    assert (how, shell, option) == ("CMD", "/bin/bash", "-c")
    command = [shutil.which("bash") or shell, option, script.replace("12345", str(port))]
    return subprocess.run(command, env={"PATH": "/nonexistent"}, capture_output=True, timeout=20).returncode


@pytest.mark.parametrize("name", ["loki", "tempo"])
def test_the_health_check_of_a_store_is_a_flag_that_its_program_has(name: str, tmp_path: Path) -> None:
    variable = f"AWF_TEST_{name.upper()}_BIN"
    program = os.environ.get(variable)
    if not program:
        pytest.skip(f"set {variable} to the real {name}")
    how, path, *flags = SERVICES[name]["healthcheck"]["test"]
    assert (how, Path(path).name) == ("CMD", name)
    done = subprocess.run([program, *flags], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode in {0, 1}  # whether one is ready on its usual port of this machine
    assert "flag provided but not defined" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "block", re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL), ids=lambda text: text.split("\n")[1].strip()
)
def test_an_override_of_the_docs_is_valid_and_names_services_that_exist(block: str, tmp_path: Path) -> None:
    document = yaml.safe_load(block)
    assert set(document["services"]) <= set(SERVICES)
    path = tmp_path / "compose.override.yaml"
    path.write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    for service in document["services"].values():
        for each in service.get("volumes", ()):
            source = each.split(":")[0]
            assert (ROOT / source).exists() or source in {"./workflows", "./certs"}
