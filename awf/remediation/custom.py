"""Actions of the operator's own: every `NAME.py` with a SPEC and every `NAME.yaml` of a script, in one directory.

Who may write there decides what the watcher can do, so files that anyone may write are refused.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from awf.core.incidents import Verdict
from awf.errors import ConfigError
from awf.remediation.manifest import HINT, Manifest, read_manifest
from awf.remediation.sandbox import Bounds, can_close_network
from awf.remediation.script import ScriptAction, digest_of
from awf.remediation.spec import ActionSpec

logger = logging.getLogger(__name__)


def load_actions(
    directory: Path, *, taken: Collection[str], environ: Mapping[str, str], may_stay_open: bool
) -> dict[str, ActionSpec]:
    """Return the actions of a directory by name; those in `taken` cannot be replaced.

    Each asks before it is taken, unless a policy says otherwise. Raises ConfigError naming the file.
    """
    found: dict[str, ActionSpec] = {}
    try:
        paths = sorted(directory.iterdir())
    except OSError as error:
        raise ConfigError(
            f"the directory of actions {directory} cannot be read: {error.strerror}",
            hint="AWF_ACTIONS_DIR names a directory.",
        ) from error
    _refuse_if_anyone_writes(directory)
    for path in paths:
        if path.name.startswith((".", "_")) or path.suffix not in (".py", ".yaml"):
            continue  # programs, and what they need
        if path.stem in taken or path.stem in found:
            raise ConfigError(f"{path}: the name {path.stem!r} is taken", hint="Rename the file.")
        _refuse_if_anyone_writes(path)
        if path.suffix == ".py":
            found[path.stem] = _python(path)
        else:
            found[path.stem] = _script(path, environ, may_stay_open=may_stay_open).spec()
    return found


def _python(path: Path) -> ActionSpec:
    spec = importlib.util.spec_from_file_location(f"awf_actions.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} cannot be imported", hint="Mend the file or move it away.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # boundary: whatever a foreign file raises, the start says which file
        raise ConfigError(
            f"{path} cannot be imported: {type(error).__name__}: {error}",
            hint="Mend the file or move it away.",
        ) from error
    found = getattr(module, "SPEC", None)
    if not isinstance(found, ActionSpec):
        raise ConfigError(f"{path} has no SPEC of type ActionSpec", hint="Assign SPEC = ActionSpec(...).")
    if found.name != path.stem:
        raise ConfigError(
            f"{path}: SPEC is named {found.name!r}, the file {path.stem!r}", hint="Give both one name."
        )
    default = Verdict.DENY if found.default is Verdict.DENY else Verdict.ASK
    return replace(found, default=default, is_custom=True)


def _script(path: Path, environ: Mapping[str, str], *, may_stay_open: bool) -> ScriptAction:
    manifest = read_manifest(path)
    command = _program(path, manifest.command)
    undo = _program(path, manifest.undo) if manifest.undo else None
    if not manifest.network and not can_close_network():
        _network_stays_open(path, may_stay_open=may_stay_open)
    bounds = Bounds(
        timeout_s=manifest.timeout_s,
        memory_bytes=manifest.memory_mb * 1024 * 1024,
        output_bytes=manifest.output_kb * 1024,
        network=manifest.network,
        may_stay_open=may_stay_open,
        environment=_environment(path, manifest, environ),
    )
    return ScriptAction(manifest, command, undo, bounds, digest_of(command, undo))


def _network_stays_open(path: Path, *, may_stay_open: bool) -> None:
    if not may_stay_open:
        raise ConfigError(
            f"{path}: this machine does not let its network be closed (no user namespaces, or not permitted)",
            hint="Write `network: true` into the manifest, or set AWF_ACTIONS_OPEN_NETWORK=warn.",
        )
    logger.warning("an action's network stays open", extra={"manifest": str(path)})


def _program(manifest: Path, name: str) -> Path:
    """Return a program in the manifest's folder. Raises ConfigError."""
    folder = manifest.parent.resolve()
    program = (folder / name).resolve()
    if not program.is_relative_to(folder):
        raise ConfigError(f"{manifest}: {name!r} is not in its folder", hint=HINT)
    if not program.is_file() or not os.access(program, os.X_OK):
        raise ConfigError(f"{manifest}: {program} is no program", hint="Put it there, and chmod +x it.")
    _refuse_if_anyone_writes(program)
    return program


def _environment(path: Path, manifest: Manifest, environ: Mapping[str, str]) -> dict[str, str]:
    if missing := [name for name in manifest.environment if name not in environ]:
        raise ConfigError(
            f"{path}: the variable {missing[0]} is not set", hint="Set it where the server is started."
        )
    return {name: environ[name] for name in manifest.environment}


def _refuse_if_anyone_writes(path: Path) -> None:
    if path.stat().st_mode & stat.S_IWOTH:
        raise ConfigError(f"{path} can be written by anyone", hint=f"chmod o-w {path}")
