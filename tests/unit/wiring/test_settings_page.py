"""The page of settings says everything about every setting, and no secret."""

from __future__ import annotations

import re

from awf.settings import Settings
from awf.wiring.settings_page import settings_page
from tests.unit.cli._program import REPOSITORY


def _rows() -> dict[str, tuple[str, str]]:
    """Return variable -> (default, description), read as a Markdown table is: cells end at every bar."""
    table = settings_page().split("|---|---|---|\n")[1]
    rows = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 3, line
        rows[cells[0].strip("`")] = (cells[1].strip("`"), cells[2])
    return rows


def test_every_setting_has_a_row_with_its_description() -> None:
    rows = _rows()
    assert list(rows) == [f"AWF_{name.upper()}" for name in Settings.model_fields]
    for name, field in Settings.model_fields.items():
        assert rows[f"AWF_{name.upper()}"][1] == field.description


def test_defaults_are_those_that_a_process_gets() -> None:
    rows, given = _rows(), Settings.model_fields
    assert rows["AWF_HOST"][0] == given["host"].default == "127.0.0.1"
    assert rows["AWF_API_PORT"][0] == str(given["api_port"].default)
    assert (rows["AWF_TOKEN"][0], rows["AWF_POLICY_FILE"][0]) == ("", "")


def test_every_secret_can_come_from_a_file() -> None:
    rows = _rows()
    secrets = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secrets
    assert {f"AWF_{name.upper()}_FILE" for name in secrets} <= set(rows)


def test_the_page_does_not_depend_on_the_machine_that_writes_it() -> None:
    assert not re.search(r"/(home|root|tmp|Users)/", settings_page())


def test_the_page_in_the_repository_is_this_one() -> None:
    assert (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()
