"""How each plot of the gallery is drawn: `Sources` -> Axes; `MissingDataError` where its files are not here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl

from .. import plots, stats
from ..core.frames import read_frame
from ..core.resources import shipped
from ..loaders import load_benchmark
from ..loaders.darts import robust_darts
from ..loaders.files import find
from ..proxies import score
from ..spaces import get_space
from ..spaces.capabilities import Enumerable
from .gallery_sources import Sources, landscape, last_step, with_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_steps(s: Sources) -> Axes:
    names = ["sotl", "sotl_e@1", "val_acc", "val_loss", "params"]
    frame = stats.correlate(s.digits_truth, s.scores(*names), statistics=("kendall_tau",), n_boot=s.n_boot)
    return plots.plot_correlation_by_step(frame, "kendall_tau")


def draw_losses(s: Sources) -> Axes:
    return plots.plot_losses_by_group(plots.losses_by_group(s.digits.curves("digits"), s.digits_truth))


def draw_curves(s: Sources) -> Axes:
    table = plots.learning_curves(s.digits.curves("digits"), s.digits_truth, value="valid_loss")
    return plots.plot_learning_curves(table, value="valid_loss")


def draw_curves_nb201(s: Sources) -> Axes:
    curves = s.nb201.curves("cifar10-valid")
    table = plots.learning_curves(curves, s.nb201_truth, value="valid_accuracy")
    return plots.plot_learning_curves(table, value="valid_accuracy", target="CIFAR-10 test accuracy")


def draw_scatter(s: Sources) -> Axes:
    pairs = plots.score_against_truth(s.digits_truth, last_step(s.scores("sotl")))
    return plots.plot_scatter(pairs, proxy="sotl")


def draw_pareto(s: Sources) -> Axes:
    return plots.plot_pareto(s.digits_pairs, x="params", y="accuracy", colour="sotl", y_label="test accuracy (%)")


def draw_pareto_nb201(s: Sources) -> Axes:
    latency = score(s.nb201, ["edgegpu_latency", "params"], dataset="cifar10").select("arch", "proxy", "value")
    means = s.nb201_truth.filter(pl.col("seed").is_null()).select("arch", "accuracy")
    wide = latency.pivot("proxy", index="arch", values="value").join(means, on="arch")
    ax = plots.plot_pareto(
        wide,
        x="edgegpu_latency",
        y="accuracy",
        colour="params",
        y_label="CIFAR-10 test accuracy (%)",
        y_range=(84, 95),
    )
    ax.set_xlabel("latency on Edge GPU (ms)")
    return ax


def draw_ranks(s: Sources) -> Axes:
    frame = score(s.nb201, ["supernet_test_accuracy"], dataset="cifar10")
    one = frame.filter(pl.col("method") == "one_shot")
    pairs = plots.score_against_truth(s.nb201_truth, one)
    return plots.plot_rank_density(pairs, proxy="supernet_test_accuracy", target="CIFAR-10 test accuracy")


def draw_ranks_digits(s: Sources) -> Axes:
    pairs = plots.score_against_truth(s.digits_truth, last_step(s.scores("sotl")))
    return plots.plot_rank_density(pairs, proxy="sotl")


def draw_topk(s: Sources) -> Axes:
    frame = s.zero_cost.filter(pl.col("proxy").is_in(["synflow", "nwot", "snip", "params"]))
    return plots.plot_topk(plots.topk_by_k(s.nb201_truth, frame), target="CIFAR-10 test accuracy")


def draw_topk_digits(s: Sources) -> Axes:
    frame = last_step(s.scores("sotl", "val_acc", "params"))
    return plots.plot_topk(plots.topk_by_k(s.digits_truth, frame))


def draw_forest(s: Sources) -> Axes:
    return plots.plot_forest(s.zero_cost_stats, "kendall_tau")


def draw_forest_digits(s: Sources) -> Axes:
    names = ["sotl", "sotl_e@1", "sotl_ema", "sovl", "val_acc", "val_loss", "train_accuracy", "params", "flops"]
    frame = stats.correlate(s.digits_truth, last_step(s.scores(*names)), statistics=("kendall_tau",), n_boot=s.n_boot)
    return plots.plot_forest(frame, "kendall_tau")


def draw_heatmap(s: Sources) -> Axes:
    return plots.plot_ablation_heatmap(
        s.sotl_windows, x="epoch", y="window", x_label="completed epochs", y_label="SoTL window (epochs)"
    )


def draw_lines(s: Sources) -> Axes:
    some = s.sotl_windows.filter(pl.col("epoch").is_in([3, 6, 12]))
    return plots.plot_ablation_lines(
        some, x="window", by="epoch", x_label="SoTL window (epochs)", by_label="completed epochs"
    )


def draw_matrix(s: Sources) -> Axes:
    return plots.plot_proxy_matrix(plots.proxy_matrix(s.zero_cost))


def draw_matrix_digits(s: Sources) -> Axes:
    names = ["sotl", "sotl_e@1", "sotl_first@3", "sovl", "val_acc", "val_loss", "train_accuracy", "params", "flops"]
    return plots.plot_proxy_matrix(plots.proxy_matrix(last_step(s.scores(*names))))


def draw_curvature(s: Sources) -> Axes:
    return plots.plot_loss_curvature(plots.loss_curvature(landscape("perturbed"), s.digits_all))


def draw_line(s: Sources) -> Axes:
    frame = with_accuracy(landscape("lines"), s.digits_all)
    archs = frame["arch"].unique(maintain_order=True).to_list()
    chosen = [archs[round(i * (len(archs) - 1) / 3)] for i in range(4)]
    return plots.plot_loss_line(frame.filter(pl.col("arch").is_in(chosen)), by="network", log=True)


def draw_surface(best: bool) -> Callable[[Sources], Axes]:
    def draw(s: Sources) -> Axes:
        frame = with_accuracy(landscape("surfaces"), s.digits_all)
        names = frame["network"].unique(maintain_order=True).to_list()
        name = names[-1 if best else 0]
        return plots.plot_loss_surface(frame.filter(pl.col("network") == name), title=name)

    return draw


def draw_eigenvalues(s: Sources) -> Axes:
    trace = load_benchmark("robust-darts", s.data).lazy("TRACE").collect()
    settings = ["0.0_0.0003", "0.0_0.0027", "0.0_0.0243"]
    shown = trace.filter(pl.col("setting").is_in(settings)).with_columns(
        setting=pl.col("setting").str.split("_").list.last()
    )
    return plots.plot_eigenvalues(shown.sort("setting", "seed", "epoch"), label="L2 factor")


def draw_spectra(s: Sources) -> Axes:
    searches = [run for run in robust_darts.runs(find("robust_darts", s.data)) if run.setting == "0.0_0.0003"]
    return plots.plot_spectra(robust_darts.spectra(searches))


def draw_relaxed(_: Sources) -> Axes:
    alphas = read_frame(shipped("reports/results/digits_diffsearch_alphas.parquet"), "ALPHAS")
    return plots.plot_relaxed_cell(alphas.filter(method="sotl_darts", setting="rate x100"))


CELLS = {
    "cell-nb201": (
        "nb201:|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|"
    ),
    "cell-nb101": "nb101:conv3x3~0+conv1x1~01+maxpool3x3~1+conv3x3~023+output~34",
    "cell-nb1shot1": None,
    "cell-darts": (
        "darts:normal=|sep_conv_3x3~0|sep_conv_3x3~1|+|sep_conv_3x3~0|sep_conv_3x3~1|+|skip_connect~0|sep_conv_3x3~1|"
        "+|skip_connect~0|dil_conv_3x3~2|;reduce=|max_pool_3x3~0|max_pool_3x3~1|+|max_pool_3x3~1|skip_connect~2|"
        "+|max_pool_3x3~0|skip_connect~2|+|max_pool_3x3~1|skip_connect~2|"
    ),
}


def draw_cell(name: str) -> Callable[[Sources], Axes]:
    def draw(_: Sources) -> Axes:
        return plots.plot_cell(CELLS[name] or str(get_space("nb101-1", Enumerable).arch(1234)))

    return draw
