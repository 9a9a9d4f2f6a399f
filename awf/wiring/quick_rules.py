"""The generated rules with the long windows of three alerts made short, so that a scenario need not last an hour."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from awf.generate.output import render_rules, write

WINDOWS: Final[Mapping[str, Mapping[str, str]]] = {
    "AWFTokenSurge": {"[5m]": "[1m]", "[1h] offset 10m": "[45s] offset 70s", "offset 70m": "offset 115s"},
    "AWFCostSurge": {"[10m]": "[1m]", "[1h] offset 10m": "[45s] offset 70s", "offset 70m": "offset 115s"},
    "AWFTelemetryAbsent": {"[5m]": "[1m]"},
}
HOLDS: Final[Mapping[str, str]] = {"AWFTokenSurge": "20s", "AWFCostSurge": "20s", "AWFTelemetryAbsent": "12s"}
"""Every other rule is evaluated as it is generated."""


def write_quick_rules(folder: Path, public_url: str) -> Path:
    """Write the rule files into a folder and return it."""
    write(folder, {name: _quick(text) for name, text in render_rules(public_url).items()})
    return folder


def _quick(text: str) -> str:
    body: dict[str, Any] = yaml.safe_load(text)
    for group in body["groups"]:
        for rule in group["rules"]:
            name = rule.get("alert", "")
            for long, short in WINDOWS.get(name, {}).items():
                if long not in rule["expr"]:
                    raise ValueError(f"{name} has no {long}: WINDOWS no longer fits the rule")
                rule["expr"] = rule["expr"].replace(long, short)
            if name in HOLDS:
                rule["for"] = HOLDS[name]
    return yaml.safe_dump(body, sort_keys=False)
