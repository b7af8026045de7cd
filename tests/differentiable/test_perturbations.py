"""Noise on mixtures: its box, the corner that the attack reaches, what is projected."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.differentiable.perturbations import Adversarial, RandomNoise, projected
from nasanalysis.differentiable.state import Alphas
from nasanalysis.networks.mixture import Decision, Place

pytestmark = pytest.mark.torch

PLACES = [Place("cell", f"0-{i}") for i in (1, 2, 3)]
WEIGHTS = torch.tensor([[0.2, 0.5, 0.3], [0.4, 0.6, 0.0], [0.1, 0.2, 0.7]])


def state() -> Alphas:
    names = ("none", "skip", "conv")
    alphas = Alphas([Decision(p, names[: 2 if i == 1 else 3]) for i, p in enumerate(PLACES)])
    alphas.decide(PLACES[2], "conv")
    return alphas


def test_no_noise_leaves_weights_alone() -> None:
    settled = state().settle(WEIGHTS)
    for noise in (RandomNoise(0.0, 0.0), RandomNoise(0.0, 0.0, law="gaussian"), Adversarial(0.0, 0.0)):
        out = noise(settled, state(), lambda w: (w**2).sum(), torch_generator(0), noise.size(1.0))
        torch.testing.assert_close(out, settled)


@pytest.mark.parametrize("law", ["uniform", "gaussian"])
def test_random_noise_gives_weights_again(law) -> None:  # type: ignore[no-untyped-def]
    alphas = state()
    settled = alphas.settle(WEIGHTS)
    out = RandomNoise(law=law)(settled, alphas, lambda w: w.sum(), torch_generator(0), 0.3)
    torch.testing.assert_close(out.sum(1), torch.ones(3))
    assert bool((out >= 0).all())
    assert out[1, 2] == 0, "no candidate, no weight"
    assert out[2].tolist() == [0, 0, 1], "decided edges are not disturbed"
    assert not torch.allclose(out[0], settled[0])


def test_a_row_of_zeros_becomes_its_largest_weight() -> None:
    alphas = state()
    settled = alphas.settle(WEIGHTS)
    out = projected(settled - 5, settled, alphas)
    assert out[0].tolist() == [0, 1, 0]
    assert out[1].tolist() == [0, 1, 0]


def test_the_attack_reaches_the_corner_of_its_box_on_a_linear_loss() -> None:
    alphas = state()
    settled = alphas.settle(WEIGHTS)
    slope = torch.tensor([[1.0, -2.0, 3.0], [-1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    for seed in range(3):
        out = Adversarial(project=False)(settled, alphas, lambda w: (w * slope).sum(), torch_generator(seed), 0.1)
        torch.testing.assert_close(out[0], settled[0] + 0.1 * slope[0].sign())
        torch.testing.assert_close(out[1, :2], settled[1, :2] + 0.1 * slope[1, :2].sign())
        torch.testing.assert_close(out[2], settled[2])


def test_an_attack_that_does_not_raise_the_loss_is_undone() -> None:
    alphas = state()
    settled = alphas.settle(WEIGHTS).requires_grad_()
    out = Adversarial()(settled, alphas, lambda w: -((w - settled.detach()) ** 2).sum(), torch_generator(0), 0.1)
    assert out is settled


def test_sizes_grow_and_bad_ones_are_refused() -> None:
    assert [RandomNoise().size(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([0.03, 0.165, 0.3])
    with pytest.raises(ParameterError, match="0 <= start <= end"):
        RandomNoise(0.3, 0.1)
