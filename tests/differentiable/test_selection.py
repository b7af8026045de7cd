"""Reading architectures off weights: hand-made tables with ties, ``none`` on top, removed edges, limits on skips."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from nasanalysis.core.errors import ParameterError, UnknownNameError
from nasanalysis.differentiable.selection import margins, select, with_few_skips
from nasanalysis.networks.mixture import Place
from nasanalysis.spaces import get_space

pytestmark = pytest.mark.torch

NB201 = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")


def nb201_table(**best: str) -> dict[Place, dict[str, float]]:
    return {
        Place("cell", e): {op: (0.6 if op == best.get("e" + e.replace("-", "")) else 0.1) for op in NB201}
        for e in EDGES
    }


def test_nb201_takes_the_largest_of_every_edge_none_among_them() -> None:
    table = nb201_table(e01="none", e02="nor_conv_3x3", e12="avg_pool_3x3", e03="skip_connect", e13="none")
    assert str(select("nb201", table)) == (
        "nb201:|none~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|none~1|none~2|"
    ), "the last edge ties: the first candidate is taken"
    found = {m.place.edge: (m.candidate, round(m.margin, 6)) for m in margins(table)}
    assert found["0-2"] == ("nor_conv_3x3", 0.5)
    assert found["2-3"] == ("none", 0.0)


def darts_table(space: str, weight) -> dict[Place, dict[str, float]]:  # type: ignore[no-untyped-def]
    definition = get_space(space)
    return {
        Place(cell, f"{s}-{n}"): {op: weight(cell, s, n, op) for op in ops}
        for cell in ("normal", "reduce")
        for (n, s), ops in definition.edge_operations[cell].items()
    }


def test_darts_takes_two_inputs_whose_best_operation_is_largest() -> None:
    table = darts_table("darts", lambda c, s, n, op: 0.1 + 0.01 * s + (0.2 if op == "sep_conv_5x5" else 0))
    for row in table.values():
        row["none"] = 0.9  # usually the largest, and never selected
    genotype = get_space("darts").genotype(select("darts", table))
    assert genotype.normal[0] == (("sep_conv_5x5", 0), ("sep_conv_5x5", 1))
    assert genotype.normal[3] == (("sep_conv_5x5", 3), ("sep_conv_5x5", 4))
    flat = darts_table("darts", lambda *_: 0.125)
    assert get_space("darts").genotype(select("darts", flat)).reduce[2][0][1] == 0, "ties: the first inputs"


def test_edge_weights_rank_inputs_and_removed_edges_are_out() -> None:
    table = darts_table("s2", lambda c, s, n, op: 0.6 if op == "sep_conv_3x3" else 0.4)
    table[Place("normal", "node-5")] = {"0": 0.1, "1": 0.1, "2": 0.5, "3": 0.1, "4": 0.2}
    genotype = get_space("s2").genotype(select("s2", table))
    assert [source for _, source in genotype.normal[3]] == [2, 4]
    assert [source for _, source in genotype.reduce[3]] == [0, 1]
    del table[Place("normal", "2-5")]
    assert [s for _, s in get_space("s2").genotype(select("s2", table)).normal[3]] == [0, 4]
    for s in (0, 1, 3):
        del table[Place("normal", f"{s}-5")]
    with pytest.raises(ParameterError, match="two inputs of node 5 of the normal cell, got 1"):
        select("s2", table)


def test_an_edge_of_s3_with_none_on_top_gets_its_next_operation() -> None:
    table = darts_table("s3", lambda c, s, n, op: {"skip_connect": 0.3, "sep_conv_3x3": 0.1}[op])
    for row in table.values():
        row["none"] = 0.6
    assert {op for node in get_space("s3").genotype(select("s3", table)).normal for op, _ in node} == {"skip_connect"}


def test_skips_are_limited_and_the_weakest_go() -> None:
    table = darts_table("s2", lambda c, s, n, op: 0.9 - 0.01 * n if op == "skip_connect" else 0.05)
    skips = [
        sum(op == "skip_connect" for node in get_space("s2").genotype(arch).normal for op, _ in node)
        for arch in (select("s2", table), with_few_skips("s2", table, 2), with_few_skips("s2", table, 0))
    ]
    assert skips == [8, 2, 0]
    kept = get_space("s2").genotype(with_few_skips("s2", table, 2)).normal
    assert [op for op, _ in kept[0]] == ["skip_connect"] * 2, "node 2 has the largest"
    only = {place: {"skip_connect": 1.0} for place in table}
    assert str(with_few_skips("s2", only, 2)) == str(select("s2", only)), "nothing else to take"


def test_nb1shot1_takes_an_operation_for_every_node_and_its_inputs() -> None:
    for space, nodes in (("nb101-1", 4), ("nb101-2", 4), ("nb101-3", 5)):
        definition = get_space(space)
        table = {
            Place("cell", f"node-{n}"): {"maxpool3x3": 0.2, "conv3x3-bn-relu": 0.5, "conv1x1-bn-relu": 0.3}
            for n in range(1, nodes + 1)
        }
        for node, count in enumerate(definition.parents, start=1):
            if count < node:
                table[Place("cell", f"inputs-{node}")] = {str(s): 0.1 + 0.1 * s for s in range(node)}
        parents, operations = definition.choice(select(space, table))
        assert operations == (1,) * nodes
        assert [len(p) for p in parents] == list(definition.parents)
        for node, sources in enumerate(parents, start=1):
            assert sources == tuple(range(node))[-len(sources) :]


def test_a_space_that_cannot_be_relaxed() -> None:
    with pytest.raises(UnknownNameError, match="space that can be relaxed"):
        select("nats-sss", {})
