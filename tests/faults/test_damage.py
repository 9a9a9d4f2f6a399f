"""Spools whose files were damaged: the next start takes what can be read, says what cannot, and never raises."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from awf.core import semconv
from awf.core.counters import Counters
from awf.core.redact import Redactor
from awf.orchestration import _segments as segments
from awf.orchestration import spool_lanes
from awf.orchestration.otel_exporter import OTelExporter
from awf.orchestration.spool import Spool
from awf.orchestration.telemetry import record
from awf.orchestration.telemetry.aggregate import MetricState
from awf.orchestration.telemetry.assembly import Destination
from awf.orchestration.telemetry.endpoints import endpoints_from
from awf.orchestration.telemetry.record import RecordWriter
from awf.orchestration.telemetry.snapshot import Snapshots
from awf.orchestration.telemetry.spans import SpanBuilder
from awf.wiring.spools import drain_spools
from tests.collector import Collector
from tests.unit.orchestration.telemetry._events import completed

from ._harness import by_form

EVENTS_PER_EXECUTION = 6


@dataclass
class Left:
    """A spool that a process left behind, and where in its files each event is."""

    lane: Path
    places: dict[str, tuple[Path, int, int]]  # execution and number of its event -> file, first and last byte
    waiting: set[str]

    def lose(self, path: Path, first: int, last: int) -> None:
        """Take note that these bytes are no longer what they were."""
        for name, (where, begin, end) in self.places.items():
            if where == path and begin <= last and end >= first:
                self.waiting.discard(name)


def leave_behind(directory: Path, executions: int, chance: random.Random) -> Left:
    """Make a spool of small segments, a part of it acknowledged, with cursor and snapshot as they should be."""
    lane = spool_lanes.claim(directory, {"service.name": "engine", "service.instance.id": "i1"})
    counters = Counters()
    writer, state, spans = RecordWriter(Redactor(), counters), MetricState(counters), SpanBuilder()
    spool = Spool(lane.folder, segment_bytes=8000)
    payloads, places = {}, {}
    for number in range(executions):
        for index, event in enumerate(completed(f"x{number}", steps=1)):
            payload = writer.write(event)
            spool.append(payload)
            base = segments.bases(lane.folder)[-1]
            end = spool.end - base
            places[f"x{number}.{index}"] = (
                segments.path_of(lane.folder, base), end - len(payload) - segments.HEADER.size, end - 1,
            )  # fmt: skip
            payloads[f"x{number}.{index}"] = payload
    done = spool.read(0, max_events=chance.randrange(1, 20))
    for it in record.read(done.payloads):
        state.add(it)
        list(spans.add(it))
    spool.acknowledge(done.end, len(done.payloads))
    Snapshots(lane.folder).save(done.end, state, spans)
    spool.close()
    lane.release()
    return Left(lane.folder, places, set(list(payloads)[len(done.payloads) :]))


def damage(left: Left, chance: random.Random) -> str:
    """Do one kind of harm to the spool."""
    path = chance.choice(
        [it for it in sorted(left.lane.glob("*.segment")) if it.stat().st_size] or [left.lane]
    )
    kind = chance.choice(
        ["flip", "flip", "flip", "zeros", "cut", "empty", "delete", "cursor", "snapshot", "lane", "alien"]
    )
    size = path.stat().st_size if path.is_file() else 0
    if kind in {"flip", "zeros"} and size > 8:
        at, length = chance.randrange(size), 1 if kind == "flip" else chance.randrange(1, 600)
        content = bytearray(path.read_bytes())
        content[at : at + length] = (
            bytes(length) if kind == "zeros" else bytes([content[at] ^ chance.randrange(1, 256)])
        )
        path.write_bytes(content[:size])
        left.lose(path, at, at + length)
    elif kind in {"cut", "empty"} and size:
        to = chance.randrange(size) if kind == "cut" else 0
        path.write_bytes(path.read_bytes()[:to])
        left.lose(path, to, size)
    elif kind == "delete" and size:
        path.unlink()
        left.lose(path, 0, size)
    elif kind in {"cursor", "snapshot", "lane"}:
        file = left.lane / {"cursor": "cursor", "snapshot": "snapshot.b", "lane": "lane.json"}[kind]
        content = bytearray(file.read_bytes())
        if chance.random() < 0.7 and content:
            content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        else:
            content = bytearray(chance.randbytes(chance.choice([0, 5, 40])))
        file.write_bytes(content)
    elif kind == "alien":
        (
            left.lane / chance.choice(["notes.txt", "5.segment", "x.segment", "snapshot.a", "lane.new"])
        ).write_bytes(b"?")
        (left.lane / f"{chance.randrange(10**19):020d}.segment").mkdir()
    return kind


async def start_and_send(directory: Path, collector: Collector) -> Counters:
    exporter = OTelExporter(collector.url, protocol="http/protobuf", service_name="engine", spool=directory)
    try:
        for event in completed("later", steps=1):
            assert exporter.record(event)
        assert await exporter.flush()
    finally:
        await exporter.shutdown()
    return exporter.counters


ROUNDS = by_form(24, 400)


@pytest.mark.parametrize("seed", [random.randrange(1 << 30) for _ in range(4)], ids=["a", "b", "c", "d"])
async def test_a_damaged_spool_gives_all_that_can_be_read_and_says_what_cannot(
    tmp_path: Path, seed: int
) -> None:
    print("seed", seed)
    for number in range(seed, seed + ROUNDS // 4):
        chance = random.Random(number)
        directory = tmp_path / str(number)
        left = leave_behind(directory, executions=20, chance=chance)
        before = set(left.waiting)
        kinds = [damage(left, chance) for _ in range(chance.randrange(1, 5))]
        with Collector("http/protobuf") as collector:
            counters = await start_and_send(directory, collector)
            # A lane whose service is no longer ours is one that was left behind.
            where = Destination(endpoints_from({}, endpoint=collector.url, protocol="http/protobuf"))
            assert drain_spools(directory, where, print, limit_s=20).left == 0
            found = names_of(collector)
        missing = left.waiting - found
        assert not missing, f"seed {number}, {kinds}: {sorted(missing)}"
        assert {f"later.{index}" for index in range(EVENTS_PER_EXECUTION)} <= found, f"seed {number}, {kinds}"
        if "flip" in kinds and before - found and not {"cut", "empty", "delete", "lane"} & set(kinds):
            assert counters.get(semconv.EVENTS_DROPPED, reason="corrupt") > 0, f"seed {number}, {kinds}"


def names_of(collector: Collector) -> set[str]:
    """Return execution and number of the events that arrived."""
    order = {event.type.value: index for index, event in enumerate(completed("x", steps=1))}
    found = set()
    for log in collector.logs:
        told = {a.key: a.value.string_value for a in log.attributes}
        found.add(f"{told[semconv.EXECUTION_ID]}.{order[told[semconv.EVENT_TYPE]]}")
    return found
