"""Every plot is drawn once: it returns Axes with labelled axes, as PNG, SVG and PDF, and touches no global setting."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from small_frames import ARCHS, TRUTH, curves_frame, scores_frame, stats_frame, trace_frame

from nasanalysis import plots
from nasanalysis.core.frames import to_pandas
from nasanalysis.plots import style

RNG = np.random.default_rng(0)
CURVES = curves_frame({arch: (5.0 - np.arange(1, 4) + i / 10).tolist() for i, arch in enumerate(ARCHS)})
SCORES = scores_frame(
    {
        name: dict(zip(ARCHS, RNG.normal(size=20).tolist(), strict=True))
        for name in ("synflow", "nwot", "snip", "params")
    }
)
PAIRS = plots.score_against_truth(TRUTH, SCORES.filter(pl.col("proxy") == "synflow"))
GRID = pl.DataFrame(
    [(a, b, a * a + b * b + 1) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)],
    schema=["alpha", "beta", "loss"],
    orient="row",
)
ABLATION = pl.DataFrame({"window": [1, 2, 1, 2], "epoch": [3, 3, 6, 6], "estimate": [0.1, 0.2, 0.3, 0.2]}).with_columns(
    ci_low=pl.col("estimate") - 0.1, ci_high=pl.col("estimate") + 0.1
)
PERTURBED = pl.DataFrame(
    [(arch, sigma, draw, 1.0 + sigma * (draw + 1)) for arch in ARCHS[:4] for sigma in (0.0, 0.1) for draw in range(3)],
    schema=["arch", "sigma", "draw", "loss"],
    orient="row",
).with_columns(
    benchmark=pl.lit("b"),
    dataset=pl.lit("d"),
    method=pl.lit(""),
    setting=pl.lit(""),
    seed=pl.lit(0),
    position=pl.lit("all"),
    direction=pl.lit("random"),
    draws=pl.lit("independent"),
)
EIGENVALUES = trace_frame({e: 0.2 + (e > 20) * 0.5 for e in range(0, 50, 2)})

CASES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "losses": (
        lambda: plots.plot_losses_by_group(plots.losses_by_group(CURVES, TRUTH)),
        "completed epochs",
        "training loss (nats)",
    ),
    "curves": (
        lambda: plots.plot_learning_curves(
            plots.learning_curves(CURVES, TRUTH, value="train_loss"), value="train_loss", log=True
        ),
        "completed epochs",
        "training loss (nats)",
    ),
    "scatter": (lambda: plots.plot_scatter(PAIRS, proxy="sotl"), "SoTL, all steps (nats)", "test accuracy (%)"),
    "pareto": (
        lambda: plots.plot_pareto(
            PAIRS.with_columns(params=pl.lit(10) * pl.col("score").rank()), x="params", y="accuracy", colour="score"
        ),
        "parameters",
        "accuracy (%)",
    ),
    "ranks": (
        lambda: plots.plot_rank_density(PAIRS, proxy="synflow"),
        "rank by SynFlow (1 = best)",
        "rank by test accuracy (1 = best)",
    ),
    "topk": (
        lambda: plots.plot_topk(plots.topk_by_k(TRUTH, SCORES)),
        "k, architectures taken from the top of the ranking",
        "mean test accuracy of the top k (%)",
    ),
    "forest": (lambda: plots.plot_forest(stats_frame()), "Kendall's τ-b with true accuracy, 95 % interval", ""),
    "heatmap": (lambda: plots.plot_ablation_heatmap(ABLATION, x="epoch", y="window"), "epoch", "window"),
    "lines": (
        lambda: plots.plot_ablation_lines(ABLATION, x="window", by="epoch", baseline=0.1, log=True),
        "window",
        "Kendall's τ-b",
    ),
    "matrix": (lambda: plots.plot_proxy_matrix(plots.proxy_matrix(SCORES)), "", ""),
    "curvature": (
        lambda: plots.plot_loss_curvature(plots.loss_curvature(PERTURBED, TRUTH)),
        "σ, standard deviation of the weight noise",
        "validation loss (nats)",
    ),
    "loss line": (
        lambda: plots.plot_loss_line(GRID.rename({"beta": "direction"}), log=True),
        "α, step along a filter-normalised direction (1: as long as the weights)",
        "validation loss (nats)",
    ),
    "loss surface": (lambda: plots.plot_loss_surface(GRID), "α, step along direction 1", "β, step along direction 2"),
    "eigenvalues": (
        lambda: plots.plot_eigenvalues(EIGENVALUES, label="L2 factor"),
        "search epoch",
        "largest eigenvalue of the architecture Hessian",
    ),
    "cell": (
        lambda: plots.plot_cell("nb201:|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"),
        "",
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_plot_is_labelled_and_can_be_saved(name: str) -> None:
    draw, x, y = CASES[name]
    before = dict(mpl.rcParams)
    ax = draw()
    assert (ax.get_xlabel(), ax.get_ylabel()) == (x, y)
    assert dict(mpl.rcParams) == before
    for kind, magic in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        buffer = io.BytesIO()
        ax.figure.savefig(buffer, format=kind)
        assert buffer.getvalue().startswith(magic)


def test_look_keeps_the_mode_that_a_kernel_sets_with_its_first_figure() -> None:
    with mpl.rc_context():
        for interactive in (True, False):
            mpl.interactive(not interactive)
            with style.look():
                mpl.interactive(interactive)
            assert mpl.is_interactive() is interactive


def test_plots_take_pandas_and_draw_into_given_axes() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed (extra dev)")
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    table = plots.losses_by_group(to_pandas(CURVES), to_pandas(TRUTH))
    assert type(table).__module__.startswith("pandas")
    assert plots.plot_losses_by_group(table, ax=ax) is ax
    assert ax.get_legend().get_texts()[0].get_text() == "best 10 % (n = 2)"


def test_forest_marks_the_parameter_count_and_writes_figures_beside() -> None:
    ax = plots.plot_forest(stats_frame())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["SoTL, all steps", "parameters", "Zen-score"]
    texts = [t.get_text() for t in ax.texts]
    assert "+0.700  [+0.600, +0.800]" in texts
    assert "undefined" in texts


def test_eigenvalue_legend_counts_stopped_searches() -> None:
    legend = plots.plot_eigenvalues(EIGENVALUES).get_legend()
    assert "0.0_0.0003 (stopped 1 of 1)" in [t.get_text() for t in legend.get_texts()]


def test_surface_refuses_two_networks_in_one_table() -> None:
    from nasanalysis.core.errors import FrameError

    with pytest.raises(FrameError, match="expected one network, filter first"):
        plots.plot_loss_surface(pl.concat([GRID, GRID]))
