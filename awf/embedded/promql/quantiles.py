"""The quantile of samples, as Prometheus interpolates it (promql/quantile.go, `quantile`)."""

from __future__ import annotations

import numpy as np

from awf.embedded.promql.values import Bools, Floats


def row_quantiles(values: Floats, real: Bools, fraction: Floats) -> Floats:
    """Return the quantile of each row's real values, by one fraction a row.

    NaN sorts below everything; a fraction below 0 gives -Inf, above 1 +Inf; NaN, or no value, NaN.
    """
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    count = real.sum(axis=1)
    is_nan = np.isnan(values) & real
    keys = np.where(real, np.where(is_nan, -np.inf, values), np.inf)
    keys.sort(axis=1)
    nans = is_nan.sum(axis=1)
    keys[np.arange(values.shape[1]) < nans[:, None]] = np.nan
    valid = (fraction >= 0) & (fraction <= 1) & (count > 0)
    rank = np.where(valid, fraction * (count - 1), 0.0)
    lower = np.floor(rank)
    upper = np.clip(lower + 1, 0, np.maximum(count - 1, 0))
    weight = rank - lower
    row = np.arange(len(values))
    low, high = keys[row, lower.astype(np.int64)], keys[row, upper.astype(np.int64)]
    result = low * (1 - weight) + high * weight
    result = np.where(fraction < 0, -np.inf, np.where(fraction > 1, np.inf, result))
    return np.where(np.isnan(fraction) | (count == 0), np.nan, result)
