"""What `docker compose up` does first: secrets made once, kept, refused, and handed to whom they are meant for."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from awf.errors import ConfigError, DataDirError
from awf.stack.plan import SECRETS, SERVICES, VOLUMES
from awf.stack.secret_folder import prepare, read_file, shown
from tests.unit.cli._program import REPOSITORY

if os.geteuid() != 0:
    pytest.skip("only root can give files to other users, as the container does", allow_module_level=True)

USER = (1234, 1234)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return the folder of a checkout that belongs to an ordinary user, where every user can go."""
    with tempfile.TemporaryDirectory(prefix="awf-secrets-") as name:
        root = Path(name)
        root.chmod(0o755)
        path = root / "secrets"
        path.mkdir()
        os.chown(path, *USER)
        yield path


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    path = tmp_path / "volumes"
    for name in VOLUMES:
        (path / name).mkdir(parents=True)
    return path


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def test_the_first_start_makes_every_secret_and_each_is_another(folder: Path) -> None:
    assert prepare(folder) == list(SECRETS)
    values = {read_file(folder / secret.name) for secret in SECRETS}
    assert len(values) == len(SECRETS)
    assert all(len(value) >= 43 for value in values)


def test_a_second_start_changes_nothing(folder: Path, volumes: Path) -> None:
    prepare(folder, volumes)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert prepare(folder, volumes) == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_secret_belongs_to_the_owner_of_the_checkout_and_nobody_else_reads_it(folder: Path) -> None:
    prepare(folder)
    for secret in SECRETS:
        assert rights(folder / secret.name) == (*USER, 0o600)
    assert rights(folder / "containers") == (*USER, 0o700)


def test_each_container_gets_copies_that_its_user_alone_reads_and_no_others(folder: Path) -> None:
    prepare(folder)
    for service, owner in SERVICES.items():
        place = folder / "containers" / service
        wanted = {secret.name for secret in SECRETS if service in secret.services}
        assert rights(place) == (*owner, 0o500)
        assert {path.name for path in place.iterdir()} == wanted
        for name in wanted:
            assert rights(place / name) == (*owner, 0o400)
            assert read_file(place / name) == read_file(folder / name)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_the_user_of_a_container_reads_its_copies_and_not_those_of_another(
    folder: Path, service: str
) -> None:
    prepare(folder)
    containers = folder / "containers"
    containers.chmod(0o755)  # inside a container the folder is mounted by itself
    foreign = next(name for name, owner in SERVICES.items() if owner != SERVICES[service])

    def look(at: str) -> subprocess.CompletedProcess[str]:
        user, group = SERVICES[service]
        command = ["/bin/sh", "-c", 'cat "$0"/*', str(containers / at)]
        return subprocess.run(
            command, user=user, group=group, extra_groups=[], capture_output=True, text=True, cwd="/"
        )

    assert look(service).stdout.count("\n") == sum(service in secret.services for secret in SECRETS)
    assert look(foreign).stdout == ""
    assert "Permission denied" in look(foreign).stderr


def test_a_secret_of_ones_own_is_kept_and_no_longer_readable_for_everybody(folder: Path) -> None:
    own = folder / "grafana-admin-password"
    own.write_text("correct horse battery\n")
    own.chmod(0o644)
    made = prepare(folder)
    assert "grafana-admin-password" not in {secret.name for secret in made}
    assert read_file(own) == "correct horse battery"
    assert read_file(folder / "containers/grafana/grafana-admin-password") == "correct horse battery"
    assert rights(own) == (*USER, 0o600)


def test_a_changed_secret_reaches_the_containers_at_the_next_start(folder: Path) -> None:
    prepare(folder)
    (folder / "webhook-secret").write_text("another secret\n")
    prepare(folder)
    assert read_file(folder / "containers/awf/webhook-secret") == "another secret"
    assert read_file(folder / "containers/grafana/webhook-secret") == "another secret"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "0 characters"),
        ("short", "5 characters"),
        ("one line\nand another", "one line"),
        ("correct hörse", "read.* alike"),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_before_anything_is_made(
    folder: Path, text: str, what: str
) -> None:
    (folder / "postgres-password").write_text(text)
    with pytest.raises(ConfigError, match=rf"postgres-password has .*{what}"):
        prepare(folder)
    assert [path.name for path in folder.iterdir()] == ["postgres-password"]


def test_a_dollar_sign_is_refused_only_where_grafana_takes_it_for_a_variable(folder: Path) -> None:
    (folder / "grafana-admin-password").write_text("pay me $$$ now")
    (folder / "webhook-secret").write_text("pay me $$$ now")
    with pytest.raises(ConfigError, match=r"webhook-secret has a \$"):
        prepare(folder)
    (folder / "webhook-secret").unlink()
    prepare(folder)
    assert read_file(folder / "containers/grafana/grafana-admin-password") == "pay me $$$ now"


@pytest.mark.parametrize(
    ("volume", "data", "name"),
    [
        ("postgres", "18/docker/PG_VERSION", "postgres-password"),
        ("grafana", "grafana.db", "grafana-admin-password"),
    ],
)
def test_a_lost_secret_of_existing_data_stops_the_start_and_the_sentence_says_what_to_do(
    folder: Path, volumes: Path, volume: str, data: str, name: str
) -> None:
    prepare(folder, volumes)
    (volumes / volume / data).parent.mkdir(parents=True, exist_ok=True)
    (volumes / volume / data).write_text("18")
    lost = read_file(folder / name)
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=f"{name} is missing, but the data of {volume}") as error:
        prepare(folder, volumes)
    assert not (folder / name).exists()
    copy = folder / "containers" / volume / name
    assert str(copy) in error.value.hint
    assert read_file(copy) == lost
    (folder / name).write_bytes(copy.read_bytes())
    assert prepare(folder, volumes) == []


def test_a_lost_secret_that_no_data_depends_on_is_made_again(folder: Path, volumes: Path) -> None:
    prepare(folder, volumes)
    (volumes / "postgres/18/docker").mkdir(parents=True)
    (volumes / "postgres/18/docker/PG_VERSION").write_text("18")
    (folder / "mcp-read-token").unlink()
    assert [secret.name for secret in prepare(folder, volumes)] == ["mcp-read-token"]


def test_a_new_volume_is_given_to_the_user_of_its_program(folder: Path, volumes: Path) -> None:
    prepare(folder, volumes)
    for name, owner in VOLUMES.items():
        assert rights(volumes / name)[:2] == owner


def test_only_what_a_person_needs_is_shown(folder: Path) -> None:
    prepare(folder)
    assert shown(folder) == [
        ("Grafana, password of admin", read_file(folder / "grafana-admin-password")),
        ("AWF, token of admin", read_file(folder / "admin-token")),
    ]


def test_a_user_who_is_not_root_is_told_how_compose_does_it(folder: Path) -> None:
    code = (
        "import os, sys, awf.stack.secret_folder\n"
        "from awf.cli.main import build_parser, main\n"
        "build_parser()\n"  # all is imported while this Python may still be read
        f"os.setgroups([]); os.setgid({USER[1]}); os.setuid({USER[0]})\n"
        f"sys.exit(main(['stack', 'secrets', '--folder', {str(folder)!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == DataDirError.exit_code
    assert "only root makes files for the users of containers" in done.stderr
    assert "docker compose run --rm secrets" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataDirError, match="there is no folder"):
        prepare(tmp_path / "nothing")
