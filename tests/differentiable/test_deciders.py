"""SGAS and DARTS-PT: what they decide, in which order, and that equal operations are equally strong."""

from __future__ import annotations

from collections import Counter

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner
from torch import nn

from nasanalysis.differentiable.deciders import (
    Greedy,
    Perturb,
    _scaled,
    cheapest,
    remove_the_others,
    strength,
    strongest,
)
from nasanalysis.differentiable.methods import method
from nasanalysis.differentiable.search import SearchLoop, chosen
from nasanalysis.networks.mixture import Place

pytestmark = pytest.mark.torch


def test_strength_is_what_masking_costs_and_equal_operations_are_equal() -> None:
    search = learner("darts", "s1")
    place = Place("normal", "0-2")
    costs = strength(search, place, loss=True)
    clean = search.reading()
    for candidate, cost in costs.items():
        assert cost == pytest.approx(search.reading(mask=(place, candidate)).loss - clean.loss)
    with torch.no_grad():
        for cell in search.net.body.cells:
            if not cell.reduces:
                cell.edges["0-2"] = nn.ModuleDict({op: nn.Identity() for op in cell.edges["0-2"]})
        search.alphas.values.zero_()
    same = strength(search, place, loss=True)
    assert len(set(same.values())) == 1
    assert strongest(search, place, loss=True) == next(iter(same)), "the first of equals"


def test_perturbation_decides_every_edge_then_leaves_two_inputs() -> None:
    parts = method("darts_pt", "s2", 1, every=1, images=32)
    search = learner(parts, "s2", epochs=1)
    loop = SearchLoop(search)
    decided = []
    for _ in range(loop.epochs):
        loop.run_epoch()
        decided.append(Counter(p.cell for p in search.alphas.decided))
    assert [c["normal"] for c in decided] == [0, *range(1, 15), 14, 14, 14]
    assert all(c["normal"] == c["reduce"] for c in decided)
    per_node = Counter((p.cell, p.edge[-1]) for p in search.alphas.decided if p not in search.alphas.removed)
    assert set(per_node.values()) == {2}
    assert len(search.alphas.removed) == 2 * (14 - 8)
    assert chosen(search).space == "s2"
    rate = search.course.rate(update=0, updates=1, epoch=5, epochs=loop.epochs)
    assert rate == pytest.approx(0.0025), "a tenth of the rate, and constant"
    assert search.alphas.values.grad is None


def test_on_nb201_the_last_epoch_decides_the_last_edge() -> None:
    parts = method("darts_pt", "nb201", 10)
    assert [s.epochs for s in parts.stages] == [10, 25]
    search = learner(method("darts_pt", "nb201", 1, every=1, images=32), epochs=1)
    loop = SearchLoop(search)
    counts = []
    for _ in range(loop.epochs):
        loop.run_epoch()
        counts.append(len(search.alphas.decided))
    assert counts == [0, 1, 2, 3, 4, 5, 6]


def test_single_and_greedy_topology_differ_only_in_what_comes_back() -> None:
    search = learner("darts", "s2")
    places = [Place("normal", f"{s}-5") for s in range(5)]
    single = cheapest(search, places, 2, greedy=False)
    greedy = cheapest(search, places, 2, greedy=True)
    assert len(single) == len(greedy) == 3
    assert single[0] == greedy[0], "the first is judged alone in both"
    accuracies = {p: search.reading(removed=(p,)).accuracy for p in places}
    assert [accuracies[p] for p in single] == sorted(accuracies.values(), reverse=True)[:3]


def test_sgas_decides_on_schedule_and_removes_what_a_node_has_too_many() -> None:
    parts = method("sgas", "s2", 10, first=1, every=1, grow=4)
    search = learner(parts, "s2", epochs=10)
    loop = SearchLoop(search)
    for _ in range(9):
        loop.run_epoch()
    counts = Counter(p.cell for p in search.alphas.decided)
    assert counts == {"normal": 8, "reduce": 8}
    assert len(search.alphas.removed) == 12
    assert search.batch_size == 32 + 8 * 4
    nodes = Counter((p.cell, p.edge[-1]) for p in search.alphas.decided)
    assert set(nodes.values()) == {2}


def test_min_max_of_a_constant_is_0_and_the_first_edge_wins() -> None:
    places = [Place("cell", "0-1"), Place("cell", "0-2")]
    assert _scaled(dict.fromkeys(places, 0.3)) == dict.fromkeys(places, 0.0)
    assert _scaled({places[0]: 1.0, places[1]: 3.0}) == {places[0]: 0.0, places[1]: 1.0}
    search = learner("darts")
    with torch.no_grad():
        search.alphas.values.zero_()
    Greedy(first=0, every=1).before_epoch(search, 0)
    assert list(search.alphas.decided.items()) == [(Place("cell", "0-1"), "skip_connect")], "never `none`"
    remove_the_others(search.alphas, Place("cell", "0-1"))
    assert not search.alphas.removed, "nb201 keeps all edges"


def test_magnitude_takes_the_largest_weight() -> None:
    search = learner("darts")
    with torch.no_grad():
        search.alphas.values[:, 3] = 1.0
    Perturb(1, "alpha").before_epoch(search, 0)
    assert set(search.alphas.decided.values()) == {"nor_conv_3x3"}


def test_noise_stays_at_its_largest_while_edges_are_decided() -> None:
    parts = method("sdarts_pt", "s5", 4, every=1)
    search = learner(parts, "s5", epochs=4)
    assert search.course.searching == 4
    assert search.course.epochs > 4
    sizes = []
    for epoch in range(search.course.epochs):
        search.begin(epoch, search.course.epochs)
        noise = parts.perturbation
        assert noise is not None
        sizes.append(noise.size(min(1.0, epoch / search.course.searching)))
        assert search.subject.progress == min(1.0, epoch / 3)
    assert sizes[4:] == pytest.approx([0.3] * (search.course.epochs - 4))
