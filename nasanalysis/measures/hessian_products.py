"""Products of a loss's Hessian with vectors: a backward pass through the gradient (Pearlmutter 1994)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import NasAnalysisError, ParameterError

#: A scalar tensor, computed afresh from the parameters at each call.
Loss = Callable[[], Tensor]


class HessianProducts:
    """Products of the Hessian of a scalar loss with vectors.

    Parameters
    ----------
    loss: a closure without arguments that computes a scalar from `parameters`; or several, whose sum is the loss
        (minibatches: one graph in memory at a time). A single closure is called once and its graph kept; several are
        called for every product, so they must answer the same each time (no fresh dropout, no changed weights).
    parameters: the tensors that the Hessian is taken in, of any shapes, each with ``requires_grad``: weights,
        architecture parameters, or both. One that the loss does not depend on has zero rows and columns.

    Attributes
    ----------
    size: numbers in `parameters`; vectors are (size,), the parameters flattened one after the other.
    count: products computed so far.

    Raises
    ------
    ParameterError: nothing to take the Hessian in, or a loss that is not a scalar.
    NasAnalysisError: a loss, or second derivatives, that are not finite.

    Example
    -------
    >>> import torch
    >>> alpha = torch.zeros(2, requires_grad=True)
    >>> HessianProducts(lambda: (alpha**2 * torch.tensor([1.0, 3.0])).sum(), [alpha]).dense()
    array([[2., 0.],
           [0., 6.]])
    """

    def __init__(self, loss: Loss | Sequence[Loss], parameters: Sequence[Tensor]) -> None:
        self._losses = [loss] if callable(loss) else list(loss)
        self._parameters = list(parameters)
        if not self._losses or not self._parameters or not all(p.requires_grad for p in self._parameters):
            raise ParameterError("hessian: expected a loss and at least one tensor, all of them with requires_grad")
        self.size = sum(p.numel() for p in self._parameters)
        self.count = 0
        self._kept: list[Tensor | None] | None = None
        slopes = self._gradient(self._losses[0])
        if len(self._losses) == 1:
            self._kept = slopes

    def __call__(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Hessian times `vector`: (size,) -> (size,), both in double precision."""
        self.count += 1
        direction = self.split(vector)
        total = torch.zeros(self.size, dtype=torch.float64)
        for slopes in self._gradients():
            total += self._product(slopes, direction)
        if not bool(torch.isfinite(total).all()):
            raise NasAnalysisError("hessian: the second derivatives of the loss are not finite")
        return total.numpy()

    def split(self, vector: NDArray[np.float64]) -> list[Tensor]:
        """A vector (size,) as tensors of the shapes, types and devices of the parameters."""
        flat = torch.from_numpy(np.array(vector, dtype=np.float64).reshape(-1))
        parts = flat.split([p.numel() for p in self._parameters])
        return [
            part.view(p.shape).to(device=p.device, dtype=p.dtype)
            for part, p in zip(parts, self._parameters, strict=True)
        ]

    def dense(self) -> NDArray[np.float64]:
        """The Hessian itself, (size, size), made symmetric; as many products as it has columns."""
        matrix = np.array([self(column) for column in np.eye(self.size)])
        return np.asarray((matrix + matrix.T) / 2)

    def _gradients(self) -> Iterator[list[Tensor | None]]:
        if self._kept is not None:
            yield self._kept
        else:
            yield from (self._gradient(loss) for loss in self._losses)

    def _gradient(self, loss: Loss) -> list[Tensor | None]:
        value = finite_loss(loss)
        if not value.requires_grad:  # a constant: no parameter has a slope
            return [None for _ in self._parameters]
        return list(torch.autograd.grad(value, self._parameters, create_graph=True, allow_unused=True))

    def _product(self, slopes: Sequence[Tensor | None], direction: Sequence[Tensor]) -> Tensor:
        pairs = [(s, d) for s, d in zip(slopes, direction, strict=True) if s is not None and s.requires_grad]
        if not pairs:  # a loss that is linear in the parameters
            return torch.zeros(self.size, dtype=torch.float64)
        curved: Any = torch.autograd.grad(
            [s for s, _ in pairs],
            self._parameters,
            [d for _, d in pairs],
            retain_graph=self._kept is not None,
            allow_unused=True,
        )
        flat = [torch.zeros_like(p) if c is None else c for c, p in zip(curved, self._parameters, strict=True)]
        return torch.cat([c.detach().reshape(-1).double().cpu() for c in flat])


def finite_loss(loss: Loss) -> Tensor:
    """The value of `loss` with its graph, whatever the caller's gradient mode; an error if it is no finite scalar."""
    with torch.enable_grad():
        value = loss()
    if value.numel() != 1:
        raise ParameterError(f"hessian: expected a scalar loss, got the shape {tuple(value.shape)}")
    if not torch.isfinite(value):
        raise NasAnalysisError(f"hessian: expected a finite loss, got {float(value.detach())}")
    return value
