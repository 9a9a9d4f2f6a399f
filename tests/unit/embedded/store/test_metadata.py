"""Metadata that is read without being decoded is what was stored."""

import pytest

from awf.embedded.store.metadata import StoredMetadata
from awf.embedded.store.rows import encode

PAIRS = {"a": '"b":"c"', "b": "", "note": 'x","agent":"y', "path": "C:\\", "ü": "é\n", "z": "\\"}


@pytest.mark.parametrize("name", [*PAIRS, "agent", "c", "not", "", '"b'])
def test_a_name_is_found_only_where_it_is_one(name: str) -> None:
    found = StoredMetadata(encode(PAIRS))
    assert found.get(name) == PAIRS.get(name)
    assert (name in found) is (name in PAIRS)


def test_it_is_a_mapping_like_any_other() -> None:
    found = StoredMetadata(encode(PAIRS))
    assert found == PAIRS
    assert dict(found) == dict(found.items()) == PAIRS
    with pytest.raises(KeyError):
        found["c"]


def test_nothing_is_stored_as_an_empty_object() -> None:
    assert not StoredMetadata("{}")
