"""The real Grafana, where AWF_TEST_GRAFANA_HOME names one: with the repository's provisioning and compose's settings.

Nobody has run this yet: there was no Grafana on the machines where it was written.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.stack._compose import SERVICES
from tests.stack.native._programs import Program, given
from tests.stack.native._stack import REPOSITORY, Stack

PASSWORD = "the administrator of this test"
PROVISIONING = REPOSITORY / "docker/grafana/provisioning"


class RealGrafana:
    """Grafana as compose runs it. Natively its provisioning differs in two addresses: the watcher's, the secret's."""

    def __init__(
        self, stack: Stack, environ: Mapping[str, str], *, port: int, awf_url: str, secret: str
    ) -> None:
        self._folder = stack.folder / "grafana"
        self._url = f"http://127.0.0.1:{port}"
        self._environ = environ
        self.read_token, self.annotate_token = self._folder / "read-token", self._folder / "annotate-token"
        self._provision(awf_url, secret)
        home = Path(given("grafana"))
        own = {name: str(text) for name, text in SERVICES["grafana"]["environment"].items()}
        own.pop("GF_SECURITY_ADMIN_PASSWORD__FILE")  # the image's start script reads it, not Grafana
        own |= {
            "GF_SECURITY_ADMIN_PASSWORD": PASSWORD, "GF_SERVER_ROOT_URL": self._url,
            "GF_SERVER_HTTP_ADDR": "127.0.0.1", "GF_SERVER_HTTP_PORT": str(port),
            "GF_PATHS_DATA": str(self._folder / "data"), "GF_PATHS_LOGS": str(self._folder / "logs"),
            "GF_PATHS_PLUGINS": str(self._folder / "plugins"),
            "GF_PATHS_PROVISIONING": str(self._folder / "provisioning"),
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(REPOSITORY / "dashboards/awf-overview.json"),
            "MIMIR_QUERY_URL": stack.promql_url, "LOKI_QUERY_URL": stack.url("loki"),
            "TEMPO_QUERY_URL": stack.url("tempo"), "AWF_DASHBOARDS_DIR": str(REPOSITORY / "dashboards"),
        }  # fmt: skip
        command = (str(home / "bin/grafana"), "server", "--homepath", str(home))
        self.program = Program(
            "grafana", command, stack.environ | own, f"{self._url}/api/health", stack.folder / "run"
        )

    def start(self) -> None:
        """Start it, wait until it is ready, and make the service accounts as compose's bootstrap does."""
        self.program.launch()
        self.program.wait_ready(120)
        (self._folder / "password").write_text(PASSWORD)
        arguments = [
            "stack", "bootstrap", "--admin-password-file", self._folder / "password",
            "--read-token", self.read_token, "--annotate-token", self.annotate_token,
        ]  # fmt: skip
        command = [sys.executable, "-m", "awf", *map(str, arguments)]
        environ = dict(self._environ) | {"AWF_GRAFANA_URL": self._url}
        subprocess.run(command, env=environ, check=True, capture_output=True, timeout=60)

    def stop(self) -> None:
        self.program.stop()

    def annotations_tagged(self, tags: list[str]) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self._url}/api/annotations", params={"tags": tags}, auth=("admin", PASSWORD), timeout=10
        )
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def refused_webhooks(self) -> list[int]:
        """Grafana tells nobody but its log."""
        return []

    def _provision(self, awf_url: str, secret: str) -> None:
        self._folder.mkdir()
        (self._folder / "webhook-secret").write_text(secret)
        target = self._folder / "provisioning"
        shutil.copytree(PROVISIONING, target)
        for path in target.rglob("*.yaml"):
            text = path.read_text().replace("http://awf:8000", awf_url)
            path.write_text(text.replace("/run/secrets/webhook-secret", str(self._folder / "webhook-secret")))
