"""Small builders of PromQL, so that a metric or label is named only through `semconv`."""

from __future__ import annotations

from collections.abc import Sequence

from awf.core import semconv


def rate(metric: str, window: str, **matchers: str) -> str:
    """Return `rate(metric{...}[window])`; a matcher value that starts with `=~` or `!~` stays a regex."""
    return f"rate({selector(metric, **matchers)}[{window}])"


def selector(metric: str, **matchers: str) -> str:
    """Return `metric{...}`."""
    parts = [
        f'{name}{value[:2]}"{value[2:]}"' if value.startswith(("=~", "!~")) else f'{name}="{value}"'
        for name, value in matchers.items()
    ]
    return f"{metric}{{{', '.join(parts)}}}" if parts else metric


def any_of(values: Sequence[str]) -> str:
    """Return a matcher's value that stands for any of these plain words."""
    return f"=~{'|'.join(values)}" if len(values) > 1 else values[0]


def by(operator: str, labels: tuple[str, ...], inner: str) -> str:
    """Return `operator by (labels) (inner)`."""
    return f"{operator} by ({', '.join(labels)}) ({inner})"


def failed_share(metric: str, labels: tuple[str, ...], window: str, **matchers: str) -> str:
    """Return the failed share of `metric` in 0..1; 0 (not nothing) where none failed, nothing without traffic."""
    failed = by("sum", labels, rate(metric, window, **matchers, status=semconv.FAILED))
    every = by("sum", labels, rate(metric, window, **matchers))
    return f"({failed} or {every} * 0) / ({every} > 0)"


def quantile(
    q: float, labels: tuple[str, ...], window: str, metric: str = semconv.STEP_DURATION, **matchers: str
) -> str:
    """Return a quantile of a histogram, by default the step duration in milliseconds."""
    buckets = rate(f"{metric}_bucket", window, **matchers)
    return f"histogram_quantile({q}, {by('sum', ('le', *labels), buckets)})"


def gained(metric: str, labels: tuple[str, ...], window: str, memory: str = "6h", **matchers: str) -> str:
    """Return by how much counters have risen since `window` ago, added up by labels, as whole numbers.

    `increase` needs two samples in its window: it misses what a counter appears with, and what was counted
    while no sample arrived. Here a counter is compared with its last sample of the `memory` before the window;
    one that was not there began at zero, and one that has fallen began again. An outage longer than `memory`
    makes an old count look new: better told twice than never.
    """
    now = selector(metric, **matchers)
    before = f"last_over_time({now}[{memory}] offset {window})"
    return by("sum", labels, f"{now} - {before} >= 0 or {now} < {before} or {now} unless {before}")


def risen(series: str, beside: str, labels: tuple[str, ...], window: str, memory: str = "1h") -> str:
    """Return by how much counters have risen since `window` ago, for shares over long times.

    As `gained` it hears after an outage (of up to `memory`) what was counted meanwhile. It differs in what a new
    counter says: AWF's go on over restarts, so one that was away for long may bring an old count with it, and
    added up over 30 days that would not be forgotten. The first value counts only where the same process
    reported `beside` (the counters that this one is one of) before the window; otherwise only what it rises by.
    """
    before = f"last_over_time({series}[{memory}] offset {window})"
    known = f"last_over_time({beside}[{memory}] offset {window})"
    parts = (
        f"{series} - {before} >= 0",
        f"{series} < {before}",
        f"({series} unless {before}) and on (job, instance) {known}",
        f"increase({series}[{window}])",
    )
    return by("sum", labels, " or ".join(parts))
