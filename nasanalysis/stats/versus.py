"""Is proxy A better than proxy B on the same architectures? Paired bootstrap, permutation test, Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame
from .alignment import aligned_series
from .paired import Difference, correlation_to_compare, paired_difference
from .rank import Floats, average_ranks
from .registry import Statistic
from .resampling import Drawn, Resampling, asked
from .rows import defined, ends
from .series import Series

BLOCK = 2_000_000  # numbers in one working array


def permutation_test(
    statistic: Statistic,
    first: ArrayLike,
    second: ArrayLike,
    truth: ArrayLike,
    *,
    rng: np.random.Generator,
    n_permutations: int = 1000,
) -> float:
    """Two-sided p-value of "the two scores rank equally well", by exchanging them architecture by architecture.

    first, second, truth: (n_archs,), finite, higher is better. Scores are turned into ranks, so that they can be
    exchanged; under the hypothesis it does not matter which rank came from which score. The value is
    (1 + as large a difference) / (1 + n_permutations), so never 0. NaN where the difference is undefined. For
    ``spearman_rho`` exchanged ranks are correlated as they are, not ranked anew: many times faster, as valid a test.
    """
    a, b = (average_ranks(np.asarray(v, dtype=np.float64)) for v in (first, second))
    y = np.asarray(truth, dtype=np.float64)
    observed = abs(statistic(a, y) - statistic(b, y))
    if not np.isfinite(observed):
        return float("nan")
    if statistic.name == "spearman_rho":
        gaps = _rank_gaps(a, b, average_ranks(y), rng, n_permutations)
        return float((1 + (np.abs(gaps) >= observed - 1e-12).sum()) / (1 + n_permutations))
    as_large = 0
    for _ in range(n_permutations):
        swap = rng.integers(0, 2, size=len(y)).astype(bool)
        difference = statistic(np.where(swap, b, a), y) - statistic(np.where(swap, a, b), y)
        as_large += bool(abs(difference) >= observed - 1e-12)
    return (1 + as_large) / (1 + n_permutations)


def _rank_gaps(a: Floats, b: Floats, y: Floats, rng: np.random.Generator, n_permutations: int) -> Floats:
    """Difference of the correlations with `y` after each exchange of `a` and `b`: (n_permutations,)."""
    a, b, y = (v - v.mean() for v in (a, b, y))
    middle, half = (a + b) / 2, (a - b) / 2  # an exchange turns the sign of `half`
    gaps = np.empty(n_permutations)
    width = max(1, BLOCK // len(y))
    for first in range(0, n_permutations, width):
        signs = rng.integers(0, 2, size=(min(width, n_permutations - first), len(y))) * 2.0 - 1
        rows = slice(first, first + len(signs))
        moved, total = signs @ half, signs @ (half * y)
        cross = 2 * (signs @ (middle * half))
        square = float(middle @ middle + half @ half) - moved**2 / len(y)
        one = (middle @ y + total) / np.sqrt(np.maximum(square + cross, 1e-300))
        other = (middle @ y - total) / np.sqrt(np.maximum(square - cross, 1e-300))
        gaps[rows] = (one - other) / np.sqrt(y @ y)
    return gaps


def holm(p_values: ArrayLike) -> Floats:
    """Holm's (1979) step-down correction: (n_tests,) -> adjusted p-values in the same order; NaN stays NaN."""
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(p), np.nan)
    tests = np.flatnonzero(np.isfinite(p))
    order = tests[np.argsort(p[tests], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


@any_frame
def compare_proxies(
    truth: Any,
    scores: Any,
    *,
    baseline: str | None = None,
    statistic: str = "spearman_rho",
    n_boot: int = 1000,
    n_permutations: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    resampling: Resampling | None = None,
) -> Any:
    """Differences between proxies on the architectures that both score, tested and corrected for their number.

    Parameters
    ----------
    truth, scores, directions, seed, level, resampling: as in `correlate`; one step, method and setting for each proxy
        (filter first).
    baseline: compare every other proxy with this one (``params``: which proxies beat the parameter count?); by
        default all pairs are compared.
    statistic: a correlation without covariates; bootstraps of extremes are not valid and are refused.
    n_boot, n_permutations: 0 leaves the intervals or the p-values null.

    Returns columns benchmark, dataset, proxy, other, statistic, first, second, difference (proxy minus other),
    ci_low, ci_high, interval, p, p_holm (over the rows of one benchmark and dataset), ahead (the better proxy
    where `p_holm` is at most 1 - level and the interval excludes 0, else ``neither``; by whichever of the two
    was asked for), n_archs.
    """
    drawn = Drawn(asked(resampling, n_boot, seed, level))
    measure = correlation_to_compare(statistic, "compare_proxies")
    rows: list[dict[str, Any]] = []
    for series in _by_proxy(aligned_series(truth, scores, directions=directions)).values():
        new = [_row(measure, *pair, drawn, n_permutations) for pair in _pairs(series, baseline)]
        for row, adjusted in zip(new, holm([np.nan if r["p"] is None else r["p"] for r in new]), strict=True):
            row["p_holm"] = defined(float(adjusted))
            row["ahead"] = _ahead(row, drawn.resampling.level)
        rows += new
    text, real = pl.String(), pl.Float64()
    schema = {
        **dict.fromkeys(["benchmark", "dataset", "proxy", "other", "statistic"], text),
        **dict.fromkeys(["first", "second", "difference", "ci_low", "ci_high"], real),
        "interval": text,
        "p": real,
        "p_holm": real,
        "ahead": text,
        "n_archs": pl.Int64(),
    }
    return pl.DataFrame(rows, schema=schema)


def _by_proxy(series: Sequence[Series]) -> dict[tuple[str, str], dict[str, Series]]:
    """(benchmark, dataset) -> proxy -> its one series."""
    places: dict[tuple[str, str], dict[str, Series]] = {}
    for one in series:
        name = str(one.key["proxy"])
        if places.setdefault(one.place, {}).setdefault(name, one) is not one:
            raise StudyError(
                f"compare_proxies: {name!r} stands under several steps, methods or settings of "
                f"{'/'.join(one.place)}; filter the scores first"
            )
    return places


def _pairs(series: Mapping[str, Series], baseline: str | None) -> list[tuple[Series, Series]]:
    if baseline is not None and baseline not in series:
        raise UnknownNameError("proxy in these scores", baseline, sorted(series))
    if baseline is None:
        pairs = list(combinations(series.values(), 2))
    else:
        pairs = [(one, series[baseline]) for name, one in series.items() if name != baseline]
    if not pairs:
        raise StudyError(f"compare_proxies: expected at least two proxies, got {', '.join(series)}")
    return pairs


def _row(measure: Statistic, one: Series, other: Series, drawn: Drawn, n_permutations: int) -> dict[str, Any]:
    names = (str(one.key["proxy"]), str(other.key["proxy"]))
    gap = paired_difference(measure, one, other, drawn, what=f"compare_proxies: {' and '.join(names)}")
    return {
        "benchmark": one.place[0],
        "dataset": one.place[1],
        "proxy": names[0],
        "other": names[1],
        "statistic": measure.name,
        "first": defined(gap.first),
        "second": defined(gap.second),
        "difference": defined(gap.value),
        **ends(gap.interval),
        "interval": str(gap.interval) if gap.interval else None,
        "p": _p_value(measure, one, other, gap, drawn.resampling, n_permutations),
        "n_archs": gap.n_archs,
    }


def _p_value(
    measure: Statistic, one: Series, other: Series, gap: Difference, resampling: Resampling, n_permutations: int
) -> float | None:
    if not n_permutations or not np.isfinite(gap.value):
        return None
    used = one.used & other.used
    rng = resampling.generator("permutation", one.key["proxy"], other.key["proxy"])
    scores = one.values[used], other.values[used]
    return permutation_test(measure, *scores, one.truth.values[used], rng=rng, n_permutations=n_permutations)


def _ahead(row: Mapping[str, Any], level: float) -> str:
    clear = []
    if row["ci_low"] is not None:
        clear.append(row["ci_low"] > 0 or row["ci_high"] < 0)
    if row["p_holm"] is not None:
        clear.append(row["p_holm"] <= 1 - level + 1e-12)
    if not clear or not all(clear):
        return "neither"
    return str(row["proxy"] if row["difference"] > 0 else row["other"])
