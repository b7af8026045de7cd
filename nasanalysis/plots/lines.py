"""Lines with bands, and the colours that tell proxies apart: the same proxy has the same colour in every figure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from .style import COLOURS, GREY, MARKERS, proxy_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Proxy (without argument) -> its place: the colour is that of the palette at this place, round again beyond its end
#: with another marker. Those that share one are never drawn together.
PLACES = {
    name: place
    for place, names in enumerate(
        (
            *(("sotl", "sum_train_error"), ("params",), ("sotl_e", "sum_train_error_e")),
            ("val_acc", "supernet_test_accuracy"),
            *(("val_loss",), ("sovl",), ("flops",), ("train_accuracy",)),
            *(("synflow", "sotl_ema"), ("few_shot_accuracy",), ("nwot", "train_loss", "one_shot_accuracy"), ("snip",)),
            *(("jacov", "val_acc_mini"), ("grad_norm", "tl_mini", "sog"), ("plain",), ("fisher", "sovl_e")),
            *(
                ("sotl_first",),
                (),
                ("sogn",),
                ("epe_nas",),
                ("zen",),
                ("l2_norm",),
                ("angle", "angle_flat"),
                ("grasp",),
            ),
            *(("graph_depth",), (), ("graph_depth_conv",), ("graph_parameter_free",), ("graph_width",)),
            *((), (), ("flatness",)),
        )
    )
    for name in names
}
_LABELLED = {proxy_label(name): place for name, place in PLACES.items()}


def places(names: Iterable[str]) -> dict[str, int]:
    """Name -> place in the palette. A name without one of its own, or whose place is taken, gets the next free one.

    `names`: proxies, or what `proxy_label` makes of them, or any others, in the order in which they are drawn.
    """
    names = list(dict.fromkeys(names))
    taken: dict[str, int] = {}
    for name in names:
        place = PLACES.get(name.partition("@")[0], _LABELLED.get(name))
        if place is not None and place not in taken.values():
            taken[name] = place
    free = (place for place in range(2 * len(names) + len(MARKERS)) if place not in taken.values())
    return {name: taken[name] if name in taken else next(free) for name in names}


def colour_of(proxy: str) -> str:
    """The colour that a proxy has in our palette; grey for one without a place of its own."""
    place = PLACES.get(proxy.partition("@")[0])
    return GREY if place is None else COLOURS[place % len(COLOURS)]


def looks_of(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Name -> colour in our palette and marker, by `places`: for what is drawn without matplotlib."""
    return {name: (COLOURS[place % len(COLOURS)], MARKERS[_marker(place)]) for name, place in places(names).items()}


def palette(count: int) -> list[Any]:
    """`count` colours of the current palette (ours, or the reader's), round again where it has fewer."""
    import seaborn as sns

    return list(sns.color_palette(n_colors=max(count, 1)))


def colours_and_markers(names: Iterable[str]) -> dict[str, tuple[Any, str]]:
    """Name -> colour and marker, by `places`."""
    at = places(names)
    colours = palette(1 + max(at.values(), default=0))
    return {name: (colours[place], MARKERS[_marker(place)]) for name, place in at.items()}


def _marker(place: int) -> int:
    """Another one each time the palette begins anew."""
    return (place + place // len(COLOURS)) % len(MARKERS)


def draw_line(
    ax: Axes,
    rows: pl.DataFrame,
    x: str,
    y: str,
    *,
    colour: Any,
    marker: str | None = None,
    label: str | None = None,
    band: tuple[str, str] | None = None,
    bands: int = 1,
    **look: Any,
) -> None:
    """Column `y` against `x` as a line, with a band between two columns of intervals that were computed elsewhere.

    `bands`: how many of them lie in the figure, see `band_alpha`. At most about twelve markers are drawn.
    """
    import seaborn as sns

    across, up = (rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in (x, y))
    if band is not None:
        low, high = (rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in band)
        ax.fill_between(across, low, high, color=colour, alpha=band_alpha(bands), linewidth=0)
    before = len(ax.lines)
    dots = {"marker": marker, "markevery": max(1, len(across) // 12)} if marker else {}
    sns.lineplot(
        x=across, y=up, color=colour, label=label, errorbar=None, estimator=None, legend=False, ax=ax, **dots, **look
    )
    if len(ax.lines) > before:
        ax.lines[-1].set_data(across, up)  # seaborn drops what is undefined and joins the rest; a gap stays a gap


def band_alpha(bands: int) -> float:
    """Opacity of one of so many bands: all of them together never hide the grid, or mix into solid grey."""
    return min(0.15, 0.6 / max(bands, 1))
