"""What `nasanalysis diffsearch inspect` reads off finished searches, one number for each search."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..core.frames import any_frame, check
from .diagnosed import SEARCHES, _rho


@any_frame
def skip_agreement(trace: pl.DataFrame) -> pl.DataFrame:
    """One row for each search and epoch: are skips weighed as Proposition 1 of DARTS-PT says?

    trace: TRACE with ``trained_skip``, ``predicted_skip`` and both variances of every edge (``part``). Returns method,
    setting, seed, epoch, rho (Spearman's of the two weights over edges, null where one does not vary), gap (mean
    ``trained_skip`` less ``predicted_skip``), nearer (mean variance of the convolutions' error less the skip's: above 0
    where the skip is the better estimate), edges.
    """
    index = [*SEARCHES, "epoch", "part"]
    names = ["trained_skip", "predicted_skip", "conv_variance", "skip_variance"]
    rows = check(trace, "TRACE").filter(pl.col("quantity").is_in(names)).drop_nulls("value")
    schema = {"method": pl.String, "setting": pl.String, "seed": pl.Int64, "epoch": pl.Int64, "rho": pl.Float64,
              "gap": pl.Float64, "nearer": pl.Float64, "edges": pl.Int64}  # fmt: skip
    wide = rows.pivot("quantity", index=index, values="value")
    if not set(names) <= set(wide.columns):
        return pl.DataFrame(schema=schema)
    found = []
    for key, search in wide.drop_nulls(names).group_by(*SEARCHES, "epoch", maintain_order=True):
        trained, predicted = search["trained_skip"], search["predicted_skip"]
        nearer = float((search["conv_variance"] - search["skip_variance"]).to_numpy().mean())
        gap = float((trained - predicted).to_numpy().mean())
        found.append((*key, _rho(trained, predicted), gap, nearer, len(search)))
    return pl.DataFrame(found, schema=schema, orient="row").sort("method", "setting", "seed", "epoch")


@any_frame
def shuffle_losses(trace: pl.DataFrame) -> pl.DataFrame:
    """method, setting, seed, what, statistics, before, after, lost: accuracy that shuffling costs, in points.

    trace: TRACE with ``accuracy (running)``, ``edges alone (batch)``, ``layers (running)`` and so on; after: the mean
    over draws.
    """
    table = check(trace, "TRACE").drop_nulls("value").with_columns(
        what=pl.col("quantity").str.extract(r"^(.+) \((?:running|batch)\)$", 1),
        statistics=pl.col("quantity").str.extract(r"\((running|batch)\)$", 1),
    )  # fmt: skip
    table = table.drop_nulls("statistics")
    keys = [*SEARCHES, "statistics"]
    before = table.filter(what="accuracy").select(*keys, before="value")
    after = table.filter(pl.col("what") != "accuracy").group_by(*keys, "what").agg(after=pl.col("value").mean())
    joined = after.join(before, on=keys, how="inner").with_columns(lost=pl.col("before") - pl.col("after"))
    columns = [*SEARCHES, "what", "statistics", "before", "after", "lost"]
    return joined.select(columns).sort("method", "setting", "what", "statistics", "seed")


@any_frame
def selection_phases(trace: pl.DataFrame) -> pl.DataFrame:
    """``supernet_valid_accuracy`` while edges are decided: method, setting, seed, epoch (0: before the first), value.

    trace: TRACE of searches that decide edges after they have searched (``decided`` grows from 0); the epochs before
    the first decision but for the last of them are left out. Searches that decide nothing have no rows.
    """
    table = check(trace, "TRACE").filter(pl.col("quantity").is_in(["decided", "supernet_valid_accuracy"]))
    wide = table.drop_nulls("value").pivot("quantity", index=[*SEARCHES, "epoch"], values="value")
    parts = []
    if {"decided", "supernet_valid_accuracy"} <= set(wide.columns):
        for search in wide.sort("epoch").partition_by(SEARCHES, maintain_order=True):
            deciding = search.filter(pl.col("decided") > 0)
            if len(deciding):
                first = int(deciding["epoch"].to_numpy().min()) - 1
                phase = search.filter(pl.col("epoch") >= first).with_columns(epoch=pl.col("epoch") - first)
                parts.append(phase.select(*SEARCHES, "epoch", value="supernet_valid_accuracy"))
    schema = {"method": pl.String, "setting": pl.String, "seed": pl.Int64, "epoch": pl.Int64, "value": pl.Float64}
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


@any_frame
def selection_ends(trace: pl.DataFrame) -> pl.DataFrame:
    """method, setting, seed, start, end: accuracy of the supernet before its first decision and after its last."""
    phases = selection_phases(trace).sort("epoch")
    return phases.group_by(SEARCHES, maintain_order=True).agg(start=pl.col("value").first(), end=pl.col("value").last())


def tuned_between(setting: str) -> int | None:
    """Epochs of tuning between two decisions, of a setting such as ``every=5, from epoch 100``; None without one."""
    words = [word.strip() for word in setting.split(",")]
    numbers = [word.removeprefix("every=") for word in words if word.startswith("every=")]
    return int(numbers[0]) if numbers and numbers[0].isdigit() else None


def paired(rows: pl.DataFrame, one: tuple[str, str], other: tuple[str, str], column: str) -> np.ndarray:
    """`column` of one (method, setting) less that of another, of the seeds that both have, in order."""
    values = [
        dict(rows.filter(method=m, setting=s).drop_nulls(column).select("seed", column).iter_rows())
        for m, s in (one, other)
    ]
    return np.array([values[0][seed] - values[1][seed] for seed in sorted(set(values[0]) & set(values[1]))])
