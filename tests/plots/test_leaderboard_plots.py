"""Leaderboard figures show every entry, the baseline and the front."""

from __future__ import annotations

import polars as pl
import pytest

pytest.importorskip("matplotlib")

from matplotlib.text import Text

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
    points = [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() not in ("None", None, "")]
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


MANY = pl.DataFrame(
    {
        "proxy": ["nwot", "jacov", "synflow", "snip", "grasp", "fisher", "zen", "params"],
        "statistic": "spearman_rho",
        "estimate": [0.81, 0.80, 0.795, 0.79, 0.79, 0.5, 0.1, 0.7],
        "ci_low": [0.8, 0.79, 0.78, 0.78, 0.78, 0.4, 0.0, 0.6],
        "ci_high": [0.82, 0.81, 0.80, 0.80, 0.80, 0.6, 0.2, 0.8],
        "cost": 0.0,
    }
)
LEARNED = pl.DataFrame(
    {"k": [10, 50], "cost": [0.2, 1.0], "learned": [0.78, 0.88], "learned_low": 0.7, "learned_high": 0.9}
)


def test_names_of_entries_of_one_cost_stand_apart() -> None:
    ax = plot_cost_front(MANY, learned=LEARNED)
    ax.figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in ax.texts if text.get_text() not in ("10", "50")]
    assert len(boxes) == len(MANY)
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            assert not one.shrunk(1.0, 0.9).overlaps(other.shrunk(1.0, 0.9))
    inside = ax.get_window_extent()
    assert all(inside.y0 <= box.y0 and box.y1 <= inside.y1 and inside.x0 <= box.x0 for box in boxes)


def test_few_proxies_of_many_steps_stand_in_the_legend() -> None:
    ax = plot_cost_front(BOARD)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "SoTL, all steps",
        "parameters",
        "best for its cost",
    ]


def test_a_proxy_has_its_colour_on_the_board_and_at_its_cost() -> None:
    colours = {}
    for ax in (plot_leaderboard(MANY.with_columns(step=None, unit=None, tier=1)), plot_cost_front(MANY)):
        points = [line for line in ax.lines if line.get_marker() not in ("None", None, "")]
        for name, point in zip(MANY["proxy"], points[: len(MANY)], strict=True):
            assert colours.setdefault(name, point.get_color()) == point.get_color()
