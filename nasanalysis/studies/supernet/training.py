"""The table of the supernets themselves: how far each kind was trained, and how long that took."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ...report.cells import number, whole, with_spread
from ...report.model import Table


def training_table(name: str, trace: pl.DataFrame) -> Table:
    """The supernets of a TRACE as they stood after the last epoch: means over seeds, minutes of one."""
    trace = trace.drop_nulls("value")
    table = _means(_last_epoch(trace), trace["method"].unique(maintain_order=True).to_list())
    several = table["benchmark"].n_unique() > 1
    rows = [
        [
            *([r["benchmark"]] if several else []),
            r["method"],
            str(r["supernets"]),
            str(r["epochs"]),
            whole(r["updates"]),
            whole(r["images_seen"]),
            with_spread(r["train_loss"], r["loss_sd"], 3),
            with_spread(r["train_accuracy"], r["accuracy_sd"], 1),
            number(r["minutes"], 1),
        ]
        for r in table.to_dicts()
    ]
    header = [
        *(["space"] if several else []), "protocol", "supernets", "epochs", "updates", "images seen",
        "training loss (nats)", "training accuracy (%)", "minutes each",
    ]  # fmt: skip
    return Table(
        f"{name}-training",
        "The supernets",
        header,
        rows,
        table,
        [False] * (1 + several) + [True] * 7,
        "Loss and accuracy are means over the last epoch and its sampled architectures, ± the standard deviation over "
        "supernets. Images seen: forward and backward, one architecture each.",
    )


def _last_epoch(trace: pl.DataFrame) -> pl.DataFrame:
    """One row for each supernet: its quantities at the last epoch, and the minutes of all epochs."""
    runs = ["benchmark", "dataset", "method", "seed"]
    wide = trace.pivot(on="quantity", index=[*runs, "epoch"], values="value", aggregate_function="first")
    for column in ("train_loss", "train_accuracy", "images_seen", "updates", "seconds"):
        if column not in wide.columns:
            wide = wide.with_columns(pl.lit(None, pl.Float64).alias(column))
    return wide.sort("epoch").group_by(runs, maintain_order=True).agg(
        pl.col("epoch").last(),
        pl.col("train_loss", "train_accuracy", "images_seen", "updates").last(),
        minutes=pl.when(pl.col("seconds").is_null().any()).then(None).otherwise(pl.col("seconds").sum() / 60),
    )  # fmt: skip


def _means(last: pl.DataFrame, methods: Sequence[str]) -> pl.DataFrame:
    """One row for each kind of supernet, in the order of `methods`."""
    return (
        last.group_by("benchmark", "dataset", "method", maintain_order=True)
        .agg(
            pl.len().alias("supernets"),
            pl.col("epoch").max().alias("epochs"),
            pl.col("updates", "images_seen").mean(),
            pl.col("train_loss", "train_accuracy").mean(),
            pl.col("train_loss").std().alias("loss_sd"),
            pl.col("train_accuracy").std().alias("accuracy_sd"),
            pl.col("minutes").mean(),
        )
        .sort(pl.col("method").replace_strict({m: k for k, m in enumerate(methods)}, return_dtype=pl.Int64))
    )
