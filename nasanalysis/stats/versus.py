"""Is proxy A better than proxy B on the same architectures? Paired bootstrap, a test, Holm's correction.

The tests are those of `nasanalysis.stats.permutation`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame
from .alignment import aligned_series
from .influence import INFLUENCES
from .paired import Difference, correlation_to_compare, paired_difference
from .permutation import LARGE, large_sample_test, permutation_test
from .rank import Floats
from .registry import Statistic
from .resampling import Drawn, Resampling, Unit, asked
from .rows import defined, ends
from .series import Series
from .verdicts import Verdict, better, check_margin, verdict

PER_TEST = 10  # permutations for each 1 / (corrected level): p is then known to about a third where it matters


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
        1 / (1 + n), and Holm multiplies the smallest by their number; from `LARGE` architectures (or classes) on p of
        every correlation but ``spearman_rho`` is then of `large_sample_test`, with 0 permutations. `StudyError` for so
        few that no comparison could be told apart, however clear.
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
        n = _permutations(n_permutations, len(pairs), drawn.resampling.level)
        test = _Test(
            n, studentised, slow=measure.name != "spearman_rho" or studentised, chosen=n_permutations is not None
        )
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
    """slow: every exchange is a statistic of its own. chosen: the caller named the number of permutations."""

    n_permutations: int
    studentised: bool
    slow: bool
    chosen: bool

    def of(self, measure: Statistic, n_units: int) -> int:
        """Permutations of one comparison; 0 where the law of large samples takes their place."""
        large = n_units >= LARGE and self.slow and not self.chosen and measure.name in INFLUENCES
        return 0 if large else self.n_permutations


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
        "permutations": None if p is None else test.of(measure, gap.units.n),
        "n_archs": gap.n_archs,
    }


def _p_value(
    measure: Statistic, one: Series, other: Series, gap: Difference, resampling: Resampling, test: _Test
) -> float | None:
    if not test.n_permutations or not np.isfinite(gap.value):
        return None
    used = one.used & other.used
    rng = resampling.generator("permutation", one.key["proxy"], other.key["proxy"])
    values = one.values[used], other.values[used], one.truth.values[used]
    labels = gap.units.labels if gap.units.name == "class" else None
    n = test.of(measure, gap.units.n)
    if not n:
        return large_sample_test(measure, *values, labels=labels)
    return permutation_test(measure, *values, rng=rng, n_permutations=n, studentised=test.studentised, labels=labels)


def _verdict(row: Mapping[str, Any], margin: float | None, level: float) -> Verdict:
    return verdict(row["difference"], row["ci_low"], row["ci_high"], margin, p=row["p_holm"], level=level)
