from __future__ import annotations

from pathlib import Path

import pytest

from awf.cli.main import main


def test_the_scenarios_of_a_seed_can_be_looked_at_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--seed", "7", "--seed", "8", "--scenarios", "3", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["7-01", "7-02", "7-03", "8-01", "8-02", "8-03"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kinds", "earthquake"], "there is no kind 'earthquake'"),
        (["--jobs", "0"], "need to be 1 or more"),
        (["--write", "no/such/page.md"], "no/such/page.md cannot be read"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is_started(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_page_without_a_place_for_the_tables_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("mine")
    assert main(["eval", "--write", str(page)]) == 2
    assert "has no place for the tables" in capsys.readouterr().err
    assert page.read_text() == "mine"
