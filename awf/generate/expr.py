"""Small builders of PromQL, so that a metric or label is named only through `semconv`."""

from __future__ import annotations

from awf.core import semconv


def rate(metric: str, window: str, **matchers: str) -> str:
    """Return `rate(metric{...}[window])`; a matcher value that starts with `=~` stays a regex."""
    return f"rate({selector(metric, **matchers)}[{window}])"


def selector(metric: str, **matchers: str) -> str:
    """Return `metric{...}`."""
    parts = [
        f'{name}=~"{value[2:]}"' if value.startswith("=~") else f'{name}="{value}"'
        for name, value in matchers.items()
    ]
    return f"{metric}{{{', '.join(parts)}}}" if parts else metric


def by(operator: str, labels: tuple[str, ...], inner: str) -> str:
    """Return `operator by (labels) (inner)`."""
    return f"{operator} by ({', '.join(labels)}) ({inner})"


def failed_share(metric: str, labels: tuple[str, ...], window: str, **matchers: str) -> str:
    """Return the failed share of `metric` in 0..1; 0 (not nothing) where none failed."""
    failed = by("sum", labels, rate(metric, window, **matchers, status=semconv.FAILED))
    every = by("sum", labels, rate(metric, window, **matchers))
    return f"({failed} or {every} * 0) / {every}"


def quantile(q: float, labels: tuple[str, ...], window: str, **matchers: str) -> str:
    """Return a quantile of the step duration in milliseconds."""
    buckets = rate(f"{semconv.STEP_DURATION}_bucket", window, **matchers)
    return f"histogram_quantile({q}, {by('sum', ('le', *labels), buckets)})"
