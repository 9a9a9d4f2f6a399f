"""How an exporter begins and ends: what it holds, and for how long, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from awf.core import semconv
from awf.errors import DataDirError
from awf.orchestration.engine import EngineSnapshot
from awf.orchestration.otel_exporter import OTelExporter
from awf.orchestration.spool_lanes import is_held
from tests.collector import Collector

from ._events import completed
from .test_exporter import record, until

NOWHERE = "http://127.0.0.1:1"


def test_a_fork_after_the_end_closes_no_file_of_the_programs_own(tmp_path: Path) -> None:
    program = """
        import asyncio, os, sys
        from awf.orchestration.otel_exporter import OTelExporter
        exporter = OTelExporter("http://127.0.0.1:1", protocol="http/protobuf", spool=sys.argv[1])
        asyncio.run(exporter.shutdown(0.1))
        files = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
        child = os.fork()
        if child == 0:
            os._exit(len(files) - sum(os.path.exists(f"/proc/self/fd/{file}") for file in files))
        print("closed:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout.strip() == "closed: 0"
    assert "Error" not in done.stderr


def test_a_start_that_fails_holds_no_lane(tmp_path: Path) -> None:
    (tmp_path / "0001" / "cursor").mkdir(parents=True)
    with pytest.raises(DataDirError, match="cannot be used"):
        OTelExporter(NOWHERE, spool=tmp_path)
    assert not is_held(tmp_path / "0001")


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_lane_is_let_go_when_the_request_under_way_at_the_end_is_over(
    protocol: str, tmp_path: Path
) -> None:
    with Collector(protocol, delay_s=1.5) as collector:
        exporter = OTelExporter(collector.url, protocol=protocol, spool=tmp_path)
        record(exporter, completed("x1"))
        await until(lambda: collector.requests)
        await exporter.shutdown(0.1)
        await until(lambda: not is_held(tmp_path / "0001"))


async def test_a_shutdown_that_is_cancelled_lets_go_as_well(tmp_path: Path) -> None:
    with Collector(delay_s=1.0) as collector:
        exporter = OTelExporter(collector.url, spool=tmp_path)
        record(exporter, completed("x1"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(exporter.shutdown(10.0), 0.1)
        await until(lambda: not is_held(tmp_path / "0001"))


async def test_a_probe_that_fails_costs_its_own_gauges_only() -> None:
    def broken() -> EngineSnapshot:
        raise RuntimeError("Set changed size during iteration")

    with Collector() as collector:
        exporter = OTelExporter(collector.url)
        exporter.watch(broken)
        await until(lambda: semconv.SPOOL_EVENTS in collector.metrics)
        record(exporter, completed("x1"))
        assert await exporter.flush()
        await exporter.shutdown()
    assert semconv.EXECUTIONS_ACTIVE not in collector.metrics


def test_without_forks_there_is_nothing_to_prepare_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork")
    exporter = OTelExporter(NOWHERE)
    record(exporter, completed("x1"))
    asyncio.run(exporter.shutdown(0.1))


async def test_a_host_that_is_no_name_keeps_the_events_waiting(tmp_path: Path) -> None:
    exporter = OTelExporter(f"http://{'a' * 70}.example:4318", protocol="http/protobuf", spool=tmp_path)
    record(exporter, completed("x1"))
    await until(lambda: exporter.counters.get(semconv.EXPORT_RETRIES, signal="traces", reason="unreachable"))
    await exporter.shutdown(0.1)
    assert exporter.waiting.events == 10
