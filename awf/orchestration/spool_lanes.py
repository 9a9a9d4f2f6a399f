"""One folder for each process that keeps a spool in a directory, and what dead processes left there.

A lane is a folder `0001`, `0002`, ... that its process holds with a file lock; the system lets go of the
lock when the process dies. A new process goes on with the lane of a dead one of its service, so that its
counters and its `service.instance.id` go on as well.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from awf.errors import ConfigError, DataDirError, MissingDependency

SERVICE, INSTANCE = "service.name", "service.instance.id"

Resource = dict[str, str]


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane that this process holds; `resource` is what its telemetry says of where it comes from."""

    folder: Path
    resource: Resource
    _lock: int

    def release(self) -> None:
        """Let others have it. Call once."""
        import fcntl

        # Closing alone would leave it to the copy that the child of a fork has.
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        os.close(self._lock)

    def abandon(self) -> None:
        """Let go of it in the child of a fork, whose parent goes on with it. Call once."""
        os.close(self._lock)


def claim(directory: Path, resource: Mapping[str, str], *, is_instance_given: bool = False) -> Lane:
    """Take a free lane of the same service, or make one.

    The instance id is that of the lane, unless it `is_instance_given` from outside: then only a lane of
    that instance will do. Raises DataDirError.
    """
    wanted = dict(resource)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in folders(directory):
            lane = _take(folder)
            if lane is None:
                continue
            if lane.resource and not _is_same(lane.resource, wanted, is_instance_given):
                lane.release()
                continue
            return _named(lane, wanted)
        return _named(_make(directory), wanted)
    except OSError as error:
        raise DataDirError(
            f"no spool can be kept in {directory}: {error}", hint="Name a folder that can be written to."
        ) from error


def orphans(directory: Path) -> Iterator[Lane]:
    """Take and yield, one by one, the lanes whose process is gone. Who gets one releases or removes it."""
    for folder in folders(directory):
        lane = _take(folder)
        if lane is None:
            continue
        if lane.resource:
            yield lane
        else:
            lane.release()


def folders(directory: Path) -> list[Path]:
    """Return the lanes' folders, in order."""
    return sorted(path for path in directory.glob("[0-9]" * 4) if path.is_dir())


def read_resource(folder: Path) -> Resource:
    """Return what a lane's telemetry says of where it comes from; empty for an unfinished lane."""
    try:
        found = json.loads((folder / "lane.json").read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in found["resource"].items()}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


def is_held(folder: Path) -> bool:
    """Say whether a living process holds the lane."""
    lane = _take(folder)
    if lane is None:
        return True
    lane.release()
    return False


def _is_same(one: Resource, other: Resource, is_instance_given: bool) -> bool:
    names = (SERVICE, INSTANCE) if is_instance_given else (SERVICE,)
    return all(one.get(name) == other.get(name) for name in names)


def _named(lane: Lane, resource: Resource) -> Lane:
    if INSTANCE in lane.resource:
        resource = resource | {INSTANCE: lane.resource[INSTANCE]}
    if resource == lane.resource:
        return lane  # also on a full disk, where a new draft would find no room
    draft = lane.folder / "lane.new"
    try:
        draft.write_text(json.dumps({"resource": resource}, indent=1), encoding="utf-8")
        draft.replace(lane.folder / "lane.json")
    except OSError:
        lane.release()
        raise
    return Lane(lane.folder, resource, lane._lock)


def _make(directory: Path) -> Lane:
    for number in range(1, 10_000):
        folder = directory / f"{number:04d}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            # Somebody who looks for free lanes may be quicker with the lock: then it is theirs.
            if (lane := _take(folder)) is not None:
                return lane
    raise ConfigError(f"{directory} holds 9,999 spools", hint="Send what is left: awf spool drain.")


def _take(folder: Path) -> Lane | None:
    try:
        import fcntl
    except ImportError as error:
        raise MissingDependency(
            "a spool on disk needs a POSIX system", hint="Leave out `spool`: events then wait in memory."
        ) from error
    path = folder / "lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:  # removed meanwhile
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == path.stat().st_ino:
            return Lane(folder, read_resource(folder), lock)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None
