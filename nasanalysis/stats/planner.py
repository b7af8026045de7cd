"""How many architectures, and seeds of their truth, resolve a given difference in Kendall's tau?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.seeding import generator
from .influence import concordance
from .registry import TAU_EXCESS
from .reliability import spearman_brown

DRAWS = 3000  # architectures simulated


def plan(
    first: float,
    second: float,
    *,
    between: float | None = None,
    reliability: float = 1.0,
    seeds: Sequence[int] = (1, 2, 3),
    power: float = 0.8,
    level: float = 0.95,
    seed: int = 0,
) -> pl.DataFrame:
    """Architectures needed to tell ``tau(first)`` from ``tau(second)`` on the same architectures.

    Parameters
    ----------
    first, second: Kendall's tau of the two proxies with a truth without noise, or a proxy's tau and 0.
    between: tau of the two proxies with each other: the more alike they are, the fewer architectures are needed. By
        default they share nothing but the truth.
    reliability: correlation of two runs of the truth, see `reliability`. Noise of the truth pulls both taus, and
        so their difference, towards 0.
    seeds: how many runs of each architecture the truth is the mean of; one row for each.
    power: probability to find the difference. level: of the two-sided interval of the difference.

    A model of normal ranks (Gaussian copula): correlation sin(pi tau / 2), times sqrt of the reliability of the
    mean. The variance of the difference of two taus is that of a U-statistic (Hoeffding 1948), 2 (2 (n - 2) Var(h) +
    Var(pair)) / (n (n - 1)): h is the difference of the two shares of concordant pairs of one architecture, found from
    `DRAWS` simulated ones (`seed`), Var(pair) = 2 - 2 tau(between) - difference^2 that of one pair. The power is that
    of the paired percentile interval of `compare_proxies`, which a bootstrap makes too wide by `TAU_EXCESS`
    Var(pair) / n^2; without that term a power of 0.8 came out as 0.75.

    Returns columns seeds, difference (as it will be seen), n_archs, runs (architectures times seeds). `StudyError`
    where no difference is left, or three such taus cannot be together.
    """
    for name, value in (("first", first), ("second", second), ("between", between)):
        if value is not None and not -1 < value < 1:
            raise ValueError(f"plan: {name}: expected a tau between -1 and 1, got {value!r}")
    if not 0 < reliability <= 1 or not 0 < power < 1 or not 0 < level < 1:
        raise ValueError("plan: expected reliability in (0, 1], power and level in (0, 1)")
    if min(seeds, default=0) < 1:
        raise ValueError(f"plan: seeds: expected at least one positive number of seeds, got {list(seeds)}")
    r_first, r_second = (math.sin(math.pi * tau / 2) for tau in (first, second))
    r_between = r_first * r_second if between is None else math.sin(math.pi * between / 2)
    normals = generator(seed, "stats", "plan").normal(size=(DRAWS, 3))
    rows = []
    for k in seeds:
        noise = math.sqrt(spearman_brown(reliability, k))
        a, b = noise * r_first, noise * r_second
        matrix = np.array([[1.0, a, b], [a, 1.0, r_between], [b, r_between, 1.0]])
        low = np.linalg.eigvalsh(matrix)[0]
        if low < 1e-9:
            raise StudyError(
                f"plan: expected three taus that can be together, got first {first}, second {second}, between {between}"
            )
        truth, one, other = (normals @ np.linalg.cholesky(matrix).T).T
        difference = 2 / math.pi * (math.asin(a) - math.asin(b))
        if abs(difference) < 1e-6:
            raise StudyError("plan: expected two different taus; no number of architectures resolves a difference of 0")
        h = concordance(one, truth) - concordance(other, truth)
        pair = 2 - 4 / math.pi * math.asin(r_between) - difference**2
        n = _fewest(float(h.var(ddof=1)), pair, difference, level, power)
        rows.append({"seeds": int(k), "difference": difference, "n_archs": n, "runs": n * int(k)})
    schema = {"seeds": pl.Int64(), "difference": pl.Float64(), "n_archs": pl.Int64(), "runs": pl.Int64()}
    return pl.DataFrame(rows, schema=schema)


def _fewest(first_order: float, second_order: float, difference: float, level: float, power: float) -> int:
    """The smallest n that has the power, see `plan`; orders: variances of what one, and what two architectures add."""
    from scipy.special import ndtri

    power_quantile, wide = float(ndtri(power)), float(ndtri((1 + level) / 2))

    def is_enough(n: int) -> bool:
        variance = 2 / (n * (n - 1)) * (2 * (n - 2) * first_order + second_order)
        seen = variance + TAU_EXCESS * second_order / n**2
        return wide * math.sqrt(seen) + power_quantile * math.sqrt(variance) <= abs(difference)

    high = 4
    while not is_enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
