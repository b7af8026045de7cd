"""Eigenvalues and trace of the Hessian in the weights: against the whole matrix, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from torch import nn

from nasanalysis.core.errors import NasAnalysisError, ParameterError
from nasanalysis.measures.hessian import (
    HessianProducts,
    hutchinson_trace,
    leading_eigenvalues,
    power_eigenvalue,
    weight_hessian,
)
from nasanalysis.networks.nb201 import build_network
from nasanalysis.spaces.skeletons import SKELETONS

pytestmark = pytest.mark.torch
LOOSE = "nb201:|nor_conv_1x1~0|+|nor_conv_1x1~0|none~1|+|nor_conv_1x1~0|none~1|skip_connect~2|"


def generator(seed: int = 0):  # type: ignore[no-untyped-def]
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def net():  # type: ignore[no-untyped-def]
    """81 parameters in double precision, batch-norm among them."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 5)).double().eval()


@pytest.fixture
def images():  # type: ignore[no-untyped-def]
    return torch.randn(30, 5, generator=generator(1), dtype=torch.float64), torch.arange(30) % 5


def whole_hessian(net, x, y) -> np.ndarray:  # type: ignore[no-untyped-def]
    """By torch's own full Hessian, parameter by parameter."""
    names = [n for n, _ in net.named_parameters()]
    sizes = [p.numel() for p in net.parameters()]
    shapes = [p.shape for p in net.parameters()]

    def loss(flat):  # type: ignore[no-untyped-def]
        parts = [part.view(s) for part, s in zip(flat.split(sizes), shapes, strict=True)]
        return nn.functional.cross_entropy(
            torch.func.functional_call(net, dict(zip(names, parts, strict=True)), (x,)), y
        )

    flat = torch.cat([p.detach().flatten() for p in net.parameters()])
    return torch.autograd.functional.hessian(loss, flat).numpy()


@pytest.mark.parametrize("batch", [256, 7])
def test_leading_eigenvalues_and_trace_equal_those_of_the_whole_matrix(net, images, batch: int) -> None:  # type: ignore[no-untyped-def]
    matrix = whole_hessian(net, *images)
    values, vectors = np.linalg.eigh(matrix)
    found = weight_hessian(net, *images, generator=generator(), top_k=4, tolerance=1e-10, trace_draws=200, batch=batch)
    assert found.parameters == len(matrix) == 83
    assert found.eigenvalues == pytest.approx(values[::-1][:4], rel=1e-8)
    for own, theirs in zip(found.vectors, vectors.T[::-1], strict=False):
        flat = torch.cat([own[name].flatten() for name, _ in net.named_parameters()]).numpy()
        assert abs(flat @ theirs) == pytest.approx(1, abs=1e-6)
        assert flat[np.argmax(np.abs(flat))] > 0
    assert abs(found.trace - np.trace(matrix)) < 4 * found.trace_error
    off = matrix - np.diag(np.diag(matrix))
    assert found.trace_error == pytest.approx(math.sqrt(2 * (off**2).sum() / 200), rel=0.25)  # Hutchinson's variance


def test_the_whole_matrix_equals_finite_differences(net, images) -> None:  # type: ignore[no-untyped-def]
    """The reference of the test above is itself right: central differences of the gradient in numpy's precision."""
    matrix = whole_hessian(net, *images)
    weight = net[3].bias

    def slope() -> np.ndarray:
        grads = torch.autograd.grad(nn.functional.cross_entropy(net(images[0]), images[1]), list(net.parameters()))
        return torch.cat([g.flatten() for g in grads]).numpy()

    for i in range(len(weight)):
        with torch.no_grad():
            weight[i] += 1e-5
        up = slope()
        with torch.no_grad():
            weight[i] -= 2e-5
        down = slope()
        with torch.no_grad():
            weight[i] += 1e-5
        assert (up - down) / 2e-5 == pytest.approx(matrix[len(matrix) - len(weight) + i], abs=1e-8)


class Bowl(nn.Module):
    """Loss ``w^T diag(a) w / 2 + 1`` for label 0."""

    def __init__(self, a: list[float]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(len(a), dtype=torch.float64))
        self.register_buffer("a", torch.tensor(a, dtype=torch.float64))

    def forward(self, x):  # type: ignore[no-untyped-def]
        z = torch.log(torch.expm1((self.a * self.w**2).sum() / 2 + 1))
        return torch.stack([torch.zeros_like(z), z]).expand(len(x), 2)


@pytest.mark.parametrize("size", [5, 40])
def test_quadratic_bowl(size: int) -> None:
    """Both ways of finding eigenvalues: the whole matrix of a small one, Lanczos of a large one."""
    a = [float(i) - 3 for i in range(size)]
    x, y = torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64)
    found = weight_hessian(Bowl(a), x, y, generator=generator(), top_k=2, tolerance=1e-9)
    assert found.eigenvalues == pytest.approx([max(a), max(a) - 1])
    assert abs(float(found.vectors[0]["w"][-1])) == pytest.approx(1)
    assert found.trace == pytest.approx(sum(a))  # a diagonal matrix: every Rademacher vector gives its trace
    assert found.trace_error == pytest.approx(0, abs=1e-9)


def test_largest_in_magnitude_may_be_negative() -> None:
    x, y = torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64)
    bowl = Bowl([*[0.1] * 30, 2.0, -5.0])
    assert weight_hessian(bowl, x, y, generator=generator()).eigenvalues == pytest.approx([2.0])
    assert weight_hessian(bowl, x, y, generator=generator(), which="magnitude").eigenvalues == pytest.approx([-5.0])


def test_weights_that_are_not_used_are_left_out() -> None:
    net = build_network(LOOSE, SKELETONS["digits"], generator())
    x, y = torch.randn(20, 1, 12, 12, generator=generator(1)), torch.arange(20) % 10
    found = weight_hessian(net, x, y, generator=generator(), trace_draws=4)
    loose = sum(p.numel() for n, p in net.named_parameters() if ".edges.0-1." in n)
    assert loose > 0
    assert found.parameters == sum(p.numel() for p in net.parameters()) - loose
    assert not [name for name in found.vectors[0] if ".edges.0-1." in name]
    assert sum(float((v.double() ** 2).sum()) for v in found.vectors[0].values()) == pytest.approx(1, rel=1e-5)
    cells = weight_hessian(net, x, y, generator=generator(), trace_draws=0, position="cells")
    assert all(".edges." in name for name in cells.vectors[0])
    assert cells.eigenvalues[0] <= found.eigenvalues[0] * 1.01  # a principal submatrix: interlacing
    assert math.isnan(cells.trace)


def test_same_generator_same_answer_and_nothing_of_the_network_changes(net, images) -> None:  # type: ignore[no-untyped-def]
    net.train()
    nn.functional.cross_entropy(net(images[0]), images[1]).backward()
    before = (
        [(v.numpy().tobytes()) for v in net.state_dict().values()],
        [p.grad.numpy().tobytes() for p in net.parameters()],
    )
    drawn = torch.get_rng_state()
    one, other = (weight_hessian(net, *images, generator=generator(3)) for _ in range(2))
    assert one.eigenvalues.tolist() == other.eigenvalues.tolist()
    assert (one.trace, one.trace_error) == (other.trace, other.trace_error)
    assert net.training
    after = (
        [(v.numpy().tobytes()) for v in net.state_dict().values()],
        [p.grad.numpy().tobytes() for p in net.parameters()],
    )
    assert after == before
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_loss_that_is_linear_in_a_weight_has_no_curvature_there() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.zeros(30, dtype=torch.float64))

        def forward(self, x):  # type: ignore[no-untyped-def]
            z = self.w.sum() + 1
            return torch.stack([torch.zeros_like(z), torch.log(torch.expm1(z))]).expand(len(x), 2)

    found = weight_hessian(Linear(), torch.zeros(2, 1), torch.zeros(2).long(), generator=generator())
    assert found.trace == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"top_k": 0}, "top_k: expected at least 1, got 0"),
        ({"top_k": 84}, "top_k: expected at most 83, the parameters in use, got 84"),
        ({"trace_draws": -1}, "trace_draws: expected at least 0, got -1"),
        ({"iterations": 0}, "iterations: expected at least 1, got 0"),
        ({"which": "smallest"}, "which: expected 'algebraic' or 'magnitude', got 'smallest'"),
        ({"position": "cells", "cell": nn.Conv2d}, "expected parameters that the loss depends on, got none"),
    ],
)
def test_bad_choices_are_refused(net, images, choice, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=message):
        weight_hessian(net, *images, generator=generator(), **choice)


def test_what_has_no_answer_is_said(net, images) -> None:  # type: ignore[no-untyped-def]
    with torch.no_grad():
        net[3].bias.fill_(math.inf)
    with pytest.raises(NasAnalysisError, match="expected a finite loss, got nan"):
        weight_hessian(net, *images, generator=generator())
    flat = Bowl(np.linspace(1, 1 + 1e-7, 300).tolist())
    with pytest.raises(NasAnalysisError, match="expected 3 eigenvalues to a relative 1e-14, got . after 1 restarts"):
        weight_hessian(
            flat,
            torch.zeros(1, 1),
            torch.zeros(1).long(),
            generator=generator(),
            top_k=3,
            tolerance=1e-14,
            iterations=1,
        )


def test_a_hessian_of_zero_and_a_loss_that_is_not_finite() -> None:
    class Flat(nn.Module):
        """Logits that do not depend on the weights, times `scale`."""

        def __init__(self, scale: float) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(40, dtype=torch.float64))
            self.scale = scale

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([self.scale * self.w.pow(3).sum() + 0 * x[:, 0], 0 * x[:, 0]], 1)

    x, y = torch.zeros(4, 1, dtype=torch.float64), torch.zeros(4, dtype=torch.int64)
    found = weight_hessian(Flat(0.0), x, y, generator=torch.Generator().manual_seed(0), trace_draws=2)
    assert found.eigenvalues.tolist() == [0.0]
    assert found.trace == 0.0
    with pytest.raises(NasAnalysisError, match="expected a finite loss, got nan"):
        weight_hessian(Flat(float("inf")), x, y, generator=torch.Generator().manual_seed(0))


# any loss, any tensors -------------------------------------------------------------------------------------------

X, Y = torch.linspace(-1, 1, 7, dtype=torch.float64), torch.sin(3 * torch.linspace(-1, 1, 7, dtype=torch.float64))


def three_parameters(point: list[float]):  # type: ignore[no-untyped-def]
    """``c tanh(a x + b)`` fitted to a sine: (parameters a and b as one tensor, c as another, loss of both)."""
    ab = torch.tensor(point[:2], dtype=torch.float64, requires_grad=True)
    c = torch.tensor([[point[2]]], dtype=torch.float64, requires_grad=True)

    def loss(ab=ab, c=c):  # type: ignore[no-untyped-def]
        return ((c.squeeze() * torch.tanh(ab[0] * X + ab[1]) - Y) ** 2).mean()

    return [ab, c], loss


def dense_by_torch(parameters, loss) -> np.ndarray:  # type: ignore[no-untyped-def]
    blocks = torch.autograd.functional.hessian(loss, tuple(p.detach() for p in parameters))
    sizes = [p.numel() for p in parameters]
    rows = [torch.cat([b.reshape(n, -1) for b in row], 1) for row, n in zip(blocks, sizes, strict=True)]
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("point", [[0.5, -0.2, 1.5], [-2.0, 0.3, 0.4], [1.0, 1.0, -1.0]])
def test_three_parameters_equal_the_dense_hessian_of_torch(point: list[float]) -> None:
    parameters, loss = three_parameters(point)
    matrix = dense_by_torch(parameters, loss)
    products = HessianProducts(loss, parameters)
    assert products.size == 3
    assert products.dense() == pytest.approx(matrix, abs=1e-12)
    assert [tuple(part.shape) for part in products.split(np.arange(3.0))] == [(2,), (1, 1)]
    signs = np.array([[a, b, c] for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)])
    assert np.mean([z @ products(z) for z in signs]) == pytest.approx(np.trace(matrix))  # Hutchinson, every vector
    eigenvalues = np.linalg.eigvalsh(matrix)
    for which, expected in (
        ("algebraic", eigenvalues[-1]),
        ("magnitude", max(eigenvalues, key=abs)),
    ):
        values, vectors = leading_eigenvalues(products, generator=generator(), which=which)  # type: ignore[arg-type]
        assert values == pytest.approx([expected])
        assert matrix @ vectors[:, 0] == pytest.approx(expected * vectors[:, 0], abs=1e-9)
        value, vector = power_eigenvalue(products, generator=generator(), which=which, tolerance=1e-9)  # type: ignore[arg-type]
        assert value == pytest.approx(expected)
        assert abs(vector @ vectors[:, 0]) == pytest.approx(1)


def test_architecture_parameters_of_a_mixed_operation() -> None:
    """The Hessian in alpha only, through a softmax, with the weights held still: what RobustDARTS reads."""
    torch.manual_seed(0)
    alpha = torch.randn(8, 3, dtype=torch.float64).requires_grad_()
    weights = torch.randn(8, 3, dtype=torch.float64)

    def loss(alpha=alpha):  # type: ignore[no-untyped-def]
        return ((alpha.softmax(1) * weights).sum() - 1) ** 2

    matrix = dense_by_torch([alpha], loss)
    products = HessianProducts(loss, [alpha])
    assert products.size == 24  # Lanczos, not the whole matrix
    values, vectors = leading_eigenvalues(products, generator=generator(), top_k=2, tolerance=1e-12)
    assert values == pytest.approx(np.linalg.eigvalsh(matrix)[::-1][:2])
    assert vectors.shape == (24, 2)
    trace, error = hutchinson_trace(products, generator=generator(), draws=300)
    assert abs(trace - np.trace(matrix)) < 4 * error
    both = [f(products, generator=generator(5)) for f in (power_eigenvalue, power_eigenvalue)]
    assert both[0][0] == both[1][0]
    assert both[0][0] == pytest.approx(values[0], rel=0.02)


def test_several_losses_are_summed_and_a_tensor_without_slope_has_zero_rows() -> None:
    (ab, c), loss = three_parameters([0.5, -0.2, 1.5])
    unread = torch.ones(2, dtype=torch.float64, requires_grad=True)
    matrix = np.zeros((5, 5))
    matrix[:3, :3] = 3 * dense_by_torch([ab, c], loss)
    products = HessianProducts([loss, lambda: 2 * loss()], [ab, c, unread])
    assert products.dense() == pytest.approx(matrix)
    assert HessianProducts(lambda: torch.tensor(1.0), [unread]).dense().tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_products_leave_gradients_alone_and_name_what_is_wrong() -> None:
    parameters, loss = three_parameters([0.5, -0.2, 1.5])
    with torch.no_grad():  # the caller's gradient mode does not matter
        HessianProducts(loss, parameters)(np.ones(3))
    assert all(p.grad is None for p in parameters)
    with pytest.raises(ParameterError, match="all of them with requires_grad"):
        HessianProducts(loss, [torch.zeros(2)])
    with pytest.raises(ParameterError, match=r"expected a scalar loss, got the shape \(2,\)"):
        HessianProducts(lambda: parameters[0] * 2, parameters)
    with pytest.raises(NasAnalysisError, match="expected the power iteration to reach a relative 1e-12"):
        power_eigenvalue(HessianProducts(loss, parameters), generator=generator(), tolerance=1e-12, iterations=2)
    with pytest.raises(ParameterError, match="draws: expected at least 0, got -1"):
        hutchinson_trace(HessianProducts(loss, parameters), generator=generator(), draws=-1)
