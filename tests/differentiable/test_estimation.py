"""Proposition 1: its optimum against least squares on drawn errors, its cases without covariance, and in a network."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner
from torch import nn

from nasanalysis.core.errors import ParameterError
from nasanalysis.differentiable.estimation import Errors, errors_of, estimates, standard
from nasanalysis.networks.edges import followed

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("conv", "skip", "covariance"), [(2.0, 0.5, 0.0), (1.0, 1.0, 0.4), (0.7, 2.0, -0.5)])
def test_the_optimum_is_that_of_least_squares_with_sum_1(conv: float, skip: float, covariance: float) -> None:
    rng = np.random.default_rng(0)
    errors = rng.multivariate_normal([0, 0], [[conv, covariance], [covariance, skip]], size=200_000)
    best = rng.normal(size=len(errors))
    o, x = best + errors[:, 0], best + errors[:, 1]
    # w o + (1 - w) x = m: a regression of m - x on o - x, with a constant (a variance has its mean taken off)
    design = np.column_stack([o - x, np.ones(len(o))])
    weight = np.linalg.lstsq(design, best - x, rcond=None)[0][0]
    assert Errors(conv, skip, covariance).skip_weight == pytest.approx(1 - weight, abs=0.01), "of the law itself"
    drawn = errors_of(*(torch.tensor(each) for each in (x, o, best)))
    assert drawn.skip_weight == pytest.approx(1 - weight, abs=1e-9), "of the drawn numbers"
    least = drawn.variance(drawn.skip_weight)
    assert all(drawn.variance(drawn.skip_weight + d) > least for d in (-0.01, 0.01))
    alphas = drawn.alphas
    assert alphas is not None
    softmax = math.exp(alphas[1]) / (math.exp(alphas[0]) + math.exp(alphas[1]))
    assert softmax == pytest.approx(drawn.skip_weight), "Eqs 18 and 19 are Eq. 17 under a softmax"


def test_without_covariance_it_is_equations_3_and_4() -> None:
    one = Errors(conv=3.0, skip=1.0)
    assert one.skip_weight == pytest.approx(3 / 4), "the skip is the better estimate: it weighs more"
    assert one.skip_weight / (1 - one.skip_weight) == pytest.approx(one.conv / one.skip)
    assert Errors(1.0, 1.0, 1.0).skip_weight is None, "one error and the same"
    far = Errors(1.0, 4.0, 1.5)
    assert far.skip_weight < 0
    assert far.alphas is None, "no softmax reaches it"
    for bad in ((-1.0, 1.0, 0.0), (1.0, 1.0, 1.5)):
        with pytest.raises(ParameterError, match="proposition 1: expected variances of 0 or more"):
            Errors(*bad)


class Plus(nn.Module):
    """The identity and a fixed error."""

    def __init__(self, error: torch.Tensor) -> None:
        super().__init__()
        self.error = error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.error


def entering(search, x):  # type: ignore[no-untyped-def]
    """What the first cell reads."""
    for layer in search.net.features:
        if hasattr(layer, "edges"):
            return x
        x = layer(x)
    raise AssertionError


def test_in_a_toy_network_whose_errors_are_known() -> None:
    search = learner("darts", batch_size=32)
    cells = [layer for layer in search.net.features if hasattr(layer, "edges")]
    x, _ = search._read_batches(1, "alpha")[0]
    generator = torch.Generator().manual_seed(0)
    first = cells[0]
    with search.measuring(), torch.no_grad():
        shape = entering(search, x).shape
    error = torch.randn(shape, generator=generator)
    first.edges["0-1"]["nor_conv_3x3"] = Plus(error)
    for place in [d.place for d in search.alphas.decisions]:
        for candidate in search.alphas.candidates(place):
            if candidate not in ("skip_connect", "nor_conv_3x3"):
                search.alphas.drop(place, candidate)
    with torch.no_grad():
        search.alphas.values[0, 1], search.alphas.values[0, 3] = 0.2, -0.3
    found = {(one.position, one.place.edge): one for one in estimates(search, images=32)}
    one = found[0, "0-1"]
    skip = math.exp(0.2) / (math.exp(0.2) + math.exp(-0.3))
    assert one.trained == pytest.approx(skip, rel=1e-5)
    with search.measuring(), torch.no_grad():
        read = entering(search, x)
    made = read + error
    best = standard(standard(skip * read + (1 - skip) * made))  # one edge enters node 1: m* is its own output
    a, b = (standard(each) - best for each in (made, read))
    cov = np.cov(torch.stack([a.flatten(), b.flatten()]).double().numpy(), bias=True)
    assert one.errors.conv == pytest.approx(cov[0, 0], rel=1e-4)
    assert one.errors.skip == pytest.approx(cov[1, 1], rel=1e-4)
    assert one.errors.covariance == pytest.approx(cov[0, 1], rel=1e-3, abs=1e-6)
    assert len(found) == 6 * search.net.depth


@pytest.mark.parametrize("space", ["nb201", "s2", "s3", "darts"])
def test_edge_by_edge_the_logits_are_those_of_the_mixture(space: str) -> None:
    search = learner("darts", space)
    search.net.double()
    x = search._read_batches(1, "alpha")[0][0].double()
    weights = torch.rand(search.alphas.values.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mixture = search.alphas.mixture(weights)
    seen = []
    with search.measuring(), torch.no_grad():
        plain = followed(search.net, x, mixture, seen.append)
        torch.testing.assert_close(plain, search.net.mixed(x, mixture))
    per_cell = 6 if space == "nb201" else 14
    assert len(seen) == per_cell * search.net.depth


def test_what_it_is_not_defined_for() -> None:
    for name in ("gdas", "enas", "random_ws"):
        with pytest.raises(ParameterError, match=f"{name}: expected a mixture of operations"):
            estimates(learner(name))
    with pytest.raises(ParameterError, match="operations sit on edges .*, got nb101-1"):
        estimates(learner("darts", "nb101-1"))
    search = learner("darts")
    for place in [d.place for d in search.alphas.decisions]:
        search.alphas.drop(place, "skip_connect")
    with pytest.raises(ParameterError, match="edges with a skip and another operation, got none"):
        estimates(search)
