"""From a cause to the actions that may help: ordered plays, of which the first that matches answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from awf.core.incidents import Candidates, CauseClass, Hypothesis
from awf.errors import ConfigError
from awf.remediation.matching import HINT, Places, one_or_many, read_entries, read_file

WHAT = "playbook"


class Play(BaseModel):
    """What to try, best first, against a cause at a place. No action at all leaves it to people."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    cause: tuple[CauseClass, ...] = tuple(CauseClass)
    target: Places = Places()
    actions: tuple[str, ...]

    @field_validator("cause", "actions", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return one_or_many(value)

    def matches(self, hypothesis: Hypothesis) -> bool:
        places = (hypothesis.target, *hypothesis.affected)
        return hypothesis.cause in self.cause and any(map(self.target.matches, places))


BUILT_IN = tuple(
    Play(name=f"built-in: {cause}", cause=(cause,), actions=actions)
    for cause, actions in {
        CauseClass.AGENT_ERROR: ("switch_fallback", "disable_agent"),
        CauseClass.AGENT_LATENCY: ("switch_fallback", "increase_timeout"),
        CauseClass.RATE_LIMIT: ("switch_fallback",),
        CauseClass.PROVIDER_OUTAGE: ("switch_fallback",),
        CauseClass.CONFIG_CHANGE: ("switch_fallback",),
        CauseClass.WORKER_SATURATION: ("scale_workers",),
        CauseClass.WORKFLOW_FAILURE: ("restart_workflow", "retry_step"),
    }.items()
)
"""For causes that are not here there is nothing to try. Telling people comes after all candidates."""


class PlaybookRules:
    """Implements `Playbook`: plays of a file first, then the built-in ones."""

    def __init__(self, plays: Iterable[Play] = ()) -> None:
        self.plays = (*plays, *BUILT_IN)

    def candidates(self, hypothesis: Hypothesis) -> Candidates:
        for play in self.plays:
            if play.matches(hypothesis):
                return Candidates(play.name, play.actions)
        return Candidates("no play matches", ())


def load_playbook(path: Path, actions: Collection[str]) -> PlaybookRules:
    """Read a playbook file. Raises ConfigError naming the play and the field that is wrong."""
    body = read_file(path, WHAT, ("plays",))
    plays = read_entries(path, WHAT, "play", body["plays"], Play)
    for play in plays:
        if unknown := [name for name in play.actions if name not in actions]:
            raise ConfigError(
                f"the playbook {path}: play {play.name!r}: there is no action {unknown[0]!r} "
                f"({', '.join(sorted(actions))})",
                hint=HINT,
            )
    return PlaybookRules(plays)
