"""PostgreSQL's version comes from the database that the settings name; the rest is in tests/unit/stack."""

from __future__ import annotations

import re
from pathlib import Path

from awf.settings import Settings, load
from awf.stack.programs import PROGRAMS
from awf.wiring.stack_versions import running_versions
from tests.postgres import PASSWORD, Postgres

NOBODY = {program.name: "http://127.0.0.1:1" for program in PROGRAMS}


def _settings(url: str, tmp_path: Path) -> Settings:
    (tmp_path / "password").write_text(PASSWORD)
    return load(database_url=url, database_password_file=tmp_path / "password")


async def test_the_real_postgres_says_its_version(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    found = await running_versions(_settings(url, tmp_path), NOBODY)
    assert re.match(r"\d+\.\d+", found["postgres"].version), found["postgres"].trouble


async def test_a_database_that_is_away_or_is_none_is_told_without_its_password(tmp_path: Path) -> None:
    away = await running_versions(_settings("postgresql://awf@127.0.0.1:1/awf", tmp_path), NOBODY)
    assert "PostgreSQL does not answer" in away["postgres"].trouble
    assert PASSWORD not in away["postgres"].trouble
    lite = await running_versions(_settings("sqlite:////x.db", tmp_path), NOBODY)
    assert lite["postgres"].trouble == "AWF_DATABASE_URL is not PostgreSQL"
    assert (await running_versions(load(), NOBODY))["postgres"].trouble == "AWF_DATABASE_URL is not set"
