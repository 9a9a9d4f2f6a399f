"""The generator: one seed gives a list of scenarios, each with its truth. The same seed gives the same list."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from awf.core.registry import discover
from awf.errors import ConfigError
from awf.evaluation.kind import BURST, ERRORS, FLAPPING, NO_LOGS, NO_TRACES, POISON, SECOND, Kind
from awf.evaluation.plant import Plant
from awf.evaluation.truth import Truth, both

WARM_UP_S = (35.0, 50.0)
"""Healthy traffic before the trouble begins."""
NATURAL_MIN = (6.0, 30.0)
"""How long a fault lasts when nobody does anything, evenly drawn on a logarithmic scale."""
PERSON_S = (3.0, 20.0)
"""How long the person who is asked takes to answer."""
WATCH_S = 170.0
SECOND_AFTER_S = (0.0, 20.0)
WITHOUT_NOISE = 0.4
ORDERED = (BURST, ERRORS, POISON)  # what the demo is told; the rest is how it is started, or when


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault, or one false alarm, at a target."""

    kind: str
    fault: str
    target: str
    intensity: float
    after_s: float = 0.0  # the onset


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, what is true of it, and how long it is looked at."""

    seed: int
    number: int
    troubles: tuple[Trouble, ...]
    noise: frozenset[str]
    truth: Truth
    warm_up_s: float
    watch_s: float
    natural_s: float
    person_s: float
    noise_intensity: float

    @property
    def name(self) -> str:
        return f"{self.seed}-{self.number:02d}"

    @property
    def kind(self) -> str:
        return self.troubles[0].kind

    @property
    def title(self) -> str:
        return " and ".join(f"{each.kind} {each.target}".strip() for each in self.troubles)

    @property
    def orders(self) -> list[str]:
        """The noise that the demo is told to make."""
        return [name for name in ORDERED if name in self.noise]


def all_kinds() -> dict[str, Kind]:
    """Return every kind by its name."""
    return discover("awf.evaluation.kinds", Kind)


def generate(seed: int, count: int, only: Iterable[str] = ()) -> list[Scenario]:
    """Return `count` scenarios, of these kinds only if any are named. Raises ConfigError for an unknown kind."""
    kinds = all_kinds()
    for name in only:
        if name not in kinds:
            raise ConfigError(f"there is no kind {name!r}", hint=f"Kinds are {', '.join(kinds)}.")
    generator = _Generator(seed, kinds)
    order = generator.rounds([kinds[name] for name in (dict.fromkeys(only) or kinds)])
    return [generator.scenario(next(order), number) for number in range(1, count + 1)]


class _Generator:
    """Draws everything from one seed."""

    def __init__(self, seed: int, kinds: Mapping[str, Kind]) -> None:
        self._seed = seed
        self._kinds = kinds
        self._draw = random.Random(seed)
        self._plant = Plant.of_demo()

    def rounds(self, kinds: Sequence[Kind]) -> Iterator[Kind]:
        """Yield every kind once before any comes again, in another order each time."""
        while True:
            yield from self._draw.sample(kinds, len(kinds))

    def scenario(self, kind: Kind, number: int) -> Scenario:
        draw, plant = self._draw, self._plant
        target = draw.choice(list(kind.targets(plant)))
        troubles = [Trouble(kind.name, kind.fault, target, round(draw.random(), 2))]
        truth = kind.truth(plant, target)
        noise = self._noise(kind)
        if SECOND in noise:
            other = self._kinds["flaky_agent" if kind.name != "flaky_agent" else "agent_errors"]
            place = draw.choice(_apart(plant, truth))
            after_s = round(draw.uniform(*SECOND_AFTER_S), 1)
            troubles.append(Trouble(other.name, other.fault, place, round(draw.random(), 2), after_s))
            truth = both(truth, other.truth(plant, place))
        low, high = NATURAL_MIN
        return Scenario(
            seed=self._seed,
            number=number,
            troubles=tuple(troubles),
            noise=noise,
            truth=truth,
            warm_up_s=round(max(kind.warm_up_s, draw.uniform(*WARM_UP_S)), 1),
            watch_s=kind.watch_s or WATCH_S,
            natural_s=round(60 * math.exp(draw.uniform(math.log(low), math.log(high)))),
            person_s=round(draw.uniform(*PERSON_S), 1),
            noise_intensity=round(draw.random(), 2),
        )

    def _noise(self, kind: Kind) -> frozenset[str]:
        """Return up to two sorts of noise. A watcher without logs and without traces is not asked for causes."""
        draw = self._draw
        if draw.random() < WITHOUT_NOISE:
            return frozenset()
        found = set(draw.sample(sorted(kind.noise), draw.choice((1, 1, 2))))
        if {NO_LOGS, NO_TRACES} <= found:
            found.discard(NO_TRACES)
        if {SECOND, FLAPPING} <= found:
            found.discard(FLAPPING)
        return frozenset(found)


def _apart(plant: Plant, truth: Truth) -> list[str]:
    """Return agents that have nothing to do with a trouble: they neither suffer from it nor stand in for who does."""
    providers = {target.provider for target in truth.targets if target.provider}
    ill = {target.agent_id for target in truth.targets if target.agent_id}
    ill |= {agent for agent in plant.providers if plant.providers[agent] in providers}
    stand_ins = {place.fallback for agent in ill for place in plant.of(agent)}
    return [
        agent
        for agent in plant.replaceable
        if agent not in ill | stand_ins and not {place.fallback for place in plant.of(agent)} & ill
    ]
