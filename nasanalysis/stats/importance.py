"""Permutation importance (Breiman 2001): how much a regressor loses where one feature is shuffled among architectures.

The numbers are those of `sklearn.inspection.permutation_importance`. Three things spare work and change none of them:
a feature of few values is predicted once for each value, and every permutation looks its predictions up; a tree of a
forest is asked again only about rows whose path through it asks for the feature; all permutations of a feature are one
call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .rank import Floats
from .regressors import Regressor


@dataclass(frozen=True)
class Importance:
    """R^2 of a regressor on rows it was not fitted on, and what permutations of each feature take off it.

    Attributes
    ----------
    r2: before; NaN where the target does not vary.
    drops: (n_features, repeats), R^2 before minus R^2 with the feature permuted.
    """

    r2: float
    drops: Floats


def permutation_importance(
    model: Regressor, features: Floats, target: Floats, *, repeats: int, rng: np.random.Generator
) -> Importance:
    """Permute each column of `features` (n, n_features) `repeats` times; `model` is fitted, `target` is (n,)."""
    orders = np.array([rng.permutation(len(target)) for _ in range(repeats)])  # the same for every feature
    columns = [_Column.of(values, orders) for values in features.T]
    before, permuted = _predictions(model, features, columns)
    total = float(((target - target.mean()) ** 2).sum())
    if not total:
        return Importance(float("nan"), np.full((features.shape[1], repeats), np.nan))
    lost = ((target - before) ** 2).sum()
    drops = [[((target - one) ** 2).sum() - lost for one in each] for each in permuted]
    return Importance(1 - float(lost) / total, np.array(drops).reshape(features.shape[1], repeats) / total)


@dataclass(frozen=True)
class _Column:
    """What stands in one column when it is permuted.

    asked: (m, n) or (m, 1), the values to predict with. chosen: (repeats, n), which of the m each permutation takes.
    """

    asked: Floats
    chosen: NDArray[np.intp]

    @staticmethod
    def of(values: Floats, orders: NDArray[np.intp]) -> _Column:
        levels, which = np.unique(values, return_inverse=True)
        if len(levels) <= len(orders):
            return _Column(levels[:, None], which[orders])
        return _Column(values[orders], np.broadcast_to(np.arange(len(orders))[:, None], orders.shape))

    def within(self, rows: NDArray[np.intp]) -> Floats:
        """(m, len(rows)) of the values asked for."""
        asked = self.asked if self.asked.shape[1] == 1 else self.asked[:, rows]
        return np.broadcast_to(asked, (len(asked), len(rows)))


def _predictions(model: Any, features: Floats, columns: list[_Column]) -> tuple[Floats, Iterator[Floats]]:
    """(n,) as they are, and (repeats, n) for each feature permuted."""
    if _is_forest(model):
        before, tables = _of_forest([tree.tree_ for tree in model.estimators_], features, columns)
    else:
        before = np.asarray(model.predict(features), dtype=np.float64)
        tables = [_asked_again(model.predict, features, j, column) for j, column in enumerate(columns)]
    rows = np.arange(len(features))
    return before, (table[column.chosen, rows] for table, column in zip(tables, columns, strict=True))


def _is_forest(model: Any) -> bool:
    """Whether its prediction is the mean over the trees of ``estimators_``, each of all features."""
    try:
        from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
    except ModuleNotFoundError:
        return False
    return isinstance(model, RandomForestRegressor | ExtraTreesRegressor)


def _of_forest(trees: list[Any], features: Floats, columns: list[_Column]) -> tuple[Floats, list[Floats]]:
    """The mean over trees: (n,), and (m, n) for each column."""
    single = np.ascontiguousarray(features, dtype=np.float32)  # what trees compare with their thresholds
    before = np.zeros(len(single))
    changes = [np.zeros((len(column.asked), len(single))) for column in columns]
    for tree in trees:
        alone = tree.predict(single).ravel()
        before += alone
        asks = _asks(tree, single)
        for j, column in enumerate(columns):
            rows = np.flatnonzero(asks[:, j])
            if len(rows):
                changes[j][:, rows] += _asked_again(tree.predict, single, j, column, rows) - alone[rows]
    return before / len(trees), [(before + change) / len(trees) for change in changes]


def _asks(tree: Any, features: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n, n_features): whether the path of a row through the tree asks for a feature."""
    inner = np.flatnonzero(tree.feature >= 0)  # a leaf asks for nothing
    of_node = np.zeros((tree.node_count, features.shape[1]), dtype=np.float32)
    of_node[inner, tree.feature[inner]] = 1
    asks: NDArray[np.bool_] = (tree.decision_path(features) @ of_node) > 0
    return asks


def _asked_again(
    predict: Any, features: NDArray[Any], j: int, column: _Column, rows: NDArray[np.intp] | None = None
) -> Floats:
    """Predictions (m, len(rows)) with the values of `column` in place j."""
    chosen = np.arange(len(features)) if rows is None else rows
    m = len(column.asked)
    table = np.tile(features[chosen], (m, 1))
    table[:, j] = column.within(chosen).ravel()
    answer: Floats = np.asarray(predict(table), dtype=np.float64).reshape(m, len(chosen))
    return answer
