"""absent() and absent_over_time(): a sample where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from awf.embedded.model import Matcher, MatchOp
from awf.embedded.promql.syntax import Node, RangeSelector, Selector, bare
from awf.embedded.promql.values import NAME, Bools, Labels, Vector, empty


def absence(arg: Node, found: Vector) -> Vector:
    """One sample of value 1 wherever nothing was found, labelled by what the selector asks for."""
    missing: Bools = ~np.any(found.present, axis=0)
    if not missing.any():
        return empty(len(missing))
    arg = bare(arg)
    selector = arg.selector if isinstance(arg, RangeSelector) else arg
    labels = _required(selector.matchers) if isinstance(selector, Selector) else {}
    return Vector([labels], np.ones((1, len(missing))), missing[None, :])


def _required(matchers: Sequence[Matcher]) -> Labels:
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in matchers:
        if matcher.name == NAME:
            continue
        if matcher.op is MatchOp.EQUAL and matcher.name not in seen:
            labels[matcher.name] = matcher.value
        else:
            labels.pop(matcher.name, None)
        seen.add(matcher.name)
    return {name: value for name, value in labels.items() if value}
