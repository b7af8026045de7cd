"""What k trained architectures and a regressor give, against k."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .lines import band_alpha, colours_and_markers
from .style import legend_beside, look, new_panels, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Part of the ranking -> what a reader sees, in order.
PARTS = {"all": "whole ranking", "top_tenth": "best tenth"}
#: Set of features -> what a reader sees.
FEATURES = {"graph": "learned on the graph", "proxies": "learned on proxies", "both": "learned on both"}


@any_frame
def plot_predictor(curve: pl.DataFrame, *, axes: Any = None) -> list[Axes]:
    """Draw `nasanalysis.stats.predictor_curve`: a panel for each part, a line with its band for each set of features.

    Scores that rank by themselves (``regressor`` is null) are dashed lines: what is learned must clear them, and a
    proxy must clear what is learned for the same cost. axes: one for each of `PARTS` that the table holds.
    """
    parts = [part for part in PARTS if part in set(curve["part"])]
    if not parts:
        raise StudyError(f"predictor: expected parts {', '.join(PARTS)}, got {', '.join(sorted(set(curve['part'])))}")
    with look():
        panels: list[Axes] = list(axes) if axes is not None else new_panels(len(parts), sharey=False)
        names = curve["features"].unique(maintain_order=True).to_list()
        colours = {name: colour for name, (colour, _) in colours_and_markers(names).items()}
        for ax, part in zip(panels, parts, strict=True):
            for name in names:
                rows = curve.filter(part=part, features=name).sort("k")
                alone = rows["regressor"].is_null().all()
                label = FEATURES.get(name, proxy_label(name))
                ax.plot(rows["k"], rows["estimate"], "--" if alone else "o-", color=colours[name], label=label)
                if not alone:
                    ax.fill_between(
                        rows["k"], rows["ci_low"], rows["ci_high"], color=colours[name], alpha=band_alpha(len(names))
                    )
            ax.set_xscale("log")
            ax.set_xticks(curve["k"].unique().sort().to_list(), [str(k) for k in curve["k"].unique().sort()])
            ax.minorticks_off()
            ax.set_title(PARTS[part])
            ax.set_xlabel("trained architectures")
        panels[0].set_ylabel("Spearman's ρ with true accuracy")
        legend_beside(panels[-1])
    return panels
