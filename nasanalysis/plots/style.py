"""One look for every figure: colour-blind safe, labelled, legible when printed small.

It gives way to the reader's: what `seaborn.set_theme`, a palette, a context or an rc file has set holds.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ..spaces import get_space, offers
from ..spaces.capabilities import HasLabels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

#: Okabe and Ito's colours, safe for the common kinds of colour blindness, best contrasts first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C8C8C")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: For what is no proxy: counts, level lines, all architectures together.
GREY = "#555555"
#: For values from low to high: perceptually even, safe for the colour-blind, legible in grey.
SEQUENTIAL = "cividis"
#: The same for lines and points on white, which a map that ends in yellow would hide (seaborn's).
SEQUENTIAL_LINES = "crest"
#: For values about zero: purple below, orange above.
DIVERGING = "PuOr_r"

RC: dict[RcKeyType, Any] = {
    "figure.figsize": (6.4, 4.2),
    "figure.dpi": 110,
    "savefig.dpi": 170,
    "savefig.bbox": "tight",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 6.5,  # seaborn gives markers a white edge
    "image.cmap": SEQUENTIAL,
    "svg.fonttype": "none",
    "svg.hashsalt": "nasanalysis",  # the same figure is the same file
}

#: What a reader sees for a proxy's name.
PROXY_LABELS = {
    "params": "parameters",
    "flops": "FLOPs",
    "sotl": "SoTL, all steps",
    "sotl_ema": "SoTL-EMA (0.999)",
    "sovl": "SoVL, all steps",
    "sum_train_error": "sum of training errors",
    "train_loss": "training loss of the last step",
    "train_accuracy": "training accuracy",
    "val_acc": "validation accuracy",
    "val_loss": "validation loss",
    "one_shot_accuracy": "one-shot supernet accuracy",
    "few_shot_accuracy": "few-shot supernet accuracy",
    "tl_mini": "training loss of one minibatch",
    "val_acc_mini": "accuracy on one validation minibatch",
    "sog": "SoG",
    "sog_sum": "SoG (sum of entries)",
    "sog_l2": "SoG (2-norm)",
    "sogn": "SoGN",
    "sogn_l2_per_tensor": "SoGN (2-norm of each tensor)",
    "angle": "angle to the initial weights",
    "angle_flat": "angle to the initial weights, each once",
    "weight_hessian_ev": "largest eigenvalue of the Hessian",
    "weight_hessian_trace": "trace of the Hessian",
    "nwot": "NWOT",
    "jacov": "Jacov",
    "synflow": "SynFlow",
    "snip": "SNIP",
    "grasp": "GraSP",
    "fisher": "Fisher",
    "grad_norm": "gradient norm",
    "l2_norm": "norm of the weights",
    "zen": "Zen-score",
    "epe_nas": "EPE-NAS",
}

#: What a reader sees of an operation.
OPERATION_LABELS = {
    "nor_conv_1x1": "conv 1×1",
    "nor_conv_3x3": "conv 3×3",
    "avg_pool_3x3": "avg pool 3×3",
    "max_pool_3x3": "max pool 3×3",
    "skip_connect": "skip",
    "sep_conv_3x3": "sep 3×3",
    "sep_conv_5x5": "sep 5×5",
    "dil_conv_3x3": "dil 3×3",
    "dil_conv_5x5": "dil 5×5",
    "conv3x3": "conv 3×3",
    "conv1x1": "conv 1×1",
    "maxpool3x3": "max pool 3×3",
    "none": "none",
    "noise": "noise",
}

STATISTIC_LABELS = {
    "spearman_rho": "Spearman's ρ",
    "kendall_tau": "Kendall's τ-b",
    "pearson_r": "Pearson's r",
    "sparse_kendall_tau": "sparse τ-b",
    "sparse_kendall_tau@score": "sparse τ-b (scores rounded)",
    "weighted_tau": "weighted τ",
    "ndcg": "NDCG",
}

UNIT_LABELS = {"epoch": "completed epochs", "minibatch": "minibatches"}


def proxy_label(name: str) -> str:
    """Text for a legend: ``sotl_e@3`` -> "SoTL, last 3 steps"."""
    base, _, argument = name.partition("@")
    if base in ("sotl_e", "sovl_e", "sum_train_error_e"):
        if base == "sum_train_error_e" and argument == "1":
            return "training error of the last step"
        head = {"sotl_e": "SoTL", "sovl_e": "SoVL", "sum_train_error_e": "sum of training errors"}[base]
        return f"{head}, last {'step' if argument == '1' else f'{argument} steps'}"
    if base in ("sotl_first", "sovl_first"):
        return f"{'SoTL' if base == 'sotl_first' else 'SoVL'}, first {argument} steps"
    if base == "sotl_ema" and argument:
        return f"SoTL-EMA ({argument})"
    if base.startswith("graph_"):
        return _feature_label(base, argument)
    if base == "flatness" and argument:
        return f"flatness ({argument.replace('sigmas=', 'σ ').replace('/', ', ').replace(',alpha=', ', α ')})"
    return PROXY_LABELS.get(name, name.replace("_", " "))


def _feature_label(base: str, argument: str) -> str:
    """``graph_live_count@nor_conv_3x3`` -> "live count: conv 3×3": a cell, an operation or a kind of path."""
    words = base.removeprefix("graph_").replace("_", " ")
    cell, _, operation = argument.rpartition("/")
    said = ", ".join(part for part in (cell, OPERATION_LABELS.get(operation, operation.replace("_", " "))) if part)
    return f"{words}: {said}" if said else words


def proxy_axis(proxy: str) -> str:
    """Text for an axis of raw scores, with the unit: ``sotl`` -> "SoTL, all steps (nats)"."""
    if proxy == "params":
        return "parameters"
    if proxy == "flops":
        return "FLOPs (multiply-accumulates of one image)"
    base = proxy.partition("@")[0]
    if base.startswith("sum_train_error"):
        return f"{proxy_label(proxy)} (percentage points)"
    if base in ("val_acc", "val_acc_mini", "train_accuracy", "supernet_test_accuracy"):
        return f"{proxy_label(proxy)} (%)"
    if base.startswith(("sotl", "sovl")) or base in ("train_loss", "val_loss", "tl_mini"):
        return f"{proxy_label(proxy)} (nats)"
    if base in ("angle", "angle_flat"):
        return f"{proxy_label(proxy)} (radians)"
    return proxy_label(proxy)


def arch_label(arch: str) -> str:
    """A short name of an architecture for a legend: ``nb201:|...|`` -> "nb201 no. 1462", long keys cut."""
    space, _, key = arch.partition(":")
    if offers(space, HasLabels):
        return get_space(space, HasLabels).label(arch)
    return arch if len(key) <= 40 else f"{space}:{key[:37]}..."


def statistic_label(name: str) -> str:
    """Text for an axis or a table head: ``topk_mean@10`` -> "top-10 mean (%)"."""
    base, _, argument = name.partition("@")
    if base == "topk_mean":
        return f"top-{argument} mean (%)"
    if base in ("best_rank", "precision", "regret", "ndcg") and argument:
        return f"{base.replace('_', ' ').replace('ndcg', 'NDCG')} at {argument}" + (
            " (percentage points)" if base == "regret" else ""
        )
    if base in ("partial_spearman", "partial_kendall"):
        given = " and ".join(proxy_label(proxy) for proxy in argument.split("+"))
        return f"partial {'ρ' if base == 'partial_spearman' else 'τ-b'} given {given}"
    if base in ("spearman_with", "kendall_with"):
        return f"{'ρ' if base == 'spearman_with' else 'τ-b'} with {proxy_label(argument)}"
    if argument.startswith("top"):
        return f"{STATISTIC_LABELS.get(base, base)}, best {argument.removeprefix('top').replace('%', ' %')}"
    return STATISTIC_LABELS.get(name, name.replace("_", " "))


@contextlib.contextmanager
def look() -> Iterator[None]:
    """The package's look, for a ``with`` block; no global setting is touched, and the reader's settings hold."""
    import matplotlib as mpl

    with mpl.rc_context(_unset_by_the_reader()):
        yield
        interactive = mpl.is_interactive()
    mpl.interactive(interactive)  # a kernel turns it on with its first figure; off again, it would show no other


def _unset_by_the_reader() -> dict[RcKeyType, Any]:
    """Our settings, less those that differ from matplotlib's defaults already.

    seaborn's style and context count as one setting each: half of "talk" and half of ours would fit together badly.
    """
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.rcsetup import cycler

    ours = {**RC, "axes.prop_cycle": cycler(color=COLOURS)}
    groups = [[key] for key in ours], [list(sns.axes_style()), list(sns.plotting_context())]
    chosen: set[Any] = set()
    for group in itertools.chain(*groups):
        if any(mpl.rcParams[key] != mpl.rcParamsDefault[key] for key in group):
            chosen.update(group)
    return {key: value for key, value in ours.items() if key not in chosen}


def new_axes(ax: Axes | None = None, *, figsize: Sequence[float] | None = None) -> Axes:
    """`ax` itself, or fresh axes in the package's look (no global setting is touched).

    In a notebook the figure belongs to pyplot, so that the cell shows it; elsewhere it is the caller's
    alone, and nothing has to be closed.
    """
    if ax is not None:
        return ax
    import matplotlib as mpl

    with look():
        return _new_figure(figsize or mpl.rcParams["figure.figsize"]).add_subplot()


def _new_figure(figsize: Sequence[float]) -> Figure:
    """Of pyplot in a notebook, elsewhere of its own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from .plain_text import plain_figure

    width, height = figsize
    if _in_notebook():
        import matplotlib.pyplot as plt

        return plt.figure(figsize=(width, height), layout="constrained", FigureClass=plain_figure())
    figure = plain_figure()(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_panels(count: int, *, sharey: bool = True) -> list[Axes]:
    """`count` fresh axes side by side, as `new_axes` makes one."""
    import matplotlib as mpl

    with look():
        width, height = mpl.rcParams["figure.figsize"]
        figure = _new_figure((max(width, 0.85 * width * count), height))
        return list(figure.subplots(1, count, sharey=sharey, squeeze=False)[0])


def legend_beside(ax: Axes) -> None:
    """Put the legend of `ax` to its right, where it covers nothing."""
    old = ax.get_legend()
    title = old.get_title().get_text() if old is not None else None
    with look():
        ax.legend(title=title or None, loc="upper left", bbox_to_anchor=(1.0, 1.0), alignment="left")


def _in_notebook() -> bool:
    """Whether an IPython kernel runs this process."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def accuracy_colours(values: Sequence[float]) -> tuple[Any, Literal["neither", "min"]]:
    """Colours for accuracies, and how the colour bar ends: the lowest twentieth shares one where it lies far off."""
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    low, twentieth, high = np.quantile(np.asarray(values, dtype=np.float64), [0.0, 0.05, 1.0])
    far = bool(twentieth - low > 0.3 * (high - low))
    colours = ScalarMappable(Normalize(float(twentieth if far else low), float(high)), colormaps[line_map()])
    return colours, "min" if far else "neither"


def line_map() -> str:
    """Colour map for lines and points on white: the reader's ``image.cmap``, or `SEQUENTIAL_LINES` in our look."""
    import matplotlib as mpl
    import seaborn as _  # noqa: F401 - it registers the map

    chosen = str(mpl.rcParams["image.cmap"])
    return SEQUENTIAL_LINES if chosen == SEQUENTIAL else chosen


def note(ax: Axes, text: str, *, right: bool = False) -> None:
    """A grey line of small text above the axes, left or right: how many, of what."""
    place, side = ((1.0, 1.01), "right") if right else ((0.0, 1.01), "left")
    ax.annotate(text, place, xycoords="axes fraction", ha=side, va="bottom", fontsize="small", color=GREY)


def root_figure(ax: Axes) -> Figure:
    """The figure that `ax` belongs to, whatever subfigures lie between."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def log_y(ax: Axes) -> None:
    """A logarithmic y axis with plain numbers at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import LogLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(lambda *_: "")
