"""A language model's advice, held against what was found: it may choose between near hypotheses and among the
playbook's candidates, and nothing else. Whatever goes wrong, the rules decide, as they do without a model."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from awf.core.actions import ActionInfo
from awf.core.escape import plain_text
from awf.core.incidents import Advice, Alert, CauseClass, Hypothesis, Investigation
from awf.core.ports import Advisor, Answer, Playbook, Question
from awf.core.types import Json
from awf.errors import AwfError

logger = logging.getLogger(__name__)

LEAST_SCORE, NEAR = 0.5, 0.2
"""A hypothesis may be preferred if its evidence convinces, and is about as strong as that of the best."""

MOST_EVIDENCE, MOST_CHARS = 12, 400
LLM, NOTIFY = "llm", "notify_oncall"


class Adviser:
    """Asks the model. `mask` takes secrets out of every text that it is shown."""

    def __init__(
        self,
        advisor: Advisor,
        playbook: Playbook,
        actions: Callable[[], Mapping[str, ActionInfo]],
        mask: Callable[[str], str],
    ) -> None:
        self._advisor = advisor
        self._playbook = playbook
        self._actions = actions
        self._mask = mask

    async def advise(self, found: Investigation, alerts: Sequence[Alert]) -> Investigation:
        """Return what was found in the order that the model prefers, with its choice; as it was when there is none."""
        open_to = _open_to_choice(found.hypotheses)
        if not open_to:
            return found
        candidates = tuple(self._candidates(each) for each in open_to)
        text = json.dumps(self._shown(found, open_to, candidates, alerts), ensure_ascii=False)
        started = time.perf_counter()
        try:
            answer = await self._advisor.advise(Question(text, candidates))
            advice = _checked(answer, candidates, self._mask)
        except AwfError as error:
            logger.warning("the rules decide", extra={"error": error.message})
            answer, advice = None, Advice(reason=plain_text(f"the model is of no help: {error.message}", 300))
        took_ms = (time.perf_counter() - started) * 1000
        advice = replace(advice, took_ms=round(took_ms))
        if answer is None or advice.decided_by != LLM:
            return replace(found, advice=advice)
        preferred = open_to[answer.hypothesis]
        others = tuple(each for each in found.hypotheses if each is not preferred)
        return replace(found, hypotheses=(preferred, *others), advice=advice)

    def _candidates(self, hypothesis: Hypothesis) -> tuple[str, ...]:
        known = self._actions()
        named = [name for name in self._playbook.candidates(hypothesis).actions if name in known]
        return tuple(dict.fromkeys((*named, NOTIFY)))

    def _shown(
        self,
        found: Investigation,
        open_to: Sequence[Hypothesis],
        candidates: Sequence[Sequence[str]],
        alerts: Sequence[Alert],
    ) -> Json:
        known = self._actions()
        names = sorted({name for each in candidates for name in each if name in known})
        return {
            "alerts": [
                {
                    "name": self._text(each.name),
                    "severity": self._text(each.severity),
                    "summary": self._text(each.annotations.get("summary", "")),
                }
                for each in alerts[:10]
            ],
            "hypotheses": [
                self._hypothesis(index, each, candidates[index]) for index, each in enumerate(open_to)
            ],
            "actions": {
                name: {
                    "does": known[name].description,
                    "can_be_undone": known[name].is_reversible,
                    "touches": known[name].blast_radius,
                }
                for name in names
            },
            "ruled_out": [self._text(each) for each in found.ruled_out],
            "not_looked_at": [self._text(each) for each in found.not_looked_at],
        }

    def _hypothesis(self, index: int, each: Hypothesis, candidates: Sequence[str]) -> dict[str, Any]:
        return {
            "index": index,
            "cause": each.cause.value,
            "place": self._text(str(each.target)),
            "score": each.score,
            "summary": self._text(each.summary),
            "evidence": [
                self._text(f"{item.signal}: {item.statement}") for item in each.evidence[:MOST_EVIDENCE]
            ],
            "against": [self._text(text) for text in each.against],
            "candidates": list(candidates),
        }

    def _text(self, text: str) -> str:
        return plain_text(self._mask(text), MOST_CHARS)


def _open_to_choice(hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    best = hypotheses[0] if hypotheses else None
    if best is None or best.cause in (CauseClass.UNKNOWN, CauseClass.FALSE_ALARM):
        return ()
    least = max(LEAST_SCORE, best.score - NEAR)
    return tuple(each for each in hypotheses if each.score >= least)


def _checked(answer: Answer, candidates: Sequence[Sequence[str]], mask: Callable[[str], str]) -> Advice:
    """Return the advice if it keeps to what was offered, else why it is discarded."""
    if not 0 <= answer.hypothesis < len(candidates):
        return Advice(reason=f"the model chose hypothesis {answer.hypothesis}, which it was not offered")
    if answer.action not in candidates[answer.hypothesis]:
        named = plain_text(answer.action, 60)
        return Advice(
            reason=f"the model chose {named!r}, which is no candidate of the playbook for this cause"
        )
    return Advice(
        decided_by=LLM,
        action=answer.action,
        summary=plain_text(mask(answer.summary), 1000),
        reason=plain_text(mask(answer.reason), 500),
    )
