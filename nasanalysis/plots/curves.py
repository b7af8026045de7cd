"""Learning curves of many architectures, shaded by how good they turn out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from ..stats.pairs import mean_accuracy
from .style import UNIT_LABELS, accuracy_colours, log_y, look, new_axes, note, root_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPLITS = {"train": "training", "valid": "validation", "test": "test", "valtest": "validation and test"}


@any_frame
def learning_curves(
    curves: pl.DataFrame, truth: pl.DataFrame, *, value: str = "valid_accuracy", archs: Iterable[str] | None = None
) -> pl.DataFrame:
    """Columns ``arch, accuracy, unit, step, value``: means over seeds, worst architecture first.

    `curves`: CURVES frame of one dataset, method and setting; `truth`: TRUTH of one split and schedule;
    `value`: a column of `curves`; `archs`: which architectures (all that both frames hold).
    """
    table = check(curves, "CURVES")
    if value not in table.columns:
        raise StudyError(f"curves: expected a column of the CURVES frame, got {value!r}")
    if table.select("dataset", "method", "setting", "unit").n_unique() > 1:
        raise StudyError("curves: expected one dataset, method, setting and unit; filter first")
    if archs is not None:
        table = table.filter(pl.col("arch").is_in(list(archs)))
    means = (
        table.group_by("arch", "unit", "step").agg(pl.col(value).cast(pl.Float64).mean().alias("value")).drop_nulls()
    )
    joined = means.join(mean_accuracy(truth), on="arch").sort("accuracy", "arch", "step")
    if joined.is_empty():
        raise StudyError(f"curves: no architecture has both {value} and a true accuracy")
    return joined.select("arch", "accuracy", "unit", "step", "value")


@any_frame
def plot_learning_curves(
    table: pl.DataFrame,
    *,
    value: str = "valid_accuracy",
    target: str = "test accuracy",
    log: bool = False,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `learning_curves`, a line for each architecture; `value` names what the y axis shows."""
    from matplotlib.collections import LineCollection
    from matplotlib.ticker import MaxNLocator

    split, _, what = value.partition("_")
    with look():
        ax = new_axes(ax)
        colours, extend = accuracy_colours(table.select("arch", "accuracy").unique()["accuracy"].to_list())
        parts = table.partition_by("arch", maintain_order=True)
        many = len(parts) > 60
        lines = LineCollection(
            [part.select("step", "value").to_numpy() for part in parts],
            colors=[colours.to_rgba(part["accuracy"][0]) for part in parts],
            alpha=0.5 if many else 0.9,
            linewidths=0.8 if many else 1.5,
            rasterized=many,
        )
        ax.add_collection(lines)
        ax.autoscale()
        unit = table["unit"][0]
        ax.set_xlabel(UNIT_LABELS.get(unit, unit))
        ax.set_ylabel(f"{_SPLITS.get(split, split)} {what} ({'%' if what == 'accuracy' else 'nats'})")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log:
            log_y(ax)
        root_figure(ax).colorbar(colours, ax=ax, label=f"true {target} (%)", extend=extend)
        note(ax, f"n = {len(parts):,}")
        if title:
            ax.set_title(title, pad=16)
    return ax
