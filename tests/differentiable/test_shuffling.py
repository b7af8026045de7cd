"""Edges and layers that change places: what must not change, what must, and shapes that cannot be swapped."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import few_digits, learner

from nasanalysis.core.errors import ParameterError
from nasanalysis.differentiable.shuffling import (
    alike,
    cells_of,
    shuffled_edges,
    shuffled_layers,
    swapped,
    swapped_layers,
)
from nasanalysis.networks.layered import LayeredNetwork
from nasanalysis.networks.mixture import Place
from nasanalysis.training.alone_settings import AloneSettings

pytestmark = pytest.mark.torch


def test_equal_edges_may_change_places_and_others_show() -> None:
    search = learner("darts")
    state = {k: v.clone() for k, v in search.net.state_dict().items()}
    with torch.no_grad():
        for cell in cells_of(search.net):  # every edge as the first
            for name, edge in list(cell.edges.items()):
                edge.load_state_dict(cell.edges["0-1"].state_dict())
                assert name in cell.edges
        search.alphas.values.zero_()
    rows = shuffled_edges(search, draws=3)
    assert {(r.what, r.statistics) for r in rows} == {
        (what, s) for what in ("edges with alpha", "edges alone") for s in ("running", "batch")
    }
    assert all(r.after == r.before for r in rows), "equal operations of equal weight"
    with torch.no_grad():
        search.net.load_state_dict(state)
        search.alphas.values.normal_(generator=torch.Generator().manual_seed(0))
    before = {k: v.clone() for k, v in search.net.state_dict().items()}
    order = [list(cell.edges) for cell in cells_of(search.net)]
    other = shuffled_edges(search, draws=4)
    assert any(r.after != r.before for r in other)
    assert [list(cell.edges) for cell in cells_of(search.net)] == order
    assert all(torch.equal(v, before[k]) for k, v in search.net.state_dict().items()), "all is as it was"
    assert shuffled_edges(search, draws=4) == other, "the draws are the seed's"


def test_rows_travel_with_their_edges_or_stay() -> None:
    search = learner("darts")
    with torch.no_grad():
        for cell in cells_of(search.net):
            for edge in cell.edges.values():
                edge.load_state_dict(cell.edges["0-1"].state_dict())
        search.alphas.values.normal_(generator=torch.Generator().manual_seed(0))
    rows = shuffled_edges(search, draws=3)
    alone = [r for r in rows if r.what == "edges alone"]
    assert all(r.after == r.before for r in alone), "operations are equal and rows stay"
    assert any(r.after != r.before for r in rows if r.what == "edges with alpha")


def test_edges_of_other_shapes_cannot_be_swapped() -> None:
    reduce = next(cell for cell in cells_of(learner("darts", "s2").net) if cell.kind == "reduce")
    assert ("0-2", "1-5") in alike(reduce)
    assert ("0-2", "2-3") not in alike(reduce)
    with (
        pytest.raises(ParameterError, match="two edges of one shape, got 0-2 and 2-3 of a reduce cell .*stride 2"),
        swapped(reduce, "0-2", "2-3"),
    ):
        pass
    normal = next(cell for cell in cells_of(learner("darts", "s1").net) if cell.kind == "normal")
    with pytest.raises(ParameterError, match="skip_connect, dil_conv_3x3 at stride 1"), swapped(normal, "0-2", "1-2"):
        pass
    with pytest.raises(ParameterError, match="operations sit on edges, got nb101-1"):
        shuffled_edges(learner("darts", "nb101-1"))
    with pytest.raises(ParameterError, match="gdas: expected a mixture"):
        shuffled_edges(learner("gdas"))
    place = Place("normal", "0-2")
    assert place in {d.place for d in learner("darts", "s1").alphas.decisions}


@pytest.mark.parametrize("kind", ["resnet", "vgg"])
def test_layers_change_places_and_come_back(kind) -> None:  # type: ignore[no-untyped-def]
    task = few_digits()
    net = LayeredNetwork(kind, generator=torch.Generator().manual_seed(0), inputs=task.inputs, layers=3)
    with torch.no_grad():
        same = swapped_layers(net, task, np.random.default_rng(0), draws=2)
        for stage in net.stages:
            for layer in stage:
                layer.load_state_dict(stage[0].state_dict())
        equal = swapped_layers(net, task, np.random.default_rng(0), draws=2)
    assert all(r.before == r.after for r in equal)
    assert len(same) == 4
    state = [id(layer) for stage in net.stages for layer in stage]
    swapped_layers(net, task, np.random.default_rng(1), draws=1)
    assert [id(layer) for stage in net.stages for layer in stage] == state
    settings = AloneSettings(epochs=1, batch_size=32, learning_rate=0.05)
    rows = shuffled_layers(kind, task, seed=0, draws=2, settings=settings, layers=2)
    assert shuffled_layers(kind, task, seed=0, draws=2, settings=settings, layers=2) == rows, "all of the seed"
    assert {r.before for r in rows} != {r.before for r in same}, "it was trained"
    with pytest.raises(ParameterError, match="at least two layers"):
        shuffled_layers(kind, task, seed=0, settings=settings.changed(epochs=1), layers=1)
    with pytest.raises(ParameterError, match="'resnet' or 'vgg'"):
        LayeredNetwork("alexnet", generator=torch.Generator())  # type: ignore[arg-type]
