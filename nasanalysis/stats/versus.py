"""Is proxy A better than proxy B on the same architectures? Paired bootstrap, permutation test, Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy import stats as scipy_stats

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame
from ..core.seeding import generator
from .bootstrap import bootstrap_counts, check_level, percentile_interval
from .correlate import Series, aligned_series
from .paired import PAIRED
from .rank import Floats
from .registry import Statistic, get_statistic
from .resamples import Resamples

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
    a, b = (scipy_stats.rankdata(np.asarray(v, dtype=np.float64)) for v in (first, second))
    y = np.asarray(truth, dtype=np.float64)
    observed = abs(statistic(a, y) - statistic(b, y))
    if not np.isfinite(observed):
        return float("nan")
    if statistic.name == "spearman_rho":
        gaps = _rank_gaps(a, b, scipy_stats.rankdata(y), rng, n_permutations)
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
    directions: Mapping[str, int] | None = None,
    level: float = 0.95,
) -> Any:
    """Differences between proxies on the architectures that both score, tested and corrected for their number.

    Parameters
    ----------
    truth, scores, directions, seed, level: as in `correlate`; one step, method and setting for each proxy
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
    check_level(level)
    measure = get_statistic(statistic)
    if measure.interval != "bootstrap" or measure.covariates:
        raise StudyError(f"compare_proxies: expected a correlation without covariates, got {statistic!r}")
    places: dict[tuple[str, str], dict[str, Series]] = {}
    for one in aligned_series(truth, scores, directions=directions):
        name = str(one.key["proxy"])
        if places.setdefault(one.place, {}).setdefault(name, one) is not one:
            raise StudyError(
                f"compare_proxies: {name!r} stands under several steps, methods or settings of "
                f"{'/'.join(one.place)}; filter the scores first"
            )
    rows: list[dict[str, Any]] = []
    for found in places.values():
        if baseline is not None and baseline not in found:
            raise UnknownNameError("proxy in these scores", baseline, sorted(found))
        pairs = [(p, baseline) for p in found if p != baseline] if baseline else list(combinations(found, 2))
        if not pairs:
            raise StudyError(f"compare_proxies: expected at least two proxies, got {', '.join(found)}")
        kept: dict[bytes, Resamples] = {}
        new = [_pair(measure, found[a], found[b], kept, n_boot, n_permutations, seed, level) for a, b in pairs]
        for row, adjusted in zip(new, holm([np.nan if r["p"] is None else r["p"] for r in new]), strict=True):
            row["p_holm"] = float(adjusted) if np.isfinite(adjusted) else None
            row["ahead"] = _ahead(row, level)
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
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col(pl.Float64).fill_nan(None))


def _pair(
    measure: Statistic,
    one: Series,
    other: Series,
    kept: dict[bytes, Resamples],
    n_boot: int,
    n_permutations: int,
    seed: int,
    level: float,
) -> dict[str, Any]:
    names: Sequence[str] = (str(one.key["proxy"]), str(other.key["proxy"]))
    used = one.used & other.used
    y, a, b = one.truth.values[used], one.values[used], other.values[used]
    if len(y) < 3:
        raise StudyError(f"compare_proxies: expected at least 3 architectures scored by {names}, got {len(y)}")
    first, second = measure(a, y), measure(b, y)
    row: dict[str, Any] = {
        "benchmark": one.place[0],
        "dataset": one.place[1],
        "proxy": names[0],
        "other": names[1],
        "statistic": measure.name,
        "first": first,
        "second": second,
        "difference": first - second,
        "ci_low": None,
        "ci_high": None,
        "interval": None,
        "p": None,
        "n_archs": len(y),
    }
    if not np.isfinite(first - second):
        return row
    if n_boot:
        if used.tobytes() not in kept:
            counts = bootstrap_counts(len(y), n_boot, generator(seed, "stats", "bootstrap"))
            kept[used.tobytes()] = Resamples(y, counts)
        drawn = [measure.on_resamples(kept[used.tobytes()], x) for x in (a, b)]
        made = percentile_interval(drawn[0] - drawn[1], PAIRED, level=level)
        row |= {"ci_low": made.low, "ci_high": made.high, "interval": str(made)}
    if n_permutations:
        rng = generator(seed, "stats", "permutation", *names)
        row["p"] = permutation_test(measure, a, b, y, rng=rng, n_permutations=n_permutations)
    return row


def _ahead(row: Mapping[str, Any], level: float) -> str:
    clear = []
    if row["ci_low"] is not None:
        clear.append(row["ci_low"] > 0 or row["ci_high"] < 0)
    if row["p_holm"] is not None:
        clear.append(row["p_holm"] <= 1 - level + 1e-12)
    if not clear or not all(clear):
        return "neither"
    return str(row["proxy"] if row["difference"] > 0 else row["other"])
