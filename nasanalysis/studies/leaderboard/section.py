"""What a ``[[leaderboard]]`` item shows."""

from __future__ import annotations

from typing import Any

import polars as pl

from ... import plots, stats
from ...core.errors import MissingExtraError
from ...loaders import Benchmark
from ...loaders.samples import sample_label
from ...measures.names import reads
from ...plots.leaderboard import entry_label
from ...plots.style import proxy_label, statistic_label
from ...report.cells import number, with_interval
from ...report.front_chart import front_chart, front_points
from ...report.model import Board, Figure, Section, Table
from ..boards import board as board_of
from ..choices import at_steps, of_setting, the_dataset
from ..items import Resampling, Sources
from ..own_scores import own_scores, scores_of
from ..truth import read_truth
from .answer import answers, choice_of_truth
from .items import LeaderboardItem
from .learned import LearnedBar, learned_beside, learned_sentence, learned_table

_WORDS = {"ahead": "better", "behind": "worse", "equivalent": "within the margin", "not told apart": "not told apart"}
_SPLITS = {"valid": "validation", "valtest": "validation and test"}
_NEEDS = {"archs": "the cell", "curves": "training", "scores": "recorded", "weights": "weights", "perturbed": "weights"}


def leaderboard_section(item: LeaderboardItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where the benchmark is not here."""
    benchmark = sources.benchmark(item.benchmark)
    dataset = the_dataset(item.name, item.dataset, benchmark)
    scores = _scores(item, sources, benchmark, dataset)
    costs, unit = _costs(item, benchmark, dataset, scores)
    boards = {
        split: stats.leaderboard(
            _truth(item, sources, benchmark, dataset, split),
            scores,
            baseline=item.baseline,
            statistic=item.statistic,
            top=item.top if split == item.split else (),
            costs=costs,
            directions=dict(item.directions),
            margin=item.margin,
            resampling=resampling,
        )
        for split in (item.split, *item.other_truths)
    }
    board = boards.pop(item.split)
    bar, lacks = _learned(item, sources, benchmark, dataset, scores, board, unit, resampling)
    said = [*answers(board, item.baseline, unit, lambda *e: "" if bar is None else learned_sentence(bar, e, unit))]
    if (
        turn := choice_of_truth(board, {f"{_SPLITS.get(split, split)} accuracy": b for split, b in boards.items()})
    ) is not None:
        said.append(turn)
    figures = [
        Figure(
            item.name,
            f"{item.title} Entries in one tier are not told apart from the best of it (95 %, all pairs at once).",
            lambda: plots.plot_leaderboard(board, baseline=item.baseline),
            board,
        )
    ]
    learned = None if bar is None else bar.rows
    if board["cost"].drop_nulls().n_unique() > 1 or learned is not None:
        beside = "" if learned is None else " Open squares: k trained architectures and a regressor on the cell."
        along = f"{unit} of training for one architecture that is ranked"
        figures.append(
            Figure(
                f"{item.name}-cost",
                f"Cost of an entry ({unit} an architecture) against how well it ranks; bars: 95 % intervals.{beside}",
                lambda: plots.plot_cost_front(board, learned=learned, cost_label=along),
                board,
                lambda: front_chart(front_points(board, learned, unit=unit), statistic=item.statistic, cost=along),
                "Point at an entry to read it; click a name to see that proxy alone, with Shift for several.",
            )
        )
    tables = [_table(item, board, dataset, unit, resampling)]
    if bar is not None:
        tables.append(learned_table(item, bar, unit))
    shown = tuple(_board(item, frame, dataset, split, unit) for split, frame in {item.split: board, **boards}.items())
    return Section(item.title, f"{item.text} {lacks}".strip(), tuple(tables), tuple(figures), tuple(said), shown)


def _board(item: LeaderboardItem, frame: pl.DataFrame, dataset: str, split: str, unit: str) -> Board:
    """The entries on one split of the truth, for the leaderboard of the page."""
    return board_of(
        frame,
        benchmark=item.benchmark,
        dataset=dataset,
        split=split,
        sample=item.sample,
        schedule=item.schedule,
        truth_seed=item.truth_seed,
        scores_seed=item.scores_seed,
        baseline=item.baseline,
        unit=unit,
    )


def _learned(
    item: LeaderboardItem,
    sources: Sources,
    benchmark: Benchmark,
    dataset: str,
    scores: pl.DataFrame,
    board: pl.DataFrame,
    unit: str,
    resampling: Resampling,
) -> tuple[LearnedBar | None, str]:
    """The learned bar where the item asks for one, or what it lacks in a sentence."""
    if not item.learned:
        return None, ""
    truth = _truth(item, sources, benchmark, dataset, item.split)
    full = _cost_of_a_training(item, benchmark, dataset, truth, unit)
    if full is None:
        return None, "What trained architectures give for the same cost is left out: the truth does not say its epochs."
    try:
        return learned_beside(item, truth, scores, board, full, resampling), ""
    except MissingExtraError as error:
        return None, f"What trained architectures give for the same cost is left out. {error}"


def _cost_of_a_training(
    item: LeaderboardItem, benchmark: Benchmark, dataset: str, truth: pl.DataFrame, unit: str
) -> float | None:
    """In `unit`; None where nothing says."""
    if unit == "seconds":
        spent = stats.cost_by_step(benchmark.curves(item.scores_dataset or dataset), ["any"])["cost"]
        return float(spent.to_numpy().max())
    schedules = truth["schedule"].drop_nulls().unique().to_list()
    return float(schedules[0]) if len(schedules) == 1 else None


def _truth(item: LeaderboardItem, sources: Sources, benchmark: Benchmark, dataset: str, split: str) -> pl.DataFrame:
    return read_truth(
        sources,
        benchmark,
        dataset,
        split=split,
        schedule=item.schedule,
        sample=item.sample,
        asker=item.name,
        rows=None if item.truth_seed is None else pl.col("seed") == item.truth_seed,
    )


def _scores(item: LeaderboardItem, sources: Sources, benchmark: Benchmark, dataset: str) -> pl.DataFrame:
    """The entries: every proxy at the steps that were asked for (its last one by default)."""
    recorded = own_scores(sources, item.scores, benchmark, asker=item.name, transfer=item.scores_dataset is not None)
    frame = scores_of(benchmark, recorded, item.proxies, dataset=item.scores_dataset or dataset)
    frame = sources.take_sample(frame, item.sample, benchmark).with_columns(dataset=pl.lit(dataset))
    if item.scores_seed is not None:
        frame = frame.filter(pl.col("seed").is_null() | (pl.col("seed") == item.scores_seed))
    return at_steps(of_setting(frame, item.scored_by), item.steps)


def _costs(item: LeaderboardItem, benchmark: Benchmark, dataset: str, scores: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Columns proxy, step, cost, and the unit: seconds where curves record them, else epochs of training.

    What a benchmark says of the seconds of a measure itself (``measuring_seconds`` of its metadata) comes on top.
    """
    costs, unit = _costs_of_training(item, benchmark, dataset, scores)
    beside = benchmark.metadata.get("measuring_seconds", {})
    if unit == "seconds" and beside:
        base = pl.col("proxy").str.split("@").list.first()
        costs = costs.with_columns(pl.col("cost") + base.replace_strict(beside, default=0.0, return_dtype=pl.Float64))
    return costs, unit


def _costs_of_training(
    item: LeaderboardItem, benchmark: Benchmark, dataset: str, scores: pl.DataFrame
) -> tuple[pl.DataFrame, str]:
    entries = scores.select("proxy", "step").unique(maintain_order=True)
    stepped = entries.drop_nulls("step")["proxy"].unique(maintain_order=True).to_list()
    free = entries.filter(pl.col("step").is_null()).with_columns(cost=pl.lit(0.0))
    if not stepped:
        return free, "epochs" if item.learned else "seconds"
    curves = benchmark.curves(item.scores_dataset or dataset)
    if curves["seconds"].drop_nulls().is_empty():
        spent = entries.drop_nulls("step").with_columns(cost=pl.col("step").cast(pl.Float64))
        return pl.concat([free, spent]), "epochs"
    return pl.concat([free, stats.cost_by_step(curves, stepped).select("proxy", "step", "cost")]), "seconds"


def _table(item: LeaderboardItem, board: pl.DataFrame, dataset: str, unit: str, resampling: Resampling) -> Table:
    bar = proxy_label(item.baseline)
    header = ["proxy", statistic_label(item.statistic), "tier", "ranks", f"minus {bar}", f"beside {bar}", unit, "needs"]
    header += [statistic_label(name) for name in item.top]
    rows = [_line(item, row) for row in board.to_dicts()]
    numeric = [False, True, True, True, True, False, True, False, *[True] * len(item.top)]
    draws = f"{resampling.n:,} draws, seed {resampling.seed}"
    seeds = "" if item.truth_seed is None else f", training run {item.truth_seed}"
    scored = "" if item.scores_seed is None else f"; scores of run {item.scores_seed}"
    notes = [
        f"Truth: {item.split} accuracy on {dataset}{seeds}{scored}.",
        f"Architectures: {sample_label(item.sample)}; {board['n_archs'][0]:,} that every entry scores.",
        f"Brackets: 95 % intervals ({draws}); of the columns on the best architectures of "
        f"{min(resampling.n, stats.TOP_RESAMPLES)} draws, for extremes random halves, which are smaller samples.",
        "Tier and ranks: from all pairs at once; an entry is not told apart from the best of its tier.",
        f"Beside {bar}: the paired difference, its whole interval on one side or not told apart.",
        f"Cost: {unit} for one architecture, of training and of the measure where known; 0: read off the cell.",
    ]
    return Table(item.name, item.title, header, rows, board, numeric, " ".join(notes))


def _cost(cost: float | None) -> str:
    """Two digits where a whole number would hide what it costs."""
    if cost is None or cost == 0 or cost % 1 == 0 or cost >= 100:
        return number(cost, 0)
    return f"{cost:.2g}" if cost < 10 else f"{cost:.0f}"


def _needs(proxy: str, needs: str) -> str:
    if needs == "supernet":
        return reads(proxy)
    return _NEEDS.get(needs, needs)


def _line(item: LeaderboardItem, row: dict[str, Any]) -> list[str]:
    tier = "–" if row["tier"] is None else str(row["tier"])
    ranks = "–" if row["rank_low"] is None else f"{row['rank_low']} to {row['rank_high']}"
    if row["rank_low"] is not None and row["rank_low"] == row["rank_high"]:
        ranks = str(row["rank_low"])
    return [
        entry_label(row["proxy"], row["step"], row["unit"]),
        with_interval(row["estimate"], row["ci_low"], row["ci_high"], 3),
        tier,
        ranks,
        with_interval(row["minus_baseline"], row["minus_low"], row["minus_high"], 3),
        _WORDS.get(row["verdict"], "–"),
        _cost(row["cost"]),
        _needs(row["proxy"], row["needs"]),
        *(with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], 2) for name in item.top),
    ]
