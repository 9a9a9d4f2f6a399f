"""The names of everything the evaluator answers; the parser refuses the rest, and says why."""

from __future__ import annotations

from awf.embedded.promql import functions, over_time
from awf.embedded.promql.signatures import SIGNATURES

NEED_SYNTAX = frozenset({"timestamp", "absent", "absent_over_time", "info"})
"""Functions that read the text of their argument, not only its value."""

FUNCTIONS = frozenset({*functions.FUNCTIONS, *over_time.KERNELS, *NEED_SYNTAX})

WHY_NOT = dict.fromkeys(
    SIGNATURES.keys() - FUNCTIONS, "it reads native histograms, which the store does not keep"
) | {"start_timestamp": "the store does not keep when a sample's counting began"}
