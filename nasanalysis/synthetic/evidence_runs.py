"""The runs of the evidence experiment. One frame: which part, of which problem, by which estimate.

Columns: part (``bound``, ``points``, ``samples``, ``monte carlo``), problem, points, features, noise_sd, prior_sd,
estimate (``closed form``, ``mean of logs``, ``log of means``), k, log_evidence, bound, value, spread (standard
deviation over repeats), standard_error (of value), all in nats; distance: of the descents' ends from the minima,
relative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ..core.seeding import generator
from .config import EvidenceConfig
from .evidence import (
    Problem,
    bound_terms,
    draw_problem,
    log_evidence,
    log_likelihoods,
    log_of_means,
    mean_of_logs,
    posterior_draws,
)

_SCHEMA = {
    "part": pl.String(),
    "problem": pl.Int64(),
    "points": pl.Int64(),
    "features": pl.Int64(),
    "noise_sd": pl.Float64(),
    "prior_sd": pl.Float64(),
    "estimate": pl.String(),
    "k": pl.Int64(),
    **dict.fromkeys(("log_evidence", "bound", "value", "spread", "standard_error", "distance"), pl.Float64()),
}
#: Ranges of the random problems: points, features, and factors of noise and prior around 1.
_POINTS, _FEATURES, _FACTOR = (1, 60), (1, 30), 10.0


def bounds(config: EvidenceConfig, seed: int) -> pl.DataFrame:
    """The bound in random problems, in closed form; half of them have targets that the model would hardly draw."""
    rows = []
    for number in range(config.problems):
        rng = generator(seed, "evidence", "random problem", number)
        n, d = (int(rng.integers(low, high + 1)) for low, high in (_POINTS, _FEATURES))
        noise, prior = _FACTOR ** rng.uniform(-1, 1, size=2)
        problem = draw_problem(rng, n, d, noise, prior)
        if number % 2:
            problem = Problem(problem.features, 10 * prior * rng.standard_t(2, size=n), noise, prior)
        rows.append(_row("bound", number, problem, value=float(bound_terms(problem)[0].sum())))
    return _frame(rows)


def one_problem(config: EvidenceConfig, number: int, seed: int) -> pl.DataFrame:
    """Gaps of one problem: by points, by draws, and by Monte Carlo beside the closed form."""
    rng = generator(seed, "evidence", "problem", number)
    problem = draw_problem(rng, config.points, config.features)
    rows = [_row("points", number, problem.first(n)) for n in range(1, problem.n + 1)]
    for k in config.samples:
        drawn = [log_likelihoods(problem, posterior_draws(problem, k, rng)) for _ in range(config.repeats)]
        for name, estimate in (("mean of logs", mean_of_logs), ("log of means", log_of_means)):
            values = np.array([estimate(one) for one in drawn])
            spread = float(values.std(ddof=1))
            error = spread / np.sqrt(config.repeats)
            told = {"value": float(values.mean()), "spread": spread, "standard_error": error}
            rows.append(_row("samples", number, problem, estimate=name, k=k, **told))
    rows.append(_monte_carlo(config, number, problem, rng))
    return _frame(rows)


def _monte_carlo(config: EvidenceConfig, number: int, problem: Problem, rng: np.random.Generator) -> dict[str, Any]:
    """Draws by gradient descent; each draw is one training, so their sums are independent of each other."""
    other = np.random.default_rng(seed := int(rng.integers(2**62)))
    descents = posterior_draws(problem, config.checked, other, descend=True)
    minima = posterior_draws(problem, config.checked, np.random.default_rng(seed))
    sums = log_likelihoods(problem, descents).sum(axis=0)
    error = float(sums.std(ddof=1) / np.sqrt(config.checked))
    told = {"value": float(sums.mean()), "spread": float(sums.std(ddof=1)), "standard_error": error}
    distance = float(np.abs(descents - minima).max() / np.abs(minima).max())
    return _row("monte carlo", number, problem, estimate="mean of logs", k=config.checked, distance=distance, **told)


def _row(
    part: str, number: int, problem: Problem, *, estimate: str = "closed form", value: float | None = None, **more: Any
) -> dict[str, Any]:
    bound = float(bound_terms(problem)[0].sum())
    head = {"part": part, "problem": number, "points": problem.n, "features": problem.features.shape[1]}
    scales = {"noise_sd": float(problem.noise_sd), "prior_sd": float(problem.prior_sd), "estimate": estimate}
    numbers = {"log_evidence": log_evidence(problem), "bound": bound, "value": bound if value is None else value}
    return {**head, **scales, **numbers, **more}


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in _SCHEMA} for row in rows], schema=_SCHEMA)
