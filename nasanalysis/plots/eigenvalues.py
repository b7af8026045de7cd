"""Largest eigenvalue of the architecture Hessian during a search, and where early stopping fires (Zela et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.frames import any_frame
from ..stats.stopping import ROBUST_DARTS, SEARCH, StoppingRule, early_stopping, eigenvalue_trajectories
from .lines import palette
from .style import look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RETURNED: dict[str, Any] = {
    "marker": "X",
    "linestyle": "none",
    "markeredgecolor": "black",
    "markersize": 8,
    "zorder": 4,
}
_STOPPED: dict[str, Any] = {"marker": "|", "linestyle": "none", "markeredgewidth": 2.5, "markersize": 13, "zorder": 4}


@any_frame
def plot_eigenvalues(
    trace: pl.DataFrame,
    *,
    quantity: str = "arch_hessian_ev",
    rule: StoppingRule = ROBUST_DARTS,
    label: str = "setting",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `eigenvalue_trajectories`: a colour for each setting, a thin line for each seed, A of the rule in bold.

    Where `early_stopping` fires: a cross on A at the epoch whose architecture is returned, a vertical bar
    at the epoch the search stops. `label`: head of the legend, what the settings are.
    """
    table = eigenvalue_trajectories(trace, quantity=quantity, rule=rule)
    stops = early_stopping(trace, quantity=quantity, rule=rule)
    settings = table["setting"].unique(maintain_order=True)
    with look():
        ax = new_axes(ax)
        for setting, colour in zip(settings, palette(len(settings)), strict=True):
            chosen = pl.col("setting") == setting
            _setting(ax, table.filter(chosen), stops.filter(chosen), rule, colour, setting)
        if stops["stop_epoch"].count():
            ax.plot([], [], color="white", label="architecture returned", **_RETURNED)
            ax.plot([], [], color="black", label="search stopped", **_STOPPED)
        ax.set(xlabel="search epoch", ylabel="largest eigenvalue of the architecture Hessian")
        if title:
            ax.set_title(title)
        ax.legend(title=label, loc="best", alignment="left")
    return ax


def _setting(ax: Axes, rows: pl.DataFrame, stops: pl.DataFrame, rule: StoppingRule, colour: Any, name: str) -> None:
    """The searches of one setting; `stops`: a row for each, in the same order."""
    searches = rows.partition_by(SEARCH, maintain_order=True)
    text: str | None = f"{name or 'all'} (stopped {stops['stop_epoch'].count()} of {len(searches)})"
    for search, end in zip(searches, stops.iter_rows(named=True), strict=True):
        thick = search.drop_nulls("average")
        ax.plot(search["epoch"].to_numpy(), search["eigenvalue"].to_numpy(), color=colour, alpha=0.35, linewidth=0.8)
        ax.plot(thick["epoch"].to_numpy(), thick["average"].to_numpy(), color=colour, label=text)
        text = None  # one line of the legend for each setting
        if end["stop_epoch"] is not None:
            level = dict(thick.select("epoch", "average").iter_rows())
            ax.plot(end["return_epoch"], level[end["return_epoch"]], color=colour, **_RETURNED)
            ax.plot(end["stop_epoch"], level[end["stop_epoch"] - rule.reach], color=colour, **_STOPPED)
