"""The table of numbers and the figures of each kind of synthetic experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ...plots.paths import plot_paths
from ...report.cells import number, with_interval
from ...report.model import Figure, Table
from ...report.tables import plain_table
from .means import over_seeds, with_arms

#: (name, results, level) -> (table, figures).
Numbers = Callable[[str, pl.DataFrame, float], tuple[Table, tuple[Figure, ...]]]


def _figure(name: str, caption: str, table: pl.DataFrame, x: str, y: str, by: str, **look: Any) -> Figure:
    return Figure(name, caption, lambda: plot_paths(table, x, y, by, **look), table)


def _told(row: dict[str, Any], value: str, digits: int) -> str:
    return with_interval(row[value], row["low"], row["high"], digits)


def evidence(name: str, results: pl.DataFrame, level: float) -> tuple[Table, tuple[Figure, ...]]:
    """Gaps to the log evidence by k, and of the closed form by points."""
    drawn = results.filter(part="samples").with_columns(gap=pl.col("log_evidence") - pl.col("value"))
    gaps = over_seeds(drawn, ["estimate", "k"], "gap", level)
    spread = drawn.group_by("estimate", "k").agg(pl.col("spread").mean())
    table = gaps.join(spread, on=["estimate", "k"], how="left", maintain_order="left").sort("k", "estimate")
    rows = [
        [str(r["k"]), _names[r["estimate"]], _told(r, "gap", 2), number(r["spread"], 2), str(r["n"])]
        for r in table.to_dicts()
    ]
    header = ["k", "estimate", "log evidence less its mean (nats)", "standard deviation of one estimate", "problems"]
    points = results.filter(part="points").with_columns(gap=pl.col("log_evidence") - pl.col("bound"))
    by_points = over_seeds(points, ["points"], "gap", level).with_columns(of=pl.lit("closed form"))
    note = "Brackets: Student's interval over problems. Each mean is over repeated estimates of one problem."
    named = gaps.with_columns(of=pl.col("estimate").replace_strict(_names))
    size = f"{drawn['points'][0]} points, {drawn['features'][0]} features"
    shown = Table(f"{name}-numbers", f"Gaps by draws ({size})", header, rows, table, [True, False, *[True] * 3], note)
    return shown, (
        _figure(
            f"{name}-by-draws",
            "Gap to the log evidence by draws k of the posterior: more draws change the noise of Eq. 3.6 alone, and "
            "close the gap of the log of means. Band: Student's interval over problems.",
            named, "k", "gap", "of", xlabel="draws k", ylabel="log evidence less the estimate (nats)", log="xy",
        ),
        _figure(
            f"{name}-by-points",
            "Gap of the bound in closed form by points of the data. Band: Student's interval over problems.",
            by_points, "points", "gap", "of", xlabel="points", ylabel="log evidence less the bound (nats)",
        ),
    )  # fmt: skip


_names = {"mean of logs": "mean of logs (Eq. 3.6)", "log of means": "log of means"}


def fourier(name: str, results: pl.DataFrame, level: float) -> tuple[Table, tuple[Figure, ...]]:
    """SoTL by degree, and losses by step."""
    last = results.filter(step=pl.col("step").max())
    truth = last.filter(pl.col("degree") == pl.col("true_degree")).select("seed", at_truth="sotl")
    paired = last.join(truth, on="seed").with_columns(difference=pl.col("sotl") - pl.col("at_truth"))
    sums = over_seeds(last, ["degree"], "sotl", level)
    differences = over_seeds(paired, ["degree"], "difference", level)
    lowest = last.filter(pl.col("sotl") == pl.col("sotl").min().over("seed"))["degree"].value_counts()
    won = dict(lowest.iter_rows())
    rows = [
        [str(s["degree"]), number(s["sotl"], 2), _told(d, "difference", 2), f"{won.get(s['degree'], 0)} of {s['n']}"]
        for s, d in zip(sums.to_dicts(), differences.to_dicts(), strict=True)
    ]
    header = ["degree", "SoTL", "less that of the true degree", "lowest in seeds"]
    losses = over_seeds(results, ["degree", "step"], "loss", level)
    truth_degree = int(last["true_degree"][0])
    steps = int(last["step"][0])
    note = f"Sum of the losses (mean squared errors) of {steps:,} steps. Brackets: Student's interval over seeds."
    return Table(f"{name}-numbers", "SoTL by degree", header, rows, differences, [True] * 4, note), (
        _figure(
            f"{name}-losses", "Training loss by step, mean over seeds and over the steps between two points.",
            losses, "step", "loss", "degree", xlabel="steps of SGD", ylabel="training loss", legend="degree", log="y",
        ),
        _figure(
            f"{name}-sums",
            f"SoTL of each degree less that of the true one, {truth_degree}, on the same batches: above 0 where the "
            "true degree has the lower. Band: Student's interval over seeds.",
            differences.filter(pl.col("degree") != truth_degree).with_columns(of=_side(truth_degree)), "degree",
            "difference", "of", xlabel="degree", ylabel="SoTL less that of the true degree", log="y",
        ),
    )  # fmt: skip


def _side(truth: int) -> pl.Expr:
    low = pl.col("degree") < truth
    return pl.when(low).then(pl.lit("too low a degree")).otherwise(pl.lit("too high a degree"))


_objectives = {
    "sotl": "SoTL",
    "validation": "validation loss",
    "validation + penalty": "validation loss with the penalty",
    "validation x T": "T times validation loss",
}


def maxdeg(name: str, results: pl.DataFrame, level: float) -> tuple[Table, tuple[Figure, ...]]:
    """Arrivals and ends, and paths by start and by T."""
    results = results.with_columns(pl.col("objective").alias("key"), pl.col("objective").replace_strict(_objectives))
    keys = ["objective", "T", "start"]
    ends = over_seeds(results.filter(outer=pl.col("outer").max()), keys, "max_deg", level)
    came = results.unique([*keys, "seed"], maintain_order=True)
    first = over_seeds(came, keys, "arrived", level)
    rows = []
    for end, one in zip(ends.sort(keys).to_dicts(), first.sort(keys).to_dicts(), strict=True):
        batches = None if one["arrived"] is None else one["arrived"] * one["T"]
        rows.append(
            [
                end["objective"], str(end["T"]), f"{end['start']:g}", f"{one['n']} of {end['n']}",
                _told(one, "arrived", 0), number(batches, 0), _told(end, "max_deg", 2),
            ]
        )  # fmt: skip
    header = ["descends on", "T", "start", "arrived", "steps to there", "batches to there", "MaxDeg at the end"]
    truth, outer = results["true_degree"][0], int(results["outer"].max())  # type: ignore[arg-type]
    note = (
        f"Arrived: within 0.5 of the true degree {truth}. {outer:,} steps of MaxDeg each; T batches a step. Brackets: "
        "Student's interval over seeds."
    )
    fixed = _of_starts(results)
    by_start = over_seeds(fixed.filter(pl.col("outer") > 0), ["start", "outer"], "max_deg", level)
    shared = results.filter(start=_shared_start(results)).sort("objective", "T", "seed", "outer")
    named = shared.with_columns(of=pl.format("{}, T = {}", "objective", "T"))
    by_T = over_seeds(named.filter(pl.col("outer") > 0), ["of", "outer", "batches"], "max_deg", level)
    level_line = {"true degree": float(truth)}
    return Table(f"{name}-numbers", "Where MaxDeg goes", header, rows, ends, [False, *[True] * 6], note), (
        _figure(
            f"{name}-starts", f"MaxDeg by SoTL with T = {fixed['T'][0]} from several starts.", by_start,
            "outer", "max_deg", "start", xlabel="steps of MaxDeg", ylabel="MaxDeg", legend="start", log="x",
            levels=level_line,
        ),
        _figure(
            f"{name}-lengths", "MaxDeg from one start by T and by what it descends on, mean over seeds.", by_T,
            "outer", "max_deg", "of", xlabel="steps of MaxDeg", ylabel="MaxDeg", log="x", levels=level_line,
        ),
        _figure(
            f"{name}-batches", "The same by batches, each descended twice: what the steps cost.",
            by_T.filter(pl.col("batches") <= pl.col("batches").max().over("of").min()),
            "batches", "max_deg", "of", xlabel="training batches", ylabel="MaxDeg", log="x", levels=level_line,
        ),
    )  # fmt: skip


def _of_starts(results: pl.DataFrame) -> pl.DataFrame:
    sotl = results.filter(key="sotl")
    counts = sotl.group_by("T").agg(pl.col("start").n_unique()).sort("start", "T")
    return sotl.filter(T=counts["T"][-1]).sort("start")


def _shared_start(results: pl.DataFrame) -> float:
    counts = results.group_by("start").agg(pl.col("T").n_unique()).sort("T")
    return float(counts["start"][-1])


def learning_rate(name: str, results: pl.DataFrame, level: float) -> tuple[Table, tuple[Figure, ...]]:
    """Accuracy and rate at the end, and both by epoch."""
    results = with_arms(results)
    last = results.filter(epoch=pl.col("epoch").max())
    accuracy, rate = (over_seeds(last, ["of"], value, level) for value in ("test_accuracy", "largest_rate"))
    counts = results.group_by("of", maintain_order=True).agg(pl.col("outer_steps", "clipped", "halved").sum())
    first, epochs = results.row(0, named=True), int(last["epoch"][0])
    rows = [
        [
            a["of"], _told(a, "test_accuracy", 2), _told(r, "largest_rate", 4), f"{c['outer_steps']:,}",
            f"{c['clipped']:,}", f"{c['halved']:,}", str(a["n"]),
        ]
        for a, r, c in zip(accuracy.to_dicts(), rate.to_dicts(), counts.to_dicts(), strict=True)
    ]  # fmt: skip
    header = [
        "T", f"test accuracy after {epochs} epochs (%)", "largest rate of the last epoch", "steps of the rate",
        "clipped", "halved", "seeds",
    ]  # fmt: skip
    note = (
        f"{first['network']} of {first['parameters']:,} parameters on {first['data']}; test accuracy on "
        f"{first['n_test']:,} images. Steps of the rate: over all seeds; clipped: their slopes; halved: those that "
        "would have made it negative. Brackets: Student's interval over seeds."
    )
    accuracies = over_seeds(results.filter(pl.col("epoch") > 0), ["of", "epoch"], "test_accuracy", level)
    rates = over_seeds(results, ["of", "epoch"], "largest_rate", level)
    band = "Mean over seeds; band: Student's interval."
    table = Table(f"{name}-numbers", "Accuracy by T", header, rows, accuracy, [False, *[True] * 6], note)
    return table, (
        _figure(
            f"{name}-accuracy", f"Test accuracy by epoch. {band}", accuracies,
            "epoch", "test_accuracy", "of", xlabel="completed epochs", ylabel="test accuracy (%)",
        ),
        _figure(
            f"{name}-rate", "Largest learning rate of each epoch, mean over seeds.", rates.drop("low", "high"),
            "epoch", "largest_rate", "of", xlabel="epoch", ylabel="largest learning rate", log="y",
        ),
    )  # fmt: skip


def memory(name: str, results: pl.DataFrame, level: float) -> tuple[Table, tuple[Figure, ...]]:
    """Peaks by T and mode."""
    named = results.with_columns(of=pl.col("mode") + pl.lit(" mode"))
    table = over_seeds(named, ["of", "T"], "mebibytes", level)
    note = (
        f"By how much the peak of an unroll lies above images and weights, each in a process of its own. "
        f"{results['network'][0]} of {results['parameters'][0]:,} parameters on {results['data'][0]}."
    )
    shown = table.select("of", "T", "mebibytes")
    told = plain_table(f"{name}-numbers", "Memory by T", shown, ["how", "T", "MiB"], ["s", "d", ".1f"], note)
    return told, (
        _figure(
            f"{name}-by-T", "Memory of an unroll at its peak by its length.", table,
            "T", "mebibytes", "of", xlabel="steps T", ylabel="MiB above images and weights", log="x",
        ),
    )  # fmt: skip


#: Kind of an experiment -> its numbers.
NUMBERS: Mapping[str, Numbers] = {
    "evidence": evidence,
    "fourier": fourier,
    "maxdeg": maxdeg,
    "learning_rate": learning_rate,
    "memory": memory,
}
