"""Operation strength in closed form, convergence by a rule, and that both leave a search as it was."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner

from nasanalysis.core.errors import ParameterError
from nasanalysis.differentiable.deciders import strength
from nasanalysis.differentiable.learner import SearchLearner
from nasanalysis.differentiable.strengths import Tuning, converged, masked, open_edges
from nasanalysis.networks.mixture import Mixture, Place

pytestmark = pytest.mark.torch

#: Images of ten that each operation of edge 0-1 alone has right, and how sure it makes them.
RIGHT = {"nor_conv_3x3": (4, 3.0), "skip_connect": (3, 1.0), "nor_conv_1x1": (2, 2.0)}
CLASSES = 10


def in_closed_form() -> SearchLearner:
    """A search whose network has ten images: an operation adds its sureness, over its weight, to its own images."""
    search = learner("darts", zero := "nb201", epochs=1)
    assert zero == search.space
    labels = torch.arange(CLASSES)
    labels[0] = 1  # logits that are all equal read as class 0: then no image is right
    owner = [op for op, (count, _) in RIGHT.items() for _ in range(count)] + [""]
    weights = dict.fromkeys(RIGHT, 0.2)

    def mixed(x: torch.Tensor, mixture: Mixture) -> torch.Tensor:
        logits = torch.zeros(len(labels), CLASSES)
        for i, op in enumerate(owner):
            if op:
                logits[i, labels[i]] = mixture.rows[Place("cell", "0-1")][op] / weights[op] * RIGHT[op][1]
        return logits

    search.alphas.values.data.zero_()
    search._fixed = {"alpha": [(torch.zeros(len(labels), 1), labels)]}
    search.net.mixed = mixed  # type: ignore[assignment]
    return search


def test_strengths_of_a_toy_are_those_of_arithmetic() -> None:
    search = in_closed_form()
    assert search.reading().accuracy == 90
    rows = {(one.place.edge, one.operation): one for one in masked(search)}
    assert len(rows) == 30
    for operation, (count, sure) in RIGHT.items():
        one = rows["0-1", operation]
        assert one.strength == pytest.approx(10 * count), "percentage points of ten images"
        each = math.log(CLASSES) - (math.log(math.exp(sure) + CLASSES - 1) - sure)
        assert one.strength_loss == pytest.approx(count * each / 10, rel=1e-5)
        assert (one.weight, one.alpha) == (pytest.approx(0.2), 0)
    for key, one in rows.items():
        if key[0] != "0-1" or key[1] not in RIGHT:
            assert (one.strength, one.strength_loss) == (0, 0)


def test_masks_are_those_that_darts_pt_decides_by() -> None:
    search = learner("darts")
    rows = masked(search)
    for place in open_edges(search)[:2]:
        costs = strength(search, place)
        assert costs == {one.operation: one.strength for one in rows if one.place == place}
    assert all(one.strength == 0 for one in rows if one.operation == "none"), "its output is 0 already"


def test_when_a_tuning_is_over() -> None:
    rule = Tuning(most=6, patience=2, gain=0.5)
    assert not rule.over([10.0])
    assert not rule.over([10.0, 10.0]), "patience first"
    assert rule.over([10.0, 10.0, 10.4])
    assert not rule.over([10.0, 10.0, 10.5])
    assert rule.over([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]), "at most so many"
    with pytest.raises(ParameterError, match="patience >= 1, gain >= 0 and share > 0, got 20, 0"):
        Tuning(patience=0)


def test_convergence_begins_at_the_discrete_accuracy_and_leaves_no_trace() -> None:
    search = learner("darts", batch_size=96)
    place, other = Place("cell", "0-3"), Place("cell", "0-1")
    net = {k: v.clone() for k, v in search.net.state_dict().items()}
    streams = [g.get_state() for g in search._streams()]
    alphas = search.alphas.values.detach().clone()
    search.alphas.decide(place, "nor_conv_3x3")
    expected = search.reading().accuracy
    del search.alphas.decided[place]
    once = converged(search, place, "nor_conv_3x3", Tuning(most=2, patience=2, share=1.0))
    assert once.before == expected
    assert once.epochs == 2
    again = converged(search, place, "nor_conv_3x3", Tuning(most=2, patience=2, share=1.0))
    assert again == once, "its own stream, begun anew"
    assert all(torch.equal(v, net[k]) for k, v in search.net.state_dict().items())
    assert torch.equal(search.alphas.values, alphas)
    assert not search.alphas.decided
    assert all(torch.equal(g.get_state(), s) for g, s in zip(search._streams(), streams, strict=True))
    search.alphas.decide(other, "none")
    with pytest.raises(ParameterError, match="expected an operation of an open edge, got none of cell/0-1"):
        converged(search, other, "none", Tuning())


@pytest.mark.parametrize("name", ["gdas", "random_ws", "enas"])
def test_samplers_have_no_strength(name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name}: expected a mixture of operations to mask, got a sampler"):
        masked(learner(name))
