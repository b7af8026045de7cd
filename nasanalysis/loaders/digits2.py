"""The second edition of digits: every measure of the four works, recorded of networks that were really trained, by us.

One cell stands for each ``functional`` class of NAS-Bench-201 (docs/decisions/digits-2-plan.md). Losses and accuracies
are the class's and are given for any of its cells; measures of weights are the trained cell's own.

=============  ==========================================================================================
``digits-2``            CURVES by epoch, TRUTH of both seeds and their mean, SCORES (SoG and SoGN by epoch,
                        angles, Hessian, zero-cost measures), PERTURBED after epochs 2 and 12
``digits-2-minibatches``  CURVES of the first minibatches, SCORES ``val_acc_mini``, the same TRUTH
=============  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import ParameterError
from ..core.frames import read_frame, read_provenance
from ..core.resources import shipped
from ..spaces.nb201 import SPACE
from .benchmark import Benchmark
from .digits import truth_of_curves

#: Columns of the file -> proxies of SCORES, read after each completed epoch.
BY_EPOCH = {
    "sog_l1": "sog", "sog_sum": "sog_sum", "sog_l2": "sog_l2", "sogn_l1": "sogn",
    "sogn_l2_per_tensor": "sogn_l2_per_tensor",
}  # fmt: skip
ANGLES = {
    "angle_paths_all": "angle", "angle_paths_cells": "angle_cells", "angle_flat_all": "angle_flat",
    "angle_flat_cells": "angle_flat_cells",
}  # fmt: skip
HESSIAN = {"hessian_eigenvalue": "weight_hessian_ev", "hessian_trace": "weight_hessian_trace"}
MINIBATCH = {"valid_minibatch_accuracy": "val_acc_mini"}
#: At initialisation.
ZERO_COST = (
    "epe_nas", "fisher", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "plain", "snip", "synflow", "zen",
)  # fmt: skip
_CURVES = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_loss", "test_accuracy")
_RULE = "functional"


@dataclass(frozen=True, repr=False)
class OfClasses(Benchmark):
    """A benchmark of one trained cell for each class: what classmates share is given for all of them."""

    def _lazy_of(self, frame: str, archs: Sequence[str] | None) -> pl.LazyFrame:
        lazy = self.lazy(frame)
        if archs is None or frame not in self.read:
            return lazy
        trained = set(lazy.select("arch").unique().collect()["arch"])
        classes = SPACE.unique_archs(_RULE)
        asked = {text: str(classes[SPACE.parse(text)]) for text in dict.fromkeys(archs)}
        others = {text: home for text, home in asked.items() if text not in trained and home in trained}
        if others and frame not in ("TRUTH", "CURVES"):
            text, home = next(iter(others.items()))
            raise ParameterError(
                f"benchmark {self.name!r}: {frame} of {text} (and {len(others) - 1} more) are not recorded: its class "
                f"was trained as {home}, whose weights were measured. Ask for that cell; truth and curves are those of "
                "the whole class"
            )
        names = pl.LazyFrame({"asked": list(asked), "arch": [t if t in trained else h for t, h in asked.items()]})
        return lazy.join(names, on="arch").with_columns(arch=pl.col("asked")).drop("asked")


def load(data: Path | None = None) -> Benchmark:
    """The table inside the package (`data` is not looked at): no download, no torch."""
    return from_file(shipped("data/digits-2.parquet"))


def load_minibatches(data: Path | None = None) -> Benchmark:
    """The first minibatches of the same runs."""
    return from_file(shipped("data/digits-2.parquet"), minibatches=True)


def from_file(path: Path, *, minibatches: bool = False) -> Benchmark:
    """A table that ``nasanalysis benchmark finish`` wrote, its costs beside it; settings stand in `metadata`."""
    record, costs = read_provenance(path), path.with_name(path.name.replace(".parquet", ".costs.parquet"))
    config = record["config"]
    seconds = read_provenance(costs)["seconds"]

    @cache
    def table() -> pl.DataFrame:
        return read_frame(path).join(read_frame(costs), on=["arch", "seed"], how="left", maintain_order="left")

    name = "digits-2-minibatches" if minibatches else "digits-2"

    def curves() -> pl.LazyFrame:
        return _curves(table(), int(config["task.epochs"]))

    read: dict[str, Callable[[], pl.LazyFrame]] = {
        "CURVES": curves,
        "TRUTH": lambda: truth_of_curves(curves()).with_columns(benchmark=pl.lit(name)),
    }
    if minibatches:
        read |= {
            "CURVES": lambda: _minibatch_curves(table(), int(config["task.epochs"])),
            "SCORES": lambda: _series(
                table(), {"valid_minibatch_accuracy": "val_acc_mini"}, "minibatch", _steps(config)
            ),
        }
    else:
        read |= {"SCORES": lambda: _scores(table(), config), "PERTURBED": lambda: _perturbed(table(), config)}
    return OfClasses(
        name=name,
        space="nb201",
        datasets=("digits",),
        inputs=(path, costs),
        read=read,
        notes=(
            "one trained cell for each functional class: losses and accuracies are its class's, measures of weights "
            "and costs the cell's own",
            f"{record['complete_classes']:,} of 5,545 classes, in the order in which a uniform draw meets them",
        ),
        metadata=record | {"measuring_seconds": {} if minibatches else measuring_seconds(seconds)},
    )


def measuring_seconds(seconds: dict[str, float]) -> dict[str, float]:
    """Proxy -> seconds of the processor for one run beside its training (medians), of the names in SCORES and noise."""
    sums = dict.fromkeys(BY_EPOCH.values(), seconds["gradient_sums"])
    angles = dict.fromkeys(ANGLES.values(), seconds["angle"] / 20)  # four angles at five epochs
    zero_cost = {name: seconds[f"zero_cost_{name}"] for name in ZERO_COST}
    noise = dict.fromkeys(("flatness", "sharpness"), seconds["noise_12"])
    return {**sums, **angles, **zero_cost, **noise, **dict.fromkeys(HESSIAN.values(), seconds["hessian"])}


def _steps(config: dict[str, Any]) -> list[int]:
    every = int(config["valid_every"])
    return list(range(every, int(config["minibatches"]) + 1, every))


def _long(table: pl.DataFrame, columns: Sequence[str], steps: Sequence[int]) -> pl.DataFrame:
    """A row for each run and step of list columns of that length; runs that hold no such list are left out."""
    whole = table.select("arch", "seed", *columns).filter(
        pl.all_horizontal(pl.col(c).list.len() == len(steps) for c in columns)
    )
    return whole.with_columns(step=pl.lit(list(steps), pl.List(pl.Int64))).explode(*columns, "step")


def _labelled(rows: pl.DataFrame, **more: Any) -> pl.LazyFrame:
    labels = {"benchmark": "digits-2", "dataset": "digits", "method": "scratch", "setting": "", **more}
    return rows.with_columns(pl.lit(v).alias(k) for k, v in labels.items()).lazy()


def _curves(table: pl.DataFrame, epochs: int) -> pl.LazyFrame:
    rows = _long(table, _CURVES, range(1, epochs + 1))
    spent = table.select("arch", "seed", seconds=pl.col("seconds_train").cast(pl.Float64) / epochs)
    return _labelled(rows.join(spent, on=["arch", "seed"], maintain_order="left"), schedule=epochs, unit="epoch")


def _minibatch_curves(table: pl.DataFrame, epochs: int) -> pl.LazyFrame:
    longest = table["train_minibatch_loss"].list.len().to_numpy().max()
    rows = _long(table, ["train_minibatch_loss"], range(1, int(longest) + 1))
    rows = rows.rename({"train_minibatch_loss": "train_loss"})
    return _labelled(rows, benchmark="digits-2-minibatches", schedule=epochs, unit="minibatch")


def _series(table: pl.DataFrame, named: dict[str, str], unit: str, steps: Sequence[int]) -> pl.LazyFrame:
    rows = _long(table, list(named), steps).rename(named)
    rows = rows.unpivot(list(named.values()), index=["arch", "seed", "step"], variable_name="proxy")
    name = "digits-2-minibatches" if unit == "minibatch" else "digits-2"
    return _labelled(rows.cast({"value": pl.Float64}), benchmark=name, unit=unit)


def _scores(table: pl.DataFrame, config: dict[str, Any]) -> pl.LazyFrame:
    epochs = int(config["task.epochs"])
    last = table.rename(HESSIAN).unpivot(list(HESSIAN.values()), index=["arch", "seed"], variable_name="proxy")
    start = table.unpivot(list(ZERO_COST), index=["arch", "seed"], variable_name="proxy")
    at_the_end = _labelled(last.cast({"value": pl.Float64}).with_columns(step=pl.lit(epochs, pl.Int64)), unit="epoch")
    before = _labelled(start.cast({"value": pl.Float64}).with_columns(step=pl.lit(None, pl.Int64)), unit=None)
    parts = [
        _series(table, BY_EPOCH, "epoch", range(1, epochs + 1)),
        _series(table, ANGLES, "epoch", config["angle_epochs"]),
        at_the_end,
        before.with_columns(unit=pl.lit(None, pl.String)),
    ]
    order = ["benchmark", "dataset", "arch", "method", "setting", "proxy", "seed", "unit", "step", "value"]
    return pl.concat([part.select(order) for part in parts])


def _perturbed(table: pl.DataFrame, config: dict[str, Any]) -> pl.LazyFrame:
    """Levels in the order of the recorder: without noise, then every sigma's draws."""
    levels = [(0.0, 0), *product(config["sigmas"], range(int(config["noise_draws"])))]
    parts = []
    for epoch in config["noise_epochs"]:
        rows = _long(table, [f"noise_{epoch}"], range(len(levels))).rename({f"noise_{epoch}": "loss"})
        named = pl.DataFrame(
            [(i, *level) for i, level in enumerate(levels)],
            schema={"step": pl.Int64(), "sigma": pl.Float64(), "draw": pl.Int64()}, orient="row",
        )  # fmt: skip
        rows = rows.join(named, on="step", maintain_order="left").with_columns(step=pl.lit(epoch, pl.Int64))
        parts.append(rows.cast({"loss": pl.Float64}))
    kind = {"unit": "epoch", "position": "all", "direction": "random", "draws": "independent"}
    return _labelled(pl.concat(parts), **kind)
