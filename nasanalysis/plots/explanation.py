"""Why proxies rank as they do: which features of the cell drive them and the truth, and where they err."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .lines import colours_and_markers
from .style import GREY, legend_beside, look, new_panels, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FEATURES = 10  # drawn of the importances
_SPREAD = 0.5  # of the points of one row


def feature_label(name: str) -> str:
    """Text for an axis: ``graph_live_count@nor_conv_3x3`` -> "live count: conv 3×3".

    >>> feature_label("graph_depth@normal"), feature_label("params")
    ('depth: normal', 'parameters')
    """
    return proxy_label(name)


def level_text(level: str) -> str:
    """A level of a feature with one separator of thousands: ``6974 - 15822`` -> "6,974 to 15,822"."""
    return re.sub(r"(?<![\d.])\d{4,}(?![\d.])", lambda number: f"{int(number[0]):,}", level).replace(" - ", " to ")


def level_label(feature: str, level: str) -> str:
    """Text of one row of errors: ``depth 2``."""
    return f"{feature_label(feature)}{' =' if ':' in feature_label(feature) else ''} {level_text(level)}"


def most_important(importance: pl.DataFrame, n: int) -> list[str]:
    """The `n` features whose permutation costs any of the rankings most, the greatest first."""
    greatest = pl.max_horizontal("proxy", "truth").max().alias("greatest")
    ordered = importance.group_by("feature", maintain_order=True).agg(greatest)
    names: list[str] = ordered.sort("greatest", descending=True, maintain_order=True)["feature"].head(n).to_list()
    return names


@any_frame
def plot_importance(importance: pl.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the importances of `nasanalysis.stats.explain_proxy`, with a column ``of`` that names the proxy.

    A point for the truth and for each proxy: what its regressor's R^2 loses when the feature is permuted; bars are the
    standard deviation over permutations.
    """
    _expect(importance, ("of", "feature", "proxy", "proxy_sd", "truth", "truth_sd"))
    shown = most_important(importance, MOST_FEATURES)
    names = importance["of"].unique(maintain_order=True).to_list()
    first = importance.filter(of=names[0])
    series = [("truth", GREY, first.select("feature", value="truth", sd="truth_sd"))]
    for name, colour in zip(names, _colours(names), strict=True):
        part = importance.filter(of=name).select("feature", value="proxy", sd="proxy_sd")
        series.append((proxy_label(name), colour, part))
    with look():
        ax = ax or new_panels(1)[0]
        for (label, colour, part), shift in zip(series, _shifts(len(series)), strict=True):
            rows = pl.DataFrame({"feature": shown}).join(part, on="feature", how="left", maintain_order="left")
            y = np.arange(len(shown)) + shift
            x, sd = (rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("value", "sd"))
            ax.errorbar(x, y, xerr=sd, fmt="o", color=colour, markersize=4, linewidth=1, label=label)
        ax.axvline(0, color=GREY, linewidth=0.8)
        _rows(ax, [feature_label(name) for name in shown])
        ax.set_xlabel("loss of R² when permuted")
        ax.legend(loc="lower right")
    return ax


@any_frame
def plot_errors(errors: pl.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw errors of `nasanalysis.stats.explain_proxy`, with a column ``of`` that names the proxy; all rows given.

    Right of zero the proxy thinks too well of these architectures; bars are the intervals of the frame.
    """
    _expect(errors, ("of", "feature", "level", "mean_error", "ci_low", "ci_high"))
    keys = errors.select("feature", "level").unique(maintain_order=True)
    names = errors["of"].unique(maintain_order=True).to_list()
    with look():
        ax = ax or new_panels(1)[0]
        for name, colour, shift in zip(names, _colours(names), _shifts(len(names)), strict=True):
            part = errors.filter(of=name)
            rows = keys.join(part, on=["feature", "level"], how="left", maintain_order="left")
            x, low, high = (
                100 * rows[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in ("mean_error", "ci_low", "ci_high")
            )
            y = np.arange(len(keys)) + shift
            ax.hlines(y, low, high, color=colour, linewidth=1)
            ax.plot(x, y, "o", color=colour, markersize=4, label=proxy_label(name))
        ax.axvline(0, color=GREY, linewidth=0.8)
        _rows(ax, [level_label(*row) for row in keys.iter_rows()])
        ax.set_xlabel("mean rank error (% of all)")
        if len(names) > 1:
            legend_beside(ax)
    return ax


def plot_explanation(importance: Any, errors: Any) -> list[Axes]:
    """`plot_importance` and `plot_errors` side by side, as high as their rows need."""
    panels = new_panels(2, sharey=False)
    plot_importance(importance, ax=panels[0])
    plot_errors(errors, ax=panels[1])
    rows = max(ax.get_ylim()[0] for ax in panels)
    figure: Any = panels[0].get_figure(root=True)
    figure.set_size_inches(10.5, max(3.6, 1.0 + 0.22 * rows))
    return panels


def _expect(frame: pl.DataFrame, wanted: Sequence[str]) -> None:
    if missing := [c for c in wanted if c not in frame.columns]:
        lacking = ", ".join(missing)
        raise StudyError(f"explanation: missing column(s) {lacking}; expected those of explain_proxy and 'of'")
    if frame.is_empty():
        raise StudyError("explanation: expected at least one row to draw, got none")


def _colours(names: Sequence[str]) -> list[Any]:
    """Of each proxy, as in every other figure."""
    return [colour for colour, _ in colours_and_markers(names).values()]


def _shifts(n: int) -> list[float]:
    return [0.0] if n == 1 else (_SPREAD * (np.arange(n) / (n - 1) - 0.5)).tolist()


def _rows(ax: Axes, labels: Sequence[str]) -> None:
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(False, axis="y")
