"""What plots show: the numbers of the computing functions, on small tables worked out by hand or another way."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_frames import ARCHS, TRUTH, curves_frame, scores_frame, stats_frame, trace_frame

from nasanalysis import plots
from nasanalysis.core.errors import ArchError, FrameError, StudyError, UnknownNameError
from nasanalysis.plots.matrix import clustered_order
from nasanalysis.plots.topk import BEST, RANDOM
from nasanalysis.spaces import get_space

# losses by group ------------------------------------------------------------------------------------------------


def test_groups_hold_the_tenths_of_true_accuracy_and_average_seeds() -> None:
    curves = curves_frame({arch: [10.0 * i, 10.0 * i + 1] for i, arch in enumerate(ARCHS)}, seeds=2)
    table = plots.losses_by_group(curves, TRUTH)
    first = {row["group"]: row for row in table.filter(pl.col("step") == 1).to_dicts()}
    assert (
        first["best 10 %"]["n_archs"] == 2
    )  # numbers 18 and 19, losses 180 and 190, and 0.5 for the mean of two seeds
    assert first["best 10 %"]["mean"] == pytest.approx(185.5)
    assert first["worst 10 %"]["mean"] == pytest.approx(5.5)
    assert first["middle 10 %"]["mean"] == pytest.approx(95.5)  # numbers 9 and 10
    assert first["all"]["n_archs"] == 20
    assert (first["all"]["low"], first["all"]["high"]) == pytest.approx(
        tuple(np.quantile(np.arange(20) * 10 + 0.5, [0.25, 0.75]))
    )


def test_relative_losses_start_at_zero() -> None:
    curves = curves_frame({arch: [float(i), i + 2.0, i - 1.0] for i, arch in enumerate(ARCHS)})
    table = plots.losses_by_group(curves, TRUTH, relative=True).filter(pl.col("group") == "all")
    assert table["mean"].to_list() == pytest.approx([0.0, 2.0, -1.0])


def test_losses_of_two_settings_are_refused() -> None:
    curves = curves_frame({arch: [1.0] for arch in ARCHS})
    both = pl.concat([curves, curves.with_columns(setting=pl.lit("other"))])
    with pytest.raises(StudyError, match="one dataset, method, setting and unit; filter first"):
        plots.losses_by_group(both, TRUTH)
    with pytest.raises(StudyError, match="expected a column of the CURVES frame, got 'valid'"):
        plots.losses_by_group(curves, TRUTH, value="valid")


def test_learning_curves_come_worst_first() -> None:
    table = plots.learning_curves(
        curves_frame({a: [2.0, 1.0] for a in ARCHS[::-1]}, seeds=3), TRUTH, value="train_loss"
    )
    assert table["arch"].unique(maintain_order=True).to_list() == ARCHS
    assert table["value"].to_list()[:2] == [3.0, 2.0]  # means of three seeds


# Pareto front ---------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 6), st.one_of(st.none(), st.integers(0, 6))), min_size=1, max_size=25),
    st.sampled_from([1, -1]),
)
def test_front_is_what_no_other_dominates(points: list[tuple[int, int | None]], direction: int) -> None:
    table = pl.DataFrame(points, schema={"cost": pl.Int64, "value": pl.Int64}, orient="row")
    got = plots.with_front(table, "cost", "value", direction=direction)["on_front"].to_list()

    def dominated(i: int) -> bool:
        x, y = points[i]
        assert y is not None
        return any(
            v is not None and c <= x and direction * v >= direction * y and (c < x or direction * v > direction * y)
            for c, v in points
        )

    assert got == [y is not None and not dominated(i) for i, (_, y) in enumerate(points)]


def test_front_names_the_missing_column() -> None:
    with pytest.raises(StudyError, match="expected a column 'flops', got cost"):
        plots.with_front(pl.DataFrame({"cost": [1]}), "flops", "cost")


# ranks and top k ------------------------------------------------------------------------------------------------


def test_rank_errors_are_positive_where_the_proxy_flatters() -> None:
    pairs = pl.DataFrame(
        {"arch": ["a", "b", "c", "d"], "score": [4.0, 3.0, 2.0, 2.0], "accuracy": [60.0, 90.0, 80.0, 70.0]}
    )
    got = plots.rank_pairs(pairs, direction=1)
    assert got["score_rank"].to_list() == [1, 2, 3.5, 3.5]
    assert got["true_rank"].to_list() == [4, 1, 2, 3]
    assert got["error"].to_list() == [3, -1, -1.5, -0.5]
    turned = plots.rank_pairs(pairs.with_columns(score=-pl.col("score")), direction=-1)
    assert turned["score_rank"].to_list() == got["score_rank"].to_list()


@given(st.permutations(list(range(20))), st.integers(1, 20))
def test_topk_lies_between_the_worst_and_the_best_k(order: list[int], k: int) -> None:
    scores = scores_frame({"synflow": {ARCHS[i]: float(order[i]) for i in range(20)}})
    table = plots.topk_by_k(TRUTH, scores, ks=(k,))
    got = dict(table.select("proxy", "topk_mean").iter_rows())
    chosen = sorted(range(20), key=lambda i: -order[i])[:k]
    assert got["synflow"] == pytest.approx(np.mean([50.0 + i for i in chosen]))
    assert got["synflow"] <= got[BEST] + 1e-9
    assert got[RANDOM] == pytest.approx(59.5)


def test_topk_is_over_architectures_that_every_proxy_scores() -> None:
    some = {arch: 1.0 + i for i, arch in enumerate(ARCHS)}
    table = plots.topk_by_k(
        TRUTH, scores_frame({"synflow": some, "nwot": {a: some[a] for a in ARCHS[:5]}}), ks=(1, 5, 6)
    )
    assert set(table["n_archs"]) == {5}
    assert set(table["k"]) == {1, 5}
    assert table.filter(pl.col("proxy") == "synflow", pl.col("k") == 1)["topk_mean"].to_list() == [54.0]


# forest, ablation, matrix ---------------------------------------------------------------------------------------


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


def test_proxy_matrix_agrees_with_scipy_and_puts_like_beside_like() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    base, other = rng.normal(size=20), rng.normal(size=20)
    values = {
        "synflow": base,
        "nwot": other,
        "snip": base + 0.01 * rng.normal(size=20),
        "val_loss": -(other + 0.01 * rng.normal(size=20)),  # lower is better: it agrees with nwot
    }
    table = plots.proxy_matrix(scores_frame({p: dict(zip(ARCHS, v.tolist(), strict=True)) for p, v in values.items()}))
    order = table["proxy"].unique(maintain_order=True).to_list()
    assert abs(order.index("synflow") - order.index("snip")) == 1
    assert abs(order.index("nwot") - order.index("val_loss")) == 1
    got = {(a, b): v for a, b, v in table.select("proxy", "other", "estimate").iter_rows()}
    assert got["synflow", "nwot"] == pytest.approx(spearmanr(base, other).statistic)
    assert got["nwot", "val_loss"] > 0.95
    assert all(got[a, b] == pytest.approx(got[b, a]) for a, b in itertools.combinations(values, 2))
    assert all(got[a, a] == pytest.approx(1.0) for a in values)


def test_matrix_leaves_undefined_pairs_empty() -> None:
    values = {"synflow": {a: float(i) for i, a in enumerate(ARCHS)}, "zen": dict.fromkeys(ARCHS, 1.0)}
    table = plots.proxy_matrix(scores_frame(values))
    assert table.filter(pl.col("proxy") != pl.col("other"))["estimate"].to_list() == [None, None]
    assert sorted(clustered_order(np.full((4, 4), np.nan))) == [0, 1, 2, 3]


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


# eigenvalues ----------------------------------------------------------------------------------------------------


def slow_rule(values: dict[int, float], factor: float = 1.3) -> tuple[int, int] | None:
    """The rule word by word: A(e), mean of the last five; stop when A(e) / A(e - 8) > factor and e - 12 >= 10."""
    for e in sorted(values):
        window, before = [e - 8, e - 6, e - 4, e - 2, e], [e - 16, e - 14, e - 12, e - 10, e - 8]
        if e % 2 or not all(x in values for x in window + before) or e - 12 < 10:
            continue
        if np.mean([values[x] for x in window]) / np.mean([values[x] for x in before]) > factor:
            return e, e - 12
    return None


@given(st.lists(st.floats(0.05, 2.0), min_size=26, max_size=26))
def test_early_stopping_is_the_rule_word_by_word(values: list[float]) -> None:
    epochs = dict(zip([*range(0, 50, 2), 49], values, strict=True))
    got = plots.early_stopping(trace_frame(epochs)).row(0, named=True)
    expected = slow_rule(epochs)
    assert ((got["stop_epoch"], got["return_epoch"]) if got["stop_epoch"] is not None else None) == expected


def test_average_belongs_to_the_middle_of_its_window() -> None:
    table = plots.eigenvalue_trajectories(trace_frame({e: float(e) for e in range(0, 20, 2)}))
    averages = dict(table.drop_nulls("average").select("epoch", "average").iter_rows())
    assert averages == {e: float(e) for e in range(4, 16, 2)}
    with pytest.raises(StudyError, match="no values of 'valid_loss'; the trace holds arch_hessian_ev"):
        plots.eigenvalue_trajectories(trace_frame({0: 1.0}), quantity="valid_loss")


def test_early_stopping_on_the_logs_of_robustdarts(data_dir) -> None:  # type: ignore[no-untyped-def]
    from nasanalysis import load_benchmark

    trace = load_benchmark("robust-darts", data_dir).lazy("TRACE").collect()
    ends = plots.early_stopping(trace)
    assert len(ends) == 21
    for row in ends.to_dicts():
        own = trace.filter(
            pl.col("setting") == row["setting"], pl.col("seed") == row["seed"], pl.col("quantity") == "arch_hessian_ev"
        )
        expected = slow_rule(dict(own.select("epoch", "value").iter_rows()))
        assert ((row["stop_epoch"], row["return_epoch"]) if row["stop_epoch"] is not None else None) == expected
    fired = dict(ends.group_by("setting").agg(pl.col("stop_epoch").count()).iter_rows())
    assert fired["0.0_0.0003"] == 3  # the weak L2 factor of DARTS overfits: every seed stops
    assert fired["0.0_0.0243"] == 0


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
