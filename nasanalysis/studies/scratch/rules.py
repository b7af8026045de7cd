"""Rules that judge claims about correlation by epoch, over draws (`nasanalysis.studies.judged` says what they give)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from ...core.errors import StudyError
from ...report.cells import with_interval
from ...stats.arch_draws import DrawsMean
from ..judged import Part
from .items import CurveClaim, Role

#: Role -> columns draw, step, estimate.
Lines = Mapping[Role, pl.DataFrame]
#: One number of each draw -> their mean with its interval.
Interval = Callable[[object], DrawsMean]
Rule = Callable[[CurveClaim, Lines, Interval], Part]


def _differences(claim: CurveClaim, lines: Lines) -> pl.DataFrame:
    """Columns draw, step, difference: of the first line above the second, on the same architectures."""
    one, other = lines[claim.of], lines[claim.than]
    both = one.join(other, on=["draw", "step"], suffix="_other").sort("draw", "step")
    return both.select("draw", "step", difference=pl.col("estimate") - pl.col("estimate_other"))


def _epoch(claim: CurveClaim, lines: Lines) -> int:
    if claim.epoch is None:
        raise StudyError(f"{claim.claim!r}: the rule {claim.rule!r} expects an epoch, got none")
    last = int(lines[claim.of]["step"].max())  # type: ignore[arg-type]
    if claim.epoch > last:
        raise StudyError(f"{claim.claim!r}: expected an epoch up to {last}, got {claim.epoch}")
    return claim.epoch


def _part(values: object, interval: Interval, less: float = 0.0) -> Part:
    """`less` is what the estimate must exceed."""
    mean, low, high = interval(values)
    return Part("", low - less, high - less, with_interval(mean, low, high, 3))


def _mean_of(rows: pl.DataFrame, interval: Interval) -> Part:
    return _part(rows.group_by("draw", maintain_order=True).agg(pl.col("difference").mean())["difference"], interval)


def ahead_until(claim: CurveClaim, lines: Lines, interval: Interval) -> Part:
    """Mean difference over the epochs up to `epoch`."""
    last = _epoch(claim, lines)
    return _mean_of(_differences(claim, lines).filter(pl.col("step") <= last), interval)


def ahead_after(claim: CurveClaim, lines: Lines, interval: Interval) -> Part:
    """Mean difference over the epochs after `epoch`."""
    after = _epoch(claim, lines)
    rows = _differences(claim, lines).filter(pl.col("step") > after)
    if rows.is_empty():
        raise StudyError(f"{claim.claim!r}: expected epochs after {after}, got none")
    return _mean_of(rows, interval)


def ahead_at(claim: CurveClaim, lines: Lines, interval: Interval) -> Part:
    """Difference at `epoch`, less `at` where that is given (ahead by more than so much)."""
    rows = _differences(claim, lines).filter(step=_epoch(claim, lines))
    return _part(rows["difference"], interval, claim.at or 0.0)


def reaches_by(claim: CurveClaim, lines: Lines, interval: Interval) -> Part:
    """`epoch`, and half of one, less the first epoch at which the line is at `at` or above; never is one too late."""
    limit, line = _epoch(claim, lines), lines[claim.of]
    if claim.at is None:
        raise StudyError(f"{claim.claim!r}: the rule {claim.rule!r} expects at, a correlation, got none")
    reached = line.filter(pl.col("estimate") >= claim.at).group_by("draw").agg(pl.col("step").min())
    draws = line.select("draw").unique().sort("draw").join(reached, on="draw", how="left").sort("draw")
    last = int(line["step"].max())  # type: ignore[arg-type]
    never = int(draws["step"].is_null().sum())
    if never == len(draws):
        return Part("", -1.0, -1.0, f"never within {last} epochs")
    mean, low, high = interval(draws["step"].fill_null(last + 1))
    text = f"epoch {with_interval(mean, low, high, 1)}" + (f"; never in {never} draws" if never else "")
    return Part("", limit + 0.5 - high, limit + 0.5 - low, text)


def falls_at_the_end(claim: CurveClaim, lines: Lines, interval: Interval) -> Part:
    """Highest correlation of the mean line less the last, over draws at that epoch."""
    line = lines[claim.of]
    means = line.group_by("step").agg(pl.col("estimate").mean()).sort("step")
    top, last = int(means["step"][int(np.argmax(means["estimate"].to_numpy()))]), int(means["step"][-1])
    ends = [line.filter(step=step).sort("draw")["estimate"] for step in (top, last)]
    if top == last:
        return Part("", -1.0, -1.0, f"highest at the last epoch, {last}")
    part = _part(ends[0] - ends[1], interval)
    return Part("", part.low, part.high, f"falls by {part.text} from epoch {top} to {last}")


def stays_at_the_end(claim: CurveClaim, lines: Lines, interval: Interval) -> Part:
    """The opposite of `falls_at_the_end`."""
    part = falls_at_the_end(claim, lines, interval)
    assert part.low is not None
    assert part.high is not None
    return Part("", -part.high, -part.low, part.text)


RULES: Mapping[str, Rule] = {
    "ahead until": ahead_until,
    "ahead after": ahead_after,
    "ahead at": ahead_at,
    "reaches by": reaches_by,
    "falls at the end": falls_at_the_end,
    "stays at the end": stays_at_the_end,
}
