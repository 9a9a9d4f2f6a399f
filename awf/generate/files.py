"""Generated texts and the files on the disk: what is out of date, what a person edited, and writing all or nothing.

A record of what was last written (`.awf-generated.json`, beside the generated folders and versioned with them) tells
an edited file from one that is merely old. What was edited is never overwritten unless told to, and then kept.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from awf.errors import ConfigError

RECORD: Final = ".awf-generated.json"
EDITED: Final = ".awf-edited"
"""Where copies of edited files are kept. Not beside the files: Mimir and Grafana read everything in their folders."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What generating would do: paths relative to the root."""

    outdated: tuple[str, ...]  # to be written: missing, or as an earlier version wrote them
    edited: tuple[str, ...]  # to be written, but changed by hand
    obsolete: tuple[str, ...]  # generated once, no longer
    obsolete_edited: tuple[str, ...]  # and changed by hand

    @property
    def changed(self) -> list[str]:
        return [*self.outdated, *self.edited]

    @property
    def by_hand(self) -> list[str]:
        return [*self.edited, *self.obsolete_edited]


def with_record(files: Mapping[str, str]) -> dict[str, str]:
    """Return the files and the record of them."""
    body = {"written_by": "awf generate", "sha256": {path: _hash(files[path]) for path in sorted(files)}}
    return {**files, RECORD: json.dumps(body, indent=1) + "\n"}


def plan(root: Path, files: Mapping[str, str]) -> Plan:
    """Compare `files` with what is on the disk. Raises ConfigError when something cannot be read."""
    written = _read_record(root)
    old: list[str] = []
    edited: list[str] = []
    for path in outdated(root, files):
        there = _read(root / path)
        is_edited = path != RECORD and there is not None and _hash(there) != written.get(path)
        (edited if is_edited else old).append(path)
    gone = [path for path in written if path not in files and (root / path).is_file()]
    by_hand = [path for path in gone if _hash(_read(root / path) or "") != written[path]]
    return Plan(
        tuple(old), tuple(edited), tuple(path for path in gone if path not in by_hand), tuple(by_hand)
    )


def carry_out(root: Path, files: Mapping[str, str], todo: Plan, *, force: bool = False) -> list[Path]:
    """Write and remove what the plan says, and return the copies of edited files that were kept.

    Raises ConfigError when files were changed by hand, unless forced: then nothing at all is written.
    """
    if todo.by_hand and not force:
        named = ", ".join(todo.by_hand)
        raise ConfigError(
            f"changed by hand, or never written by this `awf generate`: {named}; nothing was written",
            hint=f"Edit what they are made from instead. `--force` writes them anyway and keeps yours in {EDITED}/.",
        )
    kept = [_keep(root, path) for path in todo.by_hand]
    _write_all(root, {path: files[path] for path in todo.changed})
    for path in (*todo.obsolete, *todo.obsolete_edited):
        (root / path).unlink()
    return kept


def write(root: Path, files: Mapping[str, str]) -> list[str]:
    """Write what differs, whatever is there, and return those paths."""
    changed = outdated(root, files)
    _write_all(root, {path: files[path] for path in changed})
    return changed


def outdated(root: Path, files: Mapping[str, str]) -> list[str]:
    """Return the paths whose text differs from what would be written. Raises ConfigError when a file
    cannot be read."""
    return [path for path, text in files.items() if _read(root / path) != text]


def _write_all(root: Path, files: Mapping[str, str]) -> None:
    """Write every file in full before the first one is put in its place."""
    if not files:
        return
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".awf-new-", dir=root) as folder:
        new = {path: Path(folder, str(number)) for number, path in enumerate(files)}
        for path, place in new.items():
            place.write_text(files[path], encoding="utf-8")
            (root / path).parent.mkdir(parents=True, exist_ok=True)
        for path, place in new.items():
            place.replace(root / path)


def _keep(root: Path, path: str) -> Path:
    """Copy an edited file to where nobody reads it by mistake; an earlier copy stays."""
    raw = (root / path).read_bytes()
    for number in range(1000):
        copy = root / EDITED / (path + (f".{number}" if number else ""))
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(raw)
            return copy
        if copy.read_bytes() == raw:
            return copy
    raise ConfigError(f"{root / EDITED} holds a thousand copies of {path}", hint="Clear that folder.")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not text, and was not written by `awf generate`", hint="Move it away and run again."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            hint="Make it a file that this user can read, or give another folder with --output.",
        ) from error


def _read_record(root: Path) -> dict[str, str]:
    text = _read(root / RECORD)
    if text is None:
        return {}
    try:
        written = json.loads(text)["sha256"]
        found = {str(path): str(digest) for path, digest in written.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{root / RECORD} is not the record that `awf generate` wrote",
            hint="Restore it from version control, or remove it and run again with --force.",
        ) from error
    return {path: digest for path, digest in found.items() if _is_inside(path)}


def _is_inside(path: str) -> bool:
    """Whether a path of the record stays below the root: what it names may be removed."""
    parts: Iterable[str] = PurePosixPath(path).parts
    return not PurePosixPath(path).is_absolute() and ".." not in parts


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
