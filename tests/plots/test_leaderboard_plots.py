"""Leaderboard figures show every entry, the baseline and the front."""

from __future__ import annotations

import polars as pl
import pytest

pytest.importorskip("matplotlib")

from nasanalysis.core.errors import StudyError
from nasanalysis.plots import plot_cost_front, plot_leaderboard
from nasanalysis.plots.leaderboard import entry_label

BOARD = pl.DataFrame(
    {
        "proxy": ["sotl", "sotl", "params"],
        "step": [12, 1, None],
        "unit": ["epoch", "epoch", None],
        "statistic": "spearman_rho",
        "estimate": [0.9, 0.5, 0.7],
        "ci_low": [0.8, 0.4, None],
        "ci_high": [0.95, 0.6, None],
        "tier": [1, 3, 2],
        "cost": [12.0, 1.0, 0.0],
    }
)


def test_labels() -> None:
    assert entry_label("params", None) == "parameters"
    assert entry_label("sotl", 1, "epoch") == "SoTL, all steps, 1 epoch"
    assert entry_label("sotl", 20, "minibatch") == "SoTL, all steps, 20 minibatches"


def test_points_tiers_and_the_bar() -> None:
    ax = plot_leaderboard(BOARD, title="A board")
    points = [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() == "o"]
    assert points == [0.9, 0.5, 0.7]
    assert [t.get_text() for t in ax.get_yticklabels()][2] == "parameters  (tier 2)"
    assert any(list(line.get_xdata()) == [0.7, 0.7] for line in ax.lines)


def test_the_front_leaves_out_what_costs_more_and_ranks_worse() -> None:
    ax = plot_cost_front(BOARD)
    (front,) = (line for line in ax.lines if line.get_drawstyle() == "steps-post")
    assert list(front.get_xdata()) == [0.0, 12.0]
    with pytest.raises(StudyError, match="expected entries with a cost, got none"):
        plot_cost_front(BOARD.with_columns(cost=pl.lit(None, pl.Float64)))
    with pytest.raises(StudyError, match="expected entries with an estimate, got none"):
        plot_leaderboard(BOARD.with_columns(estimate=pl.lit(None, pl.Float64)))
