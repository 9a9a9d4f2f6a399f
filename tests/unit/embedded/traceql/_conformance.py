"""The recorded answers of a real Tempo: where they are, and what they were given to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[3] / "conformance" / "traceql"
SEED: Final = 5
TRACES: Final = 8
KINDS: Final = {
    "filters": ("search",),
    "structure": ("search",),
    "pipelines": ("search",),
    "metrics": ("range", "instant"),
    "refused": ("search", "range"),
}
"""The APIs that the queries of a file are sent to."""


def queries(name: str) -> list[str]:
    lines = (FOLDER / f"{name}.traceql").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def recorded(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def write(name: str, answers: Any) -> None:
    """Write answers in a form that shows what changed: a line for each trace or series."""
    lines = []
    for query, by_kind in answers.items():
        parts = []
        for kind, answer in by_kind.items():
            parts.append(f"  {json.dumps(kind)}: {_rows(answer)}")
        lines.append(f"{json.dumps(query, ensure_ascii=False)}: {{\n" + ",\n".join(parts) + "\n}")
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _rows(answer: Any) -> str:
    if isinstance(answer, list):
        return "[\n    " + ",\n    ".join(map(json.dumps, answer)) + "\n  ]" if answer else "[]"
    if isinstance(answer, dict):
        rows = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in answer.items()]
        return "{\n    " + ",\n    ".join(rows) + "\n  }" if rows else "{}"
    return json.dumps(answer)
