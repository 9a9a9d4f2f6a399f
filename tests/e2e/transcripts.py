"""Runs the ```console blocks of a document and compares what is printed; `...` stands for anything."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands(document: Path) -> Iterator[tuple[str, str]]:
    """Yield (command, expected output) in the order of the document."""
    for block in BLOCK.findall(document.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            yield command, expected.strip()


def matches(expected: str, printed: str) -> bool:
    """Compare without regard to white space, which JSON may have or not."""
    parts = (re.escape(_tight(part)) for part in expected.split("..."))
    return re.fullmatch(".*?".join(parts), _tight(printed), re.DOTALL) is not None


def run(command: str, environ: Mapping[str, str], ports: Mapping[str, str]) -> str:
    """Run one command with the document's ports replaced and return what it prints."""
    for documented, real in ports.items():
        command = command.replace(f":{documented}/", f":{real}/")
    done = subprocess.run(
        ["bash", "-c", command], env=dict(environ), capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


def _tight(text: str) -> str:
    return re.sub(r"\s+", "", text)
