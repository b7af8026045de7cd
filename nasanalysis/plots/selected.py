"""What differentiable searches select, epoch by epoch: true accuracy, numbers of a trace, bands over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .lines import palette
from .style import legend_beside, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: What a reader sees of a method of differentiable search, as its paper writes it; others by their own name.
METHOD_LABELS = {
    "darts": "DARTS",
    "darts_20": "DARTS, 20 layers",
    "sotl_darts": "SoTL-DARTS",
    "sotl_darts_20": "SoTL-DARTS, 20 layers",
    "sovl_darts": "SoVL-DARTS",
    "drnas": "DrNAS",
    "sotl_drnas": "SoTL-DrNAS",
    "pdarts": "P-DARTS",
    "sotl_pdarts": "SoTL-P-DARTS",
    "gdas": "GDAS",
    "snas": "SNAS",
    "enas": "ENAS",
    "random_ws": "random search with shared weights",
    "sdarts_rs": "SDARTS-RS",
    "sdarts_adv": "SDARTS-ADV",
    "sgas": "SGAS",
    "pc_darts": "PC-DARTS",
    "darts_es": "DARTS-ES",
    "darts_ada": "DARTS-ADA",
    "r_darts_l2": "R-DARTS (L2)",
    "r_darts_dp": "R-DARTS (DP)",
    "darts_pt": "DARTS-PT",
    "darts_pt_fixed": "DARTS-PT, α fixed",
    "darts_pt_mag": "DARTS-PT by magnitude",
    "sdarts_pt": "SDARTS-PT",
    "sgas_pt": "SGAS-PT",
    "gaea": "GAEA",
    "beta_darts": "β-DARTS",
    "oles": "OLES",
    "reinmax": "ReinMax",
    "resnet": "ResNet",
    "vgg": "VGG",
}


def row_label(method: str, setting: str) -> str:
    """The name of a method under a setting, as a study file writes it."""
    return f"{method} ({setting})" if setting else method


def method_label(method: str, setting: str = "") -> str:
    """How a reader sees a method under a setting."""
    return row_label(METHOD_LABELS.get(method, method.replace("_", " ")), setting)


@any_frame
def plot_selected(
    by_epoch: pl.DataFrame,
    *,
    value: str = "accuracy",
    ylabel: str = "true accuracy of the selected cell (%)",
    lines: dict[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A line for each method and setting: the mean over seeds, and a band from the lowest to the highest of them.

    Parameters
    ----------
    by_epoch: of `nasanalysis.search.selected.selected_by_epoch`, or any frame with method, setting, seed, epoch and
        `value`; epochs at which one of a row's seeds has none are left out.
    lines: label -> level of dashed lines, such as the best architecture, or the mean of the space.
    """
    rows = by_epoch.drop_nulls(value)
    if "last" in rows.columns:
        rows = rows.filter(~pl.col("last"))
    if rows.is_empty():
        raise StudyError(f"selected: expected rows with {value!r} by epoch, got none")
    each = (
        rows.group_by("method", "setting", "epoch", maintain_order=True)
        .agg(
            mean=pl.col(value).mean(),
            low=pl.col(value).min(),
            high=pl.col(value).max(),
            seeds=pl.col("seed").n_unique(),
        )
        .filter(pl.col("seeds") == pl.col("seeds").max().over("method", "setting"))
        .sort("epoch")
    )
    names = each.select("method", "setting").unique(maintain_order=True).sort("method", "setting").rows()
    with look():
        ax = new_axes(ax)
        for (method, setting), colour in zip(names, palette(len(names)), strict=True):
            one = each.filter(method=method, setting=setting)
            label = method_label(method, setting)
            ax.plot(one["epoch"], one["mean"], color=colour, label=label)
            if rows["seed"].n_unique() > 1:
                ax.fill_between(one["epoch"], one["low"], one["high"], color=colour, alpha=0.12, linewidth=0)
        for label, level in (lines or {}).items():
            ax.axhline(level, color="0.4", linestyle="--", linewidth=1)
            ax.annotate(label, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8)
        ax.set(xlabel="search epoch", ylabel=ylabel)
        legend_beside(ax)
    return ax
