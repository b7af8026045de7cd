"""Slopes of unrolls: beside reverse mode through the whole graph, differences, and a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nasanalysis.core.seeding import torch_generator
from nasanalysis.synthetic.unroll import Weights, descend, unroll

T = 6


def problem(seed: int = 0) -> tuple[Weights, list[Any]]:
    draw = torch_generator(seed, "unroll")
    weights = {
        "a": torch.randn(4, 5, generator=draw, dtype=torch.float64),
        "b": torch.randn(5, generator=draw, dtype=torch.float64),
    }
    batches = [
        (torch.randn(8, 4, generator=draw, dtype=torch.float64), torch.randn(8, generator=draw, dtype=torch.float64))
        for _ in range(T + 1)
    ]
    return weights, batches


def loss(weights: Weights, hyper: Any, batch: Any) -> Any:
    """A network of one hidden layer; the rate stands nowhere in it."""
    x, y = batch
    return ((torch.tanh(x @ weights["a"]) @ weights["b"] - y) ** 2).mean()


def gated(weights: Weights, hyper: Any, batch: Any) -> Any:
    """The same with a hyperparameter inside it."""
    x, y = batch
    return ((torch.tanh(x @ weights["a"] * hyper) @ weights["b"] - y) ** 2).mean() + 0.1 * hyper**2


def by_reverse(
    function: Any, weights: Weights, hyper: Any, batches: list[Any], rate: Any, objective: str, valid: Any
) -> float:
    """The slow way: the graph of all steps, differentiated from its end."""
    hyper = hyper.clone().requires_grad_()
    eta = hyper if rate is None else rate
    points = {k: w.clone().requires_grad_() for k, w in weights.items()}
    losses = []
    for number, batch in enumerate(batches, start=1):
        if number == len(batches) and objective == "validation":
            losses = [function(points, hyper, valid)]
            break
        value = function(points, hyper, batch)
        losses.append(value)
        gradients = torch.autograd.grad(value, list(points.values()), create_graph=True)
        points = {k: w - eta * g for (k, w), g in zip(points.items(), gradients, strict=True)}
    (slope,) = torch.autograd.grad(torch.stack(losses).sum(), [hyper], allow_unused=True)
    return 0.0 if slope is None else float(slope)


@pytest.mark.parametrize("objective", ["sotl", "validation"])
@pytest.mark.parametrize("kind", ["rate", "inside"])
@pytest.mark.parametrize("steps", [1, 2, 3, T])
def test_forward_mode_is_reverse_mode(objective: Any, kind: str, steps: int) -> None:
    weights, batches = problem()
    hyper = torch.tensor(0.07 if kind == "rate" else 0.8, dtype=torch.float64)
    rate = None if kind == "rate" else torch.tensor(0.05, dtype=torch.float64)
    function = loss if kind == "rate" else gated
    got = unroll(function, weights, hyper, batches[:steps], rate=rate, objective=objective, valid=batches[T])
    slow = by_reverse(function, weights, hyper, batches[:steps], rate, objective, batches[T])
    assert float(got.slope) == pytest.approx(slow, rel=1e-10, abs=1e-12)


def test_the_slope_is_that_of_differences_and_the_path_that_of_sgd() -> None:
    weights, batches = problem(1)

    def sotl(eta: float) -> float:
        value = torch.tensor(eta, dtype=torch.float64)
        return float(descend(loss, weights, value, batches[:T], value).losses.sum())

    eta, h = 0.05, 1e-6
    got = unroll(loss, weights, torch.tensor(eta, dtype=torch.float64), batches[:T])
    assert float(got.slope) == pytest.approx((sotl(eta + h) - sotl(eta - h)) / (2 * h), rel=1e-6)
    points = {k: w.clone().requires_grad_() for k, w in weights.items()}
    steps = torch.optim.SGD(points.values(), lr=eta)
    losses = []
    for batch in batches[:T]:
        steps.zero_grad()
        value = loss(points, None, batch)
        value.backward()
        losses.append(float(value))
        steps.step()
    assert got.losses.tolist() == pytest.approx(losses, rel=1e-12)
    for name, weight in got.weights.items():
        assert torch.allclose(weight, points[name].detach(), rtol=1e-12, atol=0)


def test_two_steps_are_hypergradient_descent() -> None:
    """Baydin et al. 2018: minus the product of two gradients that follow each other (thesis, Eq. 4.2)."""
    weights, batches = problem(2)
    eta = torch.tensor(0.03, dtype=torch.float64)
    first = torch.func.grad(loss)(weights, eta, batches[0])
    after = {k: w - eta * first[k] for k, w in weights.items()}
    second = torch.func.grad(loss)(after, eta, batches[1])
    product = -sum(float((first[k] * second[k]).sum()) for k in weights)
    assert float(unroll(loss, weights, eta, batches[:2]).slope) == pytest.approx(product, rel=1e-12)


def test_a_parabola_has_a_closed_form() -> None:
    """L = w^2 / 2 makes w_t = (1 - eta)^t w_0, so SoTL is half the sum of (1 - eta)^(2t)."""
    eta = torch.tensor(0.2, dtype=torch.float64)
    got = unroll(lambda w, h, b: 0.5 * (w["w"] ** 2).sum(), {"w": torch.ones(1, dtype=torch.float64)}, eta, [None] * T)
    t = np.arange(T)
    assert float(got.slope) == pytest.approx(float(-(t * 0.8 ** (2 * t - 1)).sum()), rel=1e-12)
