from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
import yaml

from awf.embedded.promql.parser import parse
from awf.generate.output import render_rules
from awf.wiring.evaluation import HOST, Relay, forget_surroundings
from awf.wiring.quick_rules import HOLDS, WINDOWS, write_quick_rules


def _alerts(texts: list[str]) -> dict[str, dict[str, str]]:
    groups = [group for text in texts for group in yaml.safe_load(text)["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_only_three_alerts_look_back_less_far_than_in_production(tmp_path: Path) -> None:
    folder = write_quick_rules(tmp_path / "rules", "http://127.0.0.1:8000")
    quick = _alerts([path.read_text() for path in folder.rglob("*.yaml")])
    usual = _alerts(list(render_rules("http://127.0.0.1:8000").values()))
    assert set(quick) == set(usual)
    assert {name for name in quick if quick[name] != usual[name]} == set(WINDOWS) == set(HOLDS)
    for name in WINDOWS:
        parse(quick[name]["expr"])
        assert quick[name]["annotations"] == usual[name]["annotations"]


def test_only_settings_that_are_evaluated_are_taken_over() -> None:
    environ = {
        "PATH": "/bin", "AWF_PLAYBOOK_FILE": "p.yaml", "AWF_TEST_X": "1",
        "AWF_API_PORT": "1", "AWF_DATA_DIR": "/precious", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://elsewhere",
    }  # fmt: skip
    forget_surroundings(environ)
    assert set(environ) == {"PATH", "AWF_PLAYBOOK_FILE", "AWF_TEST_X"}


async def test_a_relay_passes_on_until_it_is_closed() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    relay = await Relay.open(server.sockets[0].getsockname()[1])
    reader, writer = await asyncio.open_connection(HOST, relay.port)
    writer.write(b"telemetry")
    assert await asyncio.wait_for(reader.read(100), 10) == b"telemetry"
    await relay.aclose()
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(100), 10) == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, relay.port)
    writer.close()
    server.close()
