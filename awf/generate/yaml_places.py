"""YAML that a person wrote, read so that every complaint names the file and the line.

Not a schema language: whoever reads a file asks for the fields it knows, and what nobody asked for is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from awf.errors import ConfigError

LARGEST_BYTES = 1_000_000


class Place:
    """A value in a YAML file, with where it stands and what it is called there."""

    def __init__(self, file: str, node: yaml.Node, name: str) -> None:
        self._file = file
        self._node = node
        self.name = name

    def error(self, message: str, *, hint: str = "") -> ConfigError:
        """Return the error to raise about this place: `file:line: name: message`."""
        where = f"{self._file}:{self._node.start_mark.line + 1}"
        return ConfigError(
            f"{where}: {self.name}: {message}" if self.name else f"{where}: {message}", hint=hint
        )

    def fields(
        self,
        *,
        required: Collection[str] = (),
        optional: Collection[str] = (),
        refused: Mapping[str, str] | None = None,
    ) -> dict[str, Place]:
        """Return the entries of a mapping. `refused` are names of the format that we do not support -> what to
        do instead; any other name that is not known is refused with its nearest match."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.error(f"is {_kind(self._node)}, expected fields ({', '.join([*required, *optional])})")
        found: dict[str, Place] = {}
        for key, node in self._node.value:
            name = str(key.value)
            at = Place(self._file, key, self._below(name))
            if name in found:
                raise at.error("is there twice", hint="Keep one of the two.")
            if refused and name in refused:
                raise at.error("is part of OpenSLO, but not supported here", hint=refused[name])
            if name not in required and name not in optional:
                raise at.error("is not a known field", hint=_did_you_mean(name, [*required, *optional]))
            found[name] = Place(self._file, node, self._below(name))
        for name in required:
            if name not in found:
                raise self.error(f"has no field {name!r}", hint=f"Add it: {name}: ...")
        return found

    def pairs(self) -> dict[str, Place]:
        """Return the entries of a mapping whose names are the writer's own."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.error(f"is {_kind(self._node)}, expected name: value pairs")
        return {
            str(key.value): Place(self._file, node, self._below(str(key.value)))
            for key, node in self._node.value
        }

    def items(self) -> list[Place]:
        """Return the items of a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.error(f"is {_kind(self._node)}, expected a list", hint="Begin each item with '- '.")
        return [Place(self._file, node, f"{self.name}[{n}]") for n, node in enumerate(self._node.value)]

    def text(self) -> str:
        """Return a non-empty text; a number or a word such as `yes` is one too."""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.error(f"is {_kind(self._node)}, expected a text")
        if not self._node.value.strip():
            raise self.error("is empty")
        return str(self._node.value).strip()

    def number(self) -> float:
        value = self._plain()
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(f"is {value!r}, expected a number")
        return float(value)

    def flag(self) -> bool:
        value = self._plain()
        if not isinstance(value, bool):
            raise self.error(f"is {value!r}, expected true or false")
        return value

    def _plain(self) -> Any:
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.error(f"is {_kind(self._node)}, expected one value")
        return yaml.safe_load(yaml.serialize(self._node))

    def _below(self, name: str) -> str:
        return f"{self.name}.{name}" if self.name else name


def read_documents(path: Path) -> list[Place]:
    """Return the documents of a YAML file. Raises ConfigError with file and line."""
    try:
        raw = path.read_bytes()
        if len(raw) > LARGEST_BYTES:
            raise ConfigError(f"{path} has {len(raw)} bytes, more than {LARGEST_BYTES}", hint="Split it.")
        text = raw.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="Check the path.") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text", hint="Save it as UTF-8.") from error
    try:
        nodes = list(yaml.compose_all(text, yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise ConfigError(
            f"{path}:{line}: is not YAML: {problem}", hint="Mind the indentation and the quotes there."
        ) from error
    return [Place(str(path), node, "") for node in nodes if not _is_empty(node)]


def _is_empty(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and not node.value)


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a group of fields"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"{node.value!r:.60}" if node.value else "empty"


def _did_you_mean(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}."
