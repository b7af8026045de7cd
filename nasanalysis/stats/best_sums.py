"""Which sums of measures rank better than their parts, where every measure was taken with several seeds.

The sum of every size is chosen on one part of the architectures (a class of equal networks stands wholly on one side)
and judged on the rest, beside the best single measure chosen there as well: `held_out_sum` with an interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..core.seeding import generator
from .alignment import aligned_seeds
from .bootstrap import Interval
from .classes import Labels
from .combine import Term
from .rank import Floats
from .registry import Statistic, get_statistic
from .resampling import Resampling
from .rows import ends
from .seeds import bootstrap_over_seeds
from .verdicts import verdict

#: Columns of `best_sums`.
COLUMNS = {
    "size": pl.Int64(), "sum": pl.String(), "searched": pl.Float64(), "held_out": pl.Float64(), "sd": pl.Float64(),
    "gain": pl.Float64(), "ci_low": pl.Float64(), "ci_high": pl.Float64(), "interval": pl.String(),
    "verdict": pl.String(), "n_searched": pl.Int64(), "n_held_out": pl.Int64(), "n_score_seeds": pl.Int64(),
}  # fmt: skip

Chosen = tuple[int, ...]


@any_frame
def best_sums(
    truth: Any,
    scores: Any,
    terms: Sequence[Term],
    *,
    statistic: str = "kendall_tau",
    share: float = 0.5,
    resampling: Resampling | None = None,
) -> Any:
    """The best sum of every size, chosen on one part of the architectures and judged on the rest.

    Parameters
    ----------
    truth: as in `correlate`, one (benchmark, dataset). scores: of one arm (method and setting), every proxy with the
        same seeds; a cost such as ``params`` stands there once for each seed.
    terms: what may be summed, each proxy once; a rule that looks at the architectures (``z``, ``rank``) looks at those
        of the part at hand.
    statistic: a correlation; its mean over seeds is what chooses and what is judged.
    share: of the architectures, that the choice sees. resampling: draws, seed and level of the intervals; seeds and
        classes are drawn together where there are several seeds.

    Returns
    -------
    A row for each size from 1. sum: the proxies, joined by `` + ``. searched: the mean over seeds where it was chosen;
    held_out, sd: mean and standard deviation over seeds on the rest. gain: held_out minus that of the row of size 1,
    with its interval (the same architectures and seeds in every draw), and the verdict on it: ``ahead``, ``behind`` or
    ``not told apart``; null in the first row. The interval holds the split and the choice fixed.

    Raises `StudyError` for fewer than two terms, a proxy given twice or missing, several arms, seeds that differ, or
    fewer than 10 architectures on a side.
    """
    measure = _correlation(statistic)
    if not 0 < share < 1:
        raise ValueError(f"best_sums: expected 0 < share < 1, got {share}")
    if len(terms) < 2 or len({t.proxy for t in terms}) < len(terms):
        raise StudyError(f"best_sums: expected two terms or more, each proxy once, got {[t.proxy for t in terms]}")
    chosen_how = resampling or Resampling()
    y, values, labels = _aligned(truth, scores, terms)
    searched, rest = _parts(labels, share, chosen_how.seed)
    if min(len(searched), len(rest)) < 10:
        raise StudyError(f"best_sums: expected 10 architectures on each side, got {len(searched)} and {len(rest)}")
    sums = {rows: _Sums(measure, y, values, terms, part) for rows, part in (("searched", searched), ("rest", rest))}
    best = [sums["searched"].best(size) for size in range(1, len(terms) + 1)]
    table = []
    for chosen in best:
        each = sums["rest"].each(chosen)
        row = {
            "size": len(chosen), "sum": " + ".join(terms[i].proxy for i in chosen),
            "searched": float(sums["searched"].each(chosen).mean()), "held_out": float(each.mean()),
            "sd": float(each.std(ddof=1)) if len(each) > 1 else None,
            "n_searched": len(searched), "n_held_out": len(rest), "n_score_seeds": len(each),
        }  # fmt: skip
        if len(chosen) > 1:
            row |= _gain(sums["rest"], chosen, best[0], labels[rest], chosen_how)
        table.append(row)
    return pl.DataFrame(table, schema=COLUMNS)


def _correlation(statistic: str) -> Statistic:
    measure = get_statistic(statistic)
    if measure.covariates or measure.interval != "bootstrap":
        raise StudyError(f"best_sums: expected a rank correlation, got {statistic!r}")
    return measure


def _aligned(truth: Any, scores: Any, terms: Sequence[Term]) -> tuple[Floats, Floats, Labels]:
    """Truth (n,), raw values (terms, seeds, n) and classes (n,) of the architectures that have all."""
    members: dict[str, Any] = {}
    for one in aligned_seeds(truth, scores, directions={t.proxy: 1 for t in terms}):
        proxy = one[0].key["proxy"]
        if proxy in members:
            raise StudyError(f"best_sums: {proxy!r} is several scores (methods, settings, steps or datasets); filter")
        members[proxy] = one
    if lost := [t.proxy for t in terms if t.proxy not in members]:
        raise StudyError(f"best_sums: no scores of {lost[0]!r}; there are {', '.join(sorted(members))}")
    seeds = {tuple(s.seed for s in members[t.proxy]) for t in terms}
    if len(seeds) > 1:
        raise StudyError(f"best_sums: expected the same seeds of every proxy, got {sorted(map(str, seeds))}")
    used = np.logical_and.reduce([s.used for t in terms for s in members[t.proxy]])
    values = np.array([[s.values[used] for s in members[t.proxy]] for t in terms])
    first = members[terms[0].proxy][0].truth
    return first.values[used], values, first.classes[used]


def _parts(labels: Labels, share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the two parts; a class stands wholly in one."""
    names, group = np.unique(labels, return_inverse=True)
    order = generator(seed, "stats", "best sums").permutation(len(names))
    first = np.isin(group, order[: round(share * len(names))])
    return np.flatnonzero(first), np.flatnonzero(~first)


class _Sums:
    """Every sum on one part of the architectures; each term is brought to its scale once."""

    def __init__(
        self, measure: Statistic, y: Floats, values: Floats, terms: Sequence[Term], rows: NDArray[np.intp]
    ) -> None:
        self.measure, self.y = measure, y[rows]
        self.scaled = np.array(
            [[t(one[rows]) for one in seeds] for t, seeds in zip(terms, values, strict=True)]
        )  # (terms, seeds, n)

    def of(self, chosen: Chosen) -> Floats:
        """(seeds, n)."""
        total: Floats = self.scaled[list(chosen)].sum(axis=0)
        return total

    def each(self, chosen: Chosen) -> Floats:
        """The statistic for each seed."""
        return np.array([self.measure(row, self.y) for row in self.of(chosen)])

    def best(self, size: int) -> Chosen:
        """The best sum of `size` terms by the mean over seeds; the first of equals."""
        means = {c: float(self.each(c).mean()) for c in combinations(range(len(self.scaled)), size)}
        known = {c: mean for c, mean in means.items() if np.isfinite(mean)}
        if not known:
            raise StudyError(f"best_sums: the statistic is undefined for every sum of {size}")
        return max(known, key=lambda c: known[c])


def _gain(sums: _Sums, chosen: Chosen, part: Chosen, labels: Labels, resampling: Resampling) -> dict[str, Any]:
    gap = float(np.mean(sums.each(chosen) - sums.each(part)))
    interval: Interval | None = None
    if resampling.n and np.isfinite(gap):
        interval = bootstrap_over_seeds(
            sums.measure,
            sums.of(chosen),
            sums.y,
            rng=resampling.generator("best sums"),
            over="nested" if sums.scaled.shape[1] > 1 else "classes",
            n_boot=resampling.n,
            level=resampling.level,
            baseline=sums.of(part),
            classes=labels,
        )
    said = "not told apart" if interval is None else verdict(gap, interval.low, interval.high, None)
    return {"gain": gap, **ends(interval), "interval": str(interval) if interval else None, "verdict": said}
