"""Curvature of the loss in the weights: largest eigenvalues (Lanczos) and trace (Hutchinson) of the Hessian.

The Hessian itself is never formed: both need products with a vector only, a backward pass through the gradient
(Pearlmutter 1994; PyHessian, Yao et al. 2020). Measured in evaluation mode on a copy. Parameters that the
architecture does not use are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, ParameterError
from .parameters import Position, noisy_names, used_names
from .untouched import untouched

Which = Literal["algebraic", "magnitude"]


@dataclass(frozen=True)
class WeightHessian:
    """What `weight_hessian` found.

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
    """Largest eigenvalues, their eigenvectors, and the trace of the Hessian of the mean cross-entropy.

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
    for name, number, least in (("top_k", top_k, 1), ("trace_draws", trace_draws, 0), ("iterations", iterations, 1)):
        if number < least:
            raise ParameterError(f"{name}: expected at least {least}, got {number}")
    if which not in ("algebraic", "magnitude"):
        raise ParameterError(f"which: expected 'algebraic' or 'magnitude', got {which!r}")
    with untouched(net) as subject:
        subject.eval()
        used = set(used_names(subject))
        names = [name for name in noisy_names(subject, position, cell) if name in used]
        products = _Products(subject, names, images, labels, batch)
        if top_k > products.size:
            raise ParameterError(f"top_k: expected at most {products.size}, the parameters in use, got {top_k}")
        values, vectors = _leading(products, generator, top_k, which, iterations, tolerance)
        trace, error = _trace(products, generator, trace_draws)
    parts = tuple(products.by_name(_signed(vector)) for vector in vectors.T)
    return WeightHessian(values, parts, trace, error, products.size, products.count)


class _Products:
    """Hessian-vector products as a function of a float64 numpy vector."""

    def __init__(self, net: nn.Module, names: Sequence[str], images: Tensor, labels: Tensor, batch: int) -> None:
        self._net, self._total = net, len(labels)
        self._parts = list(zip(images.split(batch), labels.split(batch), strict=True))
        self._kept: list[Tensor] | None = None
        self.count = 0
        candidates = [(name, net.get_parameter(name)) for name in names]
        self._parameters = [p for _, p in candidates]
        if candidates:  # an architecture may hold more than its output depends on
            loss = self._loss(*self._parts[0])
            if not torch.isfinite(loss):
                raise NasAnalysisError(f"weight_hessian: expected a finite loss, got {float(loss.detach())}")
            slopes = torch.autograd.grad(loss, self._parameters, allow_unused=True)
            candidates = [pair for pair, slope in zip(candidates, slopes, strict=True) if slope is not None]
        if not candidates:
            raise ParameterError("weight_hessian: expected parameters that the loss depends on, got none there")
        self.names = [name for name, _ in candidates]
        self._parameters = [p for _, p in candidates]
        self.size = sum(p.numel() for p in self._parameters)

    def __call__(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        self.count += 1
        direction = self._split(torch.from_numpy(np.array(vector, dtype=np.float64).reshape(-1)))
        total = torch.zeros(self.size, dtype=torch.float64)
        for x, y in self._parts:
            slopes = self._slopes(x, y)
            pairs = [(s, d) for s, d in zip(slopes, direction, strict=True) if s.requires_grad]
            if not pairs:
                continue  # a loss that is linear in the weights
            curved: Any = torch.autograd.grad(
                [s for s, _ in pairs],
                self._parameters,
                [d for _, d in pairs],
                retain_graph=self._kept is not None,
                allow_unused=True,
            )
            flat = [torch.zeros_like(p) if c is None else c for c, p in zip(curved, self._parameters, strict=True)]
            total += torch.cat([c.detach().reshape(-1).double().cpu() for c in flat])
        if not bool(torch.isfinite(total).all()):
            raise NasAnalysisError("weight_hessian: the second derivatives of the loss are not finite")
        return total.numpy()

    def by_name(self, vector: NDArray[np.float64]) -> dict[str, Tensor]:
        return dict(zip(self.names, self._split(torch.from_numpy(vector.copy())), strict=True))

    def _loss(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.enable_grad():
            return nn.functional.cross_entropy(self._net(x), y, reduction="sum") / self._total

    def _slopes(self, x: Tensor, y: Tensor) -> list[Tensor]:
        if self._kept is not None:
            return self._kept
        slopes = list(torch.autograd.grad(self._loss(x, y), self._parameters, create_graph=True))
        if len(self._parts) == 1:
            self._kept = slopes
        return slopes

    def _split(self, vector: Tensor) -> list[Tensor]:
        parts = vector.split([p.numel() for p in self._parameters])
        return [
            part.view(p.shape).to(device=p.device, dtype=p.dtype)
            for part, p in zip(parts, self._parameters, strict=True)
        ]


def _leading(
    products: _Products, generator: torch.Generator, top_k: int, which: Which, iterations: int, tolerance: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(k,) eigenvalues, the largest first, and (n, k) unit eigenvectors."""
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    basis = max(2 * top_k + 1, 20)
    if products.size <= basis:  # Lanczos needs more dimensions than that; the whole matrix costs no more
        columns = [products(column) for column in np.eye(products.size)]
        matrix = np.array(columns)
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    else:
        start = torch.randn(products.size, generator=generator, device=generator.device, dtype=torch.float64)
        if not products(start.cpu().numpy()).any():  # Lanczos has nowhere to go from the Hessian 0
            return np.zeros(top_k), np.eye(products.size, top_k)
        operator = LinearOperator((products.size,) * 2, matvec=products, dtype=np.float64)
        try:
            values, vectors = eigsh(
                operator,
                k=top_k,
                which="LA" if which == "algebraic" else "LM",
                v0=start.cpu().numpy(),
                ncv=basis,
                maxiter=iterations,
                tol=tolerance,
            )
        except ArpackNoConvergence as error:
            raise NasAnalysisError(
                f"weight_hessian: expected {top_k} eigenvalues to a relative {tolerance:g}, got "
                f"{len(error.eigenvalues)} after {iterations} restarts; give more iterations or a larger tolerance"
            ) from error
        except ArpackError as error:
            raise NasAnalysisError(f"weight_hessian: Lanczos failed ({error})") from error
    order = np.argsort(-(values if which == "algebraic" else np.abs(values)))[:top_k]
    return values[order], vectors[:, order]


def _trace(products: _Products, generator: torch.Generator, draws: int) -> tuple[float, float]:
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
