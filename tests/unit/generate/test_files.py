"""Writing generated files: all or nothing, never over what somebody edited."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from awf.errors import ConfigError
from awf.generate import files as f

ONE = f.with_record({"a/one.yaml": "1\n", "two.json": "2\n"})


def generate(root: Path, files: dict[str, str], *, force: bool = False) -> list[Path]:
    return f.carry_out(root, files, f.plan(root, files), force=force)


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    generate(tmp_path, ONE)
    assert f.plan(tmp_path, ONE) == f.Plan((), (), (), ())
    assert (tmp_path / "a/one.yaml").read_text() == "1\n"
    assert not list(tmp_path.glob(".awf-new-*"))


def test_an_old_file_is_not_taken_for_an_edited_one(tmp_path: Path) -> None:
    generate(tmp_path, ONE)
    new = f.with_record({"a/one.yaml": "1 and more\n", "two.json": "2\n"})
    assert f.plan(tmp_path, new).edited == ()
    generate(tmp_path, new)
    assert (tmp_path / "a/one.yaml").read_text() == "1 and more\n"


def test_a_file_edited_to_what_would_be_written_is_no_matter(tmp_path: Path) -> None:
    generate(tmp_path, ONE)
    (tmp_path / "two.json").write_text("3\n")
    new = f.with_record({"a/one.yaml": "1\n", "two.json": "3\n"})
    assert f.plan(tmp_path, new).by_hand == []


def test_what_was_edited_is_kept_even_twice(tmp_path: Path) -> None:
    generate(tmp_path, ONE)
    for text in ("mine\n", "mine again\n", "mine again\n"):
        (tmp_path / "two.json").write_text(text)
        kept = generate(tmp_path, ONE, force=True)
        assert kept[0].read_text() == text
    copies = sorted(path.read_text() for path in (tmp_path / f.EDITED).rglob("*") if path.is_file())
    assert copies == ["mine\n", "mine again\n"]


def test_files_from_before_there_was_a_record_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "two.json").write_text("of an unknown hand\n")
    with pytest.raises(ConfigError, match=r"two\.json"):
        generate(tmp_path, ONE)
    assert not (tmp_path / "a").exists()


def test_what_is_no_longer_generated_goes_but_an_edited_one_only_by_force(tmp_path: Path) -> None:
    generate(tmp_path, ONE)
    (tmp_path / "two.json").write_text("mine\n")
    none = f.with_record({})
    todo = f.plan(tmp_path, none)
    assert (todo.obsolete, todo.obsolete_edited) == (("a/one.yaml",), ("two.json",))
    with pytest.raises(ConfigError, match=r"two\.json"):
        generate(tmp_path, none)
    assert (tmp_path / "a/one.yaml").exists()
    generate(tmp_path, none, force=True)
    assert not (tmp_path / "two.json").exists()
    assert (tmp_path / f.EDITED / "two.json").read_text() == "mine\n"


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/hostname", "a/../../outside.yaml"])
def test_a_record_cannot_have_a_file_elsewhere_removed(path: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    outside = tmp_path / "outside.yaml"
    outside.write_text("x")
    digest = f.with_record({path: "x"})[f.RECORD]
    (root / f.RECORD).write_text(digest)
    todo = f.plan(root, f.with_record({}))
    assert todo.obsolete == todo.obsolete_edited == ()
    f.carry_out(root, f.with_record({}), todo)
    assert outside.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 3}', "no json"])
def test_a_damaged_record_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / f.RECORD).write_text(text)
    with pytest.raises(ConfigError, match="is not the record"):
        f.plan(tmp_path, ONE)


def test_nothing_is_put_in_place_when_one_text_cannot_be_written(tmp_path: Path) -> None:
    generate(tmp_path, ONE)
    wrong = f.with_record({"a/one.yaml": "new\n", "two.json": "2\n"}) | {"z.json": "\udcff"}
    with pytest.raises(UnicodeEncodeError):
        f.write(tmp_path, wrong)
    assert (tmp_path / "a/one.yaml").read_text() == "1\n"
    assert not list(tmp_path.glob(".awf-new-*"))


def test_the_record_says_what_was_written(tmp_path: Path) -> None:
    generate(tmp_path, ONE)
    assert sorted(json.loads((tmp_path / f.RECORD).read_text())["sha256"]) == ["a/one.yaml", "two.json"]
