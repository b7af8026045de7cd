"""Evidence and its bound: beside scipy's density of all points at once, quadrature, and moments of the posterior."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from nasanalysis.core.seeding import generator
from nasanalysis.synthetic.config import EvidenceConfig
from nasanalysis.synthetic.evidence import (
    bound_terms,
    draw_problem,
    log_evidence,
    log_likelihoods,
    log_of_means,
    mean_of_logs,
    posterior_draws,
)
from nasanalysis.synthetic.evidence_runs import bounds, one_problem


def test_the_terms_of_the_evidence_add_up_to_it() -> None:
    for number, (n, d) in enumerate([(1, 1), (5, 2), (12, 20)]):
        problem = draw_problem(generator(number), n, d, 0.7, 1.9)
        assert bound_terms(problem)[1].sum() == pytest.approx(log_evidence(problem), rel=1e-10)


def test_the_bound_is_an_expectation_under_the_posterior() -> None:
    """One feature, so that the expectation is an integral: prior N(0, 1.5^2), then its product with likelihoods."""
    problem = draw_problem(generator(3), 4, 1, 0.8, 1.5)
    x, y = problem.features[:, 0], problem.targets
    for i in range(4):

        def density(t: float, i: int = i) -> float:
            return float(norm.pdf(t, 0, 1.5) * norm.pdf(y[:i], t * x[:i], 0.8).prod())

        whole = quad(density, -12, 12, epsabs=1e-13)[0]
        mean = quad(lambda t, i=i: density(t, i) * norm.logpdf(y[i], t * x[i], 0.8), -12, 12, epsabs=1e-13)[0] / whole
        assert bound_terms(problem)[0][i] == pytest.approx(mean, rel=1e-6)


def test_the_bound_holds_in_every_random_problem() -> None:
    frame = bounds(EvidenceConfig(problems=300), 5)
    assert frame.height == 300
    assert (frame["value"] < frame["log_evidence"]).all()


def test_a_point_that_the_features_do_not_see_leaves_no_gap() -> None:
    problem = draw_problem(generator(0), 3, 2)
    problem.features[:] = 0
    bound, evidence = bound_terms(problem)
    assert bound == pytest.approx(evidence, rel=1e-12)


def test_descents_end_where_the_minimum_is_and_are_draws_from_the_posterior() -> None:
    problem = draw_problem(generator(1), 6, 3, 0.5, 2.0)
    descents = posterior_draws(problem, 4000, generator(2), descend=True)
    assert descents == pytest.approx(posterior_draws(problem, 4000, generator(2)), abs=1e-8)
    for i in (0, 3, 5):
        before = problem.first(i)
        covariance = np.linalg.inv(before.precision)
        mean = covariance @ before.features.T @ before.targets / 0.5**2
        error = np.sqrt(np.diag(covariance) / 4000)
        assert (np.abs(descents[i].mean(axis=0) - mean) < 4 * error).all()
        assert np.cov(descents[i].T) == pytest.approx(covariance, abs=0.1 * covariance.max())


def test_one_draw_is_one_training_and_more_draws_never_lower_the_log_of_means() -> None:
    problem = draw_problem(generator(4), 8, 3)
    logs = log_likelihoods(problem, posterior_draws(problem, 50, generator(6)))
    assert logs.shape == (8, 50)
    assert log_of_means(logs[:, :1]) == pytest.approx(mean_of_logs(logs[:, :1]), rel=1e-12)
    assert log_of_means(logs) > mean_of_logs(logs)
    assert mean_of_logs(logs) == pytest.approx(float(logs.sum(axis=0).mean()), rel=1e-12)


def test_k_changes_the_noise_of_one_estimate_and_the_gap_of_the_other() -> None:
    config = EvidenceConfig(samples=(1, 64), points=10, features=4, repeats=200, checked=1000)
    frame = one_problem(config, 0, 0)
    rows = {(r["estimate"], r["k"]): r for r in frame.filter(part="samples").to_dicts()}
    for k in (1, 64):
        row = rows["mean of logs", k]
        assert abs(row["value"] - row["bound"]) < 4 * row["standard_error"]
    assert rows["mean of logs", 64]["spread"] == pytest.approx(rows["mean of logs", 1]["spread"] / 8, rel=0.3)
    gap = {k: rows["log of means", k]["log_evidence"] - rows["log of means", k]["value"] for k in (1, 64)}
    assert 0 < gap[64] < gap[1] / 4
    (checked,) = frame.filter(part="monte carlo").to_dicts()
    assert abs(checked["value"] - checked["bound"]) < 4 * checked["standard_error"]
    assert checked["distance"] < 1e-8
