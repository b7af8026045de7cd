"""Regressors by name, for `predictor_curve` and `explain_proxy`; scikit-learn is loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..core.errors import MissingExtraError, UnknownNameError
from .rank import Floats


class Regressor(Protocol):
    """What scikit-learn's regressors are: fitted on (n, n_features) and (n,), asked for (m,)."""

    def fit(self, features: Floats, truth: Floats, /) -> Any: ...
    def predict(self, features: Floats, /) -> Any: ...


#: A seed -> a new regressor.
Maker = Callable[[int], Regressor]


def random_forest(seed: int) -> Regressor:
    """100 trees, scikit-learn's defaults otherwise (Breiman 2001); what rank transforms of a feature do not change."""
    from sklearn.ensemble import RandomForestRegressor

    forest: Regressor = RandomForestRegressor(n_estimators=100, random_state=seed)
    return forest


def ridge(seed: int) -> Regressor:
    """Linear, its penalty (0.001 to 1,000) by leave-one-out on the training part; `seed` says nothing."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model: Regressor = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 3, 13)))
    return model


#: Open: add a function of a seed that returns something with ``fit`` and ``predict``.
REGRESSORS: dict[str, Maker] = {"random_forest": random_forest, "ridge": ridge}


def maker(regressor: str | Maker, why: str) -> tuple[str, Maker]:
    """(name, function of a seed). `UnknownNameError`; `MissingExtraError` without scikit-learn, where it is needed."""
    if not isinstance(regressor, str):
        return getattr(regressor, "__name__", type(regressor).__name__), regressor
    if regressor not in REGRESSORS:
        raise UnknownNameError("regressor", regressor, REGRESSORS)
    if REGRESSORS[regressor] in (random_forest, ridge):
        needs_sklearn(why)
    return regressor, REGRESSORS[regressor]


def needs_sklearn(why: str) -> None:
    """`MissingExtraError` where scikit-learn is not installed."""
    try:
        import sklearn  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("scikit-learn", "predict", why) from error
