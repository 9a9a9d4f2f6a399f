"""The codec: everything that crosses a process boundary comes back as it was, or is refused by name."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, StrEnum
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awf.core import actions, incidents, ports
from awf.core import types as core_types
from awf.core.codec import from_json, to_json
from awf.core.incidents import Alert, CauseClass, Hypothesis, Incident
from awf.core.types import (
    AgentManifest,
    ControlAck,
    EngineInfo,
    ExecutionRecord,
    StepInfo,
    TaskMetrics,
)
from awf.errors import InvalidInput

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
SCALARS: Mapping[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    datetime: TIMES,
    Any: JSON,
}
CHECKED_FIELDS: Mapping[type, Mapping[str, st.SearchStrategy[Any]]] = {
    AgentManifest: {"id": st.text(min_size=1), "trust_score": st.floats(0, 1)},
}


def _wire_types() -> list[type]:
    """Return every dataclass of the core's contracts (a generic one has no form of its own)."""
    return [
        kind
        for module in (core_types, incidents, actions, ports)
        for kind in vars(module).values()
        if is_dataclass(kind)
        and kind.__module__.startswith(module.__name__)
        and kind not in (ports.Page, ports.Delivery)
    ]


WIRE_TYPES = _wire_types()
by_type = pytest.mark.parametrize("kind", WIRE_TYPES, ids=lambda kind: kind.__name__)


@cache
def _values(hint: Any) -> st.SearchStrategy[Any]:
    """Return what a field of this type may hold."""
    if hasattr(hint, "__supertype__"):
        return _values(hint.__supertype__)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.none() | _values(args[0])
    if origin is tuple:
        return st.lists(_values(args[0]), max_size=2).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(st.text(), _values(args[1]), max_size=2)
    if origin is not None and issubclass(origin, Sequence):
        return st.lists(_values(args[0]), max_size=2)
    if is_dataclass(hint):
        return _instances(typing.cast("type", hint))
    return st.sampled_from(hint) if isinstance(hint, type) and issubclass(hint, Enum) else SCALARS[hint]


@cache
def _instances(kind: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    parts = {name: _values(hint) for name, hint in hints.items()} | CHECKED_FIELDS.get(kind, {})
    return st.builds(kind, **parts)


def _objects(body: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a JSON value."""
    if isinstance(body, dict):
        yield body
    for inner in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from _objects(inner)


@by_type
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_value_comes_back_from_the_wire_as_it_was(kind: type, data: st.DataObject) -> None:
    value = data.draw(_instances(kind))
    assert from_json(kind, json.loads(json.dumps(to_json(value)))) == value


@by_type
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_a_peer_sends_is_read_or_refused(kind: type, data: st.DataObject) -> None:
    body = to_json(data.draw(_instances(kind)))
    spoilt = data.draw(st.sampled_from(list(_objects(body))))
    if spoilt:
        odd = JSON | st.just(10**400) | st.just("0001-01-01T00:00:00+01:00")
        spoilt[data.draw(st.sampled_from(sorted(spoilt)))] = data.draw(odd)
    with contextlib.suppress(InvalidInput):
        assert isinstance(from_json(kind, body), kind)


@by_type
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_a_missing_field_is_named_unless_it_has_a_default(kind: type, data: st.DataObject) -> None:
    body = to_json(data.draw(_instances(kind)))
    for field in fields(kind):
        rest = {name: value for name, value in body.items() if name != field.name}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            with pytest.raises(InvalidInput, match=rf"^{field.name} is missing$"):
                from_json(kind, rest)
        else:
            from_json(kind, rest)


def test_every_contract_is_there_to_be_checked() -> None:
    names = {kind.__name__ for kind in WIRE_TYPES}
    assert names >= {
        "Incident",
        "Approval",
        "AuditEntry",
        "EngineInfo",
        "ControlChange",
        "WorkOrder",
        "Series",
    }
    assert len(names) > 30


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    at: datetime
    colour: Colour = Colour.RED
    count: int = 0
    share: float = 0.0
    on: bool = False


@dataclass(frozen=True, slots=True)
class Outer:
    inner: Inner
    many: tuple[Inner, ...] = ()
    by_name: Mapping[str, int] = dataclasses.field(default_factory=dict)
    maybe: Inner | None = None


AT = "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (None, "the body is None, expected an object"),
        ([], r"the body is \[\], expected an object"),
        ({}, "inner is missing"),
        ({"inner": {}}, r"inner\.at is missing"),
        ({"inner": AT}, "inner is '2026.*', expected an object"),
        ({"inner": {"at": 5}}, r"inner\.at is 5, expected a time such as 2026-01-31T12:00:00Z"),
        ({"inner": {"at": "noon"}}, r"inner\.at is 'noon', expected a time"),
        ({"inner": {"at": "2026-01-31T12:00:00"}}, r"inner\.at is '2026-01-31T12:00:00', expected a time"),
        ({"inner": {"at": AT, "colour": "green"}}, r"inner\.colour is 'green', expected one of red, blue"),
        ({"inner": {"at": AT, "colour": ["red"]}}, r"inner\.colour is \['red'\], expected one of red, blue"),
        ({"inner": {"at": AT, "count": "1"}}, r"inner\.count is '1', expected int"),
        ({"inner": {"at": AT, "count": 1.5}}, r"inner\.count is 1\.5, expected int"),
        ({"inner": {"at": AT, "count": True}}, r"inner\.count is True, expected int"),
        ({"inner": {"at": AT, "share": False}}, r"inner\.share is False, expected float"),
        ({"inner": {"at": AT, "share": 10**400}}, r"inner\.share is 1000.*, expected a number"),
        ({"inner": {"at": AT, "on": 1}}, r"inner\.on is 1, expected bool"),
        ({"inner": {"at": AT}, "many": {}}, r"many is \{\}, expected a list"),
        ({"inner": {"at": AT}, "many": "ab"}, "many is 'ab', expected a list"),
        ({"inner": {"at": AT}, "many": [{"at": AT}, {"at": 0}]}, r"many\[1\]\.at is 0, expected a time"),
        ({"inner": {"at": AT}, "by_name": []}, r"by_name is \[\], expected an object"),
        ({"inner": {"at": AT}, "by_name": {"a": "x"}}, r"by_name\.a is 'x', expected int"),
        ({"inner": {"at": AT}, "maybe": {"at": None}}, r"maybe\.at is None, expected a time"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path_and_value(body: object, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{sentence}"):
        from_json(Outer, body)


def test_the_path_is_kept_apart_for_a_machine_to_read() -> None:
    with pytest.raises(InvalidInput) as caught:
        from_json(Outer, {"inner": {"at": AT}, "many": [{"at": AT, "count": "x"}]})
    assert caught.value.context == {"field": "many[0].count"}


def test_a_long_wrong_value_is_cut_in_the_message() -> None:
    with pytest.raises(InvalidInput) as caught:
        from_json(Inner, {"at": "x" * 100_000})
    assert len(caught.value.message) < 200


def test_a_value_that_its_own_class_refuses_is_invalid_input() -> None:
    with pytest.raises(InvalidInput, match=r"trust_score is 2\.0, expected 0 to 1"):
        from_json(AgentManifest, {"id": "a", "name": "a", "version": "1", "trust_score": 2})
    with pytest.raises(InvalidInput, match="needs an id"):
        from_json(EngineInfo, {
            "id": "e", "workflows": [], "workers": 1, "agents": [{"id": "", "name": "a", "version": "1"}],
        })  # fmt: skip


@pytest.mark.parametrize(
    "kind", [EngineInfo, Incident, Hypothesis, ControlAck], ids=lambda kind: kind.__name__
)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_keys_of_a_newer_peer_are_ignored_at_every_level(kind: type, data: st.DataObject) -> None:
    value = data.draw(_instances(kind))

    def extended(hint: Any, body: Any) -> Any:
        if is_dataclass(hint) and isinstance(body, dict):
            hints = typing.get_type_hints(hint)
            return {name: extended(hints[name], item) for name, item in body.items()} | {"from_the_future": 1}
        if typing.get_origin(hint) in (typing.Union, types.UnionType, tuple):
            inner = typing.get_args(hint)[0]
            return (
                [extended(inner, item) for item in body] if isinstance(body, list) else extended(inner, body)
            )
        return body

    assert from_json(kind, extended(kind, to_json(value))) == value


def test_times_are_written_in_utc_with_milliseconds_and_read_with_any_offset() -> None:
    noon = datetime(2026, 1, 31, 13, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
    assert to_json(noon) == "2026-01-31T12:00:00.250Z"
    assert from_json(datetime, "2026-01-31T13:00:00.250+01:00") == noon


def test_integers_are_read_where_a_float_is_expected() -> None:
    metrics = from_json(TaskMetrics, {"cost_usd": 1, "execution_time_ms": 2})
    assert (metrics.cost_usd, type(metrics.cost_usd)) == (1.0, float)


def test_wire_names_are_the_field_names_and_enums_their_values() -> None:
    alert = Alert("f1", "firing", datetime(2026, 1, 31, tzinfo=UTC), {"alertname": "X"})
    assert to_json(alert) == {
        "fingerprint": "f1", "status": "firing", "starts_at": "2026-01-31T00:00:00.000Z",
        "labels": {"alertname": "X"}, "annotations": {}, "values": {}, "ends_at": None, "rule_uid": "",
        "generator_url": "",
    }  # fmt: skip
    assert to_json([CauseClass.RATE_LIMIT, {"a": frozenset({1})}]) == ["rate_limit", {"a": [1]}]


def test_absent_and_null_are_both_none_where_a_field_may_be_none() -> None:
    body = {"id": "s", "agent_id": "a"}
    assert from_json(StepInfo, body) == from_json(StepInfo, body | {"fallback_agent_id": None})
    with pytest.raises(InvalidInput, match="output is 3, expected an object"):
        from_json(ExecutionRecord, {
            "id": "x", "workflow_id": "w", "status": "pending", "engine_id": "e", "input": {}, "output": 3,
        })  # fmt: skip


def test_a_type_without_a_json_form_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        from_json(set[str], ["a"])
