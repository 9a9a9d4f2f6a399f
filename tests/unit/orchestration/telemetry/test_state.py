"""What the pipeline keeps and counts: restarts of another version, names as enums, events given up."""

from __future__ import annotations

import enum
import json
from pathlib import Path

from awf.core import semconv
from awf.core.counters import Counters
from awf.core.redact import Redactor
from awf.orchestration import spool_lanes
from awf.orchestration.spool import Spool
from awf.orchestration.spool_view import SET_ASIDE, read_set_aside
from awf.orchestration.telemetry import record as records
from awf.orchestration.telemetry.aggregate import MetricState
from awf.orchestration.telemetry.assembly import Destination
from awf.orchestration.telemetry.endpoints import endpoints_from
from awf.orchestration.telemetry.metric_wire import MetricEncoder
from awf.orchestration.telemetry.orphans import drain
from awf.orchestration.telemetry.record import RecordWriter
from awf.wiring.spools import drain_spools
from tests.collector import Collector, Refusal

from ._events import E, completed, event


class Model(str, enum.Enum):  # noqa: UP042 - as older programs write it
    SMALL = "small-1"


def written(*events: object) -> list[bytes]:
    counters = Counters()
    writer = RecordWriter(Redactor(counters=counters), counters)
    return [writer.write(event) for event in events]  # type: ignore[arg-type]


def test_a_name_that_is_an_enum_of_texts_is_its_text() -> None:
    (payload,) = written(event(E.AGENT_COMPLETED, "x1", "s", data={"model": Model.SMALL}))
    assert records.read([payload])[0].model == "small-1"


def test_series_that_had_other_labels_in_another_version_begin_anew() -> None:
    state = MetricState(Counters())
    for it in records.read(written(*completed("x1"))):
        state.add(it)
    dumped = json.loads(json.dumps(state.dump()))
    for row in [*dumped["sums"][semconv.WORKFLOWS], *dumped["histograms"][semconv.STEP_DURATION]]:
        row.insert(0, "one label more")
    restored = MetricState(Counters())
    restored.load(dumped)
    assert MetricEncoder().encode(restored, [], now_ns=1, process_start_ns=0)
    assert dict(restored.sums())[next(i for i, _ in restored.sums() if i.name == semconv.WORKFLOWS)] == {}


def test_a_set_aside_line_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    good = json.dumps({"signal": "logs", "time_ns": 1, "detail": "", "items": ["YQ=="]}).encode()
    (tmp_path / SET_ASIDE).write_bytes(b"\xff\xfe\n" + good + b"\n")
    assert [entry.items for entry in read_set_aside(tmp_path)] == [("YQ==",)]


def run_drain(directory: Path, collector: Collector, counters: Counters, **options: float) -> int:
    where = Destination(endpoints_from({}, endpoint=collector.url), **options)  # type: ignore[arg-type]
    drained = 0
    for _, _, parts in drain(directory, where, counters, idle_s=0.0):
        parts.pipeline.run()
        drained += 1
    return drained


def dead(directory: Path, *events: object) -> Path:
    lane = spool_lanes.claim(directory, {"service.name": "web", "service.instance.id": "web-1"})
    spool = Spool(lane.folder)
    for payload in written(*events):
        spool.append(payload)
    spool.close()
    lane.release()
    return lane.folder


def test_events_given_up_are_not_counted_as_exported(tmp_path: Path) -> None:
    counters = Counters()
    dead(tmp_path, *completed("x1"))
    with Collector(rule=lambda signal, _: None if signal == "metrics" else Refusal(503)) as collector:
        run_drain(tmp_path, collector, counters, max_age_s=0.0)
    assert counters.get(semconv.EVENTS_DROPPED, reason="expired") == 10
    assert counters.get(semconv.EXPORTED_EVENTS) == 0


def test_a_drain_does_not_say_that_it_sent_what_it_gave_up(tmp_path: Path) -> None:
    dead(tmp_path, *completed("x1"))
    with Collector(rule=lambda signal, _: None if signal == "metrics" else Refusal(503)) as collector:
        where = Destination(endpoints_from({}, endpoint=collector.url), max_age_s=0.0)
        done = drain_spools(tmp_path, where, lambda _: None, limit_s=20.0)
    assert (done.sent, done.left) == (0, 0)
    assert "expired" in done.problems


def test_what_is_set_aside_alone_makes_nobody_speak_for_the_dead_again(tmp_path: Path) -> None:
    folder = dead(tmp_path, *completed("x1"))
    (folder / SET_ASIDE).write_text("{}\n")
    with Collector() as collector:
        assert run_drain(tmp_path, collector, Counters()) == 1
        told = collector.requests["metrics"]
        assert told
        assert run_drain(tmp_path, collector, Counters()) == 0
        assert collector.requests["metrics"] == told
    assert (folder / SET_ASIDE).exists()
