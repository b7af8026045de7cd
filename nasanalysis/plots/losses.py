"""Losses of groups of architectures over training or finetuning (SoTL thesis, Figure 4.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.frames import any_frame
from .lines import draw_line, palette
from .style import GREY, MARKERS, UNIT_LABELS, log_y, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_losses_by_group(
    table: pl.DataFrame,
    *,
    label: str = "training loss (nats)",
    log: bool = False,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `losses_by_group`: the mean of each group as a line, the quartiles of its architectures as a band."""
    from matplotlib.ticker import MaxNLocator

    names = table["group"].unique(maintain_order=True).to_list()
    with look():
        ax = new_axes(ax)
        for i, (name, colour) in enumerate(zip(names, palette(len(names)), strict=True)):
            rows = table.filter(pl.col("group") == name)
            text = f"{name} (n = {rows['n_archs'].to_list()[0]:,})"
            style: dict[str, Any] = {"colour": colour, "marker": MARKERS[i % len(MARKERS)], "band": ("low", "high")}
            if name == "all":
                style = {"colour": GREY, "linestyle": "--"}
            draw_line(ax, rows, "step", "mean", label=text, bands=len(names), **style)
        ax.set(xlabel=UNIT_LABELS.get(table["unit"][0], table["unit"][0]), ylabel=label)
        if log:
            log_y(ax)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if title:
            ax.set_title(title)
        ax.legend(title="by true accuracy", loc="best", alignment="left")
    return ax
