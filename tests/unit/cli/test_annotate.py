"""`awf annotate deployment`, against a server that answers as Grafana's API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from awf.errors import ConfigError, DataDirError, InvalidInput
from tests.unit.cli._program import HOST, awf

TOKEN = "glsa_example"


class _Server(ThreadingHTTPServer):
    """Takes annotations with the right token, and keeps them."""

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.taken: list[dict[str, object]] = []

    @property
    def settings(self) -> dict[str, object]:
        return {"AWF_GRAFANA_URL": f"http://{HOST}:{self.server_port}", "AWF_GRAFANA_TOKEN": TOKEN}


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Invalid API key"})
            return
        self.server.taken.append(sent)
        self._answer(200, {"message": "Annotation added", "id": 7})

    def _answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def grafana() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_a_deployment_is_marked_with_the_tags_that_dashboards_look_for(
    grafana: _Server, tmp_path: Path
) -> None:
    command = ("annotate", "deployment", "billing 1.4", "--tag", "billing")
    done = awf(tmp_path, *command, **grafana.settings)
    assert (done.returncode, done.stdout) == (0, "Marked in Grafana as annotation 7.\n"), done.stderr
    assert grafana.taken == [{"text": "billing 1.4", "tags": ["awf", "deployment", "billing"]}]
    said = json.loads(awf(tmp_path, *command, "--json", **grafana.settings).stdout)
    assert said == {"id": 7, "text": "billing 1.4", "tags": ["awf", "deployment", "billing"]}


@pytest.mark.parametrize("arguments", [("",), ("  ",), ("billing", "--tag", "")])
def test_a_mark_that_says_nothing_is_refused_before_it_is_sent(
    arguments: tuple[str, ...], grafana: _Server, tmp_path: Path
) -> None:
    done = awf(tmp_path, "annotate", "deployment", *arguments, **grafana.settings)
    assert done.returncode == InvalidInput.exit_code
    assert "is empty" in done.stderr
    assert grafana.taken == []


def test_what_grafana_says_is_told_as_a_sentence_with_the_setting_to_mend(
    grafana: _Server, tmp_path: Path
) -> None:
    refused = awf(tmp_path, "annotate", "deployment", "x", **grafana.settings | {"AWF_GRAFANA_TOKEN": "old"})
    assert refused.stderr.startswith(
        f"awf: Grafana at http://{HOST}:{grafana.server_port} refuses: Invalid API"
    )
    broken = awf(tmp_path, "annotate", "deployment", "x", **grafana.settings | {"AWF_GRAFANA_TOKEN": "a\nb"})
    assert broken.returncode == ConfigError.exit_code
    assert "Set AWF_GRAFANA_TOKEN to the token" in broken.stderr


def test_a_data_directory_of_another_user_is_told_with_the_setting_that_helps(tmp_path: Path) -> None:
    (tmp_path / "data/grafana-token").mkdir(parents=True)  # what root cannot read either
    done = awf(tmp_path, "annotate", "deployment", "x")
    assert done.returncode == DataDirError.exit_code
    assert done.stderr.startswith(f"awf: {tmp_path}/data/grafana-token cannot be read")
    assert "AWF_GRAFANA_TOKEN" in done.stderr
