"""What stands between the versions that run and those that are wanted; the facts are in `upgrades.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from awf.errors import ConfigError
from awf.stack.version import Range, numbers


@dataclass(frozen=True, slots=True)
class Step:
    """A fact about the way from one range of versions to another; with `first` it stops the upgrade."""

    before: Range
    after: Range
    what: str
    do: str
    first: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What AWF works with of one program, and what to know on the way."""

    supported: Range
    why: str
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to know before an upgrade, or to do first."""

    program: str
    running: str
    wanted: str
    first: bool
    what: str
    do: str

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def load_facts() -> dict[str, Facts]:
    """Read the facts that come with AWF."""
    import yaml

    return parse_facts(yaml.safe_load(files("awf.stack").joinpath("upgrades.yaml").read_text("utf-8")))


def parse_facts(document: Mapping[str, Any]) -> dict[str, Facts]:
    """Turn the document into facts. Raises ConfigError naming the program."""
    found = {}
    for program, body in document.items():
        try:
            steps = [
                Step(Range(s["from"]), Range(s["to"]), s["what"], s["do"], s.get("first", False))
                for s in body["steps"]
            ]
            found[program] = Facts(Range(body["supported"]), body["why"], steps)
        except KeyError as error:
            raise ConfigError(f"the facts about {program} have no {error.args[0]!r}") from error
    return found


def advise(facts: Mapping[str, Facts], running: Mapping[str, str], wanted: Mapping[str, str]) -> list[Advice]:
    """Return what to know, the things to do first in front; versions are by program, empty when unknown."""
    found = []
    for program, known in facts.items():
        have, want = running.get(program, ""), wanted.get(program, "")
        found += _ranges(program, known, have, want)
        found += _steps(program, known, have, want)
    return sorted(found, key=lambda advice: not advice.first)


def _ranges(program: str, facts: Facts, have: str, want: str) -> list[Advice]:
    supported = f"AWF works with {program} {facts.supported.text}. {facts.why}"
    target = numbers(want)
    if target is not None and target not in facts.supported:
        what = f"{program} {want} is wanted, which AWF does not work with."
        return [Advice(program, have, want, first=True, what=what, do=supported)]
    current = numbers(have)
    if current is not None and current not in facts.supported:
        what = f"{program} {have} runs, which AWF does not work with."
        do = f"Upgrade to {want}. {supported}" if target else supported
        # Without another version to go to, this is what must change first.
        return [Advice(program, have, want, first=target is None, what=what, do=do)]
    return []


def _steps(program: str, facts: Facts, have: str, want: str) -> list[Advice]:
    current, target = numbers(have), numbers(want)
    if current is None or target is None:
        return []
    return [
        Advice(program, have, want, first=step.first, what=step.what, do=step.do)
        for step in facts.steps
        if current in step.before and target in step.after
    ]
