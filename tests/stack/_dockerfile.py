"""Runs the stages of docker/awf.Dockerfile without an engine, as far as that goes: below a folder, with this Python.

COPY takes what .dockerignore lets through; RUN is run by sh with the image's folders moved below the folder. What an
image has besides (its base, its users) is not there, so only stages that need none of it can be run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.stack._compose import ROOT

TEXT = (ROOT / "docker/awf.Dockerfile").read_text(encoding="utf-8")
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
MOVED = re.compile(r"(?<![\w.])/(opt|dist|src)\b")


def instructions(text: str = TEXT) -> Iterator[tuple[str, str]]:
    """Return each instruction with its argument, continued lines joined and comments gone."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", re.sub(r" # .*", "", "\n".join(lines))).splitlines():
        if line.strip():
            word, _, argument = line.partition(" ")
            yield word, argument.strip()


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions by stage; what stands before the first FROM belongs to none."""
    found: list[list[tuple[str, str]]] = []
    for word, argument in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, argument))
    return found


def context() -> set[str]:
    """Return the files of the repository that a builder is sent, by the last pattern that matches each."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {path for path in listed.split("\n") if path and _is_sent(path)}


def _is_sent(path: str) -> bool:
    is_sent = True
    for pattern in IGNORED:
        bare = pattern.removeprefix("!")
        parts = [path, *(str(parent) for parent in Path(path).parents)]
        names = [Path(part).name for part in parts] if bare.startswith("**/") else parts
        if any(fnmatch(name, bare.removeprefix("**/")) for name in names if "/" not in bare or name):
            is_sent = pattern.startswith("!")
    return is_sent


def run_build_stage(below: Path, python: str) -> Path:
    """Run the first stage and return where its environment is."""
    here, environ = below, {"PATH": f"{Path(python).parent}:{os.environ['PATH']}", "HOME": str(below)}
    below.mkdir(parents=True)
    for word, argument in stages()[0]:
        if word == "ARG":
            environ.update([argument.split("=", 1)] if "=" in argument else [])
        elif word == "ENV":
            for name, value in re.findall(r"(\w+)=(\S+)", argument):
                environ[name] = re.sub(r"\$\{(\w+)\}", lambda found: environ[found[1]], value)
        elif word == "WORKDIR":
            here = below / argument.lstrip("/")
            here.mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            _copy(argument.split(), here)
        elif word == "RUN":
            command = MOVED.sub(lambda found: f"{below}/{found[1]}", argument).replace(
                "python -m venv", f"{python} -m venv"
            )
            done = subprocess.run(
                ["sh", "-ec", command], cwd=here, env=environ, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return below / "opt/awf"


def _copy(names: list[str], here: Path) -> None:
    *sources, target = names
    for path in context():
        for source in sources:
            if path == source or path.startswith(f"{source}/"):
                # A folder is copied by its content, a file into the folder that is named.
                inner = path.removeprefix(f"{source}/") if path != source else Path(path).name
                goal = here / target / inner
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, goal)
