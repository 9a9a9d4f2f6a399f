"""Secrets: made once, for this user only, and the same for every process that asks."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from awf.errors import DataDirError, Unavailable
from awf.settings import load
from awf.wiring.secrets import ADMIN, GRAFANA, WEBHOOK, WORKER, LocalSecrets, find, read_or_make
from tests.unit.cli._program import HOST, free_ports
from tests.unit.cli._server import serving

NAMES = (ADMIN, WORKER, WEBHOOK, GRAFANA)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=lambda mask: f"umask {mask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_secret_can_be_read_by_this_user_only(tmp_path: Path) -> None:
    read_or_make(tmp_path / "data", ADMIN)
    assert stat.S_IMODE((tmp_path / "data" / ADMIN).stat().st_mode) == 0o600


def test_a_secret_is_made_once_and_nothing_else_is_left_there(tmp_path: Path) -> None:
    first = read_or_make(tmp_path, ADMIN)
    assert read_or_make(tmp_path, ADMIN) == first == (tmp_path / ADMIN).read_text().strip()
    assert [path.name for path in tmp_path.iterdir()] == [ADMIN]


def test_secrets_are_long_and_not_alike(tmp_path: Path) -> None:
    made = {read_or_make(tmp_path, name) for name in NAMES}
    assert len(made) == len(NAMES)
    assert min(map(len, made)) >= 32


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    begin = threading.Barrier(8)

    def ask() -> None:
        begin.wait(10)
        found.append(read_or_make(tmp_path, WORKER))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_file_where_the_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(DataDirError, match=rf"the data directory {tmp_path}/data cannot be used") as caught:
        read_or_make(tmp_path / "data", ADMIN)
    assert "AWF_DATA_DIR" in caught.value.hint


def test_a_directory_where_the_secret_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / ADMIN).mkdir()
    with pytest.raises(DataDirError, match=rf"Is a directory \({tmp_path}/{ADMIN}\)"):
        read_or_make(tmp_path, ADMIN)


@pytest.mark.parametrize("content", ["", "\n", "  "])
def test_an_empty_secret_is_never_taken_for_one(content: str, tmp_path: Path) -> None:
    (tmp_path / ADMIN).write_text(content)
    with pytest.raises(DataDirError, match=f"{ADMIN} is empty"):
        read_or_make(tmp_path, ADMIN)


def test_a_first_start_makes_all_and_a_second_finds_them(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path / "data")
    first = LocalSecrets.ensure(settings)
    kept = {name: (tmp_path / "data" / name).read_text() for name in NAMES}
    assert LocalSecrets.ensure(settings) == first
    assert first.admin_token == kept[ADMIN].strip()
    assert {name: (tmp_path / "data" / name).read_text() for name in NAMES} == kept


def test_a_bootstrap_token_stands_in_for_the_made_one(tmp_path: Path) -> None:
    assert LocalSecrets.ensure(load(data_dir=tmp_path, bootstrap_token="given")).admin_token == "given"
    assert not (tmp_path / ADMIN).exists()


def test_children_get_the_names_of_files_and_no_secret(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path)
    secrets = LocalSecrets.ensure(settings)
    environ = secrets.environ(settings)
    assert environ["AWF_WEBHOOK_SECRET_FILE"] == str(tmp_path / WEBHOOK)
    assert environ["AWF_GRAFANA_TOKEN_FILE"] == str(tmp_path / GRAFANA)
    assert environ["AWF_TOKEN_FILE"] == str(tmp_path / WORKER)
    shown = " ".join(environ.values())
    assert not any(read_or_make(tmp_path, name) in shown for name in NAMES)


def test_what_the_user_set_is_not_replaced(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, webhook_secret="mine")
    environ = LocalSecrets.ensure(settings).environ(settings)
    assert "AWF_WEBHOOK_SECRET_FILE" not in environ
    assert "AWF_TOKEN_FILE" in environ


def test_a_secret_is_found_in_its_setting_then_in_the_data_directory(tmp_path: Path) -> None:
    assert find(load(data_dir=tmp_path), "webhook_secret") == ""
    made = read_or_make(tmp_path, WEBHOOK)
    assert find(load(data_dir=tmp_path), "webhook_secret") == made
    assert find(load(data_dir=tmp_path, webhook_secret="mine"), "webhook_secret") == "mine"


async def test_the_login_link_is_the_services_own(tmp_path: Path) -> None:
    async with serving() as server:
        settings = load(data_dir=tmp_path, host=HOST, api_port=server.port)
        link = await LocalSecrets(tmp_path, server.token).login_link(settings)
        assert link.startswith(f"{server.url}/ui/login")


async def test_without_the_service_there_is_no_link(tmp_path: Path) -> None:
    settings = load(data_dir=tmp_path, host=HOST, api_port=free_ports()["AWF_API_PORT"])
    with pytest.raises(Unavailable, match=f"the AWF server at http://{HOST}:"):
        await LocalSecrets(tmp_path, "token").login_link(settings)
