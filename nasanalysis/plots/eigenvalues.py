"""Largest eigenvalue of the architecture Hessian during a search, and where RobustDARTS stops (Zela et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from .style import COLOURS, look, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SEARCH = ["benchmark", "dataset", "method", "setting", "seed"]
EVERY, WINDOW, BACK, FACTOR, FIRST = 2, 5, 8, 1.3, 10


@any_frame
def eigenvalue_trajectories(trace: pl.DataFrame, *, quantity: str = "arch_hessian_ev") -> pl.DataFrame:
    """Columns benchmark, dataset, method, setting, seed, ``epoch, eigenvalue, average``.

    ``average`` is A of the early-stopping rule: the mean of `WINDOW` eigenvalues, at the epochs e-8, e-6, ...,
    e, given at the epoch e-4 in their middle that it belongs to. It takes even epochs only (the rule
    measures every second one); null at the ends.

    `trace`: TRACE frame.
    """
    table = check(trace, "TRACE").filter(pl.col("quantity") == quantity).drop_nulls("value")
    if table.is_empty():
        known = ", ".join(sorted(set(trace["quantity"]))) or "none"
        raise StudyError(f"eigenvalues: no values of {quantity!r}; the trace holds {known}")
    table = table.sort(*_SEARCH, "epoch").select(*_SEARCH, "epoch", pl.col("value").alias("eigenvalue"))
    even = table.filter(pl.col("epoch") % EVERY == 0)
    middle = even.with_columns(
        pl.col("epoch").shift(WINDOW // 2).over(_SEARCH).alias("start"),
        pl.col("epoch").shift(-(WINDOW // 2)).over(_SEARCH).alias("stop"),
        pl.col("eigenvalue").rolling_mean(WINDOW, center=True).over(_SEARCH).alias("average"),
    )
    whole = pl.col("stop") - pl.col("start") == EVERY * (WINDOW - 1)
    middle = middle.with_columns(pl.when(whole).then(pl.col("average")).alias("average"))
    keys = [*_SEARCH, "epoch"]
    return table.join(middle.select(*keys, "average"), on=keys, how="left", nulls_equal=True, maintain_order="left")


@any_frame
def early_stopping(trace: pl.DataFrame, *, quantity: str = "arch_hessian_ev", factor: float = FACTOR) -> pl.DataFrame:
    """Columns benchmark, dataset, method, setting, seed, ``stop_epoch, return_epoch, ratio``; null if it never fires.

    The rule of RobustDARTS: with A(e) the mean of the last five eigenvalues (every second epoch), stop at the
    first epoch e with A(e) / A(e-8) > `factor` and e-12 >= 10, and return the architecture of epoch e-12.
    ``ratio`` is A(e) / A(e-8) there.
    """
    table = eigenvalue_trajectories(trace, quantity=quantity)
    rows = []
    for key, group in table.group_by(_SEARCH, maintain_order=True):
        at = dict(group.drop_nulls("average").select("epoch", "average").iter_rows())
        found = None
        for middle, average in at.items():
            before = middle - BACK  # the epoch that A(e-8) belongs to, which is e-12
            if before >= FIRST and at.get(before, 0) > 0 and average / at[before] > factor:
                found = (middle + EVERY * (WINDOW // 2), before, average / at[before])
                break
        rows.append((*key, *(found or (None, None, None))))
    schema = {name: table.schema[name] for name in _SEARCH}
    return pl.DataFrame(
        rows, schema={**schema, "stop_epoch": pl.Int64, "return_epoch": pl.Int64, "ratio": pl.Float64}, orient="row"
    )


@any_frame
def plot_eigenvalues(
    trace: pl.DataFrame,
    *,
    quantity: str = "arch_hessian_ev",
    label: str = "setting",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw `eigenvalue_trajectories`: a colour for each setting, a thin line for each seed, A as a thick one.

    Where `early_stopping` fires: a cross on A at the epoch whose architecture is returned, a vertical bar
    at the epoch the search stops. `label`: head of the legend, what the settings are.
    """
    table, stops = eigenvalue_trajectories(trace, quantity=quantity), early_stopping(trace, quantity=quantity)
    with look():
        ax = new_axes(ax)
        fired = False
        for i, setting in enumerate(table["setting"].unique(maintain_order=True)):
            colour = COLOURS[i % len(COLOURS)]
            rows = table.filter(pl.col("setting") == setting)
            searches = rows.partition_by(_SEARCH, maintain_order=True)
            ends = stops.filter(pl.col("setting") == setting)
            stopped = ends["stop_epoch"].count()
            for j, search in enumerate(searches):
                ax.plot(
                    search["epoch"].to_numpy(), search["eigenvalue"].to_numpy(), color=colour, alpha=0.35, linewidth=0.8
                )
                smooth = search.drop_nulls("average")
                text = f"{setting or 'all'} (stopped {stopped} of {len(searches)})" if j == 0 else None
                ax.plot(smooth["epoch"].to_numpy(), smooth["average"].to_numpy(), color=colour, label=text)
                end = ends.row(j, named=True)
                if end["stop_epoch"] is None:
                    continue
                fired = True
                level = dict(smooth.select("epoch", "average").iter_rows())
                ax.plot(
                    end["return_epoch"],
                    level[end["return_epoch"]],
                    "X",
                    color=colour,
                    markeredgecolor="black",
                    markersize=8,
                    zorder=4,
                )
                ax.plot(
                    end["stop_epoch"],
                    level[end["stop_epoch"] - EVERY * (WINDOW // 2)],
                    "|",
                    color=colour,
                    markeredgewidth=2.5,
                    markersize=13,
                    zorder=4,
                )
        if fired:
            ax.plot([], [], "X", color="white", markeredgecolor="black", markersize=8, label="architecture returned")
            ax.plot([], [], "|", color="black", markeredgewidth=2.5, markersize=13, label="search stopped")
        ax.set_xlabel("search epoch")
        ax.set_ylabel("largest eigenvalue of the architecture Hessian")
        if title:
            ax.set_title(title)
        ax.legend(title=label, loc="best", alignment="left")
    return ax
