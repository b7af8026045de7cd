"""The gallery: every plot on real data, as one Markdown page with its images.

What is embedded (digits, its loss landscapes) is always shown; entries that need other benchmarks use them
where they are on this machine and are named as left out where they are not.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from .. import plots, stats
from ..core.atomic import write_atomically, write_text
from ..core.errors import MissingDataError
from ..loaders import load_benchmark
from ..plots.style import look
from ..proxies import score
from ..spaces import get_space
from ..spaces.capabilities import Enumerable
from .gallery_sources import Sources, landscape, last_step, with_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Entry:
    """One plot of the gallery.

    Attributes
    ----------
    name: file stem; title, text: what it shows; code: how to draw it, as a reader would write it.
    draw: `Sources` -> Axes; `MissingDataError` where its files are not here.
    """

    name: str
    title: str
    text: str
    code: str
    draw: Callable[[Sources], Axes]


def _steps(s: Sources) -> Axes:
    names = ["sotl", "sotl_e@1", "val_acc", "val_loss", "params"]
    frame = stats.correlate(s.digits_truth, s.scores(*names), statistics=("kendall_tau",), n_boot=s.n_boot)
    return plots.plot_correlation_by_step(frame, "kendall_tau")


def _losses(s: Sources) -> Axes:
    return plots.plot_losses_by_group(plots.losses_by_group(s.digits.curves("digits"), s.digits_truth))


def _curves(s: Sources) -> Axes:
    table = plots.learning_curves(s.digits.curves("digits"), s.digits_truth, value="valid_loss")
    return plots.plot_learning_curves(table, value="valid_loss")


def _curves_nb201(s: Sources) -> Axes:
    curves = s.nb201.curves("cifar10-valid")
    table = plots.learning_curves(curves, s.nb201_truth, value="valid_accuracy")
    return plots.plot_learning_curves(table, value="valid_accuracy", target="CIFAR-10 test accuracy")


def _scatter(s: Sources) -> Axes:
    pairs = plots.score_against_truth(s.digits_truth, last_step(s.scores("sotl")))
    return plots.plot_scatter(pairs, proxy="sotl")


def _pareto(s: Sources) -> Axes:
    return plots.plot_pareto(s.digits_pairs, x="params", y="accuracy", colour="sotl", y_label="test accuracy (%)")


def _pareto_nb201(s: Sources) -> Axes:
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


def _ranks(s: Sources) -> Axes:
    frame = score(s.nb201, ["supernet_test_accuracy"], dataset="cifar10")
    one = frame.filter(pl.col("method") == "one_shot")
    pairs = plots.score_against_truth(s.nb201_truth, one)
    return plots.plot_rank_density(pairs, proxy="supernet_test_accuracy", target="CIFAR-10 test accuracy")


def _ranks_digits(s: Sources) -> Axes:
    pairs = plots.score_against_truth(s.digits_truth, last_step(s.scores("sotl")))
    return plots.plot_rank_density(pairs, proxy="sotl")


def _topk(s: Sources) -> Axes:
    frame = s.zero_cost.filter(pl.col("proxy").is_in(["synflow", "nwot", "snip", "params"]))
    return plots.plot_topk(plots.topk_by_k(s.nb201_truth, frame), target="CIFAR-10 test accuracy")


def _topk_digits(s: Sources) -> Axes:
    frame = last_step(s.scores("sotl", "val_acc", "params"))
    return plots.plot_topk(plots.topk_by_k(s.digits_truth, frame))


def _forest(s: Sources) -> Axes:
    return plots.plot_forest(s.zero_cost_stats, "kendall_tau")


def _forest_digits(s: Sources) -> Axes:
    names = ["sotl", "sotl_e@1", "sotl_ema", "sovl", "val_acc", "val_loss", "train_accuracy", "params", "flops"]
    frame = stats.correlate(s.digits_truth, last_step(s.scores(*names)), statistics=("kendall_tau",), n_boot=s.n_boot)
    return plots.plot_forest(frame, "kendall_tau")


def _heatmap(s: Sources) -> Axes:
    return plots.plot_ablation_heatmap(
        s.sotl_windows, x="epoch", y="window", x_label="completed epochs", y_label="SoTL window (epochs)"
    )


def _lines(s: Sources) -> Axes:
    some = s.sotl_windows.filter(pl.col("epoch").is_in([3, 6, 12]))
    return plots.plot_ablation_lines(
        some, x="window", by="epoch", x_label="SoTL window (epochs)", by_label="completed epochs"
    )


def _matrix(s: Sources) -> Axes:
    return plots.plot_proxy_matrix(plots.proxy_matrix(s.zero_cost))


def _matrix_digits(s: Sources) -> Axes:
    names = ["sotl", "sotl_e@1", "sotl_first@3", "sovl", "val_acc", "val_loss", "train_accuracy", "params", "flops"]
    return plots.plot_proxy_matrix(plots.proxy_matrix(last_step(s.scores(*names))))


def _curvature(s: Sources) -> Axes:
    return plots.plot_loss_curvature(plots.loss_curvature(landscape("perturbed"), s.digits_all))


def _line(s: Sources) -> Axes:
    frame = with_accuracy(landscape("lines"), s.digits_all)
    archs = frame["arch"].unique(maintain_order=True).to_list()
    chosen = [archs[round(i * (len(archs) - 1) / 3)] for i in range(4)]
    return plots.plot_loss_line(frame.filter(pl.col("arch").is_in(chosen)), by="network", log=True)


def _surface(best: bool) -> Callable[[Sources], Axes]:
    def draw(s: Sources) -> Axes:
        frame = with_accuracy(landscape("surfaces"), s.digits_all)
        names = frame["network"].unique(maintain_order=True).to_list()
        name = names[-1 if best else 0]
        return plots.plot_loss_surface(frame.filter(pl.col("network") == name), title=name)

    return draw


def _eigenvalues(s: Sources) -> Axes:
    trace = load_benchmark("robust-darts", s.data).lazy("TRACE").collect()
    settings = ["0.0_0.0003", "0.0_0.0027", "0.0_0.0243"]
    shown = trace.filter(pl.col("setting").is_in(settings)).with_columns(
        setting=pl.col("setting").str.split("_").list.last()
    )
    return plots.plot_eigenvalues(shown.sort("setting", "seed", "epoch"), label="L2 factor")


_CELLS = {
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


def _cell(name: str) -> Callable[[Sources], Axes]:
    def draw(_: Sources) -> Axes:
        return plots.plot_cell(_CELLS[name] or str(get_space("nb101-1", Enumerable).arch(1234)))

    return draw


#: (entry on the embedded data or None, entry on real files or None): the second is shown where its files are.
ENTRIES: tuple[tuple[Entry | None, Entry | None], ...] = (
    (
        Entry(
            "correlation-by-step",
            "Correlation against steps",
            "Kendall's τ-b of proxies with the final test accuracy of digits, by completed epoch; bands are 95 % "
            "intervals. Costs are level lines (SoTL thesis, Figures 4.4 to 4.7).",
            'na.plot_correlation_by_step(na.correlate(truth, scores), "kendall_tau")',
            _steps,
        ),
        None,
    ),
    (
        Entry(
            "losses-by-group",
            "Losses by group of architectures",
            "Training loss on digits of the truly best, middle and worst tenth: means, and quartiles as bands (SoTL "
            "thesis, Figure 4.8).",
            "plots.plot_losses_by_group(plots.losses_by_group(curves, truth))",
            _losses,
        ),
        None,
    ),
    (
        Entry(
            "learning-curves",
            "Learning curves",
            "Validation loss of every digits architecture, shaded by its final test accuracy.",
            'plots.plot_learning_curves(plots.learning_curves(curves, truth, value="valid_loss"), value="valid_loss")',
            _curves,
        ),
        Entry(
            "learning-curves-nb201",
            "Learning curves, NAS-Bench-201",
            "Validation accuracy of 200 architectures over 200 epochs (CIFAR-10, trained on half).",
            "plots.plot_learning_curves(plots.learning_curves(curves, truth))",
            _curves_nb201,
        ),
    ),
    (
        Entry(
            "scatter",
            "Score against accuracy",
            "SoTL after the last epoch against test accuracy on digits.",
            'na.plot_scatter(na.score_against_truth(truth, scores), proxy="sotl")',
            _scatter,
        ),
        None,
    ),
    (
        Entry(
            "pareto",
            "Marginals, a third quantity, and the Pareto front",
            "Parameters against test accuracy on digits, shaded by SoTL.",
            'plots.plot_pareto(table, x="params", y="accuracy", colour="sotl")',
            _pareto,
        ),
        Entry(
            "pareto-nb201",
            "Pareto front of latency and accuracy, NAS-Bench-201",
            "All 15,625 architectures: latency on Edge GPU (HW-NAS-Bench) against CIFAR-10 test accuracy, cut at 84 %.",
            'plots.plot_pareto(table, x="edgegpu_latency", y="accuracy", colour="params", y_range=(84, 95))',
            _pareto_nb201,
        ),
    ),
    (
        Entry(
            "rank-density-digits",
            "Rank against rank",
            "Where SoTL errs on digits: below the diagonal it overlooks, above it flatters.",
            'plots.plot_rank_density(na.score_against_truth(truth, scores), proxy="sotl")',
            _ranks_digits,
        ),
        Entry(
            "rank-density",
            "Rank against rank, 15,625 architectures",
            "Accuracy with weights inherited from one supernet against CIFAR-10 test accuracy (NAS-Bench-201).",
            'plots.plot_rank_density(na.score_against_truth(truth, scores), proxy="supernet_test_accuracy")',
            _ranks,
        ),
    ),
    (
        Entry(
            "topk-digits",
            "Top k",
            "Mean test accuracy of the k architectures scored best, between the best possible and a random choice.",
            "plots.plot_topk(plots.topk_by_k(truth, scores))",
            _topk_digits,
        ),
        Entry(
            "topk",
            "Top k, NAS-Bench-201",
            "The same for zero-cost proxies on CIFAR-10, on the architectures that all of them score.",
            "plots.plot_topk(plots.topk_by_k(truth, scores))",
            _topk,
        ),
    ),
    (
        Entry(
            "forest-digits",
            "Forest plot",
            "Proxies on digits after the last epoch with 95 % intervals; the line is the parameter count.",
            'plots.plot_forest(stats, "kendall_tau")',
            _forest_digits,
        ),
        Entry(
            "forest",
            "Forest plot, zero-cost proxies",
            "NAS-Bench-201, CIFAR-10, on the architectures that all of them score; the line is the parameter count.",
            'plots.plot_forest(stats, "kendall_tau")',
            _forest,
        ),
    ),
    (
        Entry(
            "ablation-heatmap",
            "Ablation, two settings",
            "Kendall's τ-b of SoTL on digits by the length of its window and the epoch at which it is read.",
            'plots.plot_ablation_heatmap(table, x="epoch", y="window")',
            _heatmap,
        ),
        None,
    ),
    (
        Entry(
            "ablation-lines",
            "Ablation, one setting",
            "The same as lines, with 95 % intervals as bands.",
            'plots.plot_ablation_lines(table, x="window", by="epoch")',
            _lines,
        ),
        None,
    ),
    (
        Entry(
            "proxy-matrix-digits",
            "Proxy against proxy",
            "Spearman's ρ between proxies on digits after the last epoch, in clustered order.",
            "plots.plot_proxy_matrix(plots.proxy_matrix(scores))",
            _matrix_digits,
        ),
        Entry(
            "proxy-matrix",
            "Proxy against proxy, zero-cost proxies",
            "Spearman's ρ between zero-cost proxies and costs on NAS-Bench-201 (CIFAR-10), in clustered order.",
            "plots.plot_proxy_matrix(plots.proxy_matrix(scores))",
            _matrix,
        ),
    ),
    (
        Entry(
            "loss-curvature",
            "Loss curvature",
            "Loss of trained digits networks under weight noise, shaded by true accuracy; bands: middle half of the "
            "draws (GeNAS, Figures 2 and 3).",
            "plots.plot_loss_curvature(plots.loss_curvature(perturbed, truth))",
            _curvature,
        ),
        None,
    ),
    (
        Entry(
            "loss-line",
            "Loss along a line",
            "Four trained digits networks along filter-normalised random directions (Li et al. 2018).",
            'plots.plot_loss_line(lines, by="network", log=True)',
            _line,
        ),
        None,
    ),
    (
        Entry(
            "loss-surface-best",
            "Loss in a plane: a good architecture",
            "Two filter-normalised random directions; the cross is the trained network.",
            "plots.plot_loss_surface(surface)",
            _surface(best=True),
        ),
        None,
    ),
    (
        Entry(
            "loss-surface-worst",
            "Loss in a plane: a poor architecture",
            "The same for the worst of the twelve.",
            "plots.plot_loss_surface(surface)",
            _surface(best=False),
        ),
        None,
    ),
    (
        None,
        Entry(
            "eigenvalues",
            "Eigenvalues during a search, and where early stopping fires",
            "Largest eigenvalue of the architecture Hessian in DARTS searches of space S1 (logs of RobustDARTS): thin "
            "lines each seed, thick lines the mean of five that the stopping rule reads.",
            'plots.plot_eigenvalues(trace, label="L2 factor")',
            _eigenvalues,
        ),
    ),
    *(
        (
            Entry(name, title, text, f'plots.plot_cell("{arch}")', _cell(name)),
            None,
        )
        for name, title, text, arch in (
            ("cell-nb201", "Cell of NAS-Bench-201", "Operations on edges.", "nb201:|nor_conv_3x3~0|+..."),
            ("cell-nb101", "Cell of NAS-Bench-101", "Operations on nodes.", "nb101:conv3x3~0+..."),
            ("cell-nb1shot1", "Cell of NAS-Bench-1shot1, space 1", "Loose ends are drawn.", "nb101-1:..."),
            ("cell-darts", "Cells of DARTS", "Normal and reduction cell (DARTS V2).", "darts:normal=..."),
        )
    ),
)


def write_gallery(
    out: Path, *, data: Path | None = None, n_boot: int = 300, say: Callable[[str], None] = lambda _: None
) -> tuple[Path, list[str], list[str]]:
    """Write ``out/gallery.md`` and ``out/images/gallery/*.png``.

    Returns the page, the names of the entries drawn, and a line for each that could not be drawn here.
    """
    sources = Sources(data, n_boot)
    drawn, skipped, parts = [], [], [_HEAD]
    for pair in ENTRIES:
        for entry in pair:
            if entry is None:
                continue
            say(f"gallery: {entry.name}")
            try:
                ax = entry.draw(sources)
            except MissingDataError as error:
                skipped.append(f"{entry.title}: not drawn here. {error}")
                continue
            image = small_png(ax)
            path = out / "images" / "gallery" / f"{entry.name}.png"
            write_atomically(path, lambda temp, image=image: temp.write_bytes(image))  # type: ignore[misc]
            drawn.append(entry.name)
            parts.append(
                f"## {entry.title}\n\n![{entry.title}](images/gallery/{entry.name}.png)\n\n{entry.text}\n\n"
                f"```python\n{entry.code}\n```\n"
            )
    parts += [f"*{line}*\n" for line in skipped]
    return write_text(out / "gallery.md", "\n".join(parts)), drawn, skipped


_HEAD = """# Gallery

Every plot on real data, made by `make gallery DATA=FOLDER` (`nasanalysis gallery`): nothing here is drawn by hand.
One function computes a frame, another draws it and returns matplotlib Axes; save with
`axes.figure.savefig("figure.pdf")` (PNG, SVG, PDF). They stand on seaborn: a theme, palette or context that you set
(`seaborn.set_theme`, `with seaborn.color_palette("deep"): ...`) changes them.

Frames: `truth` is TRUTH, `scores` SCORES, `curves` CURVES, `stats` what `na.correlate`
answers; `import nasanalysis as na` and `from nasanalysis import plots`.
"""


def small_png(ax: Axes, *, dpi: int = 84) -> bytes:
    """The figure as a small PNG: for pages, not for print."""
    from PIL import Image

    buffer = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert figure is not None
    with look():
        figure.savefig(buffer, format="png", dpi=dpi)
    image = Image.open(buffer).convert("RGB")
    small = io.BytesIO()
    image.save(small, format="png", optimize=True)
    return small.getvalue()
