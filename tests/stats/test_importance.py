"""Permutation importance without asking the forest about every row again: the numbers of the plain loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nasanalysis.stats.importance import permutation_importance

pytest.importorskip("sklearn")

RNG = np.random.default_rng(3)
FEATURES = np.column_stack(
    [RNG.integers(0, 4, 300), RNG.normal(size=300), RNG.integers(0, 60, 300) / 7, np.ones(300)]
).astype(np.float64)
TARGET = FEATURES[:, 0] * FEATURES[:, 1] + 0.1 * FEATURES[:, 2]


class Sum:
    """A regressor of nobody's library."""

    def fit(self, features: NDArray[Any], truth: NDArray[Any]) -> Sum:
        del features, truth
        return self

    def predict(self, features: NDArray[Any]) -> NDArray[Any]:
        total: NDArray[Any] = features.sum(axis=1)
        return total


def models() -> list[Any]:
    from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestRegressor

    from nasanalysis.stats.regressors import ridge

    few = {"n_estimators": 8, "random_state": 0}
    return [RandomForestRegressor(**few), ExtraTreesRegressor(**few), GradientBoostingRegressor(**few), ridge(0), Sum()]


@pytest.mark.parametrize("model", models(), ids=lambda model: type(model).__name__)
def test_the_drops_are_those_of_a_plain_loop(model: Any) -> None:
    from sklearn.metrics import r2_score

    model.fit(FEATURES[:150], TARGET[:150])
    x, y = FEATURES[150:], TARGET[150:]
    one = permutation_importance(model, x, y, repeats=6, rng=np.random.default_rng(5))
    before = r2_score(y, model.predict(x))
    assert one.r2 == pytest.approx(before, abs=1e-12)
    rng = np.random.default_rng(5)
    orders = [rng.permutation(len(y)) for _ in range(6)]
    for j in range(x.shape[1]):
        for r, order in enumerate(orders):
            shuffled = x.copy()
            shuffled[:, j] = x[order, j]
            assert one.drops[j, r] == pytest.approx(before - r2_score(y, model.predict(shuffled)), abs=1e-12)


def test_a_target_that_does_not_vary_has_no_importance() -> None:
    one = permutation_importance(Sum(), FEATURES, np.ones(300), repeats=2, rng=np.random.default_rng(0))
    assert np.isnan(one.r2)
    assert np.isnan(one.drops).all()
