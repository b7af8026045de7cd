"""How alpha is stepped: penalties in closed form, exponentiated gradients, and how far so many steps can go."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner
from torch.nn import functional as F

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.differentiable.state import Alphas
from nasanalysis.differentiable.updates import AlphaUpdate, beta_decay, dirichlet_kl
from nasanalysis.networks.mixture import Decision, Place

pytestmark = pytest.mark.torch

DECISIONS = (Decision(Place("cell", "0-1"), ("a", "b", "c")), Decision(Place("cell", "0-2"), ("a", "b")))


def state(values: list[list[float]] | None = None) -> Alphas:
    alphas = Alphas(DECISIONS)
    if values is not None:
        with torch.no_grad():
            alphas.values.copy_(torch.tensor(values))
    return alphas


def test_the_divergence_from_the_flat_dirichlet_is_0_there_and_by_hand_elsewhere() -> None:
    assert float(dirichlet_kl(state(), 0.5).detach()) == pytest.approx(0, abs=1e-6)
    values = [[1.0, -0.5, 0.2], [0.3, 0.1, 0.0]]
    by_hand = 0.0
    for row, count in zip(values, (3, 2), strict=True):
        a = [v + 1 if v > 0 else math.exp(v) for v in row[:count]]
        total = sum(a)
        by_hand += math.lgamma(total) - sum(math.lgamma(x) for x in a) - math.lgamma(count)
        by_hand += sum((x - 1) * float(torch.digamma(torch.tensor(x)) - torch.digamma(torch.tensor(total))) for x in a)
    assert float(dirichlet_kl(state(values), 0.5).detach()) == pytest.approx(by_hand, rel=1e-5)


def test_beta_decay_grows_with_the_search_and_pulls_like_a_softmax() -> None:
    values = [[1.0, -0.5, 0.2], [0.3, 0.1, 0.0]]
    alphas = state(values)
    logs = [math.log(sum(map(math.exp, row[:count]))) for row, count in zip(values, (3, 2), strict=True)]
    assert float(beta_decay(alphas, 0.4).detach()) == pytest.approx(50 * 0.4 * sum(logs) / 2)
    assert float(beta_decay(alphas, 0.0).detach()) == 0
    (slope,) = torch.autograd.grad(beta_decay(alphas, 0.4), alphas.values)
    torch.testing.assert_close(slope, 50 * 0.4 / 2 * alphas.logits().softmax(1).detach())


def test_exponentiated_gradients_multiply_the_weights() -> None:
    alphas = state([[1.0, -0.5, 0.2], [0.3, 0.1, 0.0]])
    update = AlphaUpdate("exponentiated", rate=0.3, weight_decay=0.0)
    before = alphas.logits().softmax(1).detach()
    in_weights = torch.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, 0.0]])
    (slope,) = torch.autograd.grad((alphas.logits().softmax(1) * in_weights).sum(), alphas.values)
    update.apply(alphas, slope, update.build(alphas), 0.0)
    expected = before * torch.exp(-0.3 * in_weights)
    torch.testing.assert_close(alphas.logits().softmax(1).detach(), expected / expected.sum(1, keepdim=True))


@pytest.mark.parametrize(("steps", "factor", "most"), [(200, 1.0, 0.1), (200, 100.0, 0.1), (3950, 1.0, 1.25)])
def test_adam_moves_alpha_by_about_its_rate_whatever_the_gradient(steps: int, factor: float, most: float) -> None:
    """SoTL-DARTS makes 200 steps where DARTS makes 19,550: a gradient a hundred times as large does not make up."""
    alphas = state()
    update = AlphaUpdate()
    optimiser = update.build(alphas)
    slope = factor * torch.tensor([[1.0, -1.0, 0.5], [1.0, -1.0, 0.0]])
    for _ in range(steps):
        update.apply(alphas, slope, optimiser, 0.0)
    largest = float(alphas.values.detach().abs().max())
    assert 0.9 * steps * 3e-4 * (1 if steps == 200 else 0.9) < largest < most


def test_what_is_decided_rests_or_decays_as_asked() -> None:
    for decays in (False, True):
        alphas = Alphas(DECISIONS, torch_generator(0, "x"))
        alphas.decide(DECISIONS[0].place, "a")
        before = alphas.values.detach().clone()
        update = AlphaUpdate(decay_settled=decays)
        update.apply(alphas, torch.zeros_like(before), update.build(alphas), 0.0)
        assert torch.equal(alphas.values.detach()[0], before[0]) != decays
    with pytest.raises(ParameterError, match="alpha: expected rate, scale > 0"):
        AlphaUpdate(rate=0.0)


def test_operations_that_are_equal_give_alpha_no_gradient_and_edges_none_along_a_constant() -> None:
    search = learner("darts")
    search.net.double()
    search.alphas.values.data = 0.3 * torch.randn(6, 5, generator=torch_generator(0, "x"), dtype=torch.float64)
    x, labels = search._read_batches(1, "alpha")[0]

    def gradient() -> torch.Tensor:
        with search.measuring():
            logits = search.net.mixed(x.double(), search.alphas.mixture(search.alphas.logits().softmax(1)))
        return torch.autograd.grad(F.cross_entropy(logits, labels), search.alphas.values)[0]

    slope = gradient()
    assert slope.abs().max() > 1e-4
    assert slope.sum(1).abs().max() < 1e-12
    # convolutions of one edge with one set of weights: what one gains the other loses nothing by
    for cell in (m for m in search.net.modules() if hasattr(m, "edges")):
        for edge in cell.edges.values():
            with torch.no_grad():
                wide = edge["nor_conv_3x3"][1].weight
                wide.zero_()
                wide[:, :, 1, 1] = edge["nor_conv_1x1"][1].weight[:, :, 0, 0]
    for decision in search.alphas.decisions:
        for candidate in ("none", "skip_connect", "avg_pool_3x3"):
            search.alphas.drop(decision.place, candidate)
    assert gradient().abs().max() < 1e-12, "a 3x3 kernel with its middle alone is the 1x1"


@pytest.mark.parametrize("restore", [True, False])
def test_an_unroll_moves_batch_norm_twice_unless_it_is_restored(restore: bool) -> None:
    options = {"T": 3, "restore_statistics": restore}
    search = learner("sotl_darts", epochs=1, options=options)
    search.begin(0, 1)
    search.net.train()
    search.update()
    counts = {int(v) for k, v in search.net.state_dict().items() if k.endswith("num_batches_tracked")}
    assert counts == ({3} if restore else {6}), "three batches, seen once or twice"
