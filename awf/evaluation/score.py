"""What the watcher made of a scenario, against its truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from awf.core.clock import parse_time
from awf.core.types import Json
from awf.evaluation.requests import Request, judge_service
from awf.evaluation.run import Observation, is_about
from awf.evaluation.scenario import Scenario
from awf.evaluation.truth import Judgement, Truth

INTENT = "action.intent"
UNRANKED = 99


@dataclass(frozen=True, slots=True)
class Action:
    """One action that was taken, from the audit log."""

    at: datetime
    incident_id: str
    name: str
    judgement: Judgement
    was_approved: bool


@dataclass(frozen=True, slots=True)
class Score:
    """One row of the report. Times are seconds; what did not happen has none."""

    name: str
    kind: str
    title: str
    noise: tuple[str, ...]
    is_false_alarm: bool
    can_be_unattended: bool
    can_be_helped: bool
    found: str = "nothing: no alert"
    cause_rank: int = UNRANKED  # 1 is the first hypothesis
    target_rank: int = UNRANKED
    done: str = "nothing"
    is_right: bool = False  # an action that helps was taken, or people were told where none does
    is_autonomous: bool = False  # and nobody had to say so
    is_asked: bool = False
    wrong: tuple[str, ...] = ()
    useless: int = 0
    wrong_questions: int = 0
    detect_s: float | None = None
    investigate_s: float | None = None
    react_s: float | None = None
    suffered: bool = False
    recover_s: float | None = None
    natural_s: float = 0.0
    is_recovered: bool = False
    is_verified: bool = False
    problem: str = ""

    @property
    def disagrees(self) -> bool:
        """Whether the watcher says that it helped and users say otherwise."""
        return self.is_verified and self.suffered and not self.is_recovered


def score(scenario: Scenario, seen: Observation, requests: Sequence[Request]) -> Score:
    """Compare what was seen with what is true."""
    truth = scenario.truth
    incidents = [each for each in seen.incidents if parse_time(each["opened_at"]) >= seen.began_at]
    about = {each["id"] for each in incidents if is_about(scenario, each)}
    main = next((each for each in incidents if each["id"] in about), None)
    actions = _actions(seen, truth)
    changes = [each for each in actions if each.judgement is not Judgement.TOLD]
    right = [each for each in changes if each.judgement is Judgement.RIGHT]
    wrong = tuple(each.name for each in changes if each.judgement is Judgement.WRONG)
    service = judge_service(requests, seen.began_at, seen.ended_at)
    is_told = any(each.judgement is Judgement.TOLD and each.incident_id in about for each in actions)
    is_helped = bool(right) and (service.recovered_at is not None or not service.suffered)
    asked = [each for each in seen.answers if each["judgement"] == Judgement.RIGHT.value]
    hypotheses = main["hypotheses"] if main else []
    is_left_alone = truth.is_false_alarm and not changes
    recover_s = _between(service.suffered_at, service.recovered_at)
    return Score(
        name=scenario.name,
        kind=scenario.kind,
        title=scenario.title,
        noise=tuple(sorted(scenario.noise)),
        is_false_alarm=truth.is_false_alarm,
        can_be_unattended=truth.can_be_unattended,
        can_be_helped=bool(truth.helps),
        found=_found(hypotheses) if main else "nothing: no alert",
        cause_rank=_rank([truth.is_cause(each["cause"]) for each in hypotheses]),
        target_rank=_rank([truth.is_target(_named(each["target"])) for each in hypotheses]),
        done=_done(actions, main, seen),
        is_right=not wrong and (is_helped or is_left_alone or (not truth.helps and is_told)),
        is_autonomous=not wrong and is_helped and any(not each.was_approved for each in right),
        is_asked=bool(asked),
        wrong=wrong,
        useless=sum(each.judgement is Judgement.USELESS for each in changes),
        wrong_questions=sum(each["judgement"] == Judgement.WRONG.value for each in seen.answers),
        detect_s=_between(seen.began_at, parse_time(main["opened_at"])) if main else None,
        investigate_s=_investigated(main) if main else None,
        react_s=_reaction(main, actions) if main else None,
        suffered=service.suffered,
        recover_s=recover_s,
        natural_s=scenario.natural_s,
        is_recovered=service.recovered_at is not None,
        is_verified=any((each["action"] or {}).get("outcome") == "verified" for each in incidents),
    )


def failed(scenario: Scenario, problem: str) -> Score:
    """Return the row of a scenario that could not be run: it counts as not right."""
    truth = scenario.truth
    return Score(
        scenario.name, scenario.kind, scenario.title, tuple(sorted(scenario.noise)), truth.is_false_alarm,
        truth.can_be_unattended, bool(truth.helps), natural_s=scenario.natural_s, problem=problem,
    )  # fmt: skip


def _actions(seen: Observation, truth: Truth) -> list[Action]:
    """Return what was done since the trouble began, oldest first."""
    found = []
    for entry in reversed(seen.audit):
        at = parse_time(entry["at"])
        if entry["event"] == INTENT and at >= seen.began_at:
            detail = entry["detail"]
            judgement = truth.judge(detail["action"], detail.get("arguments", {}))
            was_approved = bool(detail.get("approved_by"))
            found.append(Action(at, entry["subject"], detail["action"], judgement, was_approved))
    return found


def _rank(is_it: Sequence[bool]) -> int:
    return is_it.index(True) + 1 if True in is_it else UNRANKED


def _named(target: Json) -> dict[str, str]:
    return {name: str(value) for name, value in target.items() if value}


def _found(hypotheses: Sequence[Json]) -> str:
    if not hypotheses:
        return "no hypothesis"
    best = hypotheses[0]
    return f"{best['cause']} {' '.join(_named(best['target']).values())}".strip()


def _done(actions: Sequence[Action], main: Json | None, seen: Observation) -> str:
    """Say what was done, in order, each once."""
    words = [
        f"{each.name}{' (approved)' if each.was_approved else ''}: {each.judgement.value}" for each in actions
    ]
    words += [f"asked for {each['action']}: {each['answer']}" for each in seen.answers]
    if main and not words:
        words.append(f"incident {main['status']}")
    return "; ".join(dict.fromkeys(words)) or "nothing"


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return round((end - start).total_seconds(), 1) if start and end else None


def _investigated(incident: Json) -> float | None:
    """Return how long the last investigation took, by the watcher's own account."""
    took = [
        entry["detail"]["duration_ms"]
        for entry in incident["timeline"]
        if entry["kind"] == "investigation" and "duration_ms" in entry["detail"]
    ]
    return round(took[-1] / 1000, 2) if took else None


def _reaction(incident: Json, actions: Sequence[Action]) -> float | None:
    """Return how long after its first alert an incident's action was begun, asked for, or people were told."""
    moments = [each.at for each in actions if each.incident_id == incident["id"]]
    moments += [
        parse_time(entry["at"])
        for entry in incident["timeline"]
        if entry["kind"] == "approval" or (entry["kind"] == "decision" and "waits for it" in entry["text"])
    ]
    return _between(parse_time(incident["opened_at"]), min(moments)) if moments else None
