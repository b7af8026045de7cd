"""How good the architectures are that a proxy puts first, for every k."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.frames import any_frame
from ..stats.topk_curve import BEST, RANDOM
from .lines import colours_and_markers, draw_line
from .style import GREY, look, new_axes, note, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_topk(
    table: pl.DataFrame, *, target: str = "test accuracy", ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `topk_by_k`: a line for each proxy between the best possible and a random choice."""
    with look():
        ax = new_axes(ax)
        for name, dash in ((BEST, "--"), (RANDOM, ":")):
            rows = table.filter(pl.col("proxy") == name)
            draw_line(ax, rows, "k", "topk_mean", colour=GREY, label=name, linestyle=dash)
        names = [n for n in table["proxy"].unique(maintain_order=True) if n not in (BEST, RANDOM)]
        for name, (colour, marker) in colours_and_markers(names).items():
            rows = table.filter(pl.col("proxy") == name)
            draw_line(ax, rows, "k", "topk_mean", colour=colour, marker=marker, label=proxy_label(name))
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.set_xlabel("k, architectures taken from the top of the ranking")
        ax.set_ylabel(f"mean {target} of the top k (%)")
        note(ax, f"n = {table['n_archs'][0]:,}", right=True)
        if title:
            ax.set_title(title)
        ax.legend(loc="best")
    return ax
