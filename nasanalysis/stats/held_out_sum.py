"""Which sum of scores ranks best: chosen on one part of the architectures, judged on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..core.seeding import generator
from .alignment import aligned_series
from .combine import Term, _only
from .rank import Floats
from .registry import get_statistic

#: Columns of `held_out_sum`.
COLUMNS = {
    "split": pl.Int64(), "sum": pl.String(), "searched": pl.Float64(), "held_out": pl.Float64(), "part": pl.String(),
    "part_held_out": pl.Float64(), "gain": pl.Float64(), "n_searched": pl.Int64(), "n_held_out": pl.Int64(),
}  # fmt: skip


@any_frame
def held_out_sum(
    truth: Any,
    scores: Any,
    terms: Sequence[Term],
    *,
    largest: int | None = None,
    statistic: str = "kendall_tau",
    n_splits: int = 10,
    share: float = 0.5,
    seed: int = 0,
) -> Any:
    """The sum of two terms or more that ranks best on one part of the architectures, judged on the rest.

    Parameters
    ----------
    truth, scores: as in `correlate`, one (benchmark, dataset) and one step for each proxy.
    terms: what may be summed, each proxy once, with its weight and rule (`normalise`): ``z`` standardises within each
        part. GeNAS's are ``Term("angle", rule="angle/pi")``, ``Term("val_acc", rule="percent")`` and
        ``Term("flatness", rule="1/sigma_1", sigma_1=2e-3)``.
    largest: terms of a sum; None: as many as there are.
    n_splits, share: random splits, and the share of the architectures that the choice sees.

    Returns
    -------
    A row for each split. sum: the proxies chosen, joined by `` + ``; of equals the first, small before large. searched:
    the statistic where it was chosen (it flatters itself), held_out: on the rest. part: the single term that was best
    where the sum was chosen; part_held_out: on the rest. gain: held_out minus part_held_out, null where either is
    undefined. Architectures that lack a term are left out.

    Raises `StudyError` for fewer than two terms, a proxy given twice, too few architectures, or a statistic that is
    undefined for every sum.
    """
    _require(terms, n_splits, share)
    if largest is not None and largest < 2:
        raise StudyError(f"held_out_sum: expected sums of two terms or more, got largest = {largest}")
    measure = get_statistic(statistic)
    if measure.covariates or not measure.higher_is_better:
        raise StudyError(f"held_out_sum: expected a statistic that is better higher, got {statistic!r}")
    y, values = _aligned(truth, scores, terms)
    n = round(share * len(y))
    if min(n, len(y) - n) < max(3, measure.smallest):
        raise StudyError(f"held_out_sum: expected at least 3 architectures on both sides, got {n} and {len(y) - n}")
    sizes = range(1, min(largest or len(terms), len(terms)) + 1)
    every = [chosen for size in sizes for chosen in combinations(range(len(terms)), size)]

    def judged(chosen: Sequence[int], rows: Any) -> float:
        return measure(sum((terms[i](values[rows, i]) for i in chosen), np.zeros(len(rows))), y[rows])

    table = []
    for split in range(n_splits):
        order = generator(seed, "stats", "held out", split).permutation(len(y))
        seen, rest = np.sort(order[:n]), np.sort(order[n:])
        on_seen = {chosen: judged(chosen, seen) for chosen in every}
        best = _best({chosen: value for chosen, value in on_seen.items() if len(chosen) > 1})
        part = _best({chosen: value for chosen, value in on_seen.items() if len(chosen) == 1})
        ours, alone = judged(best, rest), judged(part, rest)
        names = (" + ".join(terms[i].proxy for i in chosen) for chosen in (best, part))
        row = (split, next(names), on_seen[best], ours, next(names), alone, ours - alone, len(seen), len(rest))
        table.append(row)
    return pl.DataFrame(table, schema=COLUMNS, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))


def _require(terms: Sequence[Term], n_splits: int, share: float) -> None:
    if not 0 < share < 1 or n_splits < 1:
        raise ValueError(f"held_out_sum: expected 0 < share < 1 and at least one split, got {share} and {n_splits}")
    proxies = [term.proxy for term in terms]
    if len(terms) < 2 or len(set(proxies)) < len(proxies):
        raise StudyError(
            f"held_out_sum: expected at least two terms, each proxy once, got {', '.join(proxies) or 'none'}"
        )


def _aligned(truth: Any, scores: Any, terms: Sequence[Term]) -> tuple[Floats, Floats]:
    """Truth (n,), and the raw values of the terms (n, terms), of the architectures that have all."""
    series = aligned_series(truth, scores, directions={term.proxy: 1 for term in terms})
    columns = [_only(series, term.proxy) for term in terms]
    if len({str(one.place) for one in columns}) > 1:
        raise StudyError(f"held_out_sum: expected one dataset, got {columns[0].place} and others")
    used = np.all([one.used for one in columns], axis=0)
    return columns[0].truth.values[used], np.stack([one.values[used] for one in columns], axis=1)


def _best(values: dict[tuple[int, ...], float]) -> tuple[int, ...]:
    known = {chosen: value for chosen, value in values.items() if np.isfinite(value)}
    if not known:
        raise StudyError("held_out_sum: the statistic is undefined on the searched part for every sum")
    return max(known, key=lambda chosen: known[chosen])  # the first of equals
