"""Alphas by name: masks, decisions, mixtures, what travels from one network to another."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.differentiable.state import Alphas
from nasanalysis.networks.mixture import Decision, Place

pytestmark = pytest.mark.torch

A, B = Place("cell", "0-1"), Place("cell", "0-2")
DECISIONS = (Decision(A, ("none", "skip", "conv")), Decision(B, ("skip", "conv")))


def alphas(seed: int = 0) -> Alphas:
    return Alphas(DECISIONS, torch_generator(seed, "alphas"))


def test_numbers_are_small_random_and_padded_with_zeros() -> None:
    state = alphas()
    assert len(state) == 5
    assert state.values.shape == (2, 3)
    assert state.values[1, 2] == 0
    assert not state.active[1, 2]
    assert 0 < state.values[state.active].abs().max() < 5e-3
    assert torch.equal(alphas().values, state.values)
    assert not torch.equal(alphas(1).values, state.values)
    assert [(e.place, e.candidate) for e in state.entries][3:] == [(B, "skip"), (B, "conv")]
    weights = state.logits().softmax(1)
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    assert weights[1, 2] == 0


def test_dropped_decided_and_removed() -> None:
    state = alphas()
    state.drop(A, "none")
    assert state.candidates(A) == ["skip", "conv"]
    state.decide(A, "conv")
    weights = state.settle(state.logits().softmax(1))
    assert weights[0].tolist() == [0, 0, 1]
    assert list(state.mixture(weights).rows[A]) == ["conv"]
    assert state.open() == [B]
    assert state.trained.tolist() == [[False] * 3, [True, True, False]]
    state.remove(B)
    weights = state.settle(state.logits().softmax(1))
    assert weights[1].tolist() == [0, 0, 0]
    assert B not in state.mixture(weights).rows
    with pytest.raises(ParameterError, match="expected one of cell/0-1, cell/0-2, got cell/9-9"):
        state.decide(Place("cell", "9-9"), "conv")
    with pytest.raises(ParameterError, match="cell/0-2: expected one of skip, conv, got 'none'"):
        state.drop(B, "none")
    fresh = alphas()
    fresh.drop(B, "skip")
    with pytest.raises(ParameterError, match="conv is the last candidate"):
        fresh.drop(B, "conv")


def test_a_decided_edge_has_no_gradient_and_removed_ones_neither() -> None:
    state = alphas()
    state.decide(A, "skip")
    weights = state.settle(state.logits().softmax(1))
    (gradient,) = torch.autograd.grad((weights * torch.arange(6.0).reshape(2, 3)).sum(), state.values)
    assert gradient[0].tolist() == [0, 0, 0]
    assert gradient[1].abs().sum() > 0
    assert gradient.sum(1).abs().max() < 1e-6, "a softmax does not change under a constant"


def test_what_is_not_computed_is_a_constant_where_asked() -> None:
    state = alphas()
    run = torch.tensor([[False, True, False], [True, False, False]])
    weights = torch.tensor([[0.2, 0.5, 0.3], [0.9, 0.1, 0.0]])
    mixture = state.mixture(weights, run, constants=True)
    assert {p: list(row) for p, row in mixture.rows.items()} == {A: ["skip"], B: ["skip"]}
    assert {p: round(float(c), 6) for p, c in mixture.constants.items()} == {A: 0.5, B: 0.1}
    assert not state.mixture(weights, run).constants


def test_states_travel_by_name_and_come_back() -> None:
    state = alphas()
    state.drop(A, "none")
    state.decide(A, "conv")
    wider = Alphas((*reversed(DECISIONS), Decision(Place("cell", "1-2"), ("skip",))), torch_generator(5, "x"))
    before = wider.values.clone()
    wider.follow(state, values=True)
    assert wider.decided == {A: "conv"}
    assert wider.candidates(A) == ["skip", "conv"]
    assert wider.values[1].tolist() == state.values[0].tolist()
    assert wider.values[2].tolist() == before[2].tolist()
    other = alphas(3)
    other.restore(state.state())
    assert torch.equal(other.values, state.values)
    assert (other.decided, other.removed, other.candidates(A)) == ({A: "conv"}, set(), ["skip", "conv"])
    with pytest.raises(ParameterError, match="the state of the same decisions"):
        wider.restore(state.state())
    with pytest.raises(ParameterError, match="each place once"):
        Alphas((DECISIONS[0], DECISIONS[0]))
    assert not Alphas(DECISIONS).values.any()
