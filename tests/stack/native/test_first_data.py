"""How long from the start of all programs at once, as compose starts them, to the first dashboard data.

It prints the times and asserts none: pytest -rP tests/stack/native/test_first_data.py
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from awf.core.semconv import WORKFLOWS
from tests.stack.native import _queries as ask
from tests.stack.native._workload import Workload


def test_the_first_data_is_there_after_a_cold_start(tmp_path: Path) -> None:
    Workload.require()
    workload = Workload(tmp_path, AWF_DEMO_FAULTS="", AWF_DEMO_RATE="3")
    stack = workload.stack
    looks: dict[str, Callable[[], object]] = {
        f"first sample of {WORKFLOWS} in {stack.metrics}": lambda: ask.samples(stack, WORKFLOWS),
        "first line of the demo in loki": lambda: ask.lines(stack, '{service_name="awf-demo"}', limit=1),
        "first trace of the demo in tempo": lambda: ask.traces(
            stack, '{ resource.service.name = "awf-demo" }'
        ),
        "first sample of a recording rule": lambda: ask.samples(stack, "workflow:awf_executions:rate5m"),
    }
    began = time.monotonic()
    try:
        workload.start()
        print(f"{time.monotonic() - began:6.1f} s  every program ready, the demo launched")
        deadline = began + 120
        while looks and time.monotonic() < deadline:
            for what, look in list(looks.items()):
                with contextlib.suppress(httpx.HTTPError):
                    if look():
                        print(f"{time.monotonic() - began:6.1f} s  {what}")
                        del looks[what]
            time.sleep(0.1)
        assert not looks, f"never came: {list(looks)}. {workload.explain()}"
    finally:
        workload.stop()
