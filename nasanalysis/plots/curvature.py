"""Loss under weight noise, architecture by architecture in order of true accuracy (GeNAS, Figures 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from ..stats.pairs import mean_accuracy
from .lines import draw_line, palette
from .style import accuracy_colours, log_y, look, new_axes, note, root_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SERIES = ["benchmark", "dataset", "method", "setting", "unit", "step", "position", "direction", "draws"]


@any_frame
def loss_curvature(perturbed: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Columns ``arch, accuracy, rank, sigma, loss, low, high, n_draws, n_undefined``; best architecture first.

    ``loss`` (nats) is the mean over noise draws and seeds, ``low`` and ``high`` are their quartiles.
    ``rank`` 1 is the best true accuracy. Draws whose loss is undefined are left out and counted.

    `perturbed`: PERTURBED frame of one benchmark, dataset, method, setting and kind of noise. `truth`: TRUTH
    of one split and schedule.
    """
    table = check(perturbed, "PERTURBED")
    for column in _SERIES:
        if table[column].n_unique() > 1:
            raise StudyError(f"curvature: expected one {column}, got {table[column].n_unique()}; filter first")
    means = table.group_by("arch", "sigma").agg(
        pl.col("loss").mean(),
        pl.col("loss").quantile(0.25, "linear").alias("low"),
        pl.col("loss").quantile(0.75, "linear").alias("high"),
        pl.col("loss").count().cast(pl.Int64).alias("n_draws"),
        pl.col("loss").null_count().cast(pl.Int64).alias("n_undefined"),
    )
    joined = means.join(mean_accuracy(truth), on="arch")
    if joined.is_empty():
        raise StudyError("curvature: no architecture has both perturbed losses and a true accuracy")
    archs = (
        joined.select("arch", "accuracy")
        .unique()
        .with_columns(pl.col("accuracy").rank("min", descending=True).cast(pl.Int64).alias("rank"))
    )
    columns = ["arch", "accuracy", "rank", "sigma", "loss", "low", "high", "n_draws", "n_undefined"]
    return joined.join(archs.select("arch", "rank"), on="arch").sort("rank", "arch", "sigma").select(columns)


@any_frame
def plot_loss_curvature(
    table: pl.DataFrame,
    *,
    target: str = "test accuracy",
    split: str = "validation",
    log: bool = True,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `loss_curvature`: a line for each architecture, shaded by its true accuracy, quartiles as a band."""
    with look():
        ax = new_axes(ax)
        colours, extend = accuracy_colours(table.select("arch", "accuracy").unique()["accuracy"].to_list())
        archs = table["arch"].unique(maintain_order=True)
        for arch in archs:
            rows = table.filter(pl.col("arch") == arch).drop_nulls("loss")
            if not rows.is_empty():
                _line(ax, rows, colours.to_rgba(rows["accuracy"][0]), len(archs))
        _axes_of_noise(ax, split, log)
        draws = int(table["n_draws"].to_numpy().max())
        note(ax, f"{len(archs)} architectures, mean and middle half of {draws} noise draws")
        root_figure(ax).colorbar(colours, ax=ax, label=f"true {target} (%)", extend=extend)
        if title:
            ax.set_title(title, pad=16)
    return ax


def plot_curvature_lines(
    table: pl.DataFrame,
    *,
    split: str = "validation",
    log: bool = True,
    legend: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw losses under noise by name: columns ``line, sigma, loss, low, high``, in the order of the lines.

    As `plot_loss_curvature`, for a few architectures or means of them that a reader tells apart by name.
    """
    with look():
        ax = new_axes(ax)
        lines = table["line"].unique(maintain_order=True)
        for line, colour in zip(lines, palette(len(lines)), strict=True):
            _line(ax, table.filter(pl.col("line") == line).drop_nulls("loss"), colour, len(lines), line)
        _axes_of_noise(ax, split, log)
        ax.legend(title=legend)
    return ax


def _line(ax: Axes, rows: pl.DataFrame, colour: Any, count: int, label: str | None = None) -> None:
    draw_line(ax, rows, "sigma", "loss", colour=colour, marker="o", label=label, band=("low", "high"), bands=count)


def _axes_of_noise(ax: Axes, split: str, log: bool) -> None:
    if log:
        log_y(ax)
    ax.set(xlabel="σ, standard deviation of the weight noise", ylabel=f"{split} loss (nats)")
