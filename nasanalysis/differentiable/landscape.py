"""The loss of a search over two directions in its architecture parameters, weights at rest (torch).

After Figure 1 of RobustDARTS's slides and of SmoothDARTS (Chen and Hsieh 2020), which draw the landscape of the
validation loss around a found alpha; directions there are drawn, here they may be those of largest curvature too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ..core.errors import ParameterError
from ..core.seeding import torch_generator
from .hessian import WHOLE, NoHessianError, products

if TYPE_CHECKING:
    from .learner import SearchLearner


def directions(
    learner: SearchLearner, kind: Literal["curved", "random"] = "curved", *, images: int = 0, relaxed: bool = False
) -> NDArray[np.float64]:
    """Two orthonormal directions, (2, numbers that are trained), row by row.

    ``curved``: the eigenvectors of the two most positive eigenvalues of the architecture Hessian; ``random``: drawn by
    the search's seed, the mean of every decision taken off, since a softmax does not see it.
    """
    product = products(learner, images=images, relaxed=relaxed)
    if kind == "random":
        rows = learner.alphas.trained.nonzero()[:, 0].numpy()
        drawn = torch.randn(2, product.size, generator=torch_generator(learner.seed, "landscape")).double().numpy()
        for row in np.unique(rows):
            drawn[:, rows == row] -= drawn[:, rows == row].mean(1, keepdims=True)
        return np.asarray(np.linalg.qr(drawn.T)[0].T, dtype=np.float64)
    if product.size > WHOLE:
        raise NoHessianError(
            f"{learner.name}: expected at most {WHOLE} architecture parameters for curved directions, got "
            f"{product.size}; take random ones"
        )
    vectors = np.linalg.eigh(product.dense())[1]
    return np.ascontiguousarray(vectors[:, [-1, -2]].T)


@torch.no_grad()
def landscape(
    learner: SearchLearner,
    along: NDArray[np.float64],
    *,
    reach: float = 1.0,
    steps: int = 21,
    images: int = 0,
    data: str = "alpha",
    relaxed: bool = False,
) -> pl.DataFrame:
    """Columns ``alpha, beta, loss``: nats at alpha plus so much of either direction, on a full grid around 0.

    Parameters
    ----------
    along: from `directions`. reach: largest step either way. steps: of a side, odd, so that alpha itself is among them.
    images: 0: one batch. data: as `SearchLearner.reading` has it.
    """
    if steps < 3 or steps % 2 == 0 or not reach > 0:
        raise ParameterError(f"landscape: expected an odd number of steps from 3 and reach > 0, got {steps}, {reach}")
    trained = learner.alphas.trained
    if np.shape(along) != (2, int(trained.sum())):
        raise ParameterError(
            f"landscape: expected two directions in {int(trained.sum())} numbers, got {np.shape(along)}"
        )
    if learner.method.relaxation.hard and not relaxed:
        raise NoHessianError(f"{learner.method.name}: expected weights that move with alpha, got a sampler")
    here = learner.alphas.values.detach()
    batches = learner._read_batches(images or learner.settings.batch_size, data)
    one, other = (torch.from_numpy(each).to(here) for each in np.asarray(along))
    axis = np.linspace(-reach, reach, steps)
    rows = []
    for a in axis:
        for b in axis:
            values = here.masked_scatter(trained, here[trained] + a * one + b * other)
            logits = values.masked_fill(~learner.alphas.active, -torch.inf)
            mixture = learner.alphas.mixture(learner.alphas.settle(learner.method.relaxation.mean(logits)))
            rows.append((float(a), float(b), _loss(learner, mixture, batches)))
    return pl.DataFrame(rows, schema={"alpha": pl.Float64, "beta": pl.Float64, "loss": pl.Float64}, orient="row")


def _loss(learner: SearchLearner, mixture: object, batches: object) -> float:
    total, count = 0.0, 0
    with learner.measuring():
        for x, labels in batches:  # type: ignore[attr-defined]
            total += float(F.cross_entropy(learner.net.mixed(x, mixture), labels, reduction="sum"))  # type: ignore[operator]
            count += len(labels)
    return total / count
