"""Rank correlation against completed epochs or minibatches (SoTL thesis, Figures 4.4 to 4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from .lines import colours_and_markers, draw_line
from .style import UNIT_LABELS, look, new_axes, proxy_label, statistic_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def correlation_by_step(stats: pl.DataFrame, statistic: str = "spearman_rho") -> pl.DataFrame:
    """The rows of a STATS frame that one figure shows: one dataset, one statistic, sorted by proxy and step.

    Proxies without steps (costs) are kept with a null step: they are drawn as level lines.
    """
    table = check(stats, "STATS").filter(pl.col("statistic") == statistic)
    if table.is_empty():
        known = sorted(set(stats["statistic"]))
        raise StudyError(f"no rows for statistic {statistic!r}; the table holds {', '.join(known) or 'none'}")
    if table["dataset"].n_unique() > 1:
        raise StudyError(
            f"expected one dataset in a figure, got {', '.join(sorted(set(table['dataset'])))}; filter first"
        )
    order = {name: i for i, name in enumerate(table["proxy"].unique(maintain_order=True))}
    return table.sort(pl.col("proxy").replace_strict(order, return_dtype=pl.Int64), "step", maintain_order=True)


@any_frame
def plot_correlation_by_step(
    stats: pl.DataFrame, statistic: str = "spearman_rho", *, ax: Axes | None = None, title: str | None = None
) -> Axes:
    """Draw `correlation_by_step`: a line for each proxy with its interval as a band.

    Parameters
    ----------
    stats: STATS frame of one dataset; `statistic`: which of its statistics.

    Returns the Axes.
    """
    from matplotlib.ticker import MaxNLocator

    table = correlation_by_step(stats, statistic)
    stepped = table.filter(pl.col("step").is_not_null())
    with look():
        ax = new_axes(ax)
        dashes = iter(("--", ":", "-."))
        looks = colours_and_markers(table["proxy"])
        for name, (colour, marker) in looks.items():
            rows = table.filter(pl.col("proxy") == name)
            text = proxy_label(name)
            if rows["step"].is_null().all():
                ax.axhline(rows["estimate"][0], color=colour, linestyle=next(dashes, "--"), label=text, zorder=2)
                continue
            style = {"colour": colour, "marker": marker, "label": text, "bands": len(looks)}
            draw_line(ax, rows, "step", "estimate", band=("ci_low", "ci_high"), **style)
        unit = stepped["unit"][0] if len(stepped) else "epoch"
        ax.set_xlabel(UNIT_LABELS.get(unit, unit))
        ax.set_ylabel(_quantity(statistic, _target(table)))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        if title:
            ax.set_title(title)
        ax.legend(loc="best")
    return ax


def _quantity(statistic: str, target: str) -> str:
    base, _, k = statistic.partition("@")
    if base == "topk_mean":
        return f"top-{k} mean of {target} (%)"
    return f"{statistic_label(statistic)} with {target}"


def _target(table: pl.DataFrame) -> str:
    split, schedule = table["truth_split"][0], table["truth_schedule"][0]
    after = f" after {schedule} epochs" if schedule is not None else ""
    return f"{split or 'true'} accuracy{after}"
