"""Score against true accuracy, one point for each architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.frames import any_frame, unit_sign
from .lines import colours_and_markers
from .marginals import draw_marginals, draw_points
from .style import look, new_axes, note, proxy_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_scatter(
    pairs: pl.DataFrame,
    *,
    proxy: str,
    target: str = "test accuracy",
    unit: str = "percent",
    marginals: bool = False,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `score_against_truth`, with the distributions of score and accuracy along the axes if `marginals`.

    `target`, `unit`: what the truth is, for the axis.
    """
    from matplotlib.ticker import EngFormatter, ScalarFormatter

    score, accuracy = pairs["score"].to_numpy(), pairs[pairs.columns[2]].to_numpy()
    with look():
        ax = new_axes(ax)
        draw_points(ax, score, accuracy, opacity=(0.55, 0.15), color=colours_and_markers([proxy])[proxy][0])
        ax.set(xlabel=proxy_axis(proxy), ylabel=f"{target} ({unit_sign(unit)})")
        ax.xaxis.set_major_formatter(EngFormatter(sep="") if proxy in ("params", "flops") else ScalarFormatter())
        head = draw_marginals(ax, score, accuracy) if marginals else ax
        if title:
            head.set_title(title)
        note(head, f"n = {len(pairs):,}", right=True)
    return ax
