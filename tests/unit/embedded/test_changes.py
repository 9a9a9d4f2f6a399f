"""What was written since when, compared with a plain list of all writes."""

from __future__ import annotations

import random

import pytest

from awf.embedded import changes
from awf.embedded.changes import EVERYTHING_MS, NOTHING_MS, Changes


@pytest.mark.parametrize("seed", range(20))
def test_the_oldest_since_a_version_is_never_too_young_and_at_most_a_second_too_old(seed: int) -> None:
    chosen = random.Random(seed)
    found, written = Changes(), list[int]()
    for now_ms in range(0, 600_000, 700):
        late = chosen.choice([0, 0, 0, 300, 5_000, 200_000])
        written.append(now_ms - late)
        found.note(now_ms - late)
        version = chosen.randrange(len(written))
        true = min(written[version:])
        assert true - 1_000 < found.oldest_since(version) <= true
        assert found.oldest_since(found.version) == NOTHING_MS


def test_what_is_forgotten_counts_as_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MAX_ENTRIES", 3)
    found = Changes()
    for second in range(10):
        found.note(second * 10_000)
    assert [found.oldest_since(version) for version in (5, 6, 7, 8, 9)] == [
        EVERYTHING_MS, EVERYTHING_MS, 70_000, 80_000, 90_000
    ]  # fmt: skip


def test_a_removal_is_a_change_of_everything() -> None:
    found = Changes()
    found.note(5_000)
    version = found.version
    found.note()
    found.note(9_000)
    assert found.oldest_since(version) == EVERYTHING_MS
    assert found.oldest_since(version + 1) == 9_000
