"""What plots show: the numbers of the computing functions, on small tables worked out by hand or another way."""

from __future__ import annotations

import polars as pl
import pytest
from small_frames import ARCHS, TRUTH, curves_frame, stats_frame

from nasanalysis import plots
from nasanalysis.core.errors import ArchError, FrameError, StudyError, UnknownNameError
from nasanalysis.spaces import get_space

# learning curves ------------------------------------------------------------------------------------------------


def test_learning_curves_come_worst_first() -> None:
    table = plots.learning_curves(
        curves_frame({a: [2.0, 1.0] for a in ARCHS[::-1]}, seeds=3), TRUTH, value="train_loss"
    )
    assert table["arch"].unique(maintain_order=True).to_list() == ARCHS
    assert table["value"].to_list()[:2] == [3.0, 2.0]  # means of three seeds


# forest, ablation -----------------------------------------------------------------------------------------------


def test_forest_keeps_the_last_step_best_first_and_undefined_last() -> None:
    table = plots.forest(stats_frame())
    assert table["proxy"].to_list() == ["sotl", "params", "zen"]
    assert table["estimate"].to_list() == [0.7, 0.5, None]
    with pytest.raises(UnknownNameError, match="unknown statistic in this table 'spearman_rho'"):
        plots.forest(stats_frame(), "spearman_rho")


def test_ablation_grid_is_sorted_by_value_and_refuses_duplicates() -> None:
    table = pl.DataFrame({"alpha": [1.0, 0.5, 1.0], "gamma": [2, 1, 1], "estimate": [0.3, 0.1, 0.2]})
    wide = plots.ablation_grid(table, "alpha", "gamma")
    assert wide.columns == ["gamma", "0.5", "1.0"]
    assert wide.rows() == [(1, 0.1, 0.2), (2, None, 0.3)]
    with pytest.raises(FrameError, match=r"several rows for one \(alpha, gamma\)"):
        plots.ablation_grid(pl.concat([table, table]), "alpha", "gamma")
    with pytest.raises(StudyError, match="expected the columns beta"):
        plots.ablation_grid(table, "beta", "gamma")


# loss curvature and lines ---------------------------------------------------------------------------------------


def test_curvature_averages_draws_and_counts_undefined_ones() -> None:
    rows = [(ARCHS[0], 0.0, 0, 1.0), (ARCHS[0], 0.1, 0, 2.0), (ARCHS[0], 0.1, 1, 4.0), (ARCHS[1], 0.1, 0, None)]
    frame = pl.DataFrame(rows, schema=["arch", "sigma", "draw", "loss"], orient="row").with_columns(
        benchmark=pl.lit("b"),
        dataset=pl.lit("d"),
        method=pl.lit(""),
        setting=pl.lit(""),
        seed=pl.lit(0),
        position=pl.lit("all"),
        direction=pl.lit("random"),
        draws=pl.lit("independent"),
    )
    table = plots.loss_curvature(frame, TRUTH)
    assert table["arch"].to_list() == [ARCHS[1], ARCHS[0], ARCHS[0]]  # the better one first
    assert table["rank"].to_list() == [1, 2, 2]
    assert table.row(2, named=True)["loss"] == pytest.approx(3.0)
    assert (table["low"][2], table["high"][2]) == pytest.approx((2.5, 3.5))
    assert table["n_undefined"].to_list() == [1, 0, 0]
    with pytest.raises(StudyError, match="expected one position, got 2"):
        plots.loss_curvature(pl.concat([frame, frame.with_columns(position=pl.lit("cells"))]), TRUTH)


def test_loss_line_spans_its_directions() -> None:
    frame = pl.DataFrame({"direction": [0, 1, 0, 1], "alpha": [0.5, 0.5, 0.0, 0.0], "loss": [3.0, 5.0, 1.0, None]})
    table = plots.loss_line(frame)
    assert table.rows() == [(0.0, 1.0, 1.0, 1.0, 1), (0.5, 4.0, 3.0, 5.0, 2)]
    with pytest.raises(StudyError, match="expected the columns alpha, loss"):
        plots.loss_line(pl.DataFrame({"alpha": [1.0]}))


# cells ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1462, 7581, 15_624])
def test_nb201_cells_hold_every_operation_but_none(index: int) -> None:
    space = get_space("nb201")
    arch = space.arch(index)
    (graph,) = plots.cell_graph(str(arch))
    pairs = {(s, t): op for s, t, op in graph.edges.iter_rows()}
    ops = dict(
        zip(
            [("0", "1"), ("0", "2"), ("1", "2"), ("0", "3"), ("1", "3"), ("2", "3")],
            space.operations(arch),
            strict=True,
        )
    )  # type: ignore[attr-defined]
    assert pairs == {edge: op for edge, op in ops.items() if op != "none"}


def test_nb101_operations_sit_on_nodes_and_layers_follow_edges() -> None:
    (graph,) = plots.cell_graph("nb101:conv3x3~0+maxpool3x3~01+output~02")
    nodes = {n: (label, op) for n, label, op, _ in graph.nodes.iter_rows()}
    assert sorted(op for _, op in nodes.values() if op) == ["conv3x3", "maxpool3x3"]
    layers = dict(graph.nodes.select("node", "layer").iter_rows())
    assert all(layers[s] < layers[t] for s, t, _ in graph.edges.iter_rows())
    assert sum(label == "out" for label, _ in nodes.values()) == 1


@pytest.mark.parametrize("space", ["nb101-1", "nb101-3", "darts", "s1", "s5"])
def test_every_space_can_be_drawn(space: str) -> None:
    arch = get_space(space).arch(7)
    graphs = plots.cell_graph(str(arch))
    assert [g.name for g in graphs] == (["cell"] if space.startswith("nb101") else ["normal", "reduce"])
    texts = {t.get_text() for t in plots.plot_cell(str(arch)).texts}
    assert ("out" if space.startswith("nb101") else "c(k)") in texts


def test_darts_cells_show_every_edge() -> None:
    arch = get_space("darts").arch(123_456_789)
    for graph, node in zip(plots.cell_graph(str(arch)), get_space("darts").genotype(arch), strict=True):  # type: ignore[attr-defined]
        drawn = sorted((s, t, op) for s, t, op in graph.edges.iter_rows() if op)
        assert drawn == sorted((str(s), str(n), op) for n, edges in enumerate(node, 2) for op, s in edges)
        assert graph.edges.filter(pl.col("target") == "out")["source"].to_list() == ["2", "3", "4", "5"]


def test_drawing_says_what_it_cannot_draw() -> None:
    with pytest.raises(ArchError):
        plots.cell_graph("nb201:|nonsense|")
    with pytest.raises(ArchError, match="expected one of cell, got 'normal'"):
        plots.plot_cell("nb101:conv3x3~0+output~1", cell="normal")
