"""Secrets in files of their own: read, or made once by whichever process comes first."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from awf.errors import ConfigError


def make_once(path: Path, secret: bytes) -> None:
    """Put a secret where only its owner may read it, whole, unless another process just did: the first one wins. Raises OSError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secret + b"\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def read_secret(path: Path, named: str) -> str:
    """Return what is in a file. Raises ConfigError that says how the file was `named`."""
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"{named} cannot be read: {why}",
            hint="Make the file readable for this user, or unset it.",
        ) from error
    if not found:
        raise ConfigError(f"{named} is empty", hint="Write the secret into it, or unset it.")
    return found
