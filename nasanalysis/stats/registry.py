"""Statistics by name. Parameters follow an ``@``, joined by ``+`` where there are several.

A statistic from outside the package is one entry of `STATISTICS` more: a function ``(score, truth) -> number``, both
(n_archs,) and oriented so that higher is better, a `Statistic` that says more about it, or ``module:object``::

    STATISTICS["distance"] = lambda score, truth: float(np.abs(rank(score) - rank(truth)).mean())
    na.correlate(truth, scores, statistics=["distance"])
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import UnknownNameError
from ..core.registry import resolve
from .bootstrap import OnResamples
from .ndcg import ndcg
from .partial import (
    partial_kendall,
    partial_kendall_on_resamples,
    partial_spearman,
    partial_spearman_on_resamples,
)
from .rank import Floats, defined_pairs, kendall_tau, pearson_r, spearman_rho
from .resamples import Resamples
from .tau import sparse_kendall_tau, sparse_on_resamples, weighted_on_resamples, weighted_tau
from .topk import BestRankAtK, PrecisionAtK, RegretAtK, TopKMean

Unit = Literal["correlation", "percent", "points", "share", "rank", "number"]

#: The names that are offered. Any positive k, any share of the best and any covariates may stand after the ``@``.
_OURS: tuple[str, ...] = (
    "spearman_rho",
    "kendall_tau",
    "pearson_r",
    "sparse_kendall_tau",
    "sparse_kendall_tau@score",
    "weighted_tau",
    "partial_spearman@params",
    "partial_kendall@params",
    "spearman_with@params",
    "kendall_with@params",
    "spearman_rho@top10%",
    "kendall_tau@top10%",
    "ndcg",
    "topk_mean@1",
    "topk_mean@5",
    "topk_mean@10",
    "best_rank@10",
    "precision@10",
    "regret@10",
)


@dataclass(frozen=True)
class Statistic:
    """A statistic of a score against the truth, both (n_archs,) and oriented so that higher is better.

    Attributes
    ----------
    name: as in `STATISTICS`.
    unit: ``correlation`` (within [-1, 1]), ``percent`` (accuracy), ``points`` (percentage points), ``share``
        (within [0, 1]), ``rank`` (1 is the best architecture) or ``number`` (of no unit known here).
    interval: ``bootstrap`` or ``halves``, see `nasanalysis.stats.bootstrap`.
    function: one set of architectures -> one number; takes score, truth and the covariates.
    on_resamples: `Resamples`, a score and the covariates -> the number of each resample.
    smallest: the fewest architectures for which it is defined.
    covariates: proxies (``params``, ``flops``, any score) whose values it needs too, in order.
    higher_is_better: False for ranks and regrets.
    excess: see `nasanalysis.stats.bootstrap.fisher_z_interval`.
    """

    name: str
    unit: Unit
    interval: Literal["bootstrap", "halves"]
    function: Callable[..., float]
    on_resamples: OnResamples
    smallest: int = 2
    covariates: tuple[str, ...] = ()
    higher_is_better: bool = True
    excess: float = 0.0

    def __call__(self, score: ArrayLike, truth: ArrayLike, *covariates: ArrayLike) -> float:
        return self.function(score, truth, *covariates)

    @classmethod
    def of(
        cls, name: str, function: Callable[[Floats, Floats], float], unit: Unit = "number", **more: Any
    ) -> Statistic:
        """A statistic of a bare function: its resamples are worked out one by one. `more`: other attributes."""

        def on_resamples(resamples: Resamples, score: Floats) -> Floats:
            return resamples.each(function, score, resamples.truth)

        return cls(name, unit, more.pop("interval", "bootstrap"), function, on_resamples, **more)


#: Statistics by name; None stands for what this module makes, anything else came from outside.
STATISTICS: dict[str, str | Statistic | Callable[[Floats, Floats], float] | None] = dict.fromkeys(_OURS)

TAU_EXCESS = 3.0  # of the bootstrap variance of Kendall's tau-b

_PLAIN: dict[str, Statistic] = {
    s.name: s
    for s in (
        Statistic("spearman_rho", "correlation", "bootstrap", spearman_rho, Resamples.spearman_rho),
        Statistic("kendall_tau", "correlation", "bootstrap", kendall_tau, Resamples.kendall_tau, excess=TAU_EXCESS),
        Statistic("pearson_r", "correlation", "bootstrap", pearson_r, Resamples.pearson_r),
        Statistic(
            "sparse_kendall_tau",
            "correlation",
            "bootstrap",
            sparse_kendall_tau,
            sparse_on_resamples,
            excess=TAU_EXCESS,
        ),
        Statistic(
            "sparse_kendall_tau@score",
            "correlation",
            "bootstrap",
            partial(sparse_kendall_tau, rounded="score"),
            partial(sparse_on_resamples, rounded="score"),
            excess=TAU_EXCESS,
        ),
        Statistic(
            "weighted_tau",
            "correlation",
            "bootstrap",
            weighted_tau,
            weighted_on_resamples,
        ),
        Statistic(
            "ndcg", "share", "bootstrap", ndcg, lambda resamples, score: resamples.each(ndcg, score, resamples.truth)
        ),
    )
}
_WHOLE = re.compile(r"[1-9][0-9]*", re.ASCII)
_TOP = re.compile(r"top([0-9]+(?:\.[0-9]+)?)%", re.ASCII)
_COVARIATES = re.compile(r"[^\s+]+(\+[^\s+]+)*")


def get_statistic(name: str) -> Statistic:
    """The statistic called `name`, for example ``spearman_rho``, ``topk_mean@20``, ``kendall_tau@top20%`` (only
    the best 20 % of truth) or ``partial_spearman@params+flops``.
    """
    if (outside := outside_statistic(name)) is not None:
        return outside
    if name in _PLAIN:
        return _PLAIN[name]
    base, _, argument = name.partition("@") if isinstance(name, str) else ("", "", "")
    statistic = _FAMILIES[base](name, argument) if argument and base in _FAMILIES else None
    if statistic is None:
        raise UnknownNameError("statistic", name, STATISTICS)
    return statistic


def outside_statistic(name: str) -> Statistic | None:
    """A statistic that somebody added to `STATISTICS`; None for one of ours."""
    if not isinstance(name, str) or STATISTICS.get(name) is None:
        return None
    target = resolve("statistic", name, STATISTICS)
    return replace(target, name=name) if isinstance(target, Statistic) else Statistic.of(name, target)


def _top_fraction(base: str) -> Callable[[str, str], Statistic | None]:
    plain = _PLAIN[base]

    def make(name: str, argument: str) -> Statistic | None:
        match = _TOP.fullmatch(argument)
        if match is None or not 0 < (share := float(match[1]) / 100) <= 1:
            return None

        def function(score: ArrayLike, truth: ArrayLike) -> float:
            x, y = best_of_truth(score, truth, share)
            return plain.function(x, y)

        def on_resamples(resamples: Resamples, score: Floats) -> Floats:
            return plain.on_resamples(resamples.best(share), score)

        return Statistic(name, "correlation", "bootstrap", function, on_resamples)

    return make


def best_of_truth(score: ArrayLike, truth: ArrayLike, fraction: float) -> tuple[Floats, Floats]:
    """Score and truth of the share `fraction` of best truth, and of those tied with the last of them."""
    x, y = defined_pairs(score, truth)
    if not len(y):
        return x, y
    count = int(np.ceil(fraction * len(y) - 1e-9))
    keep = y >= np.partition(y, len(y) - count)[len(y) - count]
    return x[keep], y[keep]


def _given(function: Callable[..., float], on_resamples: OnResamples) -> Callable[[str, str], Statistic | None]:
    def make(name: str, argument: str) -> Statistic | None:
        if not _COVARIATES.fullmatch(argument):
            return None
        covariates = tuple(argument.split("+"))
        return Statistic(name, "correlation", "bootstrap", function, on_resamples, 3, covariates)

    return make


def _with(plain: Statistic) -> Callable[[str, str], Statistic | None]:
    """Correlation of the score with a covariate instead of the truth."""

    def function(score: ArrayLike, truth: ArrayLike, covariate: ArrayLike) -> float:
        return plain.function(score, covariate)

    def on_resamples(resamples: Resamples, score: Floats, covariate: Floats) -> Floats:
        return plain.on_resamples(resamples.against(covariate), score)

    def make(name: str, argument: str) -> Statistic | None:
        if not _COVARIATES.fullmatch(argument) or "+" in argument:
            return None
        return Statistic(name, "correlation", "bootstrap", function, on_resamples, 2, (argument,), excess=plain.excess)

    return make


def _at_k(kind: Callable[[int], Any], unit: Unit, higher_is_better: bool = True) -> Callable[[str, str], Any]:
    def make(name: str, argument: str) -> Statistic | None:
        if not _WHOLE.fullmatch(argument):
            return None
        k = int(argument)
        one = kind(k)
        return Statistic(name, unit, "halves", one, one.on_resamples, k, (), higher_is_better)

    return make


@dataclass(frozen=True)
class _NdcgAtK:
    k: int

    def __call__(self, score: ArrayLike, truth: ArrayLike) -> float:
        return ndcg(score, truth, self.k)

    def on_resamples(self, resamples: Resamples, score: Floats) -> Floats:
        return resamples.each(self, score, resamples.truth)


_FAMILIES: dict[str, Callable[[str, str], Statistic | None]] = {
    **{base: _top_fraction(base) for base in ("spearman_rho", "kendall_tau", "pearson_r")},
    "partial_spearman": _given(partial_spearman, partial_spearman_on_resamples),
    "partial_kendall": _given(partial_kendall, partial_kendall_on_resamples),
    "spearman_with": _with(_PLAIN["spearman_rho"]),
    "kendall_with": _with(_PLAIN["kendall_tau"]),
    "topk_mean": _at_k(TopKMean, "percent"),
    "best_rank": _at_k(BestRankAtK, "rank", higher_is_better=False),
    "precision": _at_k(PrecisionAtK, "share"),
    "regret": _at_k(RegretAtK, "points", higher_is_better=False),
    "ndcg": _at_k(_NdcgAtK, "share"),
}
