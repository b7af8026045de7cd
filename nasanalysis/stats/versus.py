"""Is proxy A better than proxy B on the same architectures? Paired bootstrap, permutation test, Holm's correction.

The permutation test exchanges the ranks of two scores architecture by architecture, which is exact where the two are
exchangeable: where it would not change their joint distribution with the truth to swap their names. Two proxies of one
correlation whose shapes differ (one follows the truth everywhere a little, the other half of the time exactly) are
not; the plain test need not hold its level there, and the studentised one does in large samples (Janssen 1997; DiCiccio
and Romano 2017). `reports/results/coverage.csv` has both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame
from .alignment import aligned_series
from .classes import Labels
from .influence import standard_error
from .paired import Difference, correlation_to_compare, paired_difference
from .rank import Floats, average_ranks
from .registry import Statistic
from .resampling import Drawn, Resampling, Unit, asked
from .rows import defined, ends
from .series import Series
from .verdicts import Verdict, better, check_margin, verdict

BLOCK = 2_000_000  # numbers in one working array
PER_TEST = 10  # permutations for each 1 / (corrected level): p is then known to about a third where it matters


def permutation_test(
    statistic: Statistic,
    first: ArrayLike,
    second: ArrayLike,
    truth: ArrayLike,
    *,
    rng: np.random.Generator,
    n_permutations: int = 1000,
    studentised: bool = False,
    labels: Labels | None = None,
) -> float:
    """Two-sided p-value of "the two scores rank equally well", by exchanging them architecture by architecture.

    The null of the plain test is that the two are exchangeable: neither the correlation nor the shape of their joint
    distribution with the truth changes if they swap names. `studentised` divides each difference by its standard error
    (by the influence of each architecture), whose null is, in large samples, equal correlation alone; for
    ``spearman_rho``, ``kendall_tau`` and ``pearson_r``.

    labels: (n_archs,), the class of each architecture from 0 on: members of one class are exchanged together, because
    they are one network and not so many independent ones. By default each architecture by itself.

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
    swaps = _Swaps(rng, len(y), labels)
    if studentised:
        return _studentised(statistic, a, b, y, swaps, n_permutations)
    if statistic.name == "spearman_rho":
        gaps = _rank_gaps(a, b, average_ranks(y), swaps, n_permutations)
        return float((1 + (np.abs(gaps) >= observed - 1e-12).sum()) / (1 + n_permutations))
    as_large = 0
    for _ in range(n_permutations):
        swap = swaps(1)[0].astype(bool)
        difference = statistic(np.where(swap, b, a), y) - statistic(np.where(swap, a, b), y)
        as_large += bool(abs(difference) >= observed - 1e-12)
    return (1 + as_large) / (1 + n_permutations)


@dataclass(frozen=True)
class _Swaps:
    """Which architectures exchange their two scores: draws of 0 and 1."""

    rng: np.random.Generator
    n_archs: int
    labels: Labels | None

    def __call__(self, n: int) -> NDArray[np.int64]:
        """(n, n_archs)."""
        if self.labels is None:
            return self.rng.integers(0, 2, size=(n, self.n_archs))
        return self.rng.integers(0, 2, size=(n, int(self.labels.max()) + 1))[:, self.labels]


def _studentised(statistic: Statistic, a: Floats, b: Floats, y: Floats, swaps: _Swaps, n_permutations: int) -> float:
    error_of = partial(standard_error, statistic.name, labels=swaps.labels)

    def size(first: Floats, second: Floats) -> float:
        gap, error = abs(statistic(first, y) - statistic(second, y)), error_of(first, second, y)
        return gap / error if error > 0 else (np.inf if gap > 0 else 0.0)

    observed, as_large = size(a, b), 0
    for _ in range(n_permutations):
        swap = swaps(1)[0].astype(bool)
        as_large += bool(size(np.where(swap, b, a), np.where(swap, a, b)) >= observed - 1e-12)
    return (1 + as_large) / (1 + n_permutations)


def _rank_gaps(a: Floats, b: Floats, y: Floats, swaps: _Swaps, n_permutations: int) -> Floats:
    """Difference of the correlations with `y` after each exchange of `a` and `b`: (n_permutations,)."""
    a, b, y = (v - v.mean() for v in (a, b, y))
    middle, half = (a + b) / 2, (a - b) / 2  # an exchange turns the sign of `half`
    gaps = np.empty(n_permutations)
    width = max(1, BLOCK // len(y))
    for first in range(0, n_permutations, width):
        signs = swaps(min(width, n_permutations - first)) * 2.0 - 1
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
    n_permutations: int | None = None,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
    margin: float | None = None,
    studentised: bool = False,
) -> Any:
    """Differences between proxies on the architectures that both score, tested and corrected for their number.

    Parameters
    ----------
    truth, scores, directions, seed, level, unit, resampling: as in `correlate`; one step, method and setting for each
        proxy (filter first).
    baseline: compare every other proxy with this one (``params``: which proxies beat the parameter count?); by
        default all pairs are compared.
    statistic: a correlation without covariates; bootstraps of extremes are not valid and are refused.
    n_boot: 0 leaves the intervals null.
    n_permutations: of the test, see `permutation_test`, which says what its null is; 0 leaves the p-values null. By
        default `permutations_for` the number of comparisons in a benchmark and dataset: a p-value is never below
        1 / (1 + n), and Holm multiplies the smallest by their number. `StudyError` for so few that no comparison could
        be told apart, however clear.
    margin: differences below it do not matter, see `nasanalysis.stats.verdict`.
    studentised: of the test, see `permutation_test`.

    Returns columns benchmark, dataset, proxy, other, statistic, first, second, difference (proxy minus other),
    ci_low, ci_high, interval, resampled, p, p_holm (over the rows of one benchmark and dataset), permutations, ahead
    (the better proxy where `p_holm` is at most 1 - level and the interval excludes 0, else ``neither``; by whichever
    of the two was asked for), verdict (of `proxy`, see `nasanalysis.stats.verdict`), n_archs. Where classes are
    resampled the test exchanges the scores of all members of a class together.
    """
    drawn = Drawn(asked(resampling, n_boot, seed, level, unit=unit))
    measure = correlation_to_compare(statistic, "compare_proxies")
    check_margin(margin)
    rows: list[dict[str, Any]] = []
    for series in series_by_proxy(aligned_series(truth, scores, directions=directions), "compare_proxies").values():
        pairs = _pairs(series, baseline)
        test = _Test(_permutations(n_permutations, len(pairs), drawn.resampling.level), studentised)
        new = [_row(measure, *pair, drawn, test) for pair in pairs]
        for row, adjusted in zip(new, holm([np.nan if r["p"] is None else r["p"] for r in new]), strict=True):
            row["p_holm"] = defined(float(adjusted))
            said = _verdict(row, margin, drawn.resampling.level)
            row |= {"verdict": said, "ahead": better(said, row["proxy"], row["other"])}
        rows += new
    text, real = pl.String(), pl.Float64()
    schema = {
        **dict.fromkeys(["benchmark", "dataset", "proxy", "other", "statistic"], text),
        **dict.fromkeys(["first", "second", "difference", "ci_low", "ci_high"], real),
        **dict.fromkeys(["interval", "resampled"], text),
        **dict.fromkeys(["p", "p_holm"], real),
        "permutations": pl.Int64(),
        **dict.fromkeys(["ahead", "verdict"], text),
        "n_archs": pl.Int64(),
    }
    return pl.DataFrame(rows, schema=schema)


def series_by_proxy(series: Sequence[Series], caller: str) -> dict[tuple[str, str], dict[str, Series]]:
    """(benchmark, dataset) -> proxy -> its one series."""
    places: dict[tuple[str, str], dict[str, Series]] = {}
    for one in series:
        name = str(one.key["proxy"])
        if places.setdefault(one.place, {}).setdefault(name, one) is not one:
            raise StudyError(
                f"{caller}: {name!r} stands under several steps, methods or settings of "
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


@dataclass(frozen=True)
class _Test:
    n_permutations: int
    studentised: bool


def permutations_for(n_tests: int, level: float = 0.95) -> int:
    """Permutations that let Holm's correction of `n_tests` pass 1 - level with room: `PER_TEST` tests / (1 - level).

    At least 1,000. With 55 comparisons and 95 %: 11,000, so the smallest corrected p-value is 0.005.
    """
    return max(1000, math.ceil(PER_TEST * n_tests / (1 - level) - 1e-9))


def _permutations(wanted: int | None, n_tests: int, level: float) -> int:
    if wanted is None:
        return permutations_for(n_tests, level)
    if wanted and n_tests / (1 + wanted) > 1 - level + 1e-12:
        raise StudyError(
            f"compare_proxies: {wanted} permutations cannot tell anything apart: p is at least 1/{1 + wanted}, and "
            f"Holm's correction for {n_tests} comparisons asks for {1 - level:.2g}/{n_tests}; leave n_permutations out "
            f"(then {permutations_for(n_tests, level)}), or 0 for intervals alone"
        )
    return wanted


def _row(measure: Statistic, one: Series, other: Series, drawn: Drawn, test: _Test) -> dict[str, Any]:
    names = (str(one.key["proxy"]), str(other.key["proxy"]))
    gap = paired_difference(measure, one, other, drawn, what=f"compare_proxies: {' and '.join(names)}")
    p = _p_value(measure, one, other, gap, drawn.resampling, test)
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
        "resampled": gap.resampled,
        "p": p,
        "permutations": None if p is None else test.n_permutations,
        "n_archs": gap.n_archs,
    }


def _p_value(
    measure: Statistic, one: Series, other: Series, gap: Difference, resampling: Resampling, test: _Test
) -> float | None:
    if not test.n_permutations or not np.isfinite(gap.value):
        return None
    used = one.used & other.used
    rng = resampling.generator("permutation", one.key["proxy"], other.key["proxy"])
    scores = one.values[used], other.values[used]
    return permutation_test(
        measure,
        *scores,
        one.truth.values[used],
        rng=rng,
        n_permutations=test.n_permutations,
        studentised=test.studentised,
        labels=gap.units.labels if gap.units.name == "class" else None,
    )


def _verdict(row: Mapping[str, Any], margin: float | None, level: float) -> Verdict:
    return verdict(row["difference"], row["ci_low"], row["ci_high"], margin, p=row["p_holm"], level=level)
