"""Discovery: the SPEC of every module in a folder and of entry points, or an error that names the file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from awf.core.registry import discover
from awf.errors import ConfigError

Folder = Callable[..., str]

SPEC = "from tests.unit.core.test_registry import Sample\nSPEC = Sample({name!r})\n"


@dataclass(frozen=True, slots=True)
class Sample:
    name: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Write a package of modules and make it importable; its name is no other test's."""
    package = f"plugins_{tmp_path.name}".replace("-", "_")

    def write(modules: Mapping[str, str], entry_points: Mapping[str, str] | None = None) -> str:
        for name, text in {"__init__": "", **modules}.items():
            path = tmp_path / package / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        if entry_points:
            info = tmp_path / "third_party-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
            lines = [
                f"{name} = {target.replace('PACKAGE', package)}" for name, target in entry_points.items()
            ]
            (info / "entry_points.txt").write_text("\n".join([f"[{package}]", *lines]))
        monkeypatch.syspath_prepend(tmp_path)
        return package

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        del sys.modules[name]


def _spec(name: str) -> str:
    return SPEC.format(name=name)


def test_modules_are_found_in_order_of_their_names(folder: Folder) -> None:
    package = folder({"zebra": _spec("zebra"), "ant": _spec("ant")})
    found = discover(package, Sample)
    assert list(found.items()) == [("ant", Sample("ant")), ("zebra", Sample("zebra"))]


def test_an_empty_folder_is_no_error(folder: Folder) -> None:
    assert discover(folder({}), Sample) == {}


def test_a_module_with_a_leading_underscore_is_skipped_without_being_imported(folder: Folder) -> None:
    assert list(discover(folder({"_shared": "raise RuntimeError", "ant": _spec("ant")}), Sample)) == ["ant"]


@pytest.mark.parametrize("text", ["", "SPEC = None\n", "SPEC = 'ant'\n", "spec = 1\n"])
def test_a_file_without_a_spec_of_the_type_is_named_with_the_type(folder: Folder, text: str) -> None:
    package = folder({"ant": text})
    with pytest.raises(ConfigError, match=rf"{package}/ant\.py has no SPEC of type Sample$") as caught:
        discover(package, Sample)
    assert caught.value.hint == "Assign SPEC = Sample(...) at the end of the module."


def test_a_spec_whose_name_is_not_its_files_is_named(folder: Folder) -> None:
    package = folder({"ant": _spec("bee")})
    with pytest.raises(ConfigError, match=r"ant\.py: SPEC is named 'bee', the file 'ant'"):
        discover(package, Sample)


def test_third_parties_add_by_an_entry_point_to_a_module_or_to_a_spec(folder: Folder) -> None:
    package = folder(
        {"ant": _spec("ant"), "_theirs": _spec("bee") + "OTHER = Sample('cat')\n"},
        {"bee": "PACKAGE._theirs", "cat": "PACKAGE._theirs:OTHER"},
    )
    assert list(discover(package, Sample)) == ["ant", "bee", "cat"]


def test_an_entry_point_cannot_take_a_name_that_is_there(folder: Folder) -> None:
    package = folder({"ant": _spec("ant"), "_theirs": _spec("ant")}, {"ant": "PACKAGE._theirs"})
    with pytest.raises(ConfigError, match=r"_theirs\.py: the name 'ant' is taken"):
        discover(package, Sample)


def test_a_wrong_entry_point_is_named(folder: Folder) -> None:
    package = folder({"_theirs": "OTHER = 5\n"}, {"bee": "PACKAGE._theirs:OTHER"})
    with pytest.raises(ConfigError, match="entry point bee has no SPEC of type Sample"):
        discover(package, Sample)
