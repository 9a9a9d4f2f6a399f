"""What compose.yaml says of AWF's own services, run without containers: their commands, their environment, their
copies of the secrets. Host names become ports of loopback; the embedded backend stands for Alloy, the stores and
Grafana, and PostgreSQL is the real one. Grafana's accounts are not made: the embedded one knows a single token."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from awf.stack.secret_folder import read_file
from tests.e2e.product import free_ports
from tests.postgres import PASSWORD, running_postgres
from tests.stack._compose import SERVICES

if os.geteuid() != 0:
    pytest.skip("only root can hand secrets to the users of containers", allow_module_level=True)

NAMES = (
    "awf",
    "grafana",
    "mimir",
    "loki",
    "tempo",
    "alloy",
    "otlp-http",
    "mcp-grafana-read",
    "mcp-grafana-annotate",
)
INSIDE = {
    "awf": "awf:8000", "grafana": "grafana:3000", "alloy": "alloy:4317",
    "mcp-grafana-read": "mcp-grafana-read:8000", "mcp-grafana-annotate": "mcp-grafana-annotate:8000",
}  # fmt: skip


class Stack:
    """The processes of one run, below one folder."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        self.ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        self.moved = {name: f"127.0.0.1:{self.ports[service]}" for service, name in INSIDE.items()}
        self.moved["postgresql://awf@postgres:5432/awf"] = database
        self.token = f"glsa_{secrets.token_hex(16)}"
        (folder / "token").write_text(self.token)
        self._open = ExitStack()

    def close(self) -> None:
        self._open.close()

    def make_secrets(self) -> str:
        """Run the one-shot with a database password of the user's own, as compose runs it."""
        (self.secrets / "postgres-password").write_text(PASSWORD)
        command = [*SERVICES["secrets"]["command"][:3], "--folder", str(self.secrets)]
        return self._finished(command)

    def start(self, name: str, command: list[str] | None = None, **settings: object) -> None:
        """Start a service with what compose.yaml says of it; `settings` say which ports are free here."""
        service = SERVICES.get(name, {"environment": {}})
        environ = {key: self._here(name, value) for key, value in service["environment"].items()}
        environ |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self.folder)}
        environ |= {key: str(value) for key, value in settings.items()}
        words = command or [
            part.replace("0.0.0.0:8000", f"127.0.0.1:{self.ports.get(name)}") for part in service["command"]
        ]
        log = self._open.enter_context((self.folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(words, env=environ, cwd=self.folder, stdout=log, stderr=log)
        self._open.callback(process.wait, 30)
        self._open.callback(process.terminate)

    def _here(self, name: str, value: str) -> str:
        for inside, outside in self.moved.items():
            value = value.replace(inside, outside)
        value = value.replace("/run/secrets", str(self.secrets / "containers" / name))
        value = value.replace("/run/grafana/token", str(self.folder / "token"))
        return value.replace("/var/lib/awf", str(self.folder / f"{name}-data"))

    def _finished(self, command: list[str]) -> str:
        program = Path(sys.executable).parent / command[0]
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, cwd=self.folder, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def awf(self, path: str) -> httpx.Response | None:
        """Ask the API as the administrator; None while it does not answer."""
        headers = {"Authorization": f"Bearer {read_file(self.secrets / 'admin-token')}"}
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports['awf']}{path}", headers=headers, timeout=10)
        except httpx.HTTPError:
            return None

    def annotations(self) -> list[Any]:
        url = f"http://127.0.0.1:{self.ports['grafana']}/api/annotations"
        return list(httpx.get(url, params={"tags": ["awf", "remediation"]}, timeout=10).json())

    def wait(self, path: str, is_right: Any) -> Any:
        for _ in range(720):
            answer = self.awf(path)
            if answer is not None and is_right(answer):
                return answer.json()
            time.sleep(0.25)
        logs = "".join(f"--- {log.name}\n{log.read_text()[-1500:]}" for log in self.folder.glob("*.log"))
        raise AssertionError(f"{path} says {answer.text if answer is not None else 'nothing'}\n{logs}")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with (
        running_postgres() as postgres,
        closing(Stack(tmp_path, postgres.new_database())) as running,
    ):
        yield running


def test_the_services_of_compose_find_and_trust_one_another(stack: Stack) -> None:
    said = stack.make_secrets()
    assert PASSWORD not in said
    assert read_file(stack.secrets / "admin-token") in said
    backend: Mapping[str, object] = {
        "AWF_GRAFANA_PORT": stack.ports["grafana"], "AWF_MIMIR_PORT": stack.ports["mimir"],
        "AWF_LOKI_PORT": stack.ports["loki"], "AWF_TEMPO_PORT": stack.ports["tempo"],
        "AWF_OTLP_GRPC_PORT": stack.ports["alloy"], "AWF_OTLP_HTTP_PORT": stack.ports["otlp-http"],
        "AWF_DATA_DIR": stack.folder / "embedded", "AWF_GRAFANA_TOKEN": stack.token,
        "AWF_API_URL": f"http://127.0.0.1:{stack.ports['awf']}",
        "AWF_WEBHOOK_SECRET_FILE": stack.secrets / "containers/grafana/webhook-secret",
    }  # fmt: skip
    stack.start("embedded", ["awf", "embedded"], **backend)
    stack.start("mcp-grafana-read")
    stack.start("mcp-grafana-annotate")
    where: Mapping[str, object] = {
        "AWF_HOST": "127.0.0.1",
        "AWF_API_PORT": stack.ports["awf"],
        "AWF_SETTLE_S": 2,
    }
    stack.start("awf", **where, AWF_API_URL=f"http://127.0.0.1:{stack.ports['awf']}")
    ready = stack.wait("/readyz", lambda answer: answer.status_code == 200)
    assert ready["not_ready"] == []
    stack.start("demo", AWF_DEMO_FAULTS="agent_errors:5", AWF_DEMO_RATE="2")
    listed = stack.wait("/executions?limit=5", lambda answer: len(answer.json().get("items", ())) >= 5)
    assert {each["workflow_id"] for each in listed["items"]}
    # The whole way: telemetry -> rule -> signed webhook -> both MCP servers -> an order to the demo's engine.
    stack.wait("/incidents", _is_repaired)
    stack.wait("/readyz", lambda _: stack.annotations())


def _is_repaired(answer: httpx.Response) -> bool:
    """Whether the fault was answered; a busy machine may also be short of workers, which is another incident."""
    actions = [each["action"] for each in answer.json().get("items", ())]
    return any(action and action["name"] == "switch_fallback" for action in actions)
