"""What the gallery shows, in its order: a title, a sentence, the code of a reader, and what draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import gallery_plots
from .gallery_sources import Sources

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


#: (entry on the embedded data or None, entry on real files or None): the second is shown where its files are.
ENTRIES: tuple[tuple[Entry | None, Entry | None], ...] = (
    (
        Entry(
            "correlation-by-step",
            "Correlation against steps",
            "Kendall's τ-b of proxies with the final test accuracy of digits, by completed epoch; bands are 95 % "
            "intervals. Costs are level lines (SoTL thesis, Figures 4.4 to 4.7).",
            'na.plot_correlation_by_step(na.correlate(truth, scores), "kendall_tau")',
            gallery_plots.draw_steps,
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
            gallery_plots.draw_losses,
        ),
        None,
    ),
    (
        Entry(
            "learning-curves",
            "Learning curves",
            "Validation loss of every digits architecture, shaded by its final test accuracy.",
            'plots.plot_learning_curves(plots.learning_curves(curves, truth, value="valid_loss"), value="valid_loss")',
            gallery_plots.draw_curves,
        ),
        Entry(
            "learning-curves-nb201",
            "Learning curves, NAS-Bench-201",
            "Validation accuracy of 200 architectures over 200 epochs (CIFAR-10, trained on half).",
            "plots.plot_learning_curves(plots.learning_curves(curves, truth))",
            gallery_plots.draw_curves_nb201,
        ),
    ),
    (
        Entry(
            "scatter",
            "Score against accuracy",
            "SoTL after the last epoch against test accuracy on digits.",
            'na.plot_scatter(na.score_against_truth(truth, scores), proxy="sotl")',
            gallery_plots.draw_scatter,
        ),
        None,
    ),
    (
        Entry(
            "pareto",
            "Marginals, a third quantity, and the Pareto front",
            "Parameters against test accuracy on digits, shaded by SoTL.",
            'plots.plot_pareto(table, x="params", y="accuracy", colour="sotl")',
            gallery_plots.draw_pareto,
        ),
        Entry(
            "pareto-nb201",
            "Pareto front of latency and accuracy, NAS-Bench-201",
            "All 15,625 architectures: latency on Edge GPU (HW-NAS-Bench) against CIFAR-10 test accuracy, cut at 84 %.",
            'plots.plot_pareto(table, x="edgegpu_latency", y="accuracy", colour="params", y_range=(84, 95))',
            gallery_plots.draw_pareto_nb201,
        ),
    ),
    (
        Entry(
            "rank-density-digits",
            "Rank against rank",
            "Where SoTL errs on digits: below the diagonal it overlooks, above it flatters.",
            'plots.plot_rank_density(na.score_against_truth(truth, scores), proxy="sotl")',
            gallery_plots.draw_ranks_digits,
        ),
        Entry(
            "rank-density",
            "Rank against rank, 15,625 architectures",
            "Accuracy with weights inherited from one supernet against CIFAR-10 test accuracy (NAS-Bench-201).",
            'plots.plot_rank_density(na.score_against_truth(truth, scores), proxy="supernet_test_accuracy")',
            gallery_plots.draw_ranks,
        ),
    ),
    (
        Entry(
            "topk-digits",
            "Top k",
            "Mean test accuracy of the k architectures scored best, between the best possible and a random choice.",
            "plots.plot_topk(plots.topk_by_k(truth, scores))",
            gallery_plots.draw_topk_digits,
        ),
        Entry(
            "topk",
            "Top k, NAS-Bench-201",
            "The same for zero-cost proxies on CIFAR-10, on the architectures that all of them score.",
            "plots.plot_topk(plots.topk_by_k(truth, scores))",
            gallery_plots.draw_topk,
        ),
    ),
    (
        Entry(
            "forest-digits",
            "Forest plot",
            "Proxies on digits after the last epoch with 95 % intervals; the line is the parameter count.",
            'plots.plot_forest(stats, "kendall_tau")',
            gallery_plots.draw_forest_digits,
        ),
        Entry(
            "forest",
            "Forest plot, zero-cost proxies",
            "NAS-Bench-201, CIFAR-10, on the architectures that all of them score; the line is the parameter count.",
            'plots.plot_forest(stats, "kendall_tau")',
            gallery_plots.draw_forest,
        ),
    ),
    (
        Entry(
            "ablation-heatmap",
            "Ablation, two settings",
            "Kendall's τ-b of SoTL on digits by the length of its window and the epoch at which it is read.",
            'plots.plot_ablation_heatmap(table, x="epoch", y="window")',
            gallery_plots.draw_heatmap,
        ),
        None,
    ),
    (
        Entry(
            "ablation-lines",
            "Ablation, one setting",
            "The same as lines, with 95 % intervals as bands.",
            'plots.plot_ablation_lines(table, x="window", by="epoch")',
            gallery_plots.draw_lines,
        ),
        None,
    ),
    (
        Entry(
            "proxy-matrix-digits",
            "Proxy against proxy",
            "Spearman's ρ between proxies on digits after the last epoch, in clustered order.",
            "plots.plot_proxy_matrix(plots.proxy_matrix(scores))",
            gallery_plots.draw_matrix_digits,
        ),
        Entry(
            "proxy-matrix",
            "Proxy against proxy, zero-cost proxies",
            "Spearman's ρ between zero-cost proxies and costs on NAS-Bench-201 (CIFAR-10), in clustered order.",
            "plots.plot_proxy_matrix(plots.proxy_matrix(scores))",
            gallery_plots.draw_matrix,
        ),
    ),
    (
        Entry(
            "loss-curvature",
            "Loss curvature",
            "Loss of trained digits networks under weight noise, shaded by true accuracy; bands: middle half of the "
            "draws (GeNAS, Figures 2 and 3).",
            "plots.plot_loss_curvature(plots.loss_curvature(perturbed, truth))",
            gallery_plots.draw_curvature,
        ),
        None,
    ),
    (
        Entry(
            "loss-line",
            "Loss along a line",
            "Four trained digits networks along filter-normalised random directions (Li et al. 2018).",
            'plots.plot_loss_line(lines, by="network", log=True)',
            gallery_plots.draw_line,
        ),
        None,
    ),
    (
        Entry(
            "loss-surface-best",
            "Loss in a plane: a good architecture",
            "Two filter-normalised random directions; the cross is the trained network.",
            "plots.plot_loss_surface(surface)",
            gallery_plots.draw_surface(best=True),
        ),
        None,
    ),
    (
        Entry(
            "loss-surface-worst",
            "Loss in a plane: a poor architecture",
            "The same for the worst of the twelve.",
            "plots.plot_loss_surface(surface)",
            gallery_plots.draw_surface(best=False),
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
            gallery_plots.draw_eigenvalues,
        ),
    ),
    (
        None,
        Entry(
            "spectra",
            "All eigenvalues during a search",
            "The architecture Hessian's whole spectrum in three DARTS searches of space S1 (logs of RobustDARTS, L2 "
            "factor 0.0003), by rank; half of it are null vectors, one for each edge.",
            "plots.plot_spectra(robust_darts.spectra(searches))",
            gallery_plots.draw_spectra,
        ),
    ),
    (
        Entry(
            "relaxed-cell",
            "Cell of a search, by weight",
            "SoTL-DARTS with a hundred times its rate on digits, at the end of three searches: every candidate as wide "
            "as its mean weight, the largest of an edge whole.",
            "plots.plot_relaxed_cell(alphas)",
            gallery_plots.draw_relaxed,
        ),
        None,
    ),
    *(
        (
            Entry(name, title, text, f'plots.plot_cell("{arch}")', gallery_plots.draw_cell(name)),
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
