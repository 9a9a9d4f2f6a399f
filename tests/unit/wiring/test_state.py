"""State where the settings say it is, and the tokens that are valid from the first moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from awf.errors import ConfigError, StateUnavailable
from awf.settings import load
from awf.wiring.secrets import ADMIN, WORKER
from awf.wiring.state import database_url, open_state
from tests.postgres import PASSWORD, Postgres


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    url = postgres.new_database()
    yield url
    postgres.drop(url)


@pytest.mark.parametrize("name", ["data", "with space", "what?", "100%"])
async def test_without_a_database_url_state_is_a_file_in_the_data_directory(
    tmp_path: Path, name: str
) -> None:
    settings = load(data_dir=tmp_path / name)
    state = await open_state(settings)
    await state.aclose()
    assert (tmp_path / name / "state.db").is_file()


async def test_tokens_come_from_files_and_then_none_are_made(tmp_path: Path, database: str) -> None:
    for secret in ("admin", "worker", PASSWORD):
        (tmp_path / secret.partition(" ")[0]).write_text(secret)
    settings = load(
        data_dir=tmp_path / "data", database_url=database, database_password_file=tmp_path / "a",
        bootstrap_token_file=tmp_path / "admin", worker_token_file=tmp_path / "worker",
    )  # fmt: skip
    state = await open_state(settings)
    found = [await state.tokens.authenticate(token) for token in ("admin", "worker")]
    await state.aclose()
    assert [each and each.role for each in found] == ["admin", "worker"]
    assert not (tmp_path / "data").exists()


async def test_without_them_they_are_made_in_the_data_directory(tmp_path: Path) -> None:
    state = await open_state(load(data_dir=tmp_path))
    found = [
        await state.tokens.authenticate((tmp_path / name).read_text().strip()) for name in (ADMIN, WORKER)
    ]
    await state.aclose()
    assert [each and each.role for each in found] == ["admin", "worker"]


async def test_a_database_that_does_not_come_is_given_up_with_its_name(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, database_url="postgresql://awf@127.0.0.1:9/awf")
    with pytest.raises(StateUnavailable, match=r"127\.0\.0\.1 does not answer"):
        await open_state(settings, wait_s=0)


async def test_a_password_file_that_is_missing_is_named(tmp_path: Path) -> None:
    settings = load(
        data_dir=tmp_path,
        database_url="postgresql://awf@127.0.0.1:9/awf",
        database_password_file=tmp_path / "no",
    )
    with pytest.raises(ConfigError, match=r"AWF_DATABASE_PASSWORD_FILE=.*cannot be read"):
        await open_state(settings)


def test_the_url_that_settings_lead_to_holds_no_password(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, database_url="postgresql://awf@db/awf", database_password="hunter2")
    assert "hunter2" not in database_url(settings)
