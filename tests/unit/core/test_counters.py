"""Counters: exact under threads, and what `/metrics` shows reads back as what was counted."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awf.core.counters import Counters
from awf.core.semconv import WATCHER_RECOVERY_MS

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)", re.DOTALL)
_LABEL = re.compile(r'(?P<name>[a-zA-Z_]\w*)="(?P<value>(?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
_UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Read = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_text(text: str) -> tuple[Read, dict[str, str]]:
    """Read the text format (0.0.4) strictly: samples, and the type of each metric."""
    samples: Read = {}
    kinds: dict[str, str] = {}
    assert text == "" or text.endswith("\n")
    for line in text.split("\n")[:-1]:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, f"{name} has two TYPE lines"
            kinds[name] = kind
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        assert list(kinds)[-1:] == [sample["name"]], f"{line} is not below its TYPE line"
        key = (sample["name"], tuple(sorted(_labels(sample["labels"] or ""))))
        assert key not in samples, line
        samples[key] = float(sample["value"])
    return samples, kinds


def _labels(text: str) -> Iterator[tuple[str, str]]:
    end = 0
    for label in _LABEL.finditer(text):
        assert label.start() == end, text
        end = label.end()
        yield label["name"], re.sub(r"\\.", lambda found: _UNESCAPED[found[0]], label["value"])
    assert end == len(text), text


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let threads interrupt each other as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("frequent_switches")
def test_no_increment_is_lost_between_threads() -> None:
    counters = Counters()
    begin = threading.Barrier(8)

    def count() -> None:
        begin.wait(10)
        for _ in range(2_000):
            counters.add("awf_events_total", event_type="a")
            counters.add("awf_events_total", 0.5, event_type="b")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counters.get("awf_events_total", event_type="a") == 16_000
    assert counters.get("awf_events_total", event_type="b") == 8_000


@pytest.mark.usefixtures("frequent_switches")
def test_reading_while_others_add_series_sees_a_whole_state() -> None:
    counters = Counters()
    stop = threading.Event()

    def grow() -> None:
        number = 0
        while not stop.is_set() and number < 20_000:
            number += 1
            counters.add("awf_events_total", event_type=str(number % 500))

    thread = threading.Thread(target=grow)
    thread.start()
    totals = [sum(value for _, _, value in counters.snapshot()) for _ in range(50)]
    stop.set()
    thread.join(30)
    assert totals == sorted(totals)


def test_a_value_never_touched_is_zero_and_does_not_appear() -> None:
    counters = Counters()
    assert counters.get("awf_events_total", event_type="x") == 0.0
    assert (list(counters.snapshot()), counters.render()) == ([], "")


def test_the_order_of_labels_does_not_matter() -> None:
    counters = Counters()
    counters.add("awf_watcher_actions_total", action="a", outcome="verified")
    counters.add("awf_watcher_actions_total", outcome="verified", action="a")
    assert counters.get("awf_watcher_actions_total", action="a", outcome="verified") == 2


def test_a_gauge_is_replaced_not_added_to() -> None:
    counters = Counters()
    counters.set("awf_workers", 4)
    counters.set("awf_workers", 2)
    assert counters.get("awf_workers") == 2


def test_a_name_that_ends_in_total_is_a_counter_and_others_are_gauges() -> None:
    counters = Counters()
    counters.set("awf_workers", 4)
    counters.add("awf_events_total", event_type="b")
    counters.add("awf_events_total", event_type="a")
    assert counters.render() == (
        "# TYPE awf_events_total counter\n"
        'awf_events_total{event_type="a"} 1.0\n'
        'awf_events_total{event_type="b"} 1.0\n'
        "# TYPE awf_workers gauge\n"
        "awf_workers 4\n"
    )


def test_a_gauge_that_has_nothing_to_say_is_taken_away() -> None:
    counters = Counters()
    counters.set("awf_workers", 4)
    counters.unset("awf_workers")
    counters.unset("awf_workers")
    assert counters.render() == ""


def test_a_histogram_counts_each_measurement_in_its_bucket_and_renders_them_added_up() -> None:
    counters = Counters()
    counters.prepare(WATCHER_RECOVERY_MS, status="resolved")
    for value in (5_000.0, 5_000.1, 1e12):  # at a bound, just above it, above all
        counters.observe(WATCHER_RECOVERY_MS, value, status="resolved")
    ((_, labels, found),) = counters.distributions()
    assert (labels, found.sum) == ({"status": "resolved"}, 1e12 + 10_000.1)
    assert (found.counts[0], found.counts[1], found.counts[-1]) == (1, 1, 1)
    lines = counters.render().splitlines()
    assert lines[0] == f"# TYPE {WATCHER_RECOVERY_MS} histogram"
    assert lines[1] == f'{WATCHER_RECOVERY_MS}_bucket{{status="resolved",le="5000.0"}} 1'
    assert lines[-3:] == [
        f'{WATCHER_RECOVERY_MS}_bucket{{status="resolved",le="+Inf"}} 3',
        f'{WATCHER_RECOVERY_MS}_sum{{status="resolved"}} {1e12 + 10_000.1!r}',
        f'{WATCHER_RECOVERY_MS}_count{{status="resolved"}} 3',
    ]


def test_what_is_prepared_exists_at_zero_and_keeps_what_it_has() -> None:
    counters = Counters()
    counters.observe(WATCHER_RECOVERY_MS, 7.0, status="resolved")
    counters.add("a_total")
    for _ in range(2):
        counters.prepare(WATCHER_RECOVERY_MS, status="resolved")
        counters.prepare("a_total")
        counters.prepare("b_total")
    assert [sum(found.counts) for _, _, found in counters.distributions()] == [1]
    assert [(name, value) for name, _, value in counters.snapshot()] == [("a_total", 1.0), ("b_total", 0.0)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('say "hi"', r"say \"hi\""),
        ("C:\\temp", r"C:\\temp"),
        ("two\nlines", r"two\nlines"),
        ("\\n", r"\\n"),
        ('"} 1\nawf_forged_total 1', r"\"} 1\nawf_forged_total 1"),
    ],
)
def test_a_label_value_cannot_end_its_line_or_its_quotes(value: str, shown: str) -> None:
    counters = Counters()
    counters.add("awf_events_total", event_type=value)
    assert counters.render().split("\n")[1] == f'awf_events_total{{event_type="{shown}"}} 1.0'


_NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,6}(_total)?", fullmatch=True)
_LABEL_NAMES = st.sampled_from(["agent_id", "status", "reason"])


@given(
    st.dictionaries(
        st.tuples(_NAMES, st.dictionaries(_LABEL_NAMES, st.text(), max_size=3).map(lambda d: tuple(sorted(d.items())))),
        st.floats(allow_nan=False),
        max_size=5,
    )
)  # fmt: skip
def test_rendered_text_reads_back_as_what_was_counted(values: Read) -> None:
    counters = Counters()
    for (name, labels), value in values.items():
        counters.set(name, value, **dict(labels))
    samples, kinds = read_text(counters.render())
    assert samples == values
    assert kinds == {name: "counter" if name.endswith("_total") else "gauge" for name, _ in values}


def test_a_child_of_a_fork_counts_from_zero_though_another_thread_held_the_lock() -> None:
    counters = Counters()
    counters.add("a_total", 5)
    with counters._lock:
        counters.begin_anew()
        counters.add("a_total")
    assert counters.get("a_total") == 1


def test_what_was_bound_counts_on_in_the_child_of_a_fork() -> None:
    counters = Counters()
    add_one = counters.bind("awf_events_total")
    with counters._lock:  # as another thread may have held it at the fork
        counters.begin_anew()
        done = threading.Thread(target=add_one, daemon=True)
        done.start()
        done.join(2)
        assert not done.is_alive()
    assert counters.get("awf_events_total") == 1
