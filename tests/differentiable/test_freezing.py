"""Operations that stop learning (OLES): cosines by hand, limits in which nothing rests, and what rests is still."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner
from torch import nn

from nasanalysis.core.errors import ParameterError
from nasanalysis.differentiable.freezing import OperationStopping, OperationWatch, operations_with_weights
from nasanalysis.differentiable.gradients import SecondOrder
from nasanalysis.differentiable.methods import method
from nasanalysis.differentiable.search import SearchLoop

pytestmark = pytest.mark.torch


def test_cosines_by_hand() -> None:
    training = [torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([1.0])]
    validation = [torch.tensor([[0.0, 1.0], [4.0, 2.0]]), torch.tensor([-1.0])]
    whole = (2 * 2 - 1) / math.sqrt(9 + 4 + 1) / math.sqrt(1 + 16 + 4 + 1)
    assert OperationStopping(reading="paper").cosine(training, validation) == pytest.approx(whole)
    # code: columns of the first tensor are (3, 0) against (3, 4) and (0, 2) against (1, 4); 1 against 1 - 1
    columns = (9 / (3 * 5) + 8 / (2 * math.sqrt(17))) / 2
    assert OperationStopping().cosine(training, validation) == pytest.approx((columns + 0.0) / 2, rel=1e-6)
    right = OperationStopping().cosine([torch.tensor([1.0, 0.0])], [torch.tensor([0.0, 1.0])])
    assert right == pytest.approx(math.sqrt(0.5)), "0.7 at right angles"
    with pytest.raises(ParameterError, match="window >= 1 and -1 <= threshold <= 1, got 0 and 0.4"):
        OperationStopping(window=0)


class Two(nn.Module):
    """Two operations on one edge, and a skip with weights, which is not counted."""

    def __init__(self) -> None:
        super().__init__()
        ops = {"a": nn.Linear(1, 2, bias=False), "b": nn.Linear(1, 2, bias=False), "skip_connect": nn.Linear(1, 1)}
        self.edges = nn.ModuleDict({"0-1": nn.ModuleDict(ops)})


@pytest.mark.parametrize(("reading", "readings"), [("paper", 2), ("code", 3)])
def test_an_operation_rests_after_a_window_below_the_threshold(reading, readings: int) -> None:  # type: ignore[no-untyped-def]
    net = Two()
    a, b = (net.edges["0-1"][name].weight for name in "ab")
    watch = OperationWatch(net, OperationStopping(0.4, 2, reading))
    assert list(watch.operations) == ["edges.0-1.a", "edges.0-1.b"]
    for number in range(1, readings + 1):
        a.grad, b.grad = torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [2.0]])
        watch.trained()
        assert not watch.resting
        watch.validated({a: torch.tensor([[1.0], [2.0]]), b: torch.tensor([[-1.1], [-2.2]])})
        assert bool(watch.resting) == (number == readings)
    assert watch.resting == {"edges.0-1.b"}
    assert (a.requires_grad, b.requires_grad, b.grad) == (True, False, None)
    other = Two()
    fresh = OperationWatch(other, OperationStopping(0.4, 2, reading))
    fresh.restore(watch.state())
    assert fresh.resting == watch.resting
    assert not other.edges["0-1"]["b"].weight.requires_grad
    watch.trained()
    watch.validated({})  # a batch whose mixture reads none of them
    with pytest.raises(ParameterError, match="operations with weights on edges or nodes, got none"):
        OperationWatch(nn.Linear(1, 1), OperationStopping())


@pytest.mark.parametrize(("space", "edges", "each"), [("nb201", 6, 2), ("s2", 14, 1), ("nb101-1", 4, 2)])
def test_operations_are_those_of_every_edge_of_every_cell(space: str, edges: int, each: int) -> None:
    net = learner("darts", space).net
    names = operations_with_weights(net)
    assert len(names) == edges * each * net.depth
    assert not any("skip" in name for name in names)


def test_what_rests_is_still_and_a_threshold_that_nothing_is_below_is_darts() -> None:
    def trained(threshold: float):  # type: ignore[no-untyped-def]
        options = {"threshold": threshold, "window": 1, "reading": "paper"}
        search = learner("oles", epochs=2, options=options)
        loop = SearchLoop(search)
        first = loop.run_epoch()
        middle = {k: v.clone() for k, v in search.net.named_parameters()}
        loop.run_epoch()
        return search, middle, first

    plain = learner("darts", epochs=2)
    loop = SearchLoop(plain)
    loop.run_epoch()
    loop.run_epoch()
    never, _, row = trained(-1.0)
    assert row["resting_operations"] == 0
    for (name, one), other in zip(never.net.named_parameters(), plain.net.parameters(), strict=True):
        assert torch.equal(one, other), name
    assert torch.equal(never.alphas.values, plain.alphas.values)

    all_of_them, middle, row = trained(1.0)
    assert all_of_them.watch is not None
    count = len(all_of_them.watch.operations)
    assert row["resting_operations"] == count, "no cosine is 1"
    still = {id(w) for weights in all_of_them.watch.operations.values() for w in weights}
    for name, weight in all_of_them.net.named_parameters():
        assert torch.equal(weight, middle[name]) == (id(weight) in still), name
    assert all_of_them.history[-1]["numbers"]["resting_operations"] == count
    assert not torch.equal(all_of_them.alphas.values, plain.alphas.values), "alpha goes on"


def test_only_the_first_order_on_validation_data_can_be_watched() -> None:
    base = method("oles", "nb201", 2)
    with pytest.raises(ParameterError, match="oles: expected the first order on validation batches.*SecondOrder"):
        replace(base, gradient=SecondOrder())
    assert "freezing" in base.described()
    assert "freezing" not in method("darts", "nb201", 2).described(), "its fingerprint is that of before"
