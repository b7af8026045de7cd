"""Specification curve: one claim in every setting, sorted, with the choices of each below (Simonsohn et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..stats.multiverse import CHOICES
from .lines import palette
from .style import GREY, look, proxy_label, statistic_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {"truth_seed": "truth", "score_seed": "scores", "resampled": "resampled"}
_LEVELS = {"arch": "architectures", "class": "functional classes"}
_VERDICTS = {"ahead": "holds", "behind": "does not hold", "equivalent": "within the margin"}
_OPEN = "cannot tell"
FEW = 120  # specifications: beyond, lines are thin


@any_frame
def specification_curve(multiverse: pl.DataFrame) -> pl.DataFrame:
    """The specifications that were asked, lowest difference first, with the columns ``place`` and ``says`` more.

    multiverse: of `nasanalysis.stats.multiverse`. ``says`` is ``holds``, ``does not hold``, ``cannot tell`` or
    ``within the margin``. `StudyError` where none was asked.
    """
    table = multiverse.drop_nulls("verdict").sort("difference", *CHOICES, nulls_last=True)
    if table.is_empty():
        raise StudyError("specification curve: expected specifications with a verdict, got none")
    says = pl.col("verdict").replace_strict(_VERDICTS, default=_OPEN, return_dtype=pl.String)
    return table.with_columns(place=pl.int_range(pl.len()), says=says)


@any_frame
def plot_specification_curve(
    multiverse: pl.DataFrame, *, axes: tuple[Axes, Axes] | None = None, title: str | None = None
) -> Any:
    """Draw `specification_curve`: differences with their intervals above, a row of marks for each choice below.

    axes: the upper and the lower one, which share their x axis; by default a figure of its own. Choices with one level
    are left out below. Returns both Axes.
    """
    table = specification_curve(multiverse)
    choices = [choice for choice in CHOICES if table[choice].n_unique() > 1]
    rows = [(choice, level) for choice in choices for level in _levels(table, choice)]
    with look():
        upper, lower = axes or _new(len(rows), len(table))
        colours = _colours()
        _differences(upper, table, colours)
        _marks(lower, table, rows, colours)
        statistic = table["statistic"].unique().to_list()
        what = statistic_label(statistic[0]) if len(statistic) == 1 else "rank correlation"
        first, second = proxy_label(table["proxy"][0]), proxy_label(table["other"][0])
        upper.set_ylabel(f"{what}\n{first}\nminus {second}")
        lower.set_xlabel(f"{len(table):,} specifications, sorted by difference")
        if title:
            upper.set_title(title)
    return upper, lower


def _new(n_rows: int, n_specifications: int) -> tuple[Axes, Axes]:
    import matplotlib.pyplot as plt

    below = 0.22 * n_rows + 0.3
    width = float(np.clip(4.5 + 0.06 * n_specifications, 7.0, 11.0))
    _, axes = plt.subplots(
        2, 1, figsize=(width, 2.8 + below), sharex=True, height_ratios=(2.6, below), layout="constrained"
    )
    return axes[0], axes[1]


def _colours() -> dict[str, Any]:
    blue, orange, green = palette(3)[:3]
    return {"holds": blue, "does not hold": orange, "within the margin": green, _OPEN: GREY}


def _differences(ax: Axes, table: pl.DataFrame, colours: dict[str, Any]) -> None:
    many = len(table) > FEW
    for says, colour in colours.items():
        rows = table.filter(says=says)
        if rows.is_empty():
            continue
        x = rows["place"].to_numpy()
        ax.vlines(
            x,
            rows["ci_low"].to_numpy(),
            rows["ci_high"].to_numpy(),
            color=colour,
            linewidth=0.4 if many else 1.2,
            alpha=0.5,
        )
        ax.plot(
            x,
            rows["difference"].to_numpy(),
            "o",
            markersize=1.5 if many else 3,
            color=colour,
            label=f"{says} ({len(rows)})",
        )
    ax.axhline(0, color="black", linewidth=0.8)
    ax.legend(loc="upper left", ncols=1, markerscale=2 if many else 1)


def _marks(ax: Axes, table: pl.DataFrame, rows: list[tuple[str, Any]], colours: dict[str, Any]) -> None:
    for at, (choice, level) in enumerate(rows):
        here = table.filter(pl.col(choice).eq_missing(level))
        shades = [colours[says] for says in here["says"]]
        ax.scatter(
            here["place"], [at] * len(here), marker="|", s=30, c=shades, linewidth=0.4 if len(table) > FEW else 1.2
        )
    ax.set_yticks(range(len(rows)), [_label(choice, level, table) for choice, level in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    for at in range(1, len(rows)):
        if rows[at][0] != rows[at - 1][0]:
            ax.axhline(at - 0.5, color=GREY, linewidth=0.5)
    ax.grid(visible=False)


def _levels(table: pl.DataFrame, choice: str) -> list[Any]:
    return table[choice].unique().sort(nulls_last=True).to_list()


def _label(choice: str, level: Any, table: pl.DataFrame) -> str:
    if choice == "statistic":
        return statistic_label(level)
    if choice in ("truth_seed", "score_seed"):
        return f"{_NAMES[choice]}: {'mean over seeds' if level == 'mean' else f'seed {level}'}"
    return f"{_NAMES.get(choice, choice)}: {'–' if level is None else _LEVELS.get(level, level)}"
