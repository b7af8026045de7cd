"""Is one score better than another on the same architectures? Differences on the same resamples, so paired.

`paired_difference` is the one engine: `difference_by_step` asks it step by step, `compare_proxies` pair by pair, and
`seeds_against_baseline` (by `resampled_gaps`) for many seeds against one score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import any_frame
from .alignment import aligned_series
from .averages import checked_scores, checked_truth
from .bootstrap import Interval, percentile_interval
from .rank import Floats
from .registry import Statistic, get_statistic
from .resamples import Resamples
from .resampling import Drawn, Resampling, Unit, Units, asked
from .rows import defined, ends
from .series import FEWEST, Series
from .simultaneous import simultaneous_band
from .verdicts import Verdict, better, check_margin, verdict

PAIRED = "paired percentile bootstrap over architectures"


@dataclass(frozen=True)
class Difference:
    """A statistic of two scores on the architectures both score; NaN where undefined."""

    first: float
    second: float
    interval: Interval | None  # of first minus second
    n_archs: int
    units: Units  # what the interval resamples

    @property
    def value(self) -> float:
        return self.first - self.second

    def verdict(self, margin: float | None = None) -> Verdict:
        """By the interval alone, see `nasanalysis.stats.verdicts`."""
        if self.interval is None:
            return "not told apart"
        return verdict(self.value, self.interval.low, self.interval.high, margin)

    @property
    def resampled(self) -> Unit | None:
        """The column of that name; null without an interval."""
        return self.units.name if self.interval else None


def correlation_to_compare(statistic: str, caller: str) -> Statistic:
    """The statistic called `statistic`, refused unless a bootstrap of its differences is valid."""
    measure = get_statistic(statistic)
    if measure.interval != "bootstrap":
        raise StudyError(f"{caller}: expected a correlation, got {statistic!r}: a bootstrap of extremes is not valid")
    if measure.covariates:
        raise StudyError(f"{caller}: expected a correlation without covariates, got {statistic!r}")
    return measure


def paired_difference(measure: Statistic, one: Series, other: Series, drawn: Drawn, *, what: str) -> Difference:
    """`measure` of `one` and of `other` on the architectures both score, with a paired interval where asked for.

    `what` opens the `StudyError` for too few architectures.
    """
    used = one.used & other.used
    y, first, second = one.truth.values[used], one.values[used], other.values[used]
    if len(y) < FEWEST:
        raise StudyError(f"{what}: expected at least {FEWEST} architectures scored by both, got {len(y)}")
    estimates = measure(first, y), measure(second, y)
    interval, units = None, one.units(drawn.resampling, used)
    if drawn.resampling.n and not units.can_be_drawn:
        interval = units.no_interval()
    elif drawn.resampling.n and np.isfinite(estimates).all():
        gaps = resampled_gaps(measure, drawn.of(y, units=units), first[None, :], second)[0]
        interval = percentile_interval(gaps, units.says(PAIRED), level=drawn.resampling.level)
    return Difference(*estimates, interval, len(y), units)


def resampled_gaps(measure: Statistic, resamples: Resamples, scores: Floats, baseline: Floats | None) -> Floats:
    """`measure` of each of `scores` (k, n_archs), minus that of `baseline`, on every resample: (k, B).

    baseline: (n_archs,), the same for all, or (k, n_archs), one for each.
    """
    each = np.array([measure.on_resamples(resamples, row) for row in scores])
    if baseline is None:
        return each
    if baseline.ndim == 2:
        return np.asarray(each - np.array([measure.on_resamples(resamples, row) for row in baseline]))
    return each - measure.on_resamples(resamples, baseline)


@any_frame
def difference_by_step(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    first: str,
    second: str,
    *,
    statistic: str = "spearman_rho",
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
    margin: float | None = None,
) -> pl.DataFrame:
    """``statistic(first) - statistic(second)`` at every step both have, on the architectures both score.

    Parameters
    ----------
    truth, scores: as in `correlate`, of one dataset.
    first, second: proxies in `scores`; one without steps (a cost) is set against every step of the other.
    statistic: a correlation; a bootstrap of extremes (``topk_mean``) is not valid and is refused.
    n_boot, seed, level, unit: of the resamples, as in `correlate`. resampling: one `Resampling` in their place.
    margin: differences below it do not matter, see `nasanalysis.stats.verdict`.

    Returns columns ``step, first, second, difference, ci_low, ci_high, band_low, band_high, ahead, verdict, resampled,
    n_archs``. Both proxies see the same resamples. ``ci_low`` and ``ci_high`` hold for one step that was chosen
    beforehand; ``band_low`` and ``band_high`` hold for all steps at once (max-t over the shared resamples), so a range
    of steps ("up to epoch 9") can be read off them. ``ahead`` is the better proxy by the band, or ``neither`` where the
    band holds zero; ``verdict`` is that of `first`. Both are by the one interval where there is one step.
    """
    measure = correlation_to_compare(statistic, "difference")
    check_margin(margin)
    drawn = Drawn(asked(resampling, n_boot, seed, level, unit=unit))
    pairs = _pairs(truth, scores, (first, second), directions)
    gaps = [paired_difference(measure, a, b, drawn, what=f"difference at step {step}") for step, a, b in pairs]
    lows, highs = _band(measure, pairs, gaps, drawn)
    rows = []
    for (step, _, _), gap, low, high in zip(pairs, gaps, lows, highs, strict=True):
        said = verdict(gap.value, low, high, margin)
        numbers = {"first": defined(gap.first), "second": defined(gap.second), "difference": defined(gap.value)}
        numbers |= {**ends(gap.interval), "band_low": defined(low), "band_high": defined(high)}
        words = {"ahead": better(said, first, second), "verdict": said, "resampled": gap.resampled}
        rows.append({"step": step, **numbers, **words, "n_archs": gap.n_archs})
    real = ["first", "second", "difference", "ci_low", "ci_high", "band_low", "band_high"]
    texts = dict.fromkeys(["ahead", "verdict", "resampled"], pl.String())
    schema = {"step": pl.Int64(), **dict.fromkeys(real, pl.Float64()), **texts, "n_archs": pl.Int64()}
    return pl.DataFrame(rows, schema=schema)


def _band(
    measure: Statistic,
    pairs: Sequence[tuple[int | None, Series, Series]],
    gaps: Sequence[Difference],
    drawn: Drawn,
) -> tuple[Floats, Floats]:
    """Ends of the simultaneous interval of every step; of a single step those of its own interval."""
    if len(gaps) == 1 and (alone := gaps[0].interval):
        return np.array([alone.low]), np.array([alone.high])
    masks = [one.used & other.used for _, one, other in pairs]
    every = np.logical_or.reduce(masks)
    units = pairs[0][1].units(drawn.resampling, every)
    if not (drawn.resampling.n and units.can_be_drawn):
        return np.full(len(gaps), np.nan), np.full(len(gaps), np.nan)
    counts = drawn.counts(units)  # one draw for all steps, of which each takes the architectures that it scores
    table = np.empty((len(pairs), len(counts)))
    for row, (_, one, other), mask in zip(table, pairs, masks, strict=True):
        y = one.truth.values[mask]
        whole = mask.sum() == every.sum()
        resamples = drawn.of(y, units=units) if whole else Resamples(y, counts[:, mask[every]])
        row[:] = resampled_gaps(measure, resamples, one.values[mask][None, :], other.values[mask])[0]
    band = simultaneous_band(np.array([gap.value for gap in gaps]), table, level=drawn.resampling.level)
    return band.low, band.high


def _pairs(
    truth: Any, scores: Any, names: tuple[str, str], directions: Mapping[str, int | str] | None
) -> list[tuple[int | None, Series, Series]]:
    """The steps that both proxies have, in order, with the series of each there."""
    target, table = checked_truth(truth), checked_scores(scores)
    if (n := target.select("benchmark", "dataset").n_unique()) != 1:
        raise StudyError(f"difference: expected the truth of one dataset, got {n}; filter first")
    known = set(table["proxy"].unique())
    for name in names:
        if name not in known:
            raise UnknownNameError("proxy in these scores", name, sorted(known))
    series = aligned_series(target, table.filter(pl.col("proxy").is_in(names)), directions=directions, stacklevel=6)
    one, other = (_by_step(series, name) for name in names)
    steps = _common(one, other)
    if not steps:
        raise StudyError(f"difference: {names[0]!r} and {names[1]!r} share no step on architectures of the truth")
    return [(step, one.get(step) or one[None], other.get(step) or other[None]) for step in steps]


def _by_step(series: Sequence[Series], proxy: str) -> dict[int | None, Series]:
    mine = [one for one in series if one.key["proxy"] == proxy]
    if len({(one.place, one.key["method"], one.key["setting"], one.key["unit"]) for one in mine}) > 1:
        raise StudyError(
            f"difference: {proxy!r} stands under several datasets, methods, settings or units; filter first"
        )
    return {one.key["step"]: one for one in sorted(mine, key=lambda one: one.key["step"] or 0)}


def _common(one: Mapping[int | None, Series], other: Mapping[int | None, Series]) -> list[int | None]:
    """Steps at which both stand; a score without steps stands at every step of the other."""
    if not one or not other:
        return []
    if set(one) == {None} or set(other) == {None}:
        return list(other if set(one) == {None} else one)
    units = {series.key["unit"] for side in (one, other) for series in side.values()}
    return [step for step in one if step in other] if len(units) == 1 else []
