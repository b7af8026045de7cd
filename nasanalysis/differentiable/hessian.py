"""The Hessian of a search's loss in its architecture parameters: whole, or its extreme eigenvalues (torch).

Read on one batch of the images that alpha is trained on, with batch statistics and without drop-path, under the weights
of the relaxation without draws. A hard sampler's loss is piecewise constant in alpha and has no Hessian: that of its
softmax is given where it is asked for by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import NasAnalysisError
from ..core.seeding import torch_generator
from ..measures.hessian import leading_eigenvalues
from ..measures.hessian_products import HessianProducts

if TYPE_CHECKING:
    from .learner import SearchLearner

#: As many architecture parameters as are worth the whole matrix; above, extreme eigenvalues by Lanczos.
WHOLE = 300


class NoHessianError(NasAnalysisError, ValueError):
    """The Hessian of a loss that is piecewise constant in alpha or does not depend on it, or one that is not finite."""


class Extremes(NamedTuple):
    """Ends of a spectrum: the most positive eigenvalue, and the one of largest magnitude with its sign."""

    most_positive: float
    largest: float


def products(learner: SearchLearner, *, relaxed: bool = False, images: int = 0, data: str = "alpha") -> HessianProducts:
    """Products of the architecture Hessian with vectors; numbers are those that are trained, row by row.

    Parameters
    ----------
    relaxed: for a hard sampler, take the Hessian of its softmax at the same alpha.
    images: on which it is read; 0: one batch. data: of ``alpha``'s images, those of the ``weights``, or ``valid``.

    Raises `NoHessianError` for a hard sampler without `relaxed`, for a controller, and where nothing is open.
    """
    method = learner.method
    if method.controller is not None or (method.relaxation.hard and not relaxed):
        raise NoHessianError(
            f"{method.name}: expected weights that move with alpha, got a sampler, whose loss is piecewise constant in "
            "it; ask for the Hessian of its softmax (relaxed=True)"
        )
    trained = learner.alphas.trained
    if not bool(trained.any()):
        raise NoHessianError(f"{method.name}: expected open decisions, got none; every edge is decided")
    point = learner.alphas.values.detach()[trained].clone().requires_grad_()
    batches = learner._read_batches(images or learner.settings.batch_size, data)

    def loss_on(index: int) -> Tensor:
        values = learner.alphas.values.detach().masked_scatter(trained, point)
        logits = values.masked_fill(~learner.alphas.active, -torch.inf)
        weights = learner.alphas.settle(method.relaxation.mean(logits))
        x, labels = batches[index]
        with learner.measuring():
            out = learner.net.mixed(x, learner.alphas.mixture(weights))  # type: ignore[operator]
        return F.cross_entropy(out, labels) * len(labels) / sum(len(b[1]) for b in batches)

    return HessianProducts([lambda i=i: loss_on(i) for i in range(len(batches))], [point])  # type: ignore[misc]


def architecture_hessian(learner: SearchLearner, *, relaxed: bool = False, images: int = 0) -> NDArray[np.float64]:
    """The whole Hessian, (numbers that are trained, same); see `products`."""
    return products(learner, relaxed=relaxed, images=images).dense()


def eigenvalues(hessian: NDArray[np.float64]) -> NDArray[np.float64]:
    """All eigenvalues, from the most negative to the most positive."""
    return np.asarray(np.linalg.eigvalsh(hessian), dtype=np.float64)


def extremes(
    learner: SearchLearner, *, relaxed: bool = False, images: int = 0, data: str = "alpha", whole: int = WHOLE
) -> Extremes:
    """Both ends of the spectrum: from the whole matrix up to `whole` numbers, by Lanczos beyond.

    Raises `NoHessianError` as `products`, and where the Hessian is not finite.
    """
    product = products(learner, relaxed=relaxed, images=images, data=data)
    if product.size <= whole:
        values = _spectrum(learner, product)
        return Extremes(float(values[-1]), float(values[np.abs(values).argmax()]))
    return Extremes(_lanczos(learner, product, "algebraic"), _lanczos(learner, product, "magnitude"))


def spectrum(
    learner: SearchLearner, *, relaxed: bool = False, images: int = 0, data: str = "alpha"
) -> NDArray[np.float64]:
    """All eigenvalues, from the most negative to the most positive.

    Raises `NoHessianError` as `extremes`, and where there are more than `WHOLE` numbers.
    """
    product = products(learner, relaxed=relaxed, images=images, data=data)
    if product.size > WHOLE:
        raise NoHessianError(
            f"{learner.name}: expected at most {WHOLE} architecture parameters for a whole spectrum, got "
            f"{product.size}; its two ends are `extremes`"
        )
    return _spectrum(learner, product)


def _spectrum(learner: SearchLearner, product: HessianProducts) -> NDArray[np.float64]:
    with _named(learner):
        return eigenvalues(product.dense())


def _lanczos(learner: SearchLearner, product: HessianProducts, which: Literal["algebraic", "magnitude"]) -> float:
    start = torch_generator(learner.seed, "search", "lanczos")
    with _named(learner):
        values, _ = leading_eigenvalues(product, generator=start, which=which)
    return float(values[0])


@contextlib.contextmanager
def _named(learner: SearchLearner) -> Iterator[None]:
    """Say of which search a Hessian is that is not finite, or whose eigenvalues do not converge."""
    try:
        yield
    except NasAnalysisError as error:
        raise NoHessianError(f"{learner.name}: {error}; use a smaller learning_rate, or clip") from error


def dominant(
    learner: SearchLearner,
    *,
    which: Literal["algebraic", "magnitude"] = "algebraic",
    relaxed: bool = False,
    images: int = 0,
) -> float:
    """The most positive eigenvalue, or the one of largest magnitude: whole to `WHOLE` numbers, by Lanczos beyond."""
    product = products(learner, relaxed=relaxed, images=images)
    if product.size <= WHOLE:
        values = _spectrum(learner, product)
        return float(values[-1] if which == "algebraic" else values[np.abs(values).argmax()])
    return _lanczos(learner, product, which)
