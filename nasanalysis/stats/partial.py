"""What a score says beyond covariates such as the parameter count: partial rank correlation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .rank import Floats, kendall_tau, spearman_rho
from .resamples import Resamples

LEFT = 1e-10  # share of a variance below which nothing is left of it but rounding


def partial_spearman(score: ArrayLike, truth: ArrayLike, *covariates: ArrayLike) -> float:
    """Spearman's rho of score and truth given covariates: Pearson's r of what ranks leave after linear regression.

    Every argument is (n_archs,); architectures on which one of them is not finite are left out. Signs of
    covariates do not matter. A covariate that does not vary controls nothing. NaN where the covariates leave
    nothing of the score or of the truth (params given params), or rho is undefined.
    """
    return _partial(spearman_rho, score, truth, covariates)


def partial_kendall(score: ArrayLike, truth: ArrayLike, *covariates: ArrayLike) -> float:
    """Kendall's partial tau-b (Kendall 1942): the formula of partial correlation on the matrix of tau-b.

    Arguments and undefined cases as in `partial_spearman`. With several covariates the matrix is inverted, as
    for Pearson's r; the signs of all pairs take the part of the residuals.
    """
    return _partial(kendall_tau, score, truth, covariates)


def partial_spearman_on_resamples(resamples: Resamples, score: Floats, *covariates: Floats) -> Floats:
    """`partial_spearman` of every resample: (n_resamples,)."""
    return _partial_on_resamples(Resamples.spearman_rho, resamples, score, covariates)


def partial_kendall_on_resamples(resamples: Resamples, score: Floats, *covariates: Floats) -> Floats:
    """`partial_kendall` of every resample: (n_resamples,)."""
    return _partial_on_resamples(Resamples.kendall_tau, resamples, score, covariates)


def partial_from_matrix(matrix: ArrayLike) -> Floats:
    """Correlation of the first two variables given the others: (..., k, k) correlations -> (...)."""
    r = np.array(matrix, dtype=np.float64)
    inner = r[..., 2:, 2:]
    size = inner.shape[-1]
    outer = np.nan_to_num(r[..., :2, 2:])  # a covariate that does not vary has no correlation: it controls nothing
    inner = np.where(np.eye(size, dtype=bool), 1.0, np.nan_to_num(inner))
    left = r[..., :2, :2] - outer @ np.linalg.pinv(inner, rcond=LEFT, hermitian=True) @ np.swapaxes(outer, -1, -2)
    a, b = left[..., 0, 0], left[..., 1, 1]
    defined = (a > LEFT) & (b > LEFT) & np.isfinite(left[..., 0, 1])
    scale = np.sqrt(np.where(defined, a * b, 1.0))
    return np.where(defined, np.clip(left[..., 0, 1] / scale, -1.0, 1.0), np.nan)


def _partial(
    correlation: Callable[[ArrayLike, ArrayLike], float],
    score: ArrayLike,
    truth: ArrayLike,
    covariates: tuple[ArrayLike, ...],
) -> float:
    columns = [np.asarray(v, dtype=np.float64) for v in (score, truth, *covariates)]
    if any(c.ndim != 1 or c.shape != columns[0].shape for c in columns):
        shapes = ", ".join(str(c.shape) for c in columns)
        raise ValueError(f"partial correlation: expected arrays (n_archs,) of one length, got shapes {shapes}")
    keep = np.logical_and.reduce([np.isfinite(c) for c in columns])
    columns = [c[keep] for c in columns]
    matrix = np.eye(len(columns))
    for i in range(len(columns)):
        for j in range(i):
            matrix[i, j] = matrix[j, i] = correlation(columns[i], columns[j])
    return float(partial_from_matrix(matrix))


def _partial_on_resamples(
    correlation: Callable[[Resamples, Floats], Floats],
    resamples: Resamples,
    score: Floats,
    covariates: tuple[Floats, ...],
) -> Floats:
    size = 2 + len(covariates)
    matrix: NDArray[np.float64] = np.empty((resamples.n_resamples, size, size))
    matrix[:] = np.eye(size)
    targets = [score, resamples.truth, *covariates]
    for i in range(1, size):
        against = resamples if i == 1 else resamples.against(targets[i])
        for j in range(i):
            # what concerns only truth and covariates is the same for every score, and kept
            values = against.remembered(correlation, targets[j]) if j else correlation(against, targets[j])
            matrix[:, i, j] = matrix[:, j, i] = values
    return partial_from_matrix(matrix)
