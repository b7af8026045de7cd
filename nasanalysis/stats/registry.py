"""Statistics by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from ..errors import UnknownNameError
from .bootstrap import OnResamples
from .rank import kendall_tau, pearson_r, spearman_rho
from .resamples import Resamples
from .topk import TopKMean

#: The names that are offered; ``topk_mean@k`` takes any positive k.
STATISTICS: tuple[str, ...] = (
    "spearman_rho",
    "kendall_tau",
    "pearson_r",
    "topk_mean@1",
    "topk_mean@5",
    "topk_mean@10",
)
_TOP_K = re.compile(r"topk_mean@([1-9][0-9]*)", re.ASCII)


@dataclass(frozen=True)
class Statistic:
    """A statistic of a score against the truth, both (n_archs,) and oriented so that higher is better.

    Attributes
    ----------
    name: as in `STATISTICS`.
    unit: ``correlation`` (within [-1, 1]) or ``percent`` (accuracy).
    interval: ``bootstrap`` or ``halves``, see `nasanalysis.stats.bootstrap`.
    function: one set of architectures -> one number.
    on_resamples: `Resamples` and a score -> the number of each resample.
    smallest: the fewest architectures for which it is defined.
    """

    name: str
    unit: Literal["correlation", "percent"]
    interval: Literal["bootstrap", "halves"]
    function: Callable[[ArrayLike, ArrayLike], float]
    on_resamples: OnResamples
    smallest: int = 2

    def __call__(self, score: ArrayLike, truth: ArrayLike) -> float:
        return self.function(score, truth)


_CORRELATIONS = {
    s.name: s
    for s in (
        Statistic("spearman_rho", "correlation", "bootstrap", spearman_rho, Resamples.spearman_rho),
        Statistic("kendall_tau", "correlation", "bootstrap", kendall_tau, Resamples.kendall_tau),
        Statistic("pearson_r", "correlation", "bootstrap", pearson_r, Resamples.pearson_r),
    )
}


def get_statistic(name: str) -> Statistic:
    """The statistic called `name`, for example ``spearman_rho`` or ``topk_mean@20``."""
    if name in _CORRELATIONS:
        return _CORRELATIONS[name]
    top = _TOP_K.fullmatch(name) if isinstance(name, str) else None
    if top is None:
        raise UnknownNameError("statistic", name, STATISTICS)
    k = int(top.group(1))
    return Statistic(
        name, "percent", "halves", TopKMean(k), lambda resamples, score: resamples.topk_mean(score, k), smallest=k
    )
