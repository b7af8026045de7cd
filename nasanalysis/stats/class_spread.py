"""Do members of a class train alike? Their accuracies beside what training seeds alone would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.seeding import generator
from .bootstrap import Interval, bootstrap_counts, percentile_interval
from .classes import Labels, dense
from .rank import Floats

_METHOD = "percentile bootstrap over classes"


@dataclass(frozen=True)
class ClassSpread:
    """How far members of classes differ.

    Attributes
    ----------
    ratio: variance of the members' means around that of their class, over what seeds alone give (1: nothing but seeds),
        with its `interval`; NaN without a class of two members and repeated runs.
    seed_sd: standard deviation of runs of one member, pooled. n_classes, n_archs: with two members or more.
    """

    ratio: float
    interval: Interval
    seed_sd: float
    n_classes: int
    n_archs: int


def class_spread(
    values: Floats, archs: Labels, classes: Labels, *, n_boot: int = 1000, seed: int = 0, level: float = 0.95
) -> ClassSpread:
    """Compare members of each class (n_runs,), `archs` and `classes` being numbers of the run's architecture and class.

    Of a class with members i of n_i runs, means m_i, and s^2 the variance of runs within its members: the sum over
    classes of sum_i (m_i - mean of them)^2, over the sum of (1 - 1/k) sum_i s^2 / n_i. Both have the same expectation
    where members differ by their seeds alone, whatever s^2 of each class is.
    """
    spreads = [_of_class(values[classes == c], archs[classes == c]) for c in np.unique(classes)]
    known = np.array([one for one in spreads if one is not None]).reshape(-1, 5)
    if not len(known) or not known[:, 1].sum():
        return ClassSpread(float("nan"), Interval(float("nan"), float("nan"), _METHOD), float("nan"), 0, 0)
    ratio = known[:, 0].sum() / known[:, 1].sum()
    drawn = np.full(0, np.nan)
    if n_boot and len(known) > 1:
        counts = bootstrap_counts(len(known), n_boot, generator(seed, "stats", "class spread"))
        drawn = (counts @ known[:, 0]) / (counts @ known[:, 1])
    sd = float(np.sqrt(known[:, 2].sum() / known[:, 3].sum()))
    interval = percentile_interval(drawn, _METHOD, level=level)
    return ClassSpread(float(ratio), interval, sd, len(known), int(known[:, 4].sum()))


def _of_class(values: Floats, archs: NDArray[np.intp]) -> tuple[float, float, float, float, int] | None:
    """Of one class: spread of means, expected from seeds, sum of squares within, its degrees of freedom, members."""
    member = dense(archs)
    runs = np.bincount(member)
    means = np.bincount(member, values) / runs
    within, freedom = float(((values - means[member]) ** 2).sum()), float((runs - 1).sum())
    if len(runs) < 2 or not freedom:
        return None
    expected = within / freedom * (1 - 1 / len(runs)) * float((1 / runs).sum())
    return float(((means - means.mean()) ** 2).sum()), expected, within, freedom, len(runs)


def mean_gap(
    values: Floats, sizes: Floats, classes: Labels, *, n_boot: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, Interval, float, int]:
    """Members of the largest size minus those of the smallest, averaged over classes that have several sizes.

    values, sizes, classes: (n_archs,), mean accuracy, a number such as how many convolutions there are, and the class.
    Returns the mean gap, its interval (classes resampled), the share of gaps above 0, and how many classes there are.
    """
    gaps = []
    for c in np.unique(classes):
        here = classes == c
        low, high = sizes[here].min(), sizes[here].max()
        if low < high:
            gaps.append(values[here][sizes[here] == high].mean() - values[here][sizes[here] == low].mean())
    if not gaps:
        return float("nan"), Interval(float("nan"), float("nan"), _METHOD), float("nan"), 0
    each = np.array(gaps)
    drawn = np.full(0, np.nan)
    if n_boot and len(each) > 1:
        counts = bootstrap_counts(len(each), n_boot, generator(seed, "stats", "class spread", "gap"))
        drawn = counts @ each / len(each)
    return float(each.mean()), percentile_interval(drawn, _METHOD, level=level), float((each > 0).mean()), len(each)
