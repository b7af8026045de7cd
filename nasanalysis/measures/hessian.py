"""Curvature of a loss: largest eigenvalues (Lanczos, power iteration) and trace (Hutchinson) of its Hessian.

The Hessian itself is never formed: all need products with a vector only, a backward pass through the gradient
(Pearlmutter 1994; PyHessian, Yao et al. 2020).

====================== ==========================================================================================
`HessianProducts`      products with vectors, for any scalar loss and any tensors: weights, architecture parameters
`leading_eigenvalues`  the largest (Lanczos), most positive or largest in magnitude, with their eigenvectors
`power_eigenvalue`     the first of them by power iteration: plain, and slow where two are close
`hutchinson_trace`     the trace with its standard error
`weight_hessian`       all of it for the cross-entropy of a network in its weights
====================== ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, ParameterError
from .hessian_products import HessianProducts, Loss, finite_loss
from .parameters import Position, noisy_names, used_names
from .untouched import untouched

__all__ = [
    "HessianProducts",
    "WeightHessian",
    "hutchinson_trace",
    "leading_eigenvalues",
    "power_eigenvalue",
    "weight_hessian",
]

Which = Literal["algebraic", "magnitude"]


def leading_eigenvalues(
    products: HessianProducts,
    *,
    generator: torch.Generator,
    top_k: int = 1,
    which: Which = "algebraic",
    iterations: int = 100,
    tolerance: float = 1e-3,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(top_k,) eigenvalues, the largest first, and (size, top_k) unit eigenvectors, by Lanczos (ARPACK).

    Parameters
    ----------
    generator: draws the first vector; it is advanced. The same state gives the same answer.
    which: ``algebraic``, the most positive, or ``magnitude``, the largest in magnitude.
    iterations, tolerance: restarts, and relative accuracy of the eigenvalues.

    Of the two unit eigenvectors the one whose largest entry is positive. A Hessian too small for Lanczos is formed.

    Raises
    ------
    ParameterError: a number out of range. NasAnalysisError: no convergence after `iterations`.
    """
    _at_least(("top_k", top_k, 1), ("iterations", iterations, 1))
    _known(which)
    if top_k > products.size:
        raise ParameterError(f"top_k: expected at most {products.size}, the parameters in use, got {top_k}")
    basis = max(2 * top_k + 1, 20)
    if products.size <= basis:  # Lanczos needs more dimensions than that; the whole matrix costs no more
        values, vectors = np.linalg.eigh(products.dense())
    else:
        start = torch.randn(products.size, generator=generator, device=generator.device, dtype=torch.float64)
        first = start.cpu().numpy()
        if not products(first).any():  # Lanczos has nowhere to go from the Hessian 0
            return np.zeros(top_k), np.eye(products.size, top_k)
        values, vectors = _lanczos(products, first, top_k, which, basis, iterations, tolerance)
    order = np.argsort(-(values if which == "algebraic" else np.abs(values)))[:top_k]
    return values[order], np.stack([_signed(vectors[:, i]) for i in order], axis=1)


def _lanczos(
    products: HessianProducts,
    first: NDArray[np.float64],
    top_k: int,
    which: Which,
    basis: int,
    iterations: int,
    tolerance: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    operator = LinearOperator((products.size,) * 2, matvec=products, dtype=np.float64)
    ends: Literal["LA", "LM"] = "LA" if which == "algebraic" else "LM"
    try:
        values, vectors = eigsh(operator, k=top_k, which=ends, v0=first, ncv=basis, maxiter=iterations, tol=tolerance)
    except ArpackNoConvergence as error:
        raise NasAnalysisError(
            f"hessian: expected {top_k} eigenvalues to a relative {tolerance:g}, got "
            f"{len(error.eigenvalues)} after {iterations} restarts; give more iterations or a larger tolerance"
        ) from error
    except ArpackError as error:
        raise NasAnalysisError(f"hessian: Lanczos failed ({error})") from error
    return values, vectors


def power_eigenvalue(
    products: HessianProducts,
    *,
    generator: torch.Generator,
    which: Which = "algebraic",
    iterations: int = 1000,
    tolerance: float = 1e-3,
) -> tuple[float, NDArray[np.float64]]:
    """The largest eigenvalue and its unit eigenvector (size,) by power iteration, as in PyHessian.

    A power iteration converges to the largest in ``magnitude``. Where that one is negative and the most positive is
    asked for (``algebraic``), a second one on the Hessian shifted by it follows. Stops when the residual
    ``|H v - e v|`` is at most `tolerance` times ``|e|``; `NasAnalysisError` after `iterations` products without it.
    """
    _at_least(("iterations", iterations, 1))
    _known(which)
    start = torch.randn(products.size, generator=generator, device=generator.device, dtype=torch.float64).cpu().numpy()
    value, vector = _power(products, start, 0.0, iterations, tolerance)
    if which == "algebraic" and value < 0:
        value, vector = _power(products, start, value, iterations, tolerance)
    return value, _signed(vector)


def _power(
    products: HessianProducts, start: NDArray[np.float64], shift: float, iterations: int, tolerance: float
) -> tuple[float, NDArray[np.float64]]:
    """Eigenvalue of the Hessian that lies farthest from `shift`, and its vector."""
    vector = start / np.linalg.norm(start)
    for _ in range(iterations):
        turned = products(vector) - shift * vector
        distance = float(vector @ turned)
        if np.linalg.norm(turned - distance * vector) <= tolerance * abs(distance):
            return distance + shift, vector
        vector = turned / np.linalg.norm(turned)
    raise NasAnalysisError(
        f"hessian: expected the power iteration to reach a relative {tolerance:g}, it did not in {iterations} "
        "products; give more iterations, a larger tolerance, or take leading_eigenvalues"
    )


def hutchinson_trace(products: HessianProducts, *, generator: torch.Generator, draws: int = 16) -> tuple[float, float]:
    """Mean of ``z H z`` over `draws` vectors z of random signs, and its standard error; NaN where undefined."""
    _at_least(("draws", draws, 0))
    estimates = []
    for _ in range(draws):
        bits = torch.randint(2, (products.size,), generator=generator, device=generator.device)
        signs = (2 * bits - 1).double().cpu().numpy()
        estimates.append(float(signs @ products(signs)))
    if not estimates:
        return float("nan"), float("nan")
    error = float(np.std(estimates, ddof=1) / np.sqrt(draws)) if draws > 1 else float("nan")
    return float(np.mean(estimates)), error


def _signed(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The one of the two unit eigenvectors whose largest entry is positive."""
    return vector if vector[np.argmax(np.abs(vector))] > 0 else -vector


def _at_least(*checks: tuple[str, int, int]) -> None:
    for name, number, least in checks:
        if number < least:
            raise ParameterError(f"{name}: expected at least {least}, got {number}")


def _known(which: str) -> None:
    if which not in ("algebraic", "magnitude"):
        raise ParameterError(f"which: expected 'algebraic' or 'magnitude', got {which!r}")


@dataclass(frozen=True)
class WeightHessian:
    """The answer of `weight_hessian`.

    Attributes
    ----------
    eigenvalues: (top_k,), the largest first (nats per squared unit of weight).
    vectors: for each eigenvalue, parameter name -> its part of the unit eigenvector, on the device of the network.
    trace, trace_error: Hutchinson's mean and its standard error; NaN without draws (and the error with one).
    parameters: numbers in the parameters that the Hessian is taken in. products: Hessian-vector products that it took.
    """

    eigenvalues: NDArray[np.float64]
    vectors: tuple[dict[str, Tensor], ...] = field(repr=False)
    trace: float
    trace_error: float
    parameters: int
    products: int


def weight_hessian(
    net: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    generator: torch.Generator,
    top_k: int = 1,
    which: Which = "algebraic",
    trace_draws: int = 16,
    iterations: int = 100,
    tolerance: float = 1e-3,
    position: Position = "all",
    cell: type[nn.Module] | None = None,
    batch: int = 256,
) -> WeightHessian:
    """Largest eigenvalues, their eigenvectors, and the trace of the Hessian of the mean cross-entropy in the weights.

    Measured in evaluation mode on a copy. Parameters that the architecture does not use are left out.

    Parameters
    ----------
    images, labels: (n, channels, height, width) and (n,), on the device of `net`.
    generator: the first vector of Lanczos and the Rademacher vectors of Hutchinson; it is advanced.
    top_k: number of eigenvalues.
    which: the largest, or the largest in magnitude (what a power iteration, as in PyHessian, converges to). They
        differ only where the loss curves down more sharply than up.
    trace_draws: Rademacher vectors; 0 leaves the trace out.
    iterations: restarts of the Lanczos method (ARPACK's implicitly restarted one, through scipy).
    tolerance: relative accuracy of the eigenvalues. Single-precision networks allow about 1e-5.
    position, cell: see `noisy_names`.
    batch: images at once. If it holds all of them, the gradient's graph is built once and kept.

    Raises
    ------
    ParameterError: a number out of range, or no parameter to take the Hessian in.
    NasAnalysisError: no convergence after `iterations`; a loss that is not finite.
    """
    _at_least(("top_k", top_k, 1), ("trace_draws", trace_draws, 0), ("iterations", iterations, 1))
    with untouched(net) as subject:
        subject.eval()
        losses = _minibatch_losses(subject, images, labels, batch)
        used = set(used_names(subject))
        names = [name for name in noisy_names(subject, position, cell) if name in used]
        names = _with_slope(subject, names, losses[0])
        products = HessianProducts(losses, [subject.get_parameter(name) for name in names])
        values, vectors = leading_eigenvalues(
            products, generator=generator, top_k=top_k, which=which, iterations=iterations, tolerance=tolerance
        )
        trace, error = hutchinson_trace(products, generator=generator, draws=trace_draws)
    parts = tuple(dict(zip(names, products.split(vector), strict=True)) for vector in vectors.T)
    return WeightHessian(values, parts, trace, error, products.size, products.count)


def _minibatch_losses(net: nn.Module, images: Tensor, labels: Tensor, batch: int) -> list[Loss]:
    """Closures whose sum is the mean cross-entropy."""

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return nn.functional.cross_entropy(net(x), y, reduction="sum") / len(labels)

    return [partial(loss, x, y) for x, y in zip(images.split(batch), labels.split(batch), strict=True)]


def _with_slope(net: nn.Module, names: Sequence[str], loss: Loss) -> list[str]:
    """Those of `names` that the loss depends on: an architecture may hold more than its output reads."""
    slopes = (
        torch.autograd.grad(finite_loss(loss), [net.get_parameter(n) for n in names], allow_unused=True)
        if names
        else ()
    )
    chosen = [name for name, slope in zip(names, slopes, strict=True) if slope is not None]
    if not chosen:
        raise ParameterError("weight_hessian: expected parameters that the loss depends on, got none there")
    return chosen
