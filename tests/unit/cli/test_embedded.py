"""`awf embedded stats|compact|export|import` on a store whose server is stopped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from awf.embedded.model import Samples
from awf.embedded.server import STORE_FILE
from awf.embedded.store import DuckStore
from awf.embedded.store.rows import Rows
from tests.unit.cli._program import HOST, awf, free_ports


@pytest.fixture
def home(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    store = DuckStore.open(data / STORE_FILE)
    store.put(Rows(samples=Samples.of([({"__name__": "m"}, 1_767_225_600_000, 1.0)])))
    store.close()
    return tmp_path


def test_what_there_is_is_said_for_people_with_units_and_times(home: Path) -> None:
    shown = awf(home, "embedded", "stats", AWF_HOST=HOST, **free_ports())
    assert shown.returncode == 0, shown.stderr
    rows = dict(re.split(" {2,}", line) for line in shown.stdout.splitlines())
    assert rows["samples"] == "1"
    assert rows["oldest"] == "2026-01-01T00:00:00Z"
    assert rows["used"].endswith(" MB")
    assert shown.stderr == ""  # progress is for terminals


def test_an_export_is_read_back_by_an_import_elsewhere(home: Path, tmp_path: Path) -> None:
    ports = free_ports()
    text = tmp_path / "rows.om"
    told = awf(home, "embedded", "export", str(text), "--format", "openmetrics", AWF_HOST=HOST, **ports)
    assert told.stdout.split() == ["rows", "1", "samples"]
    other = tmp_path / "other"
    (other / "data").mkdir(parents=True)
    told = awf(other, "embedded", "import", str(text), AWF_HOST=HOST, **ports)
    assert told.returncode == 0, told.stderr
    assert "1 samples" in told.stdout
