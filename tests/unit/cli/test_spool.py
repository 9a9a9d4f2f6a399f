"""`awf spool`: what waits is shown, and what dead processes left is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from awf.orchestration.otel_exporter import OTelExporter
from tests.collector import Collector, Refusal
from tests.unit.cli._program import awf
from tests.unit.orchestration.telemetry._events import completed


@pytest.fixture
async def left_behind(tmp_path: Path) -> Path:
    """Return a spool directory in which ten events wait and nobody works."""
    directory = tmp_path / "data" / "spool"
    exporter = OTelExporter("http://127.0.0.1:1", spool=directory, service_name="web")
    for event in completed("x1"):
        assert exporter.record(event)
    await exporter.shutdown(0.1)
    return directory


async def test_what_waits_is_shown_also_of_a_process_that_lives(tmp_path: Path, left_behind: Path) -> None:
    living = OTelExporter("http://127.0.0.1:1", spool=left_behind, service_name="worker")
    shown = json.loads(awf(tmp_path, "spool", "--json").stdout)
    assert [(i["service"], i["events"], i["is_live"]) for i in shown["items"]] == [
        ("web", 10, False),
        ("worker", 0, True),
    ]
    assert shown["items"][0]["oldest"].endswith("Z")
    text = awf(tmp_path, "spool", "inspect").stdout
    assert "web" in text
    assert "10 events" in text
    assert "left behind" in text
    await living.shutdown(0.1)


async def test_draining_sends_what_waits_as_its_process_would_have(tmp_path: Path, left_behind: Path) -> None:
    with Collector() as collector:
        done = awf(tmp_path, "spool", "drain", "--endpoint", collector.url)
        assert (done.returncode, done.stdout) == (0, "10 sent, 0 left.\n")
        assert (len(collector.spans), len(collector.logs)) == (5, 10)
        assert {resource["service.name"] for resource in collector.resources} == {"web"}
        assert collector.values("awf_workflow_total")["report", "completed"] == 1
        assert "10 of 10 events sent" in done.stderr
    assert list(left_behind.iterdir()) == []
    assert awf(tmp_path, "spool").stdout == f"No events wait in {left_behind}.\n"


async def test_draining_into_nothing_leaves_everything_and_says_why(
    tmp_path: Path, left_behind: Path
) -> None:
    done = awf(tmp_path, "spool", "drain", "--endpoint", "http://127.0.0.1:1", "--limit", "1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"sent": 0, "left": 10, "problems": ["unreachable"]}
    assert json.loads(awf(tmp_path, "spool", "--json").stdout)["items"][0]["events"] == 10


async def test_what_was_set_aside_is_sent_once_the_collector_takes_it(
    tmp_path: Path, left_behind: Path
) -> None:
    with Collector(rule=lambda signal, request: Refusal(400) if signal == "logs" else None) as collector:
        assert awf(tmp_path, "spool", "drain", "--endpoint", collector.url).returncode == 0
        assert (len(collector.spans), len(collector.logs)) == (5, 0)
        assert json.loads(awf(tmp_path, "spool", "--json").stdout)["items"][0]["set_aside"] == 10
        again = awf(tmp_path, "spool", "drain", "--set-aside", "--endpoint", collector.url, "--json")
        assert json.loads(again.stdout) == {"sent": 0, "left": 10, "problems": ["rejected"]}
        collector.rule = lambda signal, request: None
        done = awf(tmp_path, "spool", "drain", "--set-aside", "--endpoint", collector.url)
        assert done.stdout == "10 sent, 0 left.\n"
        assert len(collector.logs) == 10


def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    done = awf(tmp_path, "spool", "--dir", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "nowhere is no directory" in done.stderr
