"""Intervals that hold together: one quantile for many differences, from the resamples that they share (max-t).

The largest deviation over all differences, each in units of its own standard error, has one distribution; its
quantile in place of the normal one makes intervals that all hold at once with the stated chance (Romano and Wolf
2005; Montiel Olea and Plagborg-Moller 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .rank import Floats


@dataclass(frozen=True)
class Band:
    """Simultaneous intervals of several estimates: `low` and `high` (k,), NaN where undefined.

    quantile: how many standard errors they reach on either side; NaN where nothing varies.
    """

    low: Floats
    high: Floats
    quantile: float


def simultaneous_band(estimates: Floats, resampled: Floats, *, level: float = 0.95) -> Band:
    """``estimate +- q se``, q the `level` quantile of the largest ``|resampled - estimate| / se`` of each resample.

    estimates: (k,). resampled: (k, n_resamples), from the same resamples; where one is NaN it counts for nothing. An
    estimate that no resample changes (a score beside itself) has an interval of no width and does not count.
    """
    defined = (np.isfinite(resampled).sum(axis=1) > 1) & np.isfinite(estimates)
    errors = np.full(len(estimates), np.nan)
    errors[defined] = np.nanstd(resampled[defined], axis=1, ddof=1)
    varies = errors > 1e-12
    quantile = float("nan")
    if varies.any():
        gaps = np.abs(resampled[varies] - estimates[varies, None]) / errors[varies, None]
        largest = np.nan_to_num(gaps, nan=0.0).max(axis=0)
        quantile = float(np.quantile(largest, level))
    half = np.where(varies, quantile * errors, errors)  # 0 where nothing varies, NaN where nothing is defined
    return Band(estimates - half, estimates + half, quantile)
