"""Heat maps with a number in every cell (seaborn's)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_heatmap(
    ax: Axes,
    values: NDArray[np.float64],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    label: str,
    write: Callable[[float], str],
    **look: Any,
) -> None:
    """(n_rows, n_columns) `values` with their numbers as `write` has them; NaN stays empty. `label`: of the colours."""
    import seaborn as sns

    texts = np.array([[write(v) if np.isfinite(v) else "" for v in row] for row in values], dtype=object)
    ax.grid(False)
    sns.heatmap(
        values,
        mask=~np.isfinite(values),
        annot=texts,
        fmt="",
        annot_kws={"fontsize": "x-small" if values.shape[1] > 8 else "small"},
        xticklabels=list(columns),
        yticklabels=list(rows),
        ax=ax,
        **{**look, "cbar_kws": {"label": label, **look.get("cbar_kws", {})}},
    )
    ax.tick_params(axis="y", labelrotation=0)
    _recolour_numbers(ax, np.isfinite(values))


def _recolour_numbers(ax: Axes, written: NDArray[np.bool_]) -> None:
    """Black or white, whichever stands out more: seaborn has white on cells that are too light for it."""
    from seaborn.utils import relative_luminance

    cells: Any = np.asarray(ax.collections[0].get_facecolor())[written.ravel()]
    for text, cell in zip(ax.texts[-len(cells) :], cells, strict=True):
        # Contrast as WCAG 2 has it, (lighter + .05) / (darker + .05), is equal for both at this luminance.
        text.set_color("black" if relative_luminance(cell) > 0.179 else "white")
