"""Help: every command has it, and it tells the truth about exit codes."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from awf import __version__, errors
from awf.cli import main as cli
from awf.cli.main import COMMANDS, EXIT_CODES, main

FOLDER = Path(cli.__file__).parent


def _help(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--help"])
    assert caught.value.code == 0
    return capsys.readouterr().out


def _tree(kind: type[errors.AwfError]) -> Iterator[type[errors.AwfError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


def test_every_module_of_the_command_line_is_a_command() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_")}
    assert modules - {"main"} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_is_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"awf.cli.{name}")
    assert module.__doc__
    assert module.HELP
    shown = _help(capsys, name)
    assert module.__doc__.strip() in shown
    assert EXIT_CODES.strip() in shown


def test_the_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown = " ".join(_help(capsys).split())
    for name in COMMANDS:
        assert f"{name} {importlib.import_module(f'awf.cli.{name}').HELP}" in shown


def test_hidden_flags_stay_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("serve", "embedded", "demo"):
        assert "with-parent" not in _help(capsys, name)


def test_the_help_names_every_exit_code_of_an_error() -> None:
    named = {int(code) for code in re.findall(r"(?:^|\s\s)(\d+)  \S", EXIT_CODES)}
    used = {kind.exit_code for kind in _tree(errors.AwfError)}
    assert used <= named
    assert named - used == {0, 130}


def test_codes_above_two_mean_one_error_each() -> None:
    owners: dict[int, list[str]] = {}
    for kind in _tree(errors.AwfError):
        if "exit_code" in vars(kind):
            owners.setdefault(kind.exit_code, []).append(kind.__name__)
    assert {code: names for code, names in owners.items() if code > 2 and len(names) > 1} == {}


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"awf {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["incidents", "--nonsense"]])
def test_a_wrong_argument_is_code_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "awf: error: " in capsys.readouterr().err or arguments[:1] == ["incidents"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_the_parsed_arguments_only(name: str) -> None:
    module = importlib.import_module(f"awf.cli.{name}")
    assert list(inspect.signature(module.run).parameters) == ["args"]
    assert list(inspect.signature(module.add_arguments).parameters) == ["parser"]
