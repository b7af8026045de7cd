"""Rank statistics: TRUTH x SCORES -> STATS. Frames and arrays only.

Arrays: `spearman_rho`, `kendall_tau`, `pearson_r`, `topk_mean`, and `get_statistic` for them by name.
Intervals: `bootstrap`, `random_halves`, and `Resamples` for many resamples at once.
Frames: `correlate` (how well a score ranks architectures), `reliability_table` (how well truth repeats).
"""

from __future__ import annotations

from .bootstrap import Interval, bootstrap, random_halves
from .correlate import MismatchWarning, correlate
from .paired import difference_by_step
from .rank import kendall_tau, pearson_r, spearman_rho
from .registry import STATISTICS, Statistic, get_statistic
from .reliability import ceiling, reliability, reliability_table, spearman_brown
from .resamples import Resamples, kendall_tau_counts, pearson_r_counts, spearman_rho_counts
from .topk import TopKMean, topk_mean

__all__ = [
    "STATISTICS",
    "Interval",
    "MismatchWarning",
    "Resamples",
    "Statistic",
    "TopKMean",
    "bootstrap",
    "ceiling",
    "correlate",
    "difference_by_step",
    "get_statistic",
    "kendall_tau",
    "kendall_tau_counts",
    "pearson_r",
    "pearson_r_counts",
    "random_halves",
    "reliability",
    "reliability_table",
    "spearman_brown",
    "spearman_rho",
    "spearman_rho_counts",
    "topk_mean",
]
