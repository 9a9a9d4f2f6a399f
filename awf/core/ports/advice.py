"""A model that may be asked for its opinion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked about an investigation: text that is masked already, and what it may choose among.

    `candidates` has, for each hypothesis by its place in the list, the names of the actions that the playbook gives.
    """

    text: str
    candidates: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said; nobody has checked it."""

    hypothesis: int
    action: str
    summary: str
    reason: str


class Advisor(Protocol):
    """A language model that may re-rank hypotheses and choose among candidates. It decides nothing about safety."""

    async def advise(self, question: Question) -> Answer:
        """Ask once, within a time limit. Raises Unavailable when no usable answer came."""
        ...
