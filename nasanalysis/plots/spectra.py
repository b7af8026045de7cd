"""All eigenvalues of the architecture Hessian, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame, check
from .style import line_map, look, new_axes, note, root_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def spectra_by_epoch(trace: pl.DataFrame, *, quantity: str = "arch_hessian_spectrum") -> pl.DataFrame:
    """Columns ``epoch, number, eigenvalue, low, high, searches``: mean, lowest and highest over searches, by rank.

    trace: TRACE with a row for each eigenvalue, whose number, from the most negative, is its ``part``. `StudyError`
    where it has none, or where searches have different numbers of them.
    """
    rows = check(trace, "TRACE").filter(pl.col("quantity") == quantity).drop_nulls("value")
    if rows.is_empty():
        raise StudyError(f"spectra: expected values of {quantity!r}, got none; search with eigenvalue_spectrum = true")
    rows = rows.with_columns(number=pl.col("part").cast(pl.Int64))
    counts = rows.group_by("method", "setting", "seed", "epoch").agg(pl.len())["len"]
    if counts.n_unique() > 1:
        several = sorted(set(counts.to_list()))
        raise StudyError(f"spectra: expected one number of eigenvalues, got {several}; filter the frame")
    return (
        rows.group_by("epoch", "number")
        .agg(
            eigenvalue=pl.col("value").mean(),
            low=pl.col("value").min(),
            high=pl.col("value").max(),
            searches=pl.len().cast(pl.Int64),
        )
        .sort("epoch", "number")
    )


@any_frame
def plot_spectra(
    trace: pl.DataFrame,
    *,
    quantity: str = "arch_hessian_spectrum",
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """A line for each eigenvalue by rank, light to dark; the two ends bold, with a band over searches.

    The axis is linear around 0 and logarithmic beyond the median size of an eigenvalue, since a spectrum spans decades
    on both sides.
    """
    table = spectra_by_epoch(trace, quantity=quantity)
    numbers = table["number"].unique().sort().to_list()
    sizes = table["eigenvalue"].abs()
    linear = max(float(sizes.median() or 0.0), float(sizes.max() or 0.0) * 1e-3, 1e-12)  # type: ignore[arg-type]
    with look():
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        ax = new_axes(ax)
        colours = ScalarMappable(Normalize(numbers[0], numbers[-1]), colormaps[line_map()])
        for number in numbers:
            one = table.filter(number=number)
            end = number in (numbers[0], numbers[-1])
            colour = colours.to_rgba(number)
            width, opacity = (1.8, 1.0) if end else (0.7, 0.8)
            ax.plot(one["epoch"], one["eigenvalue"], color=colour, linewidth=width, alpha=opacity)
            if end and one["searches"].to_numpy().max() > 1:
                ax.fill_between(one["epoch"], one["low"], one["high"], color=colour, alpha=0.15, linewidth=0)
        ax.set_yscale("symlog", linthresh=linear, linscale=0.6)
        ax.set(xlabel="search epoch", ylabel="eigenvalues of the architecture Hessian")
        root_figure(ax).colorbar(colours, ax=ax, label="number of the eigenvalue, from the lowest")
        searches = int(table["searches"].to_numpy().max())
        if searches > 1:
            note(ax, f"mean by rank of {searches} searches; bands: lowest to highest")
        if title:
            ax.set_title(title, pad=16)
    return ax
