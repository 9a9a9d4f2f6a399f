"""The names of everything the evaluator answers; the parser refuses the rest."""

from __future__ import annotations

from awf.embedded.promql import aggregation, functions, over_time

NEED_SYNTAX = frozenset({"timestamp", "absent", "absent_over_time"})
"""Functions that read the text of their argument, not only its value."""

FUNCTIONS = frozenset({*functions.FUNCTIONS, *over_time.KERNELS, *NEED_SYNTAX})
AGGREGATIONS = aggregation.AGGREGATIONS
