"""Zero-cost measures from how differently a network treats the images of a batch.

All read one pass over the batch in training mode (batch statistics). Correlations and determinants are computed in
double precision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .zero_cost_subject import Subject, UndefinedMeasureError

#: Keeps logarithms and quotients of vanishing numbers finite (both papers' code).
EPSILON = 1e-5


def jacov_of(subject: Subject) -> float:
    """``-sum(log(v + k) + 1 / (v + k))`` over the eigenvalues v of the correlation matrix of the Jacobian's rows."""
    values = np.linalg.eigvalsh(_correlation(_jacobian(subject))) + EPSILON
    with np.errstate(all="ignore"):
        return float(-np.sum(np.log(values) + 1 / values))


def nwot_of(subject: Subject) -> float:
    """Log-determinant of the matrix of agreements between the images' rectifier codes."""
    kernel = subject.train_pass.kernel
    if kernel is None:
        raise UndefinedMeasureError("no rectifier ran")
    sign, value = np.linalg.slogdet(kernel.cpu().numpy())
    if sign <= 0:
        raise UndefinedMeasureError("singular kernel: two images have one code")
    return float(value)


def epe_nas_of(subject: Subject) -> float:
    """Correlations between the Jacobian's rows, class by class: see `epe_nas`."""
    rows, labels = _jacobian(subject), subject.labels.cpu().numpy()
    many = subject.train_pass.logits.shape[1] > 100
    scores = []
    for label in np.unique(labels):
        of_label = rows[labels == label]
        if many and len(of_label) == 1:
            continue
        score = float(np.log(np.abs(_correlation(of_label)) + EPSILON).sum())
        scores.append(score / len(of_label) if many else score)
    if not scores:
        raise UndefinedMeasureError("no class with two images")
    values = np.array(scores)
    if many:
        return float(np.abs(values[:, None] - values[None, :]).sum() / len(values))
    return float(np.abs(values).sum())


def _jacobian(subject: Subject) -> NDArray[np.float64]:
    return subject.train_pass.jacobian.double().cpu().numpy()


def _correlation(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n) Pearson correlations of rows; a row without variance has none."""
    with np.errstate(all="ignore"):
        correlation = np.atleast_2d(np.corrcoef(rows))
    if not np.isfinite(correlation).all():
        raise UndefinedMeasureError("a Jacobian without variance")
    return correlation
