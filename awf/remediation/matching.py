"""Where a rule or a play applies: globs over the parts of a target, and the files that hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from awf.core.incidents import Target
from awf.errors import ConfigError

HINT = "docs/watcher-agent-configuration.md describes the file."

Entry = TypeVar("Entry", bound=BaseModel)


class Places(BaseModel):
    """Globs; a part that the target does not have matches only `*`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workflow_id: str = "*"
    step_id: str = "*"
    agent_id: str = "*"
    provider: str = "*"

    def matches(self, target: Target) -> bool:
        return all(fnmatchcase(getattr(target, name), glob) for name, glob in self.model_dump().items())


def one_or_many(value: Any) -> Any:
    """Let a field that holds a list take one text as well."""
    return (value,) if isinstance(value, str) else value


def read_file(path: Path, what: str, fields: Collection[str]) -> dict[str, Any]:
    """Return the YAML mapping of a file, whose first field is a list. Raises ConfigError."""
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the {what} {path} cannot be read: {error}", hint=HINT) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"the {what} {path} is not YAML: {error}", hint=HINT) from error
    entries = next(iter(fields))
    if not isinstance(body, dict) or not isinstance(body.get(entries), list):
        raise ConfigError(f"the {what} {path} has no list `{entries}`", hint=HINT)
    if odd := set(body) - set(fields):
        raise ConfigError(f"the {what} {path} has an unknown field {min(map(str, odd))!r}", hint=HINT)
    return body


def read_entries(
    path: Path, what: str, kind: str, entries: Iterable[object], model: type[Entry]
) -> list[Entry]:
    """Check each entry. Raises ConfigError naming the entry and the field that is wrong."""
    return [_read(path, what, f"{kind} {number}", entry, model) for number, entry in enumerate(entries, 1)]


def _read(path: Path, what: str, which: str, entry: object, model: type[Entry]) -> Entry:
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        name = entry.get("name") if isinstance(entry, dict) else None
        where = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise ConfigError(
            f"the {what} {path}: {which} ({name or 'no name'}): {where}: {first['msg']}, got {first['input']!r:.80}",
            hint=HINT,
        ) from error
