"""compose.yaml as the tests read it: anchors followed, variables at their defaults, short forms spelled out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+):-([^}]*)\}")


def with_defaults(value: Any) -> Any:
    """Return a value with each `${NAME:-default}` as its default, and `$$` as the dollar sign it stands for."""
    if isinstance(value, dict):
        return {key: with_defaults(each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_defaults(each) for each in value]
    return _VARIABLE.sub(r"\2", value).replace("$$", "$") if isinstance(value, str) else value


COMPOSE: dict[str, Any] = with_defaults(yaml.safe_load(TEXT))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {"secrets", "bootstrap", "grafana-llm"}


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that is seen inside a container."""

    kind: str
    source: str
    target: str
    read_only: bool


def mounts(service: str) -> Iterator[Mount]:
    for each in SERVICES[service].get("volumes", ()):
        if isinstance(each, str):
            source, target, *options = each.split(":")
            yield Mount("volume", source, target, "ro" in options)
        else:
            yield Mount(each["type"], each["source"], each["target"], each.get("read_only", False))


def published() -> dict[int, tuple[str, int, str]]:
    """Return port on the host -> (address on the host, port in the container, service)."""
    found = {}
    for name, service in SERVICES.items():
        for each in service.get("ports", ()):
            address, outside, inside = each.rsplit(":", 2)
            found[int(outside)] = (address, int(inside), name)
    return found
