"""SoTL as a bound of the evidence of Bayesian linear regression (SoTL thesis, 3.1; Lyle et al. 2020, arXiv:2010.14499).

y = X theta + noise, theta ~ N(0, prior_sd^2 I), noise ~ N(0, noise_sd^2 I). The log evidence is a sum over points of
log E[p(y_i | theta)], theta from the posterior of the points before i (thesis, Eq. 3.4); with the logarithm inside the
expectation it is a lower bound (Eq. 3.5), whose negative is SoTL. Everything is in nats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

Floats = NDArray[np.float64]
#: What a descent may lack of its end, relative to where it began.
TOLERANCE = 1e-10


@dataclass(frozen=True)
class Problem:
    """Attributes
    ----------
    features: (n, d). targets: (n,). noise_sd, prior_sd: standard deviations, known to the model.
    """

    features: Floats
    targets: Floats
    noise_sd: float
    prior_sd: float

    @property
    def n(self) -> int:
        return len(self.targets)

    def first(self, n: int) -> Problem:
        """The first n points."""
        return Problem(self.features[:n], self.targets[:n], self.noise_sd, self.prior_sd)

    @property
    def precision(self) -> Floats:
        """(d, d) of the posterior of theta."""
        d = self.features.shape[1]
        return np.eye(d) / self.prior_sd**2 + self.features.T @ self.features / self.noise_sd**2


def draw_problem(rng: np.random.Generator, n: int, d: int, noise_sd: float = 1.0, prior_sd: float = 1.0) -> Problem:
    """Standard normal features, and targets that the model itself draws."""
    features = rng.normal(size=(n, d))
    targets = features @ (prior_sd * rng.normal(size=d)) + noise_sd * rng.normal(size=n)
    return Problem(features, targets, noise_sd, prior_sd)


def log_evidence(problem: Problem) -> float:
    """log N(y; 0, noise^2 I + prior^2 X X'), all points at once (Eq. 3.2)."""
    covariance = problem.noise_sd**2 * np.eye(problem.n) + problem.prior_sd**2 * problem.features @ problem.features.T
    return float(multivariate_normal.logpdf(problem.targets, cov=covariance))


def bound_terms(problem: Problem) -> tuple[Floats, Floats]:
    """For each point: its part of the bound, and of the log evidence, both (n,) and in closed form.

    With m and v the mean and variance of x_i theta before point i: E[log N(y_i; x_i theta, s^2)] is
    log N(y_i; m, s^2) - v / (2 s^2), and log E[N(y_i; x_i theta, s^2)] is log N(y_i; m, s^2 + v).
    """
    d, variance = problem.features.shape[1], problem.noise_sd**2
    mean, covariance = np.zeros(d), problem.prior_sd**2 * np.eye(d)
    bound, evidence = np.empty(problem.n), np.empty(problem.n)
    for i, (x, y) in enumerate(zip(problem.features, problem.targets, strict=True)):
        along = covariance @ x
        spread, miss = float(x @ along), float(y - x @ mean)
        bound[i] = -0.5 * (np.log(2 * np.pi * variance) + (miss**2 + spread) / variance)
        evidence[i] = -0.5 * (np.log(2 * np.pi * (variance + spread)) + miss**2 / (variance + spread))
        gain = along / (variance + spread)
        mean, covariance = mean + gain * miss, covariance - np.outer(gain, along)
    return bound, evidence


def posterior_draws(problem: Problem, k: int, rng: np.random.Generator, *, descend: bool = False) -> Floats:
    """Sample, then optimise: (n, k, d), draws of theta from the posterior of the points before each point.

    Draw theta_0 from the prior and a noise for every target, and minimise |y + noise - X theta|^2 / noise_sd^2 +
    |theta - theta_0|^2 / prior_sd^2: the minimum is a draw from the posterior (Matthews et al. 2017; Osband et al.
    2018). A draw keeps its theta_0 and its noise while points are added, as a training goes on.

    descend: gradient descent from theta_0, and then from minimum to minimum, until `TOLERANCE`; else the minimum is
        solved for.
    """
    d = problem.features.shape[1]
    start = problem.prior_sd * rng.normal(size=(k, d))
    targets = problem.targets + problem.noise_sd * rng.normal(size=(k, problem.n))
    draws, here = np.empty((problem.n, k, d)), start
    for i in range(problem.n):
        before = problem.first(i)
        pull = start / problem.prior_sd**2 + targets[:, :i] @ before.features / problem.noise_sd**2
        if i:
            here = _descent(before.precision, pull, here) if descend else _minimum(before.precision, pull)
        draws[i] = here
    return draws


def _minimum(precision: Floats, pull: Floats) -> Floats:
    solution: Floats = cho_solve(cho_factor(precision), pull.T).T
    return solution


def _descent(precision: Floats, pull: Floats, here: Floats) -> Floats:
    """Gradient descent on theta' P theta / 2 - pull theta, at the best constant rate, for as many steps as it takes."""
    low, high = np.linalg.eigvalsh(precision)[[0, -1]]
    rate, shrink = 2 / (low + high), (high - low) / (high + low)
    for _ in range(int(np.ceil(np.log(TOLERANCE) / np.log(shrink))) if shrink > 0 else 1):
        here = here - rate * (here @ precision - pull)
    return here


def log_likelihoods(problem: Problem, draws: Floats) -> Floats:
    """(n, k): log p(y_i | theta) of every draw before point i; minus its sum over i is the SoTL of one training."""
    miss = problem.targets[:, None] - np.einsum("nkd,nd->nk", draws, problem.features)
    likelihoods: Floats = -0.5 * (np.log(2 * np.pi * problem.noise_sd**2) + (miss / problem.noise_sd) ** 2)
    return likelihoods


def mean_of_logs(likelihoods: Floats) -> float:
    """Eq. 3.6: an estimate of the bound without bias, whatever k: more draws change its noise alone."""
    return float(likelihoods.mean(axis=1).sum())


def log_of_means(likelihoods: Floats) -> float:
    """Sum over points of the log of the mean likelihood: below the log evidence on average, and closer as k grows."""
    return float((logsumexp(likelihoods, axis=1) - np.log(likelihoods.shape[1])).sum())
