from __future__ import annotations

import pytest

from awf.core.incidents import CauseClass
from awf.core.registry import discover
from awf.demo.fault import Fault, targets
from awf.errors import ConfigError
from awf.evaluation.kind import FLAPPING, NO_LOGS, NO_TRACES, SECOND
from awf.evaluation.plant import Plant
from awf.evaluation.scenario import all_kinds, generate

KINDS = all_kinds()
FAULTS = discover("awf.demo.faults", Fault)
MANY = [scenario for seed in range(40) for scenario in generate(seed, 24)]


def test_a_seed_gives_the_same_scenarios_and_another_gives_others() -> None:
    assert generate(5, 30) == generate(5, 30)
    assert generate(5, 30)[:10] == generate(5, 10)
    assert [each.title for each in generate(5, 30)] != [each.title for each in generate(6, 30)]


def test_every_kind_comes_before_any_comes_again() -> None:
    assert len(KINDS) >= 15
    for seed in range(5):
        assert {each.kind for each in generate(seed, len(KINDS))} == set(KINDS)


def test_only_the_kinds_that_are_wanted_are_drawn() -> None:
    assert {each.kind for each in generate(1, 6, ["rate_limit", "false_alarm"])} == {
        "rate_limit",
        "false_alarm",
    }
    with pytest.raises(ConfigError, match="no kind 'earthquake'"):
        generate(1, 1, ["earthquake"])


def test_every_sort_of_noise_is_drawn_and_a_good_part_is_without() -> None:
    seen = {name for each in MANY for name in each.noise}
    assert seen == {name for kind in KINDS.values() for name in kind.noise}
    assert 0.25 < sum(not each.noise for each in MANY) / len(MANY) < 0.6
    assert not any({NO_LOGS, NO_TRACES} <= each.noise or {SECOND, FLAPPING} <= each.noise for each in MANY)


@pytest.mark.parametrize("name", KINDS)
def test_what_a_kind_does_and_says_is_real(name: str) -> None:
    kind, plant = KINDS[name], Plant.of_demo()
    found = kind.targets(plant)
    assert found
    for target in found:
        truth = kind.truth(plant, target)
        assert truth.causes
        assert truth.is_false_alarm == (name in ("false_alarm", "flapping_alarm"))
        if kind.fault:
            assert target in ("", *targets(FAULTS[kind.fault].aims_at))
        for place in (
            place for each in truth.helps if each.action == "switch_fallback" for place in each.places
        ):
            assert place in {each.name for each in plant.places if each.fallback}


def test_the_causes_that_are_asked_for_have_names() -> None:
    later = {"bad_input", "dependency", "config_change", "cost_surge"}
    known = {cause.value for cause in CauseClass} | later
    plant = Plant.of_demo()
    assert {c for kind in KINDS.values() for c in kind.truth(plant, kind.targets(plant)[0]).causes} <= known


def test_two_faults_at_once_keep_apart() -> None:
    plant, twos = Plant.of_demo(), [each for each in MANY if len(each.troubles) == 2]
    assert len({each.kind for each in twos}) > 5
    for each in twos:
        first, second = (KINDS[t.kind].truth(plant, t.target) for t in each.troubles)
        assert each.troubles[0].fault != each.troubles[1].fault
        help_of = [
            {p for h in truth.helps if h.action == "switch_fallback" for p in h.places}
            for truth in (first, second)
        ]
        assert not help_of[0] & help_of[1]
        (other,) = {target.agent_id for target in second.targets}
        stand_ins = {p.fallback for p in plant.places if p.name in help_of[0]}
        assert other not in stand_ins
