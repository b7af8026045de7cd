"""Rules that judge claims about synthetic experiments (`nasanalysis.studies.judged` says what a rule gives)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from ...core.errors import StudyError
from ...report.cells import number, with_interval
from ...synthetic.maxdeg import NEAR
from ..judged import Part
from .means import estimate, with_arms

#: Standard errors within which a Monte Carlo mean must lie.
WITHIN = 4.0


#: (results, level) -> parts.
Rule = Callable[[pl.DataFrame, float], list[Part]]


def _part(label: str, values: pl.Series | np.ndarray, level: float, digits: int, unit: str = "") -> Part:
    one = estimate(values, level)  # type: ignore[arg-type]
    shown = with_interval(one.mean, one.low, one.high, digits) + (f" {unit}" if unit else "")
    return Part(label, one.low, one.high, shown)


def bound_holds(results: pl.DataFrame, level: float) -> list[Part]:
    """Log evidence less the bound, in closed form, of every random problem."""
    gaps = results.filter(part="bound").select(gap=pl.col("log_evidence") - pl.col("value"))["gap"]
    low, high = float(gaps.min()), float(gaps.max())  # type: ignore[arg-type]
    above = int((gaps >= 0).sum())
    return [Part("", low, high, f"{above:,} of {len(gaps):,} problems; smallest gap {low:.2g} nats")]


def within_errors(results: pl.DataFrame, level: float) -> list[Part]:
    """Monte Carlo by gradient descent beside the closed form: the largest distance in standard errors."""
    rows = results.filter(part="monte carlo")
    far = float(((rows["value"] - rows["bound"]).abs() / rows["standard_error"]).max())  # type: ignore[arg-type]
    text = f"at most {far:.2f} standard errors in {len(rows)} problems of {rows['k'][0]:,} trainings"
    return [Part("", WITHIN - far, WITHIN - far, text)]


def noise_alone(results: pl.DataFrame, level: float) -> list[Part]:
    """Eq. 3.6 at every k: its mean within `WITHIN` standard errors of the bound."""
    rows = results.filter(part="samples", estimate="mean of logs")
    far = float(((rows["value"] - rows["bound"]).abs() / rows["standard_error"]).max())  # type: ignore[arg-type]
    ends = rows.group_by("k").agg(pl.col("spread").mean()).sort("k")
    spread = f"standard deviation {number(ends['spread'][0], 2)} at k = {ends['k'][0]}"
    spread += f", {number(ends['spread'][-1], 2)} at k = {ends['k'][-1]}"
    return [Part("", WITHIN - far, WITHIN - far, f"mean at most {far:.2f} standard errors from the bound; {spread}")]


def gap_shrinks(results: pl.DataFrame, level: float) -> list[Part]:
    """The gap of the log of means at each k less that at the next, mean of these problems; intervals by Monte Carlo.

    The estimates of two k are independent, and each is normal to good approximation: a mean over many repeats.
    """
    from scipy.special import ndtri

    rows = results.filter(part="samples", estimate="log of means").sort("k", "problem")
    each = rows.group_by("k", maintain_order=True).agg(
        gap=(pl.col("log_evidence") - pl.col("value")).mean(),
        error=pl.col("standard_error").pow(2).sum().sqrt() / pl.len(),
    )
    parts, pairs = [], list(itertools.pairwise(each.iter_rows()))
    width = float(ndtri(1 - (1 - level) / 2 / max(1, len(pairs))))
    for (k, gap, error), (more, less, other) in pairs:
        half = width * float(np.hypot(error, other))
        text = with_interval(gap - less, gap - less - half, gap - less + half, 2)
        parts.append(Part(f"{k} to {more}", gap - less - half, gap - less + half, f"{text} nats"))
    return parts


def lowest_at_truth(results: pl.DataFrame, level: float) -> list[Part]:
    """SoTL of each other degree less that of the true one, on the same batches, over seeds."""
    last = results.filter(step=pl.col("step").max()).sort("seed")
    truth = last.filter(pl.col("degree") == pl.col("true_degree"))["sotl"].to_numpy()
    others = [degree for degree in sorted(set(last["degree"])) if degree != last["true_degree"][0]]
    share = 1 - (1 - level) / max(1, len(others))
    return [_part(f"{d}", last.filter(degree=d)["sotl"].to_numpy() - truth, share, 2) for d in others]


def ends_near(results: pl.DataFrame, level: float) -> list[Part]:
    """`NEAR` less the distance of MaxDeg from the true degree at the end, for each start."""
    parts = []
    for start, rows in _starts(results).items():
        last = rows.filter(outer=pl.col("outer").max())
        where = estimate(last["max_deg"], level)
        miss = estimate(NEAR - (last["max_deg"] - last["true_degree"]).abs(), level)
        shown = with_interval(where.mean, where.low, where.high, 2)
        parts.append(Part(f"from {start:g}", miss.low, miss.high, f"ends at {shown}"))
    return parts


def comes_near(results: pl.DataFrame, level: float) -> list[Part]:
    """Whether every seed comes as near as `NEAR` to the true degree, for each start."""
    parts = []
    for start, rows in _starts(results).items():
        arrived = rows.unique("seed")["arrived"]
        sign = 1.0 if arrived.is_not_null().all() else -1.0
        steps = arrived.drop_nulls().to_numpy()
        mean = f", after {steps.mean():,.0f} steps on average" if len(steps) else ""
        text = f"{arrived.is_not_null().sum()} of {len(arrived)} searches{mean}"
        parts.append(Part(f"from {start:g}", sign, sign, text))
    return parts


def _starts(results: pl.DataFrame) -> dict[float, pl.DataFrame]:
    """Searches by SoTL from several starts: those of the T that has them."""
    sotl = results.filter(objective="sotl")
    counts = sotl.group_by("T").agg(pl.col("start").n_unique()).sort("start", "T")
    rows = sotl.filter(T=counts["T"][-1])
    return {start: rows.filter(start=start) for start in sorted(set(rows["start"]))}


def arrivals(results: pl.DataFrame) -> pl.DataFrame:
    """Columns objective, T, seed, steps, batches: of MaxDeg's arrival from the start that all T share.

    A search that never arrives counts with all the steps it had: it needs more than these.
    """
    start = results.filter(pl.col("objective") != "sotl")["start"]
    shared = start[0] if len(start) else results.group_by("start").agg(pl.col("T").n_unique()).sort("T")["start"][-1]
    ends = results.filter(start=shared).filter(outer=pl.col("outer").max())
    steps = pl.col("arrived").fill_null(pl.col("outer"))
    return ends.select("objective", "T", "seed", steps=steps, batches=steps * pl.col("T")).sort(
        "objective", "T", "seed"
    )


def _faster(unit: str) -> Rule:
    def rule(results: pl.DataFrame, level: float) -> list[Part]:
        rows = arrivals(results).filter(objective="sotl")
        Ts = sorted(set(rows["T"]))
        share = 1 - (1 - level) / max(1, len(Ts) - 1)
        by = {T: rows.filter(T=T)[unit].to_numpy() for T in Ts}
        return [_part(f"T = {b} after {a}", by[a] - by[b], share, 0, unit) for a, b in itertools.pairwise(Ts)]

    rule.__doc__ = f"How many {unit} fewer each T takes than the one below it, over seeds."
    return rule


def before_validation(results: pl.DataFrame, level: float) -> list[Part]:
    """How many steps later a validation loss arrives than SoTL of the same T, for each baseline."""
    return _later(results, ["validation", "validation + penalty"], level)


def before_scaled_validation(results: pl.DataFrame, level: float) -> list[Part]:
    """The same of T times the validation loss, whose slope is about as large as that of SoTL, a sum of T losses."""
    return _later(results, ["validation x T"], level)


def _later(results: pl.DataFrame, objectives: list[str], level: float) -> list[Part]:
    rows, parts = arrivals(results), []
    for objective in objectives:
        for T in sorted(set(rows.filter(objective=objective)["T"])):
            one, other = (rows.filter(objective=name, T=T)["steps"].to_numpy() for name in (objective, "sotl"))
            parts.append(_part(f"{objective}, T = {T}", one - other, level, 0, "steps"))
    return parts


def rises_with_T(results: pl.DataFrame, level: float) -> list[Part]:
    """Test accuracy at the last epoch: of each T less that of the T below it, over seeds."""
    by = _last_accuracies(results)
    Ts = list(by)
    share = 1 - (1 - level) / max(1, len(Ts) - 1)
    pairs = itertools.pairwise(Ts)
    return [_part(f"T = {b} after {a}", by[b] - by[a], share, 2, "points") for a, b in pairs]


def largest_beats_smallest(results: pl.DataFrame, level: float) -> list[Part]:
    """Test accuracy at the last epoch: of the largest T less that of the smallest."""
    by = _last_accuracies(results)
    return [_part(f"T = {max(by)} after {min(by)}", by[max(by)] - by[min(by)], level, 2, "points")]


def ten_beats_two(results: pl.DataFrame, level: float) -> list[Part]:
    """Test accuracy at the last epoch: of T = 10 less that of T = 2; `StudyError` where one of them was not run."""
    by = _last_accuracies(results)
    if not {2, 10} <= set(by):
        raise StudyError(f"synthetic: expected T = 2 and T = 10 for this rule, got {', '.join(map(str, by)) or 'none'}")
    return [_part("T = 10 after T = 2", by[10] - by[2], level, 2, "points")]


def beats_fixed_rates(results: pl.DataFrame, level: float) -> list[Part]:
    """Test accuracy at the last epoch: of the largest T less that of every rate that stays as it is, over seeds."""
    last = with_arms(results).filter(pl.col("epoch") == pl.col("epoch").max())
    best = f"T = {max(results['T'].to_list())}"
    arms = [arm for arm in last["of"].unique(maintain_order=True) if not arm.startswith("T")]
    whole = last.filter(pl.col("of").is_in([best, *arms]))
    whole = whole.filter(pl.col("of").n_unique().over("seed") == len(arms) + 1).sort("seed")
    share = 1 - (1 - level) / max(1, len(arms))
    first = whole.filter(of=best)["test_accuracy"].to_numpy()
    return [
        _part(f"{best} beside {arm}", first - whole.filter(of=arm)["test_accuracy"].to_numpy(), share, 2, "points")
        for arm in arms
    ]


def _last_accuracies(results: pl.DataFrame) -> dict[int, np.ndarray]:
    """T -> test accuracies by seed, of the seeds that every T has; the control, T = 0, is left out."""
    last = results.filter((pl.col("epoch") == pl.col("epoch").max()) & (pl.col("T") > 0)).sort("T", "seed")
    whole = last.filter(pl.col("T").n_unique().over("seed") == last["T"].n_unique())
    return {T: whole.filter(T=T)["test_accuracy"].to_numpy() for T in sorted(set(whole["T"]))}


def flat_in_T(results: pl.DataFrame, level: float) -> list[Part]:
    """A tenth of what reverse mode takes for a step more, less what forward mode takes: lines through all T."""
    (one, one_error), (other, other_error) = (memory_slope(results, mode, level) for mode in ("forward", "reverse"))
    text = f"{one:.3f} ± {one_error:.3f} MiB a step, in reverse mode {other:.1f} ± {other_error:.1f}"
    least, most = other - other_error, other + other_error
    return [Part("", least / 10 - one - one_error, most / 10 - one + one_error, text)]


def memory_slope(results: pl.DataFrame, mode: str, level: float) -> tuple[float, float]:
    """(mebibytes for a step more, half of its interval) by least squares."""
    from scipy.stats import linregress, t

    rows = results.filter(mode=mode)
    line = linregress(rows["T"].to_numpy(), rows["mebibytes"].to_numpy())
    return float(line.slope), float(t.ppf((1 + level) / 2, len(rows) - 2) * line.stderr)


#: Kind of an experiment -> name of a rule -> rule.
RULES: Mapping[str, Mapping[str, Rule]] = {
    "evidence": {
        "bound holds": bound_holds,
        "within errors": within_errors,
        "noise alone": noise_alone,
        "gap shrinks": gap_shrinks,
    },
    "fourier": {"lowest at the truth": lowest_at_truth},
    "maxdeg": {
        "ends near": ends_near,
        "comes near": comes_near,
        "faster in steps": _faster("steps"),
        "faster in batches": _faster("batches"),
        "before validation": before_validation,
        "before scaled validation": before_scaled_validation,
    },
    "learning_rate": {
        "rises with T": rises_with_T,
        "largest beats smallest": largest_beats_smallest,
        "ten beats two": ten_beats_two,
        "beats fixed rates": beats_fixed_rates,
    },
    "memory": {"flat in T": flat_in_T},
}
