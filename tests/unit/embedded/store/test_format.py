"""A file of another version: migrated once, or refused and left as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from awf.embedded.model import LogRecord, Samples
from awf.embedded.store import DuckStore
from awf.errors import DataDirError

FIRST_FORMAT = """
create table series (id uinteger, labels varchar);
create table samples (sid uinteger, ts bigint, value double);
create table exemplars (sid uinteger, ts bigint, value double, labels varchar);
create table metadata (name varchar primary key, type varchar, help varchar, unit varchar);
create table streams (id uinteger, labels varchar);
create table logs (sid uinteger, ts bigint, line varchar, metadata varchar);
create table spans (
    trace_id varchar, span_id varchar, parent_span_id varchar, name varchar, kind utinyint,
    start_ns bigint, end_ns bigint, status utinyint, status_message varchar,
    attributes varchar, resource varchar, scope_name varchar, scope_version varchar,
    events varchar, links varchar
);
create index spans_by_trace on spans (trace_id);
insert into series values (0, '{"__name__":"m"}');
insert into samples values (0, 1000, 1.5), (0, 90000000, 2.5);
insert into streams values (0, '{"service_name":"a"}');
insert into logs values (0, 1000, 'line', '{}');
insert into spans values ('aa', 'bb', '', 'work', 1, 5, 9, 0, '', '{}', '{}', '', '', '[]', '[]');
"""


def make(path: Path, statements: str) -> str:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_the_first_format_is_migrated_once_with_all_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    make(path, FIRST_FORMAT)
    for opening in range(2):
        store = DuckStore.open(path)
        await store.write(samples=Samples.of([({"__name__": "m"}, 2000 + opening, 2.0)]))
        store.fold()
        (data,) = store.select([], 0, 10**8)
        assert data.values.tolist() == [1.5, 2.0, *[2.0] * opening, 2.5]
        assert store.logs([], 0, 10**6) == [LogRecord(1000, "line", {"service_name": "a"})]
        assert len(store.trace("aa")) == 1
        store.close()


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (
            "create table format (version integer); insert into format values (99)",
            "by a newer version of AWF",
        ),
        (
            "create table customers (id integer)",
            "is a database of something else: it has the tables customers",
        ),
    ],
)
def test_a_file_that_is_not_ours_to_change_is_refused_as_it_is(
    tmp_path: Path, statements: str, message: str
) -> None:
    path = tmp_path / "t.duckdb"
    before = make(path, statements)
    with pytest.raises(DataDirError, match=message) as caught:
        DuckStore.open(path)
    assert "AWF_DATA_DIR" in caught.value.hint
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


async def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    store = DuckStore.open(path)
    await store.write(samples=Samples.of([({"__name__": "m"}, at, 1.0) for at in range(5000)]))
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    damaged = path.read_bytes()
    with pytest.raises(DataDirError, match=str(path)):
        DuckStore.open(path)
    assert path.read_bytes() == damaged
