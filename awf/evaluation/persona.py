"""The person on call: answers what the watcher asks, after a while, knowing the truth."""

from __future__ import annotations

from datetime import datetime, timedelta

from awf.core.clock import Clock, isoformat
from awf.core.types import Json
from awf.errors import AwfError
from awf.evaluation.stack import Stack
from awf.evaluation.truth import Judgement, Truth


class Person:
    """Approves an action that helps and rejects every other, `delay_s` after seeing the question."""

    def __init__(self, truth: Truth, delay_s: float, clock: Clock) -> None:
        self._truth = truth
        self._delay = timedelta(seconds=delay_s)
        self._clock = clock
        self._seen: dict[str, datetime] = {}
        self.answers: list[Json] = []

    async def look(self, stack: Stack) -> None:
        """Answer the questions that are due."""
        now = self._clock.now()
        for question in (await stack.ask("GET", "/approvals/pending"))["items"]:
            if now - self._seen.setdefault(question["id"], now) >= self._delay:
                await self._answer(stack, question, now)

    async def _answer(self, stack: Stack, question: Json, now: datetime) -> None:
        action = question["action"]
        judgement = self._truth.judge(action["name"], action["arguments"])
        verb = "approve" if judgement is Judgement.RIGHT else "reject"
        body = {"reason": "it helps" if verb == "approve" else "that would not help"}
        try:
            await stack.ask("POST", f"/approvals/{question['id']}/{verb}", body)
        except AwfError as error:  # withdrawn meanwhile
            verb = error.message
        self.answers.append({
            "at": isoformat(now), "asked_at": question["created_at"], "incident_id": question["incident_id"],
            "action": action["name"], "judgement": judgement.value, "answer": verb,
        })  # fmt: skip
