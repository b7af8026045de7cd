"""Relaxations: the laws they draw from, limits of temperature, gradients."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from torch import Tensor

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.differentiable.relaxations import Dirichlet, Gumbel, OneArchitecture, ReinMax, Softmax

pytestmark = pytest.mark.torch

RAGGED = torch.tensor([[0.3, -0.2, 0.8], [1.0, 0.5, -torch.inf]])


def leaf(values: Tensor = RAGGED) -> Tensor:
    return values.clone().requires_grad_()


def test_softmax() -> None:
    weights = Softmax().weights(RAGGED, torch_generator(0), 0.0).values
    torch.testing.assert_close(weights, RAGGED.softmax(1))
    assert weights[1, 2] == 0


def test_gumbel_draws_a_candidate_as_often_as_its_softmax_says() -> None:
    generator, n = torch_generator(0, "draws"), 4000
    counts = torch.zeros(2, 3)
    for _ in range(n):
        values, run, constants = Gumbel().weights(RAGGED, generator, 0.5)
        assert constants
        assert run is not None
        assert run.sum(1).tolist() == [1, 1]
        torch.testing.assert_close(values, run.float())
        counts += run
    expected = RAGGED.softmax(1)
    error = (expected * (1 - expected) / n).sqrt().clamp(min=1e-9)
    assert ((counts / n - expected).abs() / error).max() < 4


def test_what_gumbel_chooses_does_not_depend_on_tau_but_its_gradient_does() -> None:
    chosen, gradients = [], []
    for tau in (10.0, 0.5):
        logits = leaf()
        values, run, _ = Gumbel(tau, tau).weights(logits, torch_generator(3), 0.0)
        assert run is not None
        chosen.append(run.tolist())
        gradients.append(torch.autograd.grad((values * torch.arange(6.0).reshape(2, 3)).sum(), logits)[0])
    assert chosen[0] == chosen[1]
    assert not torch.allclose(gradients[0], gradients[1])
    soft = Gumbel(1e6, 1e6, hard=False).weights(RAGGED, torch_generator(3), 0.0).values
    torch.testing.assert_close(soft[0], torch.full((3,), 1 / 3), rtol=0, atol=1e-4)
    cold = Gumbel(1e-3, 1e-3, hard=False).weights(RAGGED, torch_generator(3), 0.0).values
    torch.testing.assert_close(cold, torch.tensor(chosen[0]).float(), rtol=0, atol=1e-3)
    assert [Gumbel(10, 0.1).weights(RAGGED, torch_generator(0), p).values.shape for p in (0.0, 1.0)] == [(2, 3)] * 2
    with pytest.raises(ParameterError, match="temperatures above 0"):
        Gumbel(0.0)


def test_dirichlet_has_the_moments_of_its_law() -> None:
    generator, n = torch_generator(0, "draws"), 4000
    flat = torch.zeros(1, 4)
    draws = torch.stack([Dirichlet().weights(flat, generator, 0.0).values[0] for _ in range(n)])
    k = 4
    torch.testing.assert_close(draws.sum(1), torch.ones(n))
    variance = (k - 1) / (k**2 * (k + 1))
    assert (draws.mean(0) - 1 / k).abs().max() < 4 * (variance / n) ** 0.5
    assert (draws.var(0) / variance - 1).abs().max() < 0.15
    ragged = Dirichlet().weights(RAGGED, generator, 0.0).values
    torch.testing.assert_close(ragged.sum(1), torch.ones(2))
    assert ragged[1, 2] == 0
    concentration = Dirichlet.concentration(RAGGED)
    torch.testing.assert_close(concentration[0], torch.tensor([1.3, float(torch.tensor(-0.2).exp()), 1.8]))
    torch.testing.assert_close(Dirichlet().mean(RAGGED)[1], torch.tensor([2 / 3.5, 1.5 / 3.5, 0.0]))


def test_the_pathwise_gradient_of_dirichlet_is_that_of_its_mean_on_average() -> None:
    # d E[w_1] / d a_1 = (a_0 - a_1) / a_0^2 with a_0 the sum of concentrations a
    generator, n = torch_generator(1, "draws"), 4000
    logits = torch.tensor([[0.5, 1.5, 0.2]]).requires_grad_()
    slopes = []
    for _ in range(n):
        weights = Dirichlet().weights(logits, generator, 0.0).values
        slopes.append(torch.autograd.grad(weights[0, 0], logits)[0][0, 0])
    values = torch.stack(slopes)
    total, first = 1.5 + 2.5 + 1.2, 1.5
    expected = (total - first) / total**2
    assert abs(float(values.mean()) - expected) < 4 * float(values.std()) / n**0.5


def test_draws_come_from_the_generator_alone() -> None:
    for relaxation in (Dirichlet(), Gumbel(), Gumbel(hard=False), ReinMax()):
        torch.manual_seed(0)
        first = relaxation.weights(RAGGED, torch_generator(7), 0.3).values
        torch.manual_seed(1)
        before = torch.get_rng_state()
        assert torch.equal(relaxation.weights(RAGGED, torch_generator(7), 0.3).values, first)
        assert torch.equal(torch.get_rng_state(), before)
        others = [relaxation.weights(RAGGED, torch_generator(seed), 0.3).values for seed in range(8, 16)]
        assert not all(torch.equal(other, first) for other in others)


def test_one_architecture_has_no_weights_to_ask_for() -> None:
    with pytest.raises(ParameterError, match="draw a mixture"):
        OneArchitecture().weights(RAGGED, torch_generator(0), 0.0)
    torch.testing.assert_close(OneArchitecture().mean(RAGGED)[1], torch.tensor([0.5, 0.5, 0.0]))


def expected_gradient(loss, logits: Tensor, tau: float) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
    """The mean of ReinMax's gradient over its draws, one row, and the gradient of the mean loss."""
    count = logits.shape[1]
    mean, exact = torch.zeros_like(logits), leaf(logits)
    for k in range(count):
        drawn = torch.nn.functional.one_hot(torch.tensor([k]), count).to(logits)
        at = leaf(logits)
        weights = ReinMax(tau).estimate(at, drawn)
        torch.testing.assert_close(weights.detach(), drawn)
        mean += logits.softmax(1)[0, k] * torch.autograd.grad(loss(weights[0]), at)[0]
    total = sum(exact.softmax(1)[0, k] * loss(torch.eye(count, dtype=logits.dtype)[k]) for k in range(count))
    return mean, torch.autograd.grad(total, exact)[0]


def test_reinmax_is_exact_on_average_where_the_loss_is_quadratic() -> None:
    generator = torch_generator(0, "quadratics")
    for count in (2, 3, 5):
        logits = torch.randn(1, count, generator=generator, dtype=torch.float64)
        matrix = torch.randn(count, count, generator=generator, dtype=torch.float64)
        line = torch.randn(count, generator=generator, dtype=torch.float64)
        mean, exact = expected_gradient(lambda w: w @ matrix @ w + line @ w, logits, 1.0)  # noqa: B023
        torch.testing.assert_close(mean, exact)
    cubic, truth = expected_gradient(lambda w: (w * torch.arange(5.0, dtype=torch.float64)).sum() ** 3, logits, 1.0)
    assert not torch.allclose(cubic, truth, rtol=1e-3), "second order, and no more"
    warm, _ = expected_gradient(lambda w: w @ matrix @ w, logits, 2.0)
    cold, _ = expected_gradient(lambda w: w @ matrix @ w, logits, 1.0)
    assert not torch.allclose(warm, cold), "the temperature is in the gradient"


def test_reinmax_draws_from_the_softmax_and_never_what_is_gone() -> None:
    generator, n = torch_generator(0, "draws"), 4000
    counts = torch.zeros(2, 3)
    for _ in range(n):
        values, run, constants = ReinMax().weights(RAGGED, generator, 0.5)
        assert (run, constants) == (None, False), "all candidates are computed"
        counts += values
    expected = RAGGED.softmax(1)
    error = (expected * (1 - expected) / n).sqrt().clamp(min=1e-9)
    assert ((counts / n - expected).abs() / error).max() < 4
    logits = leaf()
    slope = torch.autograd.grad((ReinMax().weights(logits, generator, 0.0).values ** 2).sum(), logits)[0]
    assert torch.isfinite(slope).all()
    assert slope[1, 2] == 0
    assert slope.sum(1).abs().max() < 1e-6
    with pytest.raises(ParameterError, match="temperature of 1 or more, got 0.5"):
        ReinMax(0.5)
