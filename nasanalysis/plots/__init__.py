"""Plots: one function computes a frame, another draws it and returns matplotlib Axes.

They stand on seaborn where it draws what we draw; theme, palette and context that you set hold (`seaborn.set_theme`).
Intervals come from the frames, none is computed here. matplotlib and seaborn are imported when something is drawn.
PNG, SVG and PDF: ``ax.figure.savefig(...)``. What decides something lives in `nasanalysis.stats` (Pareto front, groups,
order of a matrix, early stopping) and can be had from here too.

================================ =================================================================
`plot_correlation_by_step`       correlation against epochs or minibatches, with bands
`plot_losses_by_group`           losses of the best, middle and worst architectures over training
`plot_scatter`, `plot_pareto`    score against accuracy; with marginals, a third quantity, the front
`plot_rank_density`              rank against rank, for many architectures
`plot_topk`                      accuracy of the k scored best, for every k
`plot_forest`                    proxies with their intervals
`plot_leaderboard`, `-cost_front` tiers of proxies; what they cost against how well they rank
`plot_predictor`                 what k trained architectures and a regressor give
`plot_explanation`               what drives a proxy and the truth, and where it errs
`plot_specification_curve`       one claim in every defensible setting (multiverse)
`plot_critical_difference`       mean ranks over data sets, ties joined
`plot_ablation_lines`, `-heatmap` one or two settings of an ablation
`plot_proxy_matrix`              which proxies say the same
`plot_loss_curvature`            loss under weight noise
`plot_loss_line`, `-surface`     loss along filter-normalised directions
`plot_eigenvalues`               architecture Hessian during a search, and where early stopping fires
`plot_spectra`                   all its eigenvalues, by epoch
`plot_relaxed_cell`              the cell of a search, every candidate as wide as its weight
`plot_cell`                      the cell of an architecture of any space
`plot_learning_curves`           learning curves, shaded by final accuracy
`plot_search`, `plot_regret`     accuracy of the best found against queries, and its distance from the best possible
`plot_budget`                    accuracy of the pick against seconds
================================ =================================================================
"""

from ..stats.front import with_front
from ..stats.groups import losses_by_group
from ..stats.matrix import square_matrix as proxy_matrix
from ..stats.pairs import rank_pairs, score_against_truth
from ..stats.stopping import early_stopping, eigenvalue_trajectories
from ..stats.topk_curve import topk_by_k
from .ablation import ablation_grid, plot_ablation_heatmap, plot_ablation_lines
from .cells import cell_graph, plot_cell
from .critical_difference import plot_critical_difference
from .curvature import loss_curvature, plot_loss_curvature
from .curves import learning_curves, plot_learning_curves
from .eigenvalues import plot_eigenvalues
from .explanation import plot_errors, plot_explanation, plot_importance
from .forest import forest, plot_forest
from .leaderboard import plot_cost_front, plot_leaderboard
from .losses import plot_losses_by_group
from .matrix import plot_proxy_matrix
from .pareto import plot_pareto
from .predictor import plot_predictor
from .ranks import plot_rank_density
from .relaxed import plot_relaxed_cell, relaxed_edges
from .scatter import plot_scatter
from .search import budget_frame, plot_budget, plot_regret, plot_search, regret_frame, search_frame
from .specification import plot_specification_curve, specification_curve
from .spectra import plot_spectra, spectra_by_epoch
from .steps import correlation_by_step, plot_correlation_by_step
from .surfaces import loss_line, plot_loss_line, plot_loss_surface
from .topk import plot_topk

__all__ = [
    "ablation_grid",
    "budget_frame",
    "cell_graph",
    "correlation_by_step",
    "early_stopping",
    "eigenvalue_trajectories",
    "forest",
    "learning_curves",
    "loss_curvature",
    "loss_line",
    "losses_by_group",
    "plot_ablation_heatmap",
    "plot_ablation_lines",
    "plot_budget",
    "plot_cell",
    "plot_correlation_by_step",
    "plot_cost_front",
    "plot_critical_difference",
    "plot_eigenvalues",
    "plot_errors",
    "plot_explanation",
    "plot_forest",
    "plot_importance",
    "plot_leaderboard",
    "plot_learning_curves",
    "plot_loss_curvature",
    "plot_loss_line",
    "plot_loss_surface",
    "plot_losses_by_group",
    "plot_pareto",
    "plot_predictor",
    "plot_proxy_matrix",
    "plot_rank_density",
    "plot_regret",
    "plot_relaxed_cell",
    "plot_scatter",
    "plot_search",
    "plot_specification_curve",
    "plot_spectra",
    "plot_topk",
    "proxy_matrix",
    "rank_pairs",
    "regret_frame",
    "relaxed_edges",
    "score_against_truth",
    "search_frame",
    "specification_curve",
    "spectra_by_epoch",
    "topk_by_k",
    "with_front",
]
