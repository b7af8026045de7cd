"""Entries of a leaderboard beside what k trained architectures and a regressor give, on the same rests.

A proxy that costs as much as training k architectures must rank better than a regressor that learned from those k
(`nasanalysis.stats.predictor` says what is drawn and that nothing leaks). What differs from draw to draw is which
architectures are trained; what differs from resample to resample is which functional classes of the rest are ranked.
Intervals hold both: the central part of all resamples of all draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import StudyError, UnknownNameError
from ..core.seeding import generator
from .bootstrap import bootstrap_counts
from .classes import dense
from .feature_tables import Learnable, learnable
from .many_ranks import spearman_of_all
from .predictor import TrainingDraw, predicted_rest, training_draws
from .rank import Floats, spearman_rho
from .regressors import Maker, maker
from .rows import defined
from .verdicts import check_margin, verdict

_FEWEST_RESAMPLES = 20  # of each draw


def learned_bar(
    truth: Any,
    features: Any,
    entries: Mapping[str, pl.DataFrame],
    k: Mapping[int, Sequence[str]],
    *,
    draws: int = 10,
    regressor: str | Maker = "random_forest",
    margin: float | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pl.DataFrame:
    """Spearman's rho of what k trained architectures give, and of entries on the same rests.

    Parameters
    ----------
    truth: TRUTH of one dataset, split and schedule. features: what the regressor reads, as in `predictor_curve`.
    entries: name -> a table ``arch, value``, higher is better; every number is on the architectures that all of them
        and `features` know.
    k: number of trained architectures -> the entries to set beside it, which may be none.
    draws: of each k. n_boot: resamples in all, shared out among the draws (20 each at least); 0 for no intervals.
    margin: as in `nasanalysis.stats.verdict`.

    Returns one row for each k and entry, and one without an entry where a k names none: k, entry, learned, learned_low,
    learned_high, estimate (of the entry, mean over draws), difference (entry minus learned), ci_low, ci_high, verdict
    (of the entry), draws, n_rest (mean), n_archs, n_classes.

    Raises what `predictor_curve` raises, `UnknownNameError` for an entry that is not there.
    """
    check_margin(margin)
    for name in {name for names in k.values() for name in names}:
        if name not in entries:
            raise UnknownNameError("entry", name, entries)
    table = learnable(truth, {"features": features, **{n: _values(n, e) for n, e in entries.items()}}, "learned_bar")
    columns = {name: table.sets[name].values[:, 0] for name in entries}
    if lost := [name for name, values in columns.items() if not np.isfinite(values).all()]:
        raise StudyError(f"learned_bar: expected a value of {lost[0]!r} for every architecture; leave the others out")
    name, make = maker(regressor, "learned_bar")
    values: dict[int, list[tuple[Floats, Floats]]] = {size: [] for size in k}
    rest: dict[int, list[int]] = {size: [] for size in k}
    for draw in training_draws(table, sorted(k), draws, "class", seed):
        learned = predicted_rest(make(draw.number), name, table.sets["features"], table.truth, draw)
        scores = np.vstack([learned, *(columns[entry][draw.rest] for entry in k[draw.k])])
        values[draw.k].append(_rhos(table, draw, scores, n_boot and max(_FEWEST_RESAMPLES, n_boot // draws), seed))
        rest[draw.k].append(len(draw.rest))
    rows = []
    for size, names in k.items():
        whole = _means(np.array([w for w, _ in values[size]]))
        resampled = np.concatenate([r for _, r in values[size]], axis=1)
        low, high = _ends(resampled[0], level)
        shared: dict[str, Any] = {
            "k": size, "learned": defined(whole[0]), "learned_low": low, "learned_high": high, "draws": draws,
            "n_rest": float(np.mean(rest[size])), "n_archs": len(table.archs), "n_classes": table.n_classes,
        }  # fmt: skip
        for i, entry in enumerate(names, start=1):
            gap = float(whole[i] - whole[0])
            low, high = _ends(resampled[i] - resampled[0], level)
            said = verdict(gap, low, high, margin)
            one: dict[str, Any] = {"entry": entry, "estimate": defined(whole[i]), "difference": defined(gap)}
            one |= {"ci_low": low, "ci_high": high}
            rows.append({**shared, **one, "verdict": said})
        if not names:
            rows.append(shared)
    return pl.DataFrame([{c: row.get(c) for c in _SCHEMA} for row in rows], schema=_SCHEMA)


_REAL = ("learned", "learned_low", "learned_high", "estimate", "difference", "ci_low", "ci_high")
_SCHEMA = {
    "k": pl.Int64(), "entry": pl.String(), **dict.fromkeys(_REAL, pl.Float64()), "verdict": pl.String(),
    "draws": pl.Int64(), "n_rest": pl.Float64(), "n_archs": pl.Int64(), "n_classes": pl.Int64(),
}  # fmt: skip


def _values(name: str, entry: pl.DataFrame) -> pl.DataFrame:
    return entry.select("arch", pl.col("value").alias(name))


def _rhos(table: Learnable, draw: TrainingDraw, scores: Floats, n_boot: int, seed: int) -> tuple[Floats, Floats]:
    """Spearman's rho of each score on the rest (n_scores,), and on resamples of its classes (n_scores, n_boot)."""
    truth = table.truth[draw.rest]
    whole = np.array([spearman_rho(score, truth) for score in scores])
    if not n_boot:
        return whole, np.full((len(scores), 1), np.nan)
    labels = dense(table.classes[draw.rest])
    rng = generator(seed, "learned bar", draw.number)
    counts = bootstrap_counts(int(labels.max()) + 1, n_boot, rng)[:, labels]
    return whole, spearman_of_all(scores, truth, counts)[:, 0, :]


def _means(values: Floats) -> Floats:
    """Over draws, those that are undefined left out; NaN where all are."""
    known = np.isfinite(values)
    n = known.sum(axis=0)
    means: Floats = np.divide(np.where(known, values, 0.0).sum(axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    return means


def _ends(values: Floats, level: float) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
