"""What the index finds stays right while label sets come and go."""

from __future__ import annotations

import pytest

from awf.embedded.model import Matcher, MatchOp, key_of
from awf.embedded.store import label_index
from awf.embedded.store.label_index import LabelIndex

UP = (Matcher("__name__", MatchOp.EQUAL, "up"),)
OF_A = (*UP, Matcher("job", MatchOp.REGEX, "a|b"), Matcher("gone", MatchOp.EQUAL, ""))


def add(index: LabelIndex, job: str) -> None:
    index.add([(index.next_id, key_of({"__name__": "up", "job": job}))])


def test_what_was_found_before_does_not_hide_what_came_or_went_since() -> None:
    index = LabelIndex()
    assert index.find(UP) == []
    for job in "abc":
        add(index, job)
    assert (index.find(UP), index.find(OF_A)) == ([0, 1, 2], [0, 1])
    index.remove([0])
    assert (index.find(UP), index.find(OF_A)) == ([1, 2], [1])
    add(index, "a")
    assert (index.find(UP), index.find(OF_A)) == ([1, 2, 3], [1, 3])


def test_what_was_found_is_shared_and_cannot_be_changed() -> None:
    index = LabelIndex()
    add(index, "a")
    assert index.ids(UP) is index.ids(list(UP))
    with pytest.raises(ValueError, match="read-only"):
        index.ids(UP)[0] = 7


def test_only_so_many_questions_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_index, "_MAX_FOUND", 3)
    index = LabelIndex()
    add(index, "a")
    for number in range(10):
        assert index.find([Matcher("job", MatchOp.NOT_EQUAL, str(number))]) == [0]
    assert len(index._found) <= 3
