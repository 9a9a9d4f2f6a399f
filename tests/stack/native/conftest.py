"""One stack for the tests that only look: started once, with the demo's processes in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.native._workload import Workload


@pytest.fixture(scope="package")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    """All stores behind Alloy, `awf serve` and `awf demo`, the demo without faults."""
    Workload.require()
    workload = Workload(tmp_path_factory.mktemp("stack"), AWF_DEMO_FAULTS="", AWF_DEMO_RATE="3")
    try:
        yield workload.start()
    finally:
        workload.stop()
