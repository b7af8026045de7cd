"""Features of cells as graphs: by hand, against paths that networkx lists, and what renumbering must not change."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

import nasanalysis as na
from nasanalysis.core.errors import ArchError, MissingCapabilityError, ParameterError, UnknownNameError
from nasanalysis.proxies import get_proxy, graph_features
from nasanalysis.proxies.graph.features import FEATURES
from nasanalysis.proxies.graph.paths import paths_of
from nasanalysis.spaces import SPACES, get_space
from nasanalysis.spaces.capabilities import HasCellGraphs, Isomorphic, Samplable
from nasanalysis.spaces.cell_graphs import CellGraph, Topology
from nasanalysis.spaces.nb101 import cell_graph
from nasanalysis.spaces.nb101_graph import Cell, bit
from nasanalysis.spaces.nb201 import SPACE as NB201

nx = pytest.importorskip("networkx")

CELL_SPACES = ["nb201", "nb101", "nb101-1", "nb101-2", "nb101-3", "darts", "s1", "s2", "s3", "s4", "s5"]
#: Features that hold for a function, not for one way to write it.
FOLDED = [name for name, feature in FEATURES.items() if feature.folded]


def drawn(space: str, n: int, seed: int = 0) -> list[str]:
    return [str(arch) for arch in get_space(space, Samplable).sample(n, np.random.default_rng(seed))]


def row(table: pl.DataFrame, **of: str) -> dict[str, Any]:
    return {name.removeprefix("graph_"): value for name, value in table.row(0, named=True).items() if name != "arch"}


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_cell_of_nas_bench_201_by_hand() -> None:
    # 0 -conv3-> 1, 0 -skip-> 2, 1 -pool-> 2, 0 none 3, 1 -conv1-> 3, 2 -skip-> 3
    found = row(
        graph_features(
            ["|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"], "nb201"
        )
    )
    expected = {
        "count@none": 1, "count@skip_connect": 2, "count@nor_conv_3x3": 1, "count@avg_pool_3x3": 1,
        "live_count@skip_connect": 2, "live_edges": 5, "live_operations": 5, "parameter_free": 3 / 5,
        "live": 1, "depth": 2, "depth_conv": 2, "paths": 3, "paths@conv": 1, "paths@mixed": 1, "paths@free": 1,
        "paths@identity": 1, "length@0": 1, "length@1": 0, "length@2": 2, "length@3": 0,
        "input_degree": 2, "output_degree": 2, "width": 3,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_operations_that_lead_nowhere_are_written_but_not_live() -> None:
    # 0 none 1, 1 -conv-> 3 reads nothing of the input; 0 -conv-> 2 is read by nobody; 0 -pool-> 3
    found = row(graph_features(["nb201:|none~0|+|nor_conv_1x1~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|"]))
    assert (found["count@nor_conv_3x3"], found["live_count@nor_conv_3x3"]) == (1, 0)
    assert (found["count@nor_conv_1x1"], found["live_count@nor_conv_1x1"]) == (1, 0)
    assert (found["live_operations"], found["parameter_free"], found["depth_conv"], found["depth"]) == (1, 1, 0, 1)


def test_a_cell_without_a_path_has_zeros_and_no_share() -> None:
    table = graph_features(["nb201:" + str(NB201.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|").key)])
    found = row(table)
    assert found.pop("count@none") == 6
    assert np.isnan(found.pop("parameter_free"))
    assert set(found.values()) == {0}
    archs = na.load_benchmark("digits").archs(archs=table["arch"].to_list())
    assert na.get_proxy("graph_parameter_free")(archs)["value"].to_list() == [None]
    assert na.get_proxy("graph_depth")(archs)["value"].to_list() == [0]


def test_a_cell_of_nas_bench_101_by_hand() -> None:
    found = row(graph_features(["nb101:conv3x3~0+maxpool3x3~01+output~012"]))
    # input-out, input-conv-out, input-pool-out, input-conv-pool-out
    expected = {
        "paths": 4, "paths@conv": 1, "paths@mixed": 1, "paths@free": 2, "paths@identity": 1, "depth": 2,
        "depth_conv": 1, "live_edges": 6, "live_operations": 2, "width": 1, "input_degree": 3, "output_degree": 3,
        "count@conv1x1": 0, "count@conv3x3": 1, "length@0": 1, "length@1": 2, "length@2": 1, "parameter_free": 0.5,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_two_cells_have_features_each() -> None:
    chain = (
        "|sep_conv_3x3~0|skip_connect~1|+|sep_conv_3x3~0|max_pool_3x3~2|+|dil_conv_5x5~1|sep_conv_5x5~3|"
        "+|skip_connect~0|skip_connect~1|"
    )
    flat = "+".join(["|skip_connect~0|skip_connect~1|"] * 4)
    table = graph_features([f"darts:normal={chain};reduce={flat}"])
    found = row(table)
    assert (found["depth@normal"], found["depth@reduce"]) == (3, 0)  # sep, pool, sep
    assert (found["width@reduce"], found["paths@reduce"], found["paths@reduce/identity"]) == (8, 8, 8)
    assert (found["count@normal/sep_conv_3x3"], found["count@reduce/skip_connect"]) == (2, 8)
    assert (found["input_degree@reduce"], found["output_degree@reduce"], found["live_edges@reduce"]) == (8, 4, 8)
    frame = archs_of(table["arch"].to_list())
    assert get_proxy("graph_depth")(frame)["value"].to_list() == [1.5]
    assert get_proxy("graph_depth@normal")(frame)["value"].to_list() == [3]
    assert get_proxy("graph_count@skip_connect")(frame)["value"].to_list() == [(3 + 8) / 2]


def archs_of(archs: list[str]) -> pl.DataFrame:
    n = len(archs)
    return pl.DataFrame(
        {"benchmark": ["b"] * n, "dataset": ["d"] * n, "arch": archs, "unique_arch": archs, "params": [1] * n},
        schema_overrides={"params": pl.Int64},
    ).with_columns(flops=pl.lit(None, pl.Float64))


# --- against networkx ------------------------------------------------------------------------------------------------


def open_paths(graph: CellGraph) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(slots, edges) of every path without ``none``, as networkx lists them."""
    net = nx.MultiDiGraph()
    net.add_nodes_from(range(graph.topology.nodes))
    for number, (source, target, _) in enumerate(graph.topology.edges):
        net.add_edge(source, target, key=number)
    in_node = dict(graph.topology.node_slots)
    for start in graph.topology.inputs:
        for path in nx.all_simple_edge_paths(net, start, graph.topology.output):
            edges = tuple(key for *_, key in path)
            on_edges = [graph.topology.edges[key][2] for key in edges]
            slots = tuple(s for s in (*on_edges, *(in_node.get(t) for _, t, _ in path)) if s is not None)
            if all(graph.operations[s] != "none" for s in slots):
                yield slots, edges


def brute_force(space: str, graph: CellGraph) -> dict[str, float]:
    kinds = get_space(space, HasCellGraphs).operation_kinds
    paths = list(open_paths(graph))
    contents = [
        [kinds[graph.operations[s]] for s in slots if kinds[graph.operations[s]] != "skip"] for slots, _ in paths
    ]
    live, edges = {s for slots, _ in paths for s in slots}, {e for _, used in paths for e in used}
    apart = nx.Graph()
    apart.add_nodes_from(live)
    apart.add_edges_from(
        (a, b) for a, b in itertools.combinations(live, 2) if not any({a, b} <= set(slots) for slots, _ in paths)
    )
    place = graph.topology.edges
    n_free = sum(kinds[graph.operations[s]] != "conv" for s in live)
    return {
        "live": float(bool(paths)),
        "paths": len(paths),
        "depth": max(map(len, contents), default=0),
        "depth_conv": max((c.count("conv") for c in contents), default=0),
        "paths@conv": sum(set(c) == {"conv"} for c in contents),
        "paths@mixed": sum("conv" in c and set(c) != {"conv"} for c in contents),
        "paths@free": sum("conv" not in c for c in contents),
        "paths@identity": sum(not c for c in contents),
        "live_operations": len(live),
        "live_edges": sum(1 for e in edges if graph.topology.node_slots or place[e][2] is not None),
        "input_degree": sum(place[e][0] in graph.topology.inputs for e in edges),
        "output_degree": sum(place[e][1] == graph.topology.output for e in edges),
        "width": max(map(len, nx.find_cliques(apart)), default=0),
        "parameter_free": n_free / len(live) if live else np.nan,
        **{f"length@{n}": sum(len(c) == n for c in contents) for n in range(6)},
    }


@pytest.mark.parametrize("space", CELL_SPACES)
def test_features_are_those_of_the_paths_that_networkx_lists(space: str) -> None:
    archs = drawn(space, 25)
    table = graph_features(archs)
    for arch, values in zip(archs, table.iter_rows(named=True), strict=True):
        graphs = get_space(space, HasCellGraphs).cell_graphs(arch)
        for graph in graphs:
            for name, expected in brute_force(space, graph).items():
                base, _, argument = name.partition("@")
                cell = [graph.name] if len(graphs) > 1 else []
                column = "@".join(
                    [f"graph_{base}", *(["/".join([*cell, *filter(None, [argument])])] if cell or argument else [])]
                )
                if base == "length" and column not in values:
                    assert expected == 0
                    continue
                np.testing.assert_equal(values[column], float(expected), err_msg=f"{column} of {arch}")


# --- what must not change it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("feature", FOLDED)
def test_cells_of_one_function_have_the_folded_features_in_common(feature: str) -> None:
    archs = list(NB201)
    classes = NB201.unique_archs("functional")
    table = graph_features(archs).with_columns(cls=pl.Series([classes[arch].key for arch in archs]))
    columns = [c for c in table.columns if c.partition("@")[0] == f"graph_{feature}"]
    assert columns
    assert (table.group_by("cls").agg(pl.col(columns).n_unique()).select(columns).max().row(0)) == (1,) * len(columns)


@pytest.mark.parametrize("space", ["nb101-1", "nb101-2", "nb101-3"])
def test_loose_ends_of_an_encoding_change_no_live_feature(space: str) -> None:
    archs = drawn(space, 200)
    classes = get_space(space, Isomorphic).unique_archs()
    pruned = [str(classes[get_space(space).parse(arch)]) for arch in archs]
    ours, theirs = graph_features(archs), graph_features(pruned)
    same = [c for c in ours.columns if c in theirs.columns and c != "arch" and "graph_count" not in c]
    assert len(same) > 15
    assert ours.select(same).equals(theirs.select(same))
    assert (ours["graph_count@conv3x3"] >= theirs["graph_count@conv3x3"]).all()
    assert not ours["graph_count@conv3x3"].equals(theirs["graph_count@conv3x3"])


def relabelled(cell: Cell, order: tuple[int, ...]) -> Cell | None:
    """The same cell with inner vertices in another order; None where edges would go backward."""
    place = {0: 0, cell.vertices - 1: cell.vertices - 1} | {old: new for new, old in enumerate(order, 1)}
    pairs = [(x, y) for y in range(cell.vertices) for x in range(y) if cell.edges >> bit(x, y) & 1]
    if any(place[x] >= place[y] for x, y in pairs):
        return None
    return Cell(
        cell.vertices, sum(1 << bit(place[x], place[y]) for x, y in pairs), tuple(cell.labels[v - 1] for v in order)
    )


def of_graph(monkeypatch: pytest.MonkeyPatch, graphs: list[CellGraph]) -> pl.DataFrame:
    """Features of bare graphs, past the canonical key that the space would make of them."""

    class Bare:
        name, operation_kinds, longest_path = "bare-graphs", get_space("nb101", HasCellGraphs).operation_kinds, 5

        def parse(self, text: str) -> na.Arch:
            return na.Arch.from_text(text, self.name)

        def cell_graphs(self, arch: na.Arch) -> list[CellGraph]:
            return [graphs[int(arch.key)]]

    monkeypatch.setattr(f"{__name__}.BARE", Bare(), raising=False)
    monkeypatch.setitem(SPACES, "bare-graphs", f"{__name__}:BARE")
    from nasanalysis.proxies.graph import features

    features._features.cache_clear()
    return graph_features([f"bare-graphs:{i}" for i in range(len(graphs))])


def test_permuted_vertices_of_nas_bench_101_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    space = get_space("nb101")
    moved = 0
    graphs = []
    for arch in drawn("nb101", 12):
        cell = space.cell(arch)  # type: ignore[attr-defined]
        variants = [relabelled(cell, order) for order in itertools.permutations(range(1, cell.vertices - 1))]
        graphs.append([cell_graph(c) for c in variants if c is not None])
        moved += len(set(graphs[-1])) - 1
    assert moved > 12, "some cells can be renumbered"
    table = of_graph(monkeypatch, [graph for same in graphs for graph in same]).drop("arch")
    start = 0
    for same in graphs:
        assert table[start : start + len(same)].unique().height == 1
        start += len(same)


def test_the_numbering_of_nodes_of_darts_changes_nothing() -> None:
    space = get_space("darts", Isomorphic)
    archs = drawn("darts", 60, seed=3)
    classes = [str(space.unique_archs("node_order")[space.parse(arch)]) for arch in archs]
    assert archs != classes
    assert graph_features(archs).drop("arch").equals(graph_features(classes).drop("arch"))


def test_parallel_edges_are_paths_each() -> None:
    twice = Topology(2, (0,), 1, ((0, 1, 0), (0, 1, 1)))
    assert paths_of(twice).slots.tolist() == [[True, False], [False, True]]
    assert paths_of(replace(twice, inputs=())).slots.shape == (0, 2)


# --- as proxies ------------------------------------------------------------------------------------------------------


def test_every_column_is_a_proxy_of_that_name() -> None:
    digits = na.load_benchmark("digits")
    archs = digits.archs()["arch"].to_list()[:40]
    table = graph_features(archs)
    names = table.columns[1:]
    scores = na.score(digits, names, archs=archs).pivot(on="proxy", index="arch", values="value")
    assert scores.select(["arch", *names]).fill_null(float("nan")).equals(table)
    assert get_proxy("graph_count@none").direction == get_proxy("graph_parameter_free").direction == -1
    assert get_proxy("graph_count@nor_conv_1x1").direction == get_proxy("graph_paths@conv").direction == 1
    stats = na.correlate(digits.truth(split="test"), na.score(digits, ["params", "graph_depth_conv"]))
    assert stats.filter(proxy="graph_depth_conv")["estimate"].max() > 0


@pytest.mark.parametrize(
    "name", ["graph_count", "graph_length@", "graph_depth@3", "graph_paths@sideways", "graph_live_count@normal"]
)
def test_names_without_what_they_need_are_refused(name: str) -> None:
    with pytest.raises(ParameterError, match=r"graph_\w+: expected"):
        get_proxy(name)


def test_bad_input() -> None:
    with pytest.raises(
        MissingCapabilityError, match="nats-sss' cannot give its cells as graphs: it has no cell_graphs"
    ):
        graph_features(drawn("nats-sss", 1))
    with pytest.raises(ArchError):
        graph_features([*drawn("nb201", 1), *drawn("nb101", 1)])
    with pytest.raises(na.core.errors.NasAnalysisError, match="at least one architecture, got none"):
        graph_features([])
    with pytest.raises(UnknownNameError, match="graph_count@nor_conv_3x2'. Did you mean 'graph_count@nor_conv_3x3'"):
        get_proxy("graph_count@nor_conv_3x2")(archs_of(drawn("nb201", 1)))
