"""The folder `secrets/`: what is missing is made, what a person put there is kept, each container gets copies.

`NAME` is the secret itself and belongs to whoever owns the folder (0600); `containers/SERVICE/NAME` is a copy for
the user of that container (0400). Nothing is written until everything that can be wrong has been looked at.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from awf.errors import ConfigError, DataDirError
from awf.stack.plan import SECRETS, SERVICES, VOLUMES, Owner, Secret

DOCS = "docs/deploying-with-grafana.md#lost-or-changed-secrets"
LEAST_LENGTH = 8
AS_COMPOSE_DOES = "Run it as compose does, as root: docker compose run --rm secrets"


def prepare(folder: Path, volumes: Path | None = None) -> list[Secret]:
    """Make what is missing and hand out the copies and volumes. Returns the secrets that were made now.

    Raises ConfigError for a secret that cannot be used, or that is missing though data was set up with it;
    DataDirError when the folder cannot be written.
    """
    if not folder.is_dir():
        raise DataDirError(f"there is no folder {folder}", hint="It is part of the repository: secrets/.")
    with _writing(folder):
        missing = _missing(folder, volumes)
        owner = folder.stat().st_uid, folder.stat().st_gid
        for secret in missing:
            _put(folder / secret.name, secret.prefix + secrets.token_urlsafe(32), owner, 0o600)
        _tighten(folder, owner)
        _hand_out(folder, owner)
        if volumes is not None:
            _give(volumes)
    return missing


def shown(folder: Path, which: Iterable[Secret] = SECRETS) -> list[tuple[str, str]]:
    """Return name and value of those secrets that a person needs to know. Raises ConfigError."""
    return [(secret.shown_as, read_file(folder / secret.name)) for secret in which if secret.shown_as]


def read_file(path: Path) -> str:
    """Return a secret. Raises ConfigError for one that a program would not read as a person wrote it."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"the secret {path} cannot be read: {error.strerror}",
            hint="It is made by `docker compose up`, and readable for root and for whom it is made.",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text", hint="Write the secret as one line of text.") from error
    complaint = _complaint(text)
    if complaint:
        raise ConfigError(
            f"{path} {complaint}",
            hint=f"A secret is one line of {LEAST_LENGTH} characters or more, all of ASCII; without the file a good "
            "one is made.",
        )
    return text


def _complaint(text: str) -> str:
    if len(text) < LEAST_LENGTH:
        return f"has {len(text)} characters"
    if len(text.splitlines()) > 1:
        return "has more than one line"
    return (
        "" if text.isascii() and text.isprintable() else "has a character that not every program reads alike"
    )


def _missing(folder: Path, volumes: Path | None) -> list[Secret]:
    missing = []
    for secret in SECRETS:
        path = folder / secret.name
        if path.exists():
            if secret.without and secret.without in read_file(path):
                raise ConfigError(
                    f"{path} has a {secret.without}, which Grafana would not read as it is",
                    hint="Write another one, or remove the file: a good one is made.",
                )
            read_file(path)
            continue
        if volumes is not None and secret.volume and any((volumes / secret.volume).glob(secret.marker)):
            raise ConfigError(
                f"{path} is missing, but the data of {secret.volume} was set up with it",
                hint=f"Put it back, for example from {folder / 'containers' / secret.volume / secret.name}; "
                f"or write a new one there and tell {secret.volume} about it: {DOCS}",
            )
        missing.append(secret)
    return missing


def _tighten(folder: Path, owner: Owner) -> None:
    """What a person dropped into the folder is often readable for everybody."""
    for secret in SECRETS:
        (folder / secret.name).chmod(0o600)
        os.chown(folder / secret.name, *owner)


def _hand_out(folder: Path, owner: Owner) -> None:
    containers = folder / "containers"
    _make_folder(containers, owner, 0o700)  # a user of the host may have the number of a container's user
    for service, holder in SERVICES.items():
        _make_folder(containers / service, holder, 0o500)
        for secret in SECRETS:
            if service in secret.services:
                _put(containers / service / secret.name, read_file(folder / secret.name), holder, 0o400)


def _give(volumes: Path) -> None:
    """A new volume belongs to root unless the image has a folder of that name: give each to its program."""
    for name, owner in VOLUMES.items():
        path = volumes / name
        if path.is_dir() and (path.stat().st_uid, path.stat().st_gid) != owner:
            os.chown(path, *owner)


def _make_folder(path: Path, owner: Owner, mode: int) -> None:
    path.mkdir(exist_ok=True)
    os.chown(path, *owner)
    path.chmod(mode)


def _put(path: Path, text: str, owner: Owner, mode: int) -> None:
    """Write a file whole, with its owner and rights before it has its name."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text + "\n")
    os.chown(draft, *owner)
    draft.chmod(mode)
    draft.replace(path)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise DataDirError(
            f"{error.filename or folder}: {error.strerror}; only root makes files for the users of containers",
            hint=AS_COMPOSE_DOES,
        ) from error
    except OSError as error:
        raise DataDirError(
            f"{error.filename or folder} cannot be used: {error.strerror}", hint=AS_COMPOSE_DOES
        ) from error
