"""Of each span the values that the conditions of a query let through: what Tempo's storage hands its engine.

Spans that cannot match are left out on the way. What is left has, for each scope, the values in the order
in which they are found; one that is named but has no fitting value is there as None and hides what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from awf.embedded.model import Span
from awf.embedded.traceql.conditions import ANY, EXISTS, MISSING, START, Condition, Request
from awf.embedded.traceql.intrinsics import EVENT_VALUES, LINK_VALUES, SCOPE_VALUES, SPAN_VALUES, TRACE_VALUES
from awf.embedded.traceql.nodes import Field, Scope
from awf.embedded.traceql.traces import SERVICE_NAME, SpanView, TraceView
from awf.embedded.traceql.values import Duration, Type, Value, comparison, from_attribute

Pairs = list[tuple[Field, Value]]
Test = Callable[[Value], bool] | None
NIL: Final = "nil"
"""The value of what `= nil` asked for and is not there."""
_BOUNDS: Final = {
    Field(Scope.INTRINSIC, name, Type.NUMBER): at
    for at, name in enumerate(("nestedSetLeft", "nestedSetRight", "nestedSetParent"))
}
_FETCHED_FOR: Final = {"descendant": (0, 1), "child": (0, 2), "sibling": (2,)}


class SeenSpan:
    """A span with the values that are visible to a query. Compared by identity."""

    __slots__ = ("bounds", "events", "links", "own", "resource", "scope", "trace", "view")

    def __init__(self, view: SpanView) -> None:
        self.view = view
        self.own: Pairs = []
        self.resource: Pairs = []
        self.trace: Pairs = []
        self.events: Pairs = []
        self.links: Pairs = []
        self.scope: Pairs = []
        self.bounds = (0, 0, 0)

    @property
    def span(self) -> Span:
        return self.view.span

    def value_of(self, field: Field) -> Value:
        """Return the first value of a field; None when it has none or when none fits."""
        match field.scope:
            case Scope.SPAN:
                return _first(field, self.own)
            case Scope.RESOURCE:
                return _first(field, self.resource)
            case Scope.EVENT:
                return _first(field, self.events)
            case Scope.LINK:
                return _first(field, self.links)
            case Scope.NONE:
                return self._by_name(field.name)
        if field in _BOUNDS:
            return self.bounds[_BOUNDS[field]]
        return _first(field, self.own, self.trace, self.events, self.links, self.scope)

    def _by_name(self, name: str) -> Value:
        for pairs in (self.own, self.resource, self.events, self.links, self.scope):
            for field, value in pairs:
                if field.name == name:
                    return value
        return None

    def shown(self) -> dict[Field, Value]:
        """Return one value of each field; of several the last."""
        every = (self.trace, self.resource, self.own, self.events, self.links, self.scope)
        return {field: value for pairs in every for field, value in pairs if value is not None}

    def count(self) -> int:
        every = (self.own, self.resource, self.trace, self.events, self.links, self.scope)
        return sum(value is not None for pairs in every for _, value in pairs) + any(self.bounds)


def _first(field: Field, *every: Pairs) -> Value:
    for pairs in every:
        for known, value in pairs:
            if known == field:
                return value
    return None


class Reading:
    """The conditions of one pass over traces, sorted by what they are about."""

    def __init__(
        self, conditions: Sequence[Condition], structures: Iterable[str] = (), *, are_all_needed: bool = False
    ) -> None:
        unscoped = [item for item in conditions if item.field.scope is Scope.NONE]
        self._all = are_all_needed and not unscoped
        own = _of(conditions, Scope.SPAN) + unscoped
        columns = [item for item in conditions if item.field in SPAN_VALUES]
        explicit = [item for item in conditions if item.field in _BOUNDS]
        self._own = _Attributes(own, Scope.SPAN, is_strict=self._all)
        self._columns = _columns(columns)
        self._bounds = {at for name in structures for at in _FETCHED_FOR[name]}
        self._explicit = _columns(explicit)
        self._resource = _ResourceAttributes(_of(conditions, Scope.RESOURCE) + unscoped, is_strict=self._all)
        self._events = _Several(_of(conditions, Scope.EVENT, EVENT_VALUES), Scope.EVENT, EVENT_VALUES, is_strict=self._all)  # fmt: skip
        self._links = _Several(_of(conditions, Scope.LINK, LINK_VALUES), Scope.LINK, LINK_VALUES, is_strict=self._all)  # fmt: skip
        self._scope = _columns(_of(conditions, None, SCOPE_VALUES))
        self._trace = _columns(_of(conditions, None, TRACE_VALUES))
        self._sees_start = any(item.field == START for item in conditions)
        self._distinct = len({item.field.name for item in (*own, *columns, *explicit)}) + self._sees_start
        self._needs_some = bool(conditions or self._bounds) and not self._trace

    def first(self, trace: TraceView) -> list[SeenSpan]:
        """Return the spans that may match, with what the conditions show of them."""
        shared: Pairs = []
        if not _add_columns(trace, self._trace, TRACE_VALUES, shared) and self._all:
            return []
        resources: dict[int, tuple[Pairs, bool]] = {}
        found = []
        for view in trace.spans:
            seen = SeenSpan(view)
            is_kept = self._read(seen, resources)
            if is_kept and (not self._needs_some or seen.count() or self._sees_start):
                seen.trace += shared
                found.append(seen)
        return found

    def again(self, seen: SeenSpan) -> None:
        """Add what the conditions show to a span that was read before."""
        self._read(seen, {})
        _add_columns(seen.view.trace, self._trace, TRACE_VALUES, seen.trace)

    def _read(self, seen: SeenSpan, resources: dict[int, tuple[Pairs, bool]]) -> bool:
        span = seen.view.span
        are_met = self._own.add(span.attributes, seen.own)
        are_met &= _add_columns(seen.view, self._columns, SPAN_VALUES, seen.own)
        if self._bounds or self._explicit:
            are_met &= self._read_bounds(seen)
        are_met &= self._events.add(span.events, span, seen.events)
        are_met &= self._links.add(span.links, span, seen.links)
        if self._all and (not are_met or seen.count() + self._sees_start < self._distinct):
            return False
        is_scope_met = _add_columns(seen.view, self._scope, SCOPE_VALUES, seen.scope)
        key = id(span.resource)
        if key not in resources:
            pairs: Pairs = []
            resources[key] = pairs, self._resource.add(span.resource, pairs)
        seen.resource += resources[key][0]
        return not self._all or (is_scope_met and resources[key][1])

    def _read_bounds(self, seen: SeenSpan) -> bool:
        bounds, are_met = seen.view.bounds, True
        visible = set(self._bounds)
        for field, tests in self._explicit.items():
            at = _BOUNDS[field]
            if at in visible or _passes(tests, bounds[at]):
                visible.add(at)
                seen.own.append((field, bounds[at]))
            else:
                are_met = False
        seen.bounds = tuple(bounds[at] if at in visible else 0 for at in range(3))  # type: ignore[assignment]
        return are_met


class _Attributes:
    """The attributes of one scope that conditions name. The tests of all names are tried on each value."""

    def __init__(self, conditions: Sequence[Condition], scope: Scope, *, is_strict: bool) -> None:
        named = [item for item in conditions if item.op != MISSING]
        self._missing = {item.field.name: Field(scope, item.field.name) for item in conditions if item.op == MISSING}  # fmt: skip
        self._names = {item.field.name: Field(scope, item.field.name) for item in named}
        self._tests: dict[type, list[Test]] = {}
        for item in named:
            for kind in _STORED if item.op in {ANY, EXISTS} else {type(item.operands[0])} & _STORED:
                self._tests.setdefault(kind, []).append(_test(item))
        self._is_strict = is_strict
        self._hides = not (is_strict and len(self._tests) == 1)
        self._minimum = len({item.field.name for item in conditions}) if is_strict else 0

    def add(self, attributes: Mapping[str, Any], pairs: Pairs) -> bool:
        """Add what is visible; return whether conditions that all must hold may hold."""
        found = 0
        if self._tests:
            for name, field in self._names.items():
                if name in attributes:
                    value = self._visible(from_attribute(attributes[name]))
                    if value is not None or self._hides:
                        pairs.append((field, value))
                        found += 1
        is_met = bool(found) or not self._tests
        for name, field in self._missing.items():
            if name in attributes:
                is_met = False
            else:
                pairs.append((field, NIL))
        return is_met

    def _visible(self, value: Value) -> Value:
        elements = value if isinstance(value, tuple) else (value,)
        kept = tuple(item for item in elements if _passes(self._tests.get(type(item)), item))
        return (kept if len(kept) > 1 else kept[0]) if kept else None


class _ResourceAttributes:
    """A resource's attributes; service.name has a place of its own and is never missing."""

    def __init__(self, conditions: Sequence[Condition], *, is_strict: bool) -> None:
        service: list[Condition] = []
        others: list[Condition] = []
        for item in conditions:
            is_text = not item.operands or isinstance(item.operands[0], str)
            (service if item.field.name == SERVICE_NAME and is_text else others).append(item)
        self._others = _Attributes(others, Scope.RESOURCE, is_strict=is_strict)
        self._service = [None if item.op == ANY else _test(item) for item in service if item.op != MISSING]
        self._is_never = any(item.op == MISSING for item in service)
        self._minimum = len({item.field.name for item in conditions}) if is_strict else 0

    def add(self, attributes: Mapping[str, Any], pairs: Pairs) -> bool:
        is_met = self._others.add(attributes, pairs) and not self._is_never
        if self._service:
            name = str(attributes.get(SERVICE_NAME, ""))
            hits = [test is None or test(name) for test in self._service]
            if any(hits):
                pairs.append((_SERVICE, name))
            is_met = is_met and all(hits)
        return is_met and len(pairs) >= self._minimum


_SERVICE: Final = Field(Scope.RESOURCE, SERVICE_NAME)
_EMPTY: Final[Mapping[Field, Value]] = {
    field: Duration(0) if field.type is Type.NUMBER else "" for field in (*EVENT_VALUES, *LINK_VALUES)
}
"""What a span without events or links has where any value would fit."""
_STORED: Final = frozenset({str, int, float, bool})


class _Several:
    """The conditions on a span's events or on its links; those that all must hold, must hold for one of them."""

    def __init__(
        self,
        conditions: Sequence[Condition],
        scope: Scope,
        values: Mapping[Field, Callable[[Any, Span], Value]],
        *,
        is_strict: bool,
    ) -> None:
        self._values = values
        self._columns = [(item.field, _test(item)) for item in conditions if item.field in values]
        plain = [item for item in conditions if item.field not in values]
        self._attributes = _Attributes(plain, scope, is_strict=is_strict)
        self._is_strict = is_strict
        self._is_used = bool(conditions)
        self._absent: Pairs = [
            (item.field, _EMPTY[item.field]) for item in conditions if item.op == ANY and item.field in values
        ]
        self._minimum = len({item.field.name for item in conditions}) if is_strict else 0

    def add(self, items: Sequence[Any], span: Span, pairs: Pairs) -> bool:
        if not self._is_used:
            return True
        is_found = False
        for item in items:
            visible: Pairs = []
            is_met = self._attributes.add(item.attributes, visible)
            for field, test in self._columns:
                value = self._values[field](item, span)
                if test is None or test(value):
                    visible.append((field, value))
                else:
                    is_met = False
            if not self._is_strict or (is_met and len(visible) >= self._minimum):
                pairs += visible
                is_found = True
        if not items and self._absent:
            pairs += self._absent
            is_found = len(self._absent) >= self._minimum
        return is_found or not self._is_strict


def _of(
    conditions: Sequence[Condition], scope: Scope | None, values: Mapping[Field, Any] | None = None
) -> list[Condition]:
    return [
        item
        for item in conditions
        if item.field.scope is scope or (values is not None and item.field in values)
    ]


def _columns(conditions: Sequence[Condition]) -> dict[Field, list[Test]]:
    found: dict[Field, list[Test]] = {}
    for item in conditions:
        found.setdefault(item.field, []).append(_test(item))
    return found


def _add_columns(
    of: Any, columns: Mapping[Field, list[Test]], values: Mapping[Field, Callable[[Any], Value]], pairs: Pairs
) -> bool:
    """Add the intrinsics whose value fits some condition; return whether all do."""
    are_met = True
    for field, tests in columns.items():
        value = values[field](of)
        if _passes(tests, value):
            pairs.append((field, value))
        else:
            are_met = False
    return are_met


def _passes(tests: Sequence[Test] | None, value: Value) -> bool:
    return tests is not None and any(test is None or test(value) for test in tests)


def _test(item: Condition) -> Test:
    """Return the test of one value; None when every value fits."""
    if item.op in {ANY, EXISTS}:
        return None
    tests = [comparison(item.op, value if isinstance(value, str) else "") for value in item.operands]
    pairs = list(zip(tests, item.operands, strict=True))
    if item.op in {"!=", "!~"}:
        return lambda value: all(test(value, operand) for test, operand in pairs)
    return lambda value: any(test(value, operand) for test, operand in pairs)


def first_pass(request: Request) -> Reading:
    return Reading(request.conditions, request.structures, are_all_needed=request.are_all_needed)


def second_pass(request: Request) -> Reading | None:
    return Reading(request.selected) if request.selected else None
