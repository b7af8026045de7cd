"""The forest is scikit-learn's to the last bit, whatever its trees are made with."""

from __future__ import annotations

import numpy as np
import pytest

from nasanalysis.core.seeding import generator
from nasanalysis.stats.regressors import random_forest

ensemble = pytest.importorskip("sklearn.ensemble")


@pytest.mark.parametrize("seed", [0, 1, 17])
@pytest.mark.parametrize("n", [10, 100])
def test_the_forest_is_scikit_learns(seed: int, n: int) -> None:
    rng = generator(seed, "forest", n)
    features, truth, asked = rng.normal(size=(n, 7)), rng.normal(size=n), rng.normal(size=(500, 7))
    features[:, 3] = features[:, 3].round()
    ours = random_forest(seed).fit(features, truth)
    theirs = ensemble.RandomForestRegressor(n_estimators=100, random_state=seed).fit(features, truth)
    assert ours.predict(asked).tobytes() == theirs.predict(asked).tobytes()
    assert [t.random_state for t in ours.estimators_] == [t.random_state for t in theirs.estimators_]
    assert np.array_equal(ours.feature_importances_, theirs.feature_importances_)


def test_trees_are_separate_and_refuse_what_they_do_not_have() -> None:
    forest = random_forest(0).fit(np.arange(20.0).reshape(-1, 1), np.arange(20.0))
    first, second = forest.estimators_[:2]
    assert first is not second
    assert first.tree_ is not second.tree_
    with pytest.raises(ValueError, match="expected parameters among"):
        first.set_params(depth=3)
