"""Critical-difference diagram: mean ranks of proxies over data sets, bars over those that are not told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.errors import FrameError, MissingExtraError, StudyError
from ..core.frames import any_frame
from .lines import colours_and_markers
from .style import look, new_axes, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@any_frame
def plot_critical_difference(friedman: pl.DataFrame, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the answer of `nasanalysis.stats.friedman` as Demsar (2006) does, with scikit-posthocs (extra `posthocs`).

    Best rank on the left. Bars join proxies whose mean ranks differ by no more than the critical difference.
    """
    try:
        from scikit_posthocs import critical_difference_diagram
    except ModuleNotFoundError as error:
        raise MissingExtraError("scikit_posthocs", "posthocs", "a critical-difference diagram") from error
    import pandas as pd

    wanted = ("proxy", "mean_rank", "critical_difference", "n_datasets")
    if missing := [c for c in wanted if c not in friedman.columns]:
        raise FrameError(f"critical difference: missing column(s) {', '.join(missing)}; expected those of friedman")
    if len(friedman) < 2:
        raise StudyError(f"critical difference: expected at least 2 proxies, got {len(friedman)}")
    names = [proxy_label(name) for name in friedman["proxy"]]
    ranks, critical = friedman["mean_rank"].to_numpy(), float(friedman["critical_difference"][0])
    same = np.abs(ranks[:, None] - ranks[None, :]) <= critical
    chances = pd.DataFrame(np.where(same, 1.0, 0.0), index=names, columns=names)  # all that is read: above alpha or not
    colours = {proxy_label(name): look_of[0] for name, look_of in colours_and_markers(friedman["proxy"]).items()}
    with look():
        ax = new_axes(ax, figsize=(7.0, 1.2 + 0.25 * len(names)))
        critical_difference_diagram(pd.Series(ranks, index=names), chances, cd=critical, ax=ax, color_palette=colours)
        _raise_above_ticks(ax)
        ax.set_title(title or f"Mean rank over {friedman['n_datasets'][0]} data sets (1 is best)", pad=32)
    return ax


def _raise_above_ticks(ax: Axes) -> None:
    """The words at the bar of the critical difference stand on the axis's own numbers otherwise."""
    from matplotlib.transforms import ScaledTranslation

    up = ScaledTranslation(0, 14 / 72, ax.figure.dpi_scale_trans)
    for text in ax.texts:
        if text.get_text().startswith("CD"):
            text.set_transform(text.get_transform() + up)
