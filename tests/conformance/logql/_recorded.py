"""Answers of a real Loki, kept as YAML: a query, how it was asked, and the normal form of the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from ._answers import Answer
from ._queries import generated, written
from ._sides import Side

LARGEST: Final = 1_800
"""Characters of an answer that is worth keeping; short answers say as much."""
_HEADER: Final = "# Made by test_against_loki.py with AWF_TEST_RECORD=1; not for editing.\n"


@dataclass(frozen=True, slots=True)
class Case:
    query: str
    instant_s: int | None
    answer: Answer


def load(path: Path) -> Iterator[Case]:
    for item in yaml.load(path.read_text(), yaml.CSafeLoader):
        yield Case(item["query"], item.get("at"), item["answer"])


def record(loki: Side, path: Path, instant_s: int) -> None:
    """Ask every written query and some generated ones; errors are kept too, but few of them."""
    cases: list[dict[str, Any]] = []
    failures = 0
    for query in [*written(), *generated(1_300, seed=21)]:
        at = None if query.startswith("{") or len(query) % 2 else instant_s
        answer = loki.ask(query, instant_s=at, categorize=query.startswith("{"))
        failures += "error" in answer
        nothing = not next(iter(answer.values()))
        if len(repr(answer)) > LARGEST or nothing or ("error" in answer and failures > 60):
            continue
        cases.append({"query": query, **({"at": at} if at is not None else {}), "answer": answer})
    path.write_text(
        _HEADER + yaml.dump(cases, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False, width=120)
    )
