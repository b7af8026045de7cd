"""Plots: one function computes a frame, another draws it and returns matplotlib Axes.

matplotlib is imported when something is drawn.
"""

from .scatter import plot_scatter, score_against_truth
from .steps import correlation_by_step, plot_correlation_by_step

__all__ = ["correlation_by_step", "plot_correlation_by_step", "plot_scatter", "score_against_truth"]
