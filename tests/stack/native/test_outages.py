"""Nothing that Alloy acknowledged is lost: while a store is away, and while Alloy itself is killed.

Alloy runs with config.alloy as it is: where there is no Mimir, a collector takes the metrics in its place, because
Prometheus' remote write (see `_stack`) has no such queue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector import Collector, free_port
from tests.stack.native import _arrived
from tests.stack.native._otlp import Sender
from tests.stack.native._programs import given, require, wait_for
from tests.stack.native._stack import Stack

SIGNALS = ("logs", "traces", "metrics")
COUNT = 300
TEMPO_SETTLES_S = 4.0  # it acknowledges before it writes: docs/stack-configs.md, "What loses data"


class Outage:
    """Alloy, its three stores, and a sender for each signal."""

    def __init__(self, folder: Path) -> None:
        self.collector = None if given("mimir") else Collector("http", port=free_port())
        # A queue tries again sooner than in production, so that a test need not wait for it.
        environ = {"ALLOY_RETRY_MAX_INTERVAL": "2s"}
        if self.collector:
            environ["MIMIR_OTLP_URL"] = f"http://127.0.0.1:{self.collector.port}/otlp"
        self.stack = Stack(folder, is_unchanged=True, **environ).add("loki", "tempo", "alloy")
        if not self.collector:
            self.stack.add("mimir")
        self.stores = [self.stack[name] for name in self.stack.programs if name != "alloy"]
        self.alloy = self.stack["alloy"]
        url = self.stack.url("alloy_otlp_http")
        self.senders = [Sender(url, signal, f"outage-{signal}") for signal in SIGNALS]

    def start_stores(self) -> None:
        if self.collector:
            self.collector.start()
        for store in self.stores:
            store.start()

    def kill_stores(self) -> None:
        if self.collector:
            self.collector.stop()
        for store in self.stores:
            store.kill()

    def stop(self) -> None:
        self.stack.stop()
        if self.collector:
            self.collector.stop()

    def send(self, numbers: range) -> None:
        for sender in self.senders:
            sender.send(numbers)
            assert sender.refused == 0, "a store that is away is no reason to refuse"

    def wait_for_all(self) -> None:
        """Wait until every acknowledged number is in its store."""
        for sender in self.senders:
            what = f"{sender.signal} of every acknowledged request"
            wait_for(what, lambda sender=sender: not self.missing(sender), 60, self.explain)

    def missing(self, sender: Sender) -> list[int]:
        wanted = list(sender.acknowledged)
        if sender.signal == "logs":
            found = _arrived.logs(self.stack, sender.service)
        elif sender.signal == "traces":
            found = _arrived.traces(self.stack, sender.service, wanted)
        elif self.collector:
            found = _arrived.collected(self.collector)
        else:
            found = _arrived.samples(self.stack, sender.service)
        return sorted(set(wanted) - found)

    def explain(self) -> str:
        missing = {sender.signal: self.missing(sender)[:20] for sender in self.senders}
        return f"missing: {missing}. {self.alloy.tail()}"


@pytest.fixture
def outage(tmp_path: Path) -> Iterator[Outage]:
    require("alloy", "loki", "tempo")
    outage = Outage(tmp_path)
    try:
        outage.start_stores()
        outage.alloy.start()
        yield outage
    finally:
        outage.stop()


def test_what_is_sent_while_the_stores_are_killed_arrives_when_they_are_back(outage: Outage) -> None:
    outage.send(range(100))
    outage.wait_for_all()
    time.sleep(TEMPO_SETTLES_S)
    outage.kill_stores()
    outage.send(range(100, 100 + COUNT))
    time.sleep(5)  # some attempts that fail
    outage.start_stores()
    outage.wait_for_all()


def test_what_waits_in_alloy_survives_that_alloy_is_killed(outage: Outage) -> None:
    outage.kill_stores()
    outage.send(range(COUNT))
    outage.alloy.kill()  # right after the last answer
    outage.alloy.start()
    outage.start_stores()
    outage.wait_for_all()


def test_alloy_killed_again_and_again_in_the_middle_of_traffic_loses_nothing_it_took(outage: Outage) -> None:
    threads = [
        threading.Thread(target=sender.send, args=(range(1000),), kwargs={"pause_s": 0.01})
        for sender in outage.senders
    ]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(2)
        outage.alloy.kill()
        outage.alloy.start()
    for thread in threads:
        thread.join()
    assert all(len(sender.acknowledged) > 100 for sender in outage.senders)
    assert any(sender.refused for sender in outage.senders), "no request met a dead Alloy: nothing was tried"
    outage.wait_for_all()
