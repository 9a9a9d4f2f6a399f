"""Ids that the store remembers by a sender's numbers are those it would find by the labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from awf.embedded.model import KeyTable, LabelKey, LogRecord, Samples, key_of
from awf.embedded.store import MemoryStore
from awf.embedded.store.known import NO_ID, KnownIds
from awf.embedded.store.rows import Rows
from awf.errors import Unavailable

A, B, C = (key_of({"__name__": name}) for name in "abc")


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    opened = MemoryStore()
    yield opened
    opened.close()


def samples(table: KeyTable, *numbers: int, at_ms: int = 1) -> Samples:
    count = len(numbers)
    series = np.array(numbers, dtype=np.uint32)
    return Samples(table, series, np.full(count, at_ms), np.arange(count, dtype=np.float64))


def test_a_series_is_looked_up_once_and_again_after_it_was_forgotten() -> None:
    asked: list[list[LabelKey]] = []

    def look_up(keys: Sequence[LabelKey]) -> list[int]:
        asked.append(list(keys))
        return [{A: 0, B: 1, C: 7}[key] for key in keys]

    known, table = KnownIds(), KeyTable([A, B])
    assert known.of(samples(table, 1, 0, 1), look_up, next_id=9).tolist() == [1, 0, 1]
    assert table.add(C) == 2
    assert known.of(samples(table, 2, 1), look_up, next_id=9).tolist() == [7, 1]
    known.forget()
    assert known.of(samples(table, 1), look_up, next_id=9).tolist() == [1]
    assert asked == [[A, B], [C], [B]]


def test_what_may_not_last_and_what_has_no_id_is_looked_up_again() -> None:
    answers = iter([[4, NO_ID], [4, 6]])
    known, table = KnownIds(), KeyTable([A, B])
    assert known.of(samples(table, 0, 1), lambda _: next(answers), next_id=4).tolist() == [4, NO_ID]
    assert known.of(samples(table, 0, 1), lambda _: next(answers), next_id=7).tolist() == [4, 6]


def test_a_commit_that_fails_leaves_no_id_behind(store: MemoryStore) -> None:
    table = KeyTable([A, B])
    with pytest.raises(Unavailable):
        store.put(Rows(samples=samples(table, 0), logs=[LogRecord(2**70, "", {})]))
    store.put(Rows(samples=samples(table, 1)))
    store.put(Rows(samples=samples(table, 0, 1, at_ms=2)))
    assert {data.labels["__name__"]: data.values.tolist() for data in store.select([], 0, 9)} == {
        "a": [0.0],
        "b": [0.0, 1.0],
    }


async def test_a_series_that_retention_removed_comes_back_as_a_new_one(store: MemoryStore) -> None:
    table = KeyTable([A, B])
    day_ms = 86_400_000
    store.put(Rows(samples=samples(table, 0, 1)))
    await store.sweep(older_than_ms=day_ms)
    assert store.stats().series == 0
    store.put(Rows(samples=samples(table, 1, at_ms=2 * day_ms)))
    assert [data.labels for data in store.select([], 0, 3 * day_ms)] == [dict(B)]


def test_two_stores_give_the_same_table_their_own_ids(store: MemoryStore) -> None:
    other, table = MemoryStore(), KeyTable([A, B])
    store.put(Rows(samples=samples(table, 0, 1)))
    other.put(Rows(samples=samples(table, 1)))
    other.put(Rows(samples=samples(table, 0, at_ms=2)))
    assert {data.labels["__name__"]: data.timestamps_ms.tolist() for data in other.select([], 0, 9)} == {
        "a": [2],
        "b": [1],
    }
    other.close()
