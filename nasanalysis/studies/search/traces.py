"""What searches over live supernets found, judged by a truth: their table and the loss around their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ...core.errors import StudyError, UnknownNameError
from ...plots.curvature import loss_curvature, plot_curvature_lines
from ...plots.search import ALGORITHM_LABELS
from ...plots.style import legend_beside, new_axes
from ...report.cells import number
from ...report.model import Figure, Table
from ...search import expected_pick
from .items import SearchFigure, SearchItem


def found_frame(item: SearchItem, traces: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """One row for each part and search seed: what it found.

    Parameters
    ----------
    traces: TRACE with part and search_seed. truth: TRUTH, one row for each architecture.

    Returns search (label), part, algorithm, fitness, seed, queries, seconds, best_fitness, arch, true_accuracy
    (percent; null without a truth), rank (1: the best of the truth).
    """
    search = ["method", "setting", "part", "search_seed"]
    last = traces.filter(pl.col("epoch") == pl.col("epoch").max().over(search))
    there = last["part"].unique(maintain_order=True).to_list()
    labels = {p.part: p.label for p in item.parts} or {part: part or "search" for part in there}
    if lost := [part for part in labels if part not in there]:
        raise UnknownNameError("part of these traces", lost[0], [str(part) for part in there])
    accuracy = dict(truth.select("arch", "accuracy").iter_rows())
    order = np.sort(np.array(list(accuracy.values())))
    rows = []
    for part, label in labels.items():
        one = last.filter(pl.col("part").eq_missing(part))
        if (
            one.select("method", "setting").n_unique() > 1
            or one.select("search_seed", "quantity").is_duplicated().any()
        ):
            raise StudyError(f"{item.name}: part {part!r}: expected one search for each seed, got several")
        for (seed,), group in one.group_by("search_seed", maintain_order=True):
            numbers = dict(group.select("quantity", "value").iter_rows())
            (arch,) = group.filter(pl.col("quantity") == "best_arch")["text"]
            true = accuracy.get(arch)
            first = group.row(0, named=True)
            rows.append(
                {
                    "search": label,
                    "part": part,
                    "algorithm": first["method"],
                    "fitness": first["setting"],
                    "seed": seed,
                    "queries": first["epoch"],
                    "seconds": numbers.get("seconds"),
                    "best_fitness": numbers["best_fitness"],
                    "arch": arch,
                    "true_accuracy": true,
                    "rank": None if true is None else 1 + int((order > true).sum()),
                }
            )
    types = {"seed": pl.Int64, "true_accuracy": pl.Float64, "rank": pl.Int64, "seconds": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None)


def found_table(item: SearchItem, traces: pl.DataFrame, truth: pl.DataFrame) -> Table:
    """A line for each part after lines for architectures drawn at random."""
    judged = found_frame(item, traces, truth)
    y = truth["accuracy"].to_numpy()
    n_archs = len(y)
    header = ["search", "algorithm", "fitness", "queries", "best fitness", "true accuracy (%)", "rank", "seconds"]
    shown = [["one at random", "–", "–", "1", "–", number(float(y.mean()), 2), _whole((n_archs + 1) / 2), "–"]]
    for n in sorted({min(int(n), n_archs) for n in judged["queries"]}):
        mean, _ = expected_pick(y, y, n)
        rank = _whole((n_archs + 1) / (n + 1))  # mean rank of the best of n
        shown.append(["best of as many at random", "–", "the truth itself", f"{n:,}", "–", number(mean, 2), rank, "–"])
    for (label,), rows in judged.group_by("search", maintain_order=True):
        first = rows.row(0, named=True)
        shown.append(
            [
                str(label),
                ALGORITHM_LABELS.get(first["algorithm"], first["algorithm"]),
                first["fitness"],
                _range(rows["queries"], 0),
                _range(rows["best_fitness"], 3),
                _range(rows["true_accuracy"], 2),
                _range(rows["rank"], 0),
                "–" if rows["seconds"].is_null().all() else _range(rows["seconds"], 0),
            ]
        )
    where = item.dataset if item.dataset == item.benchmark else f"{item.benchmark}, {item.dataset}"
    lacking = int(judged["true_accuracy"].null_count())
    seeds = sorted(set(judged.group_by("search").len()["len"].to_list()))
    note = (
        f"What searches over supernets found: mean (lowest to highest) of {' or '.join(map(str, seeds))} searches of "
        f"each kind. True accuracy: {item.split} accuracy of {where}"
        + (f" after {item.schedule} epochs" if item.schedule else "")
        + f"; rank: among its {n_archs:,} architectures, 1 is the best. At random: exact means over all of them; the "
        "best of as many is picked by its true accuracy, which no search on a proxy can see. Fitness: higher is better."
    )
    if lacking:
        note += f" {lacking} of the architectures found have no true accuracy and are left out of its columns."
    numeric = [False, False, False, *[True] * 5]
    return Table(f"{item.name}-live", f"{item.title}: live searches", header, shown, judged, numeric, note)


def found_curvature(
    item: SearchItem, figure: SearchFigure, traces: pl.DataFrame, perturbed: pl.DataFrame, truth: pl.DataFrame
) -> Figure:
    """Loss under weight noise of what each part found (GeNAS, Figure 3)."""
    judged = found_frame(item, traces, truth)
    rows = perturbed
    for column, wanted in (("method", figure.protocol), ("setting", figure.part)):
        if wanted is None:
            continue
        there = rows[column].unique().sort().to_list()
        if wanted not in there:
            raise UnknownNameError(f"{column} of these losses", wanted, there)
        rows = rows.filter(pl.col(column) == wanted)
    measured = set(rows["arch"].unique().to_list())
    if lost := [arch for arch in judged["arch"].unique(maintain_order=True) if arch not in measured]:
        raise StudyError(
            f"{item.name}: figure {figure.name!r}: perturbed: expected losses of every architecture found, "
            f"{len(lost)} lack them, first {lost[0]}; measure these (`archs` of a [[measure]] part)"
        )
    parts = []
    for (label,), members in judged.group_by("search", maintain_order=True):
        archs = members["arch"].unique(maintain_order=True).to_list()
        part = members["part"][0]
        losses = rows.filter(pl.col("arch").is_in(archs))
        if part in losses["setting"]:  # measured by the search itself, where others may have found the same
            losses = losses.filter(pl.col("setting") == part)
        curve = loss_curvature(losses, truth)
        accuracy = float(members["true_accuracy"].to_numpy().mean())
        parts.append(
            curve.group_by("sigma", maintain_order=True)
            .agg(pl.col("loss", "low", "high").mean(), pl.col("n_draws", "n_undefined").sum())
            .sort("sigma")
            .select(
                pl.lit(f"{label}: {accuracy:.2f} %" if accuracy == accuracy else str(label)).alias("line"),
                pl.lit(label).alias("search"),
                pl.lit(accuracy).alias("true_accuracy"),
                pl.lit(len(archs)).alias("n_archs"),
                pl.all(),
            )
        )
    table = pl.concat(parts)

    def draw() -> Any:
        ax = plot_curvature_lines(table, ax=new_axes(figsize=(8.2, 4.2)), legend="search: true accuracy")
        legend_beside(ax)
        return ax

    caption = figure.caption or "Validation loss under weight noise of the architectures that each search found."
    return Figure(
        f"{item.name}-{figure.name}",
        f"{caption} Means over the architectures of a search, its supernets and noise draws; bands: middle half of the "
        "draws.",
        draw,
        table,
    )


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _range(values: pl.Series, digits: int) -> str:
    """``93.80 (93.20 to 94.10)``, or the value alone where all agree."""
    numbers = values.drop_nulls().to_list()
    if not numbers:
        return "–"
    mean, low, high = (f"{v:,.{digits}f}" for v in (sum(numbers) / len(numbers), min(numbers), max(numbers)))
    return mean if low == high else f"{mean} ({low} to {high})"
