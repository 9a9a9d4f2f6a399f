"""`awf channels`, and the file that it reads: secrets from files, mistakes named without showing them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.unit.cli._program import awf


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serve an address that takes everything; return it and what came."""
    came: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", came
    server.shutdown()
    server.server_close()


def test_channels_are_listed_and_tested(tmp_path: Path, hook: tuple[str, list[dict[str, str]]]) -> None:
    address, came = hook
    (tmp_path / "address").write_text(address)
    file = tmp_path / "channels.yaml"
    file.write_text(
        f"channels:\n- {{type: webhook, url_file: {tmp_path / 'address'}, kinds: [asked]}}\n"
        "- {name: ops, type: email, host: 127.0.0.1, port: 1, sender: a@b.c, to: [d@e.f], severities: [critical]}\n"
    )
    listed = json.loads(awf(tmp_path, "channels", "--json", AWF_CHANNELS_FILE=file).stdout)["items"]
    assert [(each["name"], each["kinds"], each["severities"]) for each in listed] == [
        ("log", ["asked", "ended", "told"], []), ("webhook", ["asked"], []),
        ("ops", ["asked", "ended", "told"], ["critical"]),
    ]  # fmt: skip
    told = awf(tmp_path, "channels", "test", AWF_CHANNELS_FILE=file)
    assert told.returncode == 1
    assert [line.split()[:2] for line in told.stdout.splitlines()][:2] == [
        ["log", "taken"],
        ["webhook", "taken"],
    ]
    assert "did not take it" in told.stdout
    assert [each["title"] for each in came] == ["AWF test"]
    assert awf(tmp_path, "channels", "test", "webhook", AWF_CHANNELS_FILE=file).returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("channels: [{type: pager}]", "channel pager: there is no type 'pager'"),
        ("channels: [{name: x, type: slack, token: s3cret}]", "channel x: Slack needs token and channel"),
        ("channels: [{type: webhook, url: 'https://x/', secret: 's3cret!'}]", "not Base64"),
        (
            "channels: [{type: webhook, url: 'https://x/', scret: s3cret}]",
            "channel webhook: scret: Extra inputs",
        ),
        ("channels: [{type: email, host: h, sender: a@b.c, to: [], password: s3cret}]", "channel email: to:"),
        (
            "channels: [{type: pagerduty, routing_key_file: /nowhere/s}]",
            "routing_key_file /nowhere/s cannot be read",
        ),
        ("channels: [{type: log, kinds: [everything]}]", "channel log: kinds"),
        (
            "channels: [{name: x, type: log, severities: [critcal]}]",
            "channel x: severities: Value error, there is no severity 'critcal' (critical, error, warning, info, none)",
        ),
        (
            "channels: [{type: slack, webhook_url: 'https://x/s3cret', people: {U1: ana}}]",
            "channel slack: buttons in Slack need both signing_secret and people",
        ),
        (
            "channels: [{type: slack, webhook_url: 'https://x/', signing_secret: s3cret}]",
            "channel slack: buttons in Slack need both signing_secret and people",
        ),
        ("channels: [{type: apprise, url: 'nosuch://s3cret'}]", "channel apprise: the url is no address"),
        ("channels: [{type: log}]", "two channels are named 'log'"),
        ("channels: [7]", "channel 1:"),
        ("channels: {}", "no list `channels`"),
        ("channels: [", "not YAML"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_without_the_secret(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text(text)
    told = awf(tmp_path, "channels", AWF_CHANNELS_FILE=file)
    assert told.returncode == 2
    assert said in told.stderr
    assert "s3cret" not in told.stderr
    assert "Traceback" not in told.stderr
