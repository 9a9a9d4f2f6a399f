"""Field expressions compiled to functions of a span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from awf.embedded.traceql import nodes
from awf.embedded.traceql.nodes import Field, Scope
from awf.embedded.traceql.traces import SERVICE_NAME, SpanView
from awf.embedded.traceql.values import (
    KINDS,
    STATUSES,
    AnyOf,
    Comparison,
    Duration,
    Kind,
    Status,
    Value,
    arithmetic,
    comparison,
    flip,
    from_attribute,
    negate,
    of_type,
)

Getter = Callable[[SpanView], Value]
Test = Callable[[SpanView], bool]


def compile_expression(expression: nodes.Expression) -> Getter:
    """Return the function that computes an expression; None is what has no value for a span."""
    match expression:
        case nodes.Literal(value=value):
            return lambda _: value
        case nodes.Field():
            return compile_field(expression)
        case nodes.Compare():
            return _compile_comparison(expression)
        case nodes.Logic():
            return _compile_logic(expression)
        case nodes.Arithmetic():
            op, left, right = (
                expression.op,
                compile_expression(expression.left),
                compile_expression(expression.right),
            )
            return lambda view: arithmetic(op, left(view), right(view))
        case nodes.Unary():
            return _compile_unary(expression)


def compile_test(expression: nodes.Expression) -> Test:
    """Return the function that says whether a span passes: only true passes, no value does not."""
    getter = compile_expression(expression)
    return lambda view: getter(view) is True


def compile_field(field: Field) -> Getter:
    """Return the function that looks a field up."""
    if field.scope is Scope.INTRINSIC:
        return _INTRINSICS[field.name]
    name = field.name
    match field.scope:
        case Scope.SPAN:
            return lambda view: from_attribute(view.span.attributes.get(name))
        case Scope.RESOURCE:
            missing = "" if name == SERVICE_NAME else None
            return lambda view: from_attribute(view.span.resource.get(name, missing))
        case Scope.EVENT:
            return lambda view: _any_of(event.attributes.get(name) for event in view.span.events)
        case Scope.LINK:
            return lambda view: _any_of(link.attributes.get(name) for link in view.span.links)
    return lambda view: _anywhere(view, name)


def _anywhere(view: SpanView, name: str) -> Value:
    """The span has precedence over its resource, events and links."""
    span = view.span
    for attributes in (span.attributes, span.resource):
        if name in attributes:
            return from_attribute(attributes[name])
    if name == SERVICE_NAME:
        return ""
    several = [event.attributes for event in span.events] + [link.attributes for link in span.links]
    return _any_of(attributes.get(name) for attributes in several)


def _any_of(raw: Any) -> Value:
    values = AnyOf(value for value in map(from_attribute, raw) if value is not None)
    return values or None


def _compile_comparison(node: nodes.Compare) -> Getter:
    op, left, right = node.op, node.left, node.right
    if isinstance(left, nodes.Literal) and op not in {"=~", "!~"}:
        op, left, right = flip(op), right, left
    get = compile_expression(left)
    if isinstance(right, nodes.Literal):
        value = right.value
        if isinstance(left, Field):
            get, value = _for_literal(left, get, value)
        test = comparison(op, value if isinstance(value, str) else "")
        return lambda view: test(get(view), value)
    other, test = compile_expression(right), comparison(op)
    return lambda view: test(get(view), other(view))


def _for_literal(field: Field, get: Getter, value: Value) -> tuple[Getter, Value]:
    """Tempo keeps the values of an attribute by type: `.x > 1` finds whole numbers only, `.x > 1.0` only
    fractional ones. Trace ids may be written without their leading zeros."""
    if field.scope is not Scope.INTRINSIC:
        wanted = type(value)
        return lambda view: of_type(get(view), wanted), value
    if field.name == "trace:id" and isinstance(value, str):
        return get, value.lower().rjust(32, "0")
    return get, value


def conditions(node: object) -> dict[Field, list[Callable[[Value], bool]]]:
    """Return what the tree compares fields with: for each field tests of its value."""
    found: dict[Field, list[Callable[[Value], bool]]] = {}
    for part in nodes.walk(node):
        match part:
            case nodes.Compare(op=op, left=Field() as field, right=nodes.Literal(value=value)):
                test = comparison(op, value if isinstance(value, str) else "")
                found.setdefault(field, []).append(partial(_holds, test, value))
    return found


def _holds(test: Comparison, wanted: Value, value: Value) -> bool:
    return test(value, wanted)


def _compile_logic(node: nodes.Logic) -> Getter:
    tests = [compile_test(operand) for operand in node.operands]
    if node.op == "&&":
        return lambda view: all(test(view) for test in tests)
    return lambda view: any(test(view) for test in tests)


def _compile_unary(node: nodes.Unary) -> Getter:
    get = compile_expression(node.operand)
    match node.op:
        case "exists":
            return lambda view: get(view) is not None
        case "missing":
            return lambda view: get(view) is None
        case "-":
            return lambda view: negate(get(view))
    return lambda view: _invert(get(view))


def _invert(value: Value) -> Value:
    return not value if isinstance(value, bool) else None


def _status(view: SpanView) -> Value:
    number = view.span.status
    return STATUSES[number] if 0 <= number < len(STATUSES) else Status.UNSET


def _kind(view: SpanView) -> Value:
    number = view.span.kind
    return KINDS[number] if 0 <= number < len(KINDS) else Kind.UNSPECIFIED


def _nested_set_parent(view: SpanView) -> int:
    if view.is_root:
        return -1
    return view.trace.nested_sets.get(view.span.parent_span_id, (0, 0))[0]


_INTRINSICS: Final[Mapping[str, Getter]] = {
    "duration": lambda view: Duration(view.span.duration_ns),
    "event:name": lambda view: _any_of(event.name for event in view.span.events),
    "event:timeSinceStart": lambda view: _any_of(
        Duration(event.timestamp_ns - view.span.start_ns) for event in view.span.events
    ),
    "instrumentation:name": lambda view: view.span.scope_name,
    "instrumentation:version": lambda view: view.span.scope_version,
    "kind": _kind,
    "link:spanID": lambda view: _any_of(link.span_id for link in view.span.links),
    "link:traceID": lambda view: _any_of(link.trace_id for link in view.span.links),
    "name": lambda view: view.span.name,
    "nestedSetLeft": lambda view: view.trace.nested_sets.get(view.span.span_id, (0, 0))[0],
    "nestedSetParent": _nested_set_parent,
    "nestedSetRight": lambda view: view.trace.nested_sets.get(view.span.span_id, (0, 0))[1],
    "rootName": lambda view: view.trace.root_name,
    "rootServiceName": lambda view: view.trace.root_service,
    "span:childCount": lambda view: len(view.trace.children.get(view.span.span_id, ())),
    "span:id": lambda view: view.span.span_id,
    "span:parentID": lambda view: view.span.parent_span_id,
    "status": _status,
    "statusMessage": lambda view: view.span.status_message,
    "trace:id": lambda view: view.trace.trace_id,
    "traceDuration": lambda view: view.trace.duration,
}
