"""What a ``[[scratch]]`` item shows: correlation by epoch over draws, from the best curves that are here."""

from __future__ import annotations

from typing import Any

import polars as pl

from ...core.errors import MissingDataError, StudyError, UnknownNameError
from ...plots.paths import plot_paths
from ...plots.style import proxy_label, statistic_label
from ...proxies import score
from ...report.cells import number, with_interval
from ...report.model import Figure, Section, Table
from ...stats.arch_draws import DrawsMean, correlations_of_draws, draw_size, interval_of_draws, pool_of
from ..items import Resampling, Sources
from ..judged import NOT_TESTED, Judged, claims_table
from ..truth import read_truth
from .items import CurveClaim, Curves, ScratchItem
from .rules import RULES, Interval, Lines

#: Epochs of the table, as shares of the schedule.
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)


def scratch_section(item: ScratchItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where none of its sources is here."""
    curves, truth, scores, unused = _first_usable(item, sources)
    each = correlations_of_draws(
        truth, scores, draws=item.draws, size=item.size, seed=resampling.seed, statistic=item.statistic
    )
    pool = len(pool_of(truth, scores))
    used = _used(item, curves, pool, unused)
    share = draw_size(pool, item.size) / pool

    def interval(values: object) -> DrawsMean:
        return interval_of_draws(values, share, resampling.level)

    lines: Lines = {role: each.filter(proxy=name) for role, name in curves.roles.items()}
    judged = [_judged(claim, lines, interval) for claim in item.claims]
    means = _means(each, interval)
    tables = [_table(item, curves, each, means, used)]
    if judged:
        tables.append(claims_table(item.name, judged, used))
    answer = (used, *(one.sentence for one in judged))
    return Section(item.title, f"{item.text} {used}".strip(), tuple(tables), (_figure(item, means, used),), answer)


def _first_usable(
    item: ScratchItem, sources: Sources
) -> tuple[Curves, pl.DataFrame, pl.DataFrame, list[tuple[str, str]]]:
    """(source, TRUTH, SCORES, what was not used and why)."""
    unused: list[tuple[str, str]] = []
    for curves in item.sources:
        try:
            truth, scores = _frames(item, curves, sources)
        except MissingDataError as error:
            missing = error
            unused.append((curves.said, "its files are not here"))
            continue
        pool = len(pool_of(truth, scores))
        try:
            draw_size(pool, item.size)
        except StudyError:
            unused.append((curves.said, f"{pool:,} architectures of it are here"))
            continue
        return curves, truth, scores, unused
    reasons = "; ".join(f"{said}: {why}" for said, why in unused)
    if all(why == "its files are not here" for _, why in unused):
        raise missing
    raise MissingDataError(f"{item.name}: expected training curves of enough architectures; {reasons}")


def _frames(item: ScratchItem, curves: Curves, sources: Sources) -> tuple[pl.DataFrame, pl.DataFrame]:
    benchmark = sources.benchmark(curves.benchmark)
    rows = None if curves.truth_seed is None else pl.col("seed") == curves.truth_seed
    truth = read_truth(
        sources, benchmark, curves.dataset, split=curves.split, schedule=curves.schedule, sample=curves.sample,
        asker=item.name, rows=rows,
    )  # fmt: skip
    scored = curves.scores_dataset or curves.dataset
    scores = score(benchmark, curves.names, dataset=scored, schedule=curves.schedule)
    if curves.scores_seed is not None:
        scores = scores.filter(pl.col("seed").is_null() | (pl.col("seed") == curves.scores_seed))
    return truth, scores.with_columns(dataset=pl.lit(curves.dataset))


def _used(item: ScratchItem, curves: Curves, pool: int, unused: list[tuple[str, str]]) -> str:
    """One sentence: which curves, how many architectures a draw, and what was not used."""
    size = draw_size(pool, item.size)
    said = f"Used: {curves.said}; {item.draws} draws of {size:,} of its {pool:,} architectures"
    said += f" ({item.size:,} are asked for)" if size < item.size else ""
    return said + "".join(f"; not {name}: {why}" for name, why in unused) + "."


def _means(each: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """Columns proxy, step, estimate, low, high: over draws, of those that depend on the step."""
    rows = [
        (*names, *interval(group["estimate"]))
        for names, group in each.drop_nulls("step").group_by("proxy", "step", maintain_order=True)
    ]
    return pl.DataFrame(rows, schema=["proxy", "step", "estimate", "low", "high"], orient="row")


def _judged(claim: CurveClaim, lines: Lines, interval: Interval) -> Judged:
    if claim.rule == NOT_TESTED:
        return Judged(claim, [])
    if claim.rule not in RULES:
        raise UnknownNameError("rule of curves from scratch", claim.rule, [*RULES, NOT_TESTED])
    return Judged(claim, [RULES[claim.rule](claim, lines, interval)])


def _table(item: ScratchItem, curves: Curves, each: pl.DataFrame, means: pl.DataFrame, used: str) -> Table:
    last = int(means["step"].max())  # type: ignore[arg-type]
    steps = sorted({max(1, round(share * last)) for share in SHARES})
    shown = means.filter(pl.col("step").is_in(steps))
    by = {(r["proxy"], r["step"]): r for r in shown.to_dicts()}
    rows = [
        [proxy_label(name), *(_cell(by.get((name, step))) for step in steps)]
        for name in means["proxy"].unique(maintain_order=True)
    ]
    rows += [
        [proxy_label(name), *[number(float(group["estimate"].to_numpy().mean()), 3)] * len(steps)]
        for (name,), group in each.filter(pl.col("step").is_null()).group_by("proxy", maintain_order=True)
    ]
    header = [statistic_label(item.statistic), *(f"epoch {step}" for step in steps)]
    note = (
        f"With {curves.split} accuracy after {curves.schedule} epochs on {curves.dataset}. Mean over draws; "
        f"brackets: interval over draws, widened for the architectures that they share. {used}"
    )
    return Table(f"{item.name}-by-epoch", item.title, header, rows, means, [False, *[True] * len(steps)], note)


def _cell(row: dict[str, Any] | None) -> str:
    return "–" if row is None else with_interval(row["estimate"], row["low"], row["high"], 3)


def _figure(item: ScratchItem, means: pl.DataFrame, used: str) -> Figure:
    named = means.with_columns(of=pl.Series([proxy_label(name) for name in means["proxy"]], dtype=pl.String))
    caption = (
        f"{statistic_label(item.statistic)} by epoch, mean over draws; band: interval, widened for what they share. "
    )
    caption += used

    def draw() -> Any:
        ylabel = f"{statistic_label(item.statistic)} with test accuracy"
        return plot_paths(named, "step", "estimate", "of", xlabel="completed epochs", ylabel=ylabel)

    return Figure(f"{item.name}-by-epoch", caption, draw, named)
