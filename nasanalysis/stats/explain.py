"""Why a proxy ranks as it does: what is left of it given simpler numbers, what drives it, and where it errs.

**Partial correlation.** With r(.) the average ranks over the architectures, F the matrix of ranks of the features given
(and a column of ones), and e(y) = r(y) - F b, b the least-squares solution of F b = r(y): the partial correlation of
proxy s and truth t is Pearson's r of e(s) and e(t). Nothing given: Spearman's rho. ``explained`` is the share of the
variance of r(s) that F takes away. It is null where F leaves nothing of either but rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..core.errors import StudyError
from ..core.seeding import generator
from .alignment import direction_of
from .feature_tables import FeatureSet, Learnable, learnable
from .importance import permutation_importance
from .many_ranks import spearman_of_all
from .partial import LEFT, partial_from_matrix
from .rank import Floats
from .regressors import Maker, maker, needs_sklearn
from .resampling import Resampling

Counts = NDArray[np.int32]  # (n_resamples, n_archs), how often each resample holds each architecture

_FEWEST = 4  # two classes to fit on and two to judge by
_BINS = 5  # of a number with many values, such as the parameter count


@dataclass(frozen=True)
class Explanation:
    """What `explain_proxy` found, a table each.

    Attributes
    ----------
    partial: proxy, given, n_given (features after constant ones are left out), constant (their names), estimate,
        ci_low, ci_high, explained_of_proxy, explained_of_truth (shares of rank variance), n_archs, n_classes.
    importance: feature, proxy, proxy_sd, truth, truth_sd: how much R^2 falls on a held-out half of the classes when
        the feature is permuted, for ranks of the proxy and of the truth, most important for the truth first; and
        fit_proxy, fit_truth, the R^2 on that half before.
    errors: feature, level (its value, or from - to), mean_value, mean_error, mean_size, ci_low, ci_high (of mean_error,
        classes resampled), n_archs. Error: rank of the proxy minus rank of the truth, in shares of the architectures:
        positive where the proxy thinks too well of them.
    """

    partial: pl.DataFrame
    importance: pl.DataFrame
    errors: pl.DataFrame


def explain_proxy(
    truth: Any,
    scores: Any,
    features: Any,
    *,
    params: str = "params",
    directions: Mapping[str, int | str] | None = None,
    regressor: str | Maker = "random_forest",
    repeats: int = 10,
    n_boot: int = 200,
    seed: int = 0,
    level: float = 0.95,
    most: int | None = None,
) -> Explanation:
    """Explain one proxy by the graph of the cell.

    Parameters
    ----------
    truth: TRUTH of one benchmark, dataset, split and schedule. scores: SCORES of one proxy (raw; oriented here).
    features: `graph_features`, and anything else with numbers beside ``arch``: a table or a list of them.
    params: the feature (of `features`) that holds parameter counts; where it is not there, its rows are left out.
    directions: of the proxy, as in `correlate`. repeats: permutations of each feature.
    n_boot, level: percentile intervals from resampled functional classes, members and all; 0 for none.
    most: functional classes that the importances are worked out on, drawn at random, half of them to fit on (all).

    Raises `StudyError` where there are no more architectures than features, fewer than four functional classes, or
    scores of several proxies; `MissingExtraError` without scikit-learn (extra ``predict``).
    """
    if most is not None and most < _FEWEST:
        raise StudyError(f"most: expected {_FEWEST} functional classes or more, or None for all, got {most}")
    needs_sklearn("explain_proxy")
    table = learnable(truth, {"features": features, "proxy": scores}, "explain_proxy")
    name, table, score = _one_proxy(table, directions)
    resampling = Resampling(n_boot, seed, level)
    units = resampling.units(len(table.archs), table.classes)
    drawn = None
    if n_boot and units.can_be_drawn:
        drawn = units.spread(resampling.counts(units.n))
    return Explanation(
        pl.DataFrame(_partial_rows(name, table, score, params, drawn, level), schema_overrides=_NUMBERS),
        _importance(table, score, regressor, repeats, seed, most),
        _errors(table, score, drawn, level),
    )


_NUMBERS = dict.fromkeys(["estimate", "ci_low", "ci_high", "explained_of_proxy", "explained_of_truth"], pl.Float64())


def residual_correlation(score: Floats, truth: Floats, features: Floats) -> tuple[float, float, float]:
    """(partial correlation, explained of the score, explained of the truth), see the module's formula.

    (n,), (n,) and (n, n_features), finite; n_features may be 0. The correlation is NaN where nothing is left.
    """
    ranks = [rankdata(score), rankdata(truth), *(rankdata(column) for column in features.T)]
    design = np.column_stack([np.ones(len(score)), *(ranks[2:])])
    both = np.column_stack(ranks[:2])
    left = both - design @ np.linalg.lstsq(design, both, rcond=None)[0]
    before, after = both.var(axis=0), left.var(axis=0)
    share = np.divide(after, before, out=np.full(2, np.nan), where=before > 0)
    defined = (share > LEFT).all()
    value = float(np.corrcoef(left.T)[0, 1]) if defined else np.nan
    explained = np.maximum(1 - share, 0.0)  # with nothing given rounding could leave it below
    return value, float(explained[0]), float(explained[1])


def _one_proxy(table: Learnable, directions: Mapping[str, int | str] | None) -> tuple[str, Learnable, Floats]:
    """The proxy's name, the architectures that have its score and every feature, and the oriented score."""
    scored, features = table.sets["proxy"], table.sets["features"]
    if len(scored.names) != 1:
        raise StudyError(f"explain_proxy: expected scores of one proxy that varies, got {', '.join(scored.names)}")
    keep = np.isfinite(scored.values[:, 0]) & np.isfinite(features.values).all(axis=1)
    values = features.values[keep]
    if (n_classes := len(np.unique(table.classes[keep]))) < _FEWEST:
        raise StudyError(
            f"explain_proxy: expected architectures of {_FEWEST} functional classes or more, half of them to fit on "
            f"and half to judge by; got {int(keep.sum())} architectures of {n_classes}"
        )
    varies = np.array([len(np.unique(column)) > 1 for column in values.T], dtype=bool)
    n_features = int(varies.sum())
    if not n_features or keep.sum() <= n_features + 2:
        raise StudyError(
            f"explain_proxy: expected more architectures than features, and some that vary; got {int(keep.sum())} "
            f"architectures with all of {n_features} features. Give fewer features or more architectures"
        )
    constant = [n for n, v in zip(features.names, varies, strict=True) if not v] + features.constant
    chosen = FeatureSet([n for n, v in zip(features.names, varies, strict=True) if v], values[:, varies], constant)
    archs = [arch for arch, kept in zip(table.archs, keep, strict=True) if kept]
    inner = Learnable(table.place, archs, table.truth[keep], {"features": chosen}, table.classes[keep])
    return scored.names[0], inner, direction_of(scored.names[0], directions) * scored.values[keep, 0]


def _partial_rows(
    name: str, table: Learnable, score: Floats, params: str, drawn: Counts | None, level: float
) -> Iterator[dict[str, Any]]:
    features = table.sets["features"]
    graph = [i for i, feature in enumerate(features.names) if feature != params]
    given = {"nothing": [], "all features": list(range(len(features.names)))}
    if params in features.names:
        given = {"nothing": [], params: [features.names.index(params)], f"all but {params}": graph, **given}
    every = np.vstack([score, table.truth, features.values.T])
    # correlations of all with all on each resample, of which every partial one is made
    matrices = None if drawn is None else np.moveaxis(spearman_of_all(every, every, drawn), 2, 0)
    for what, columns in given.items():
        value, of_proxy, of_truth = residual_correlation(score, table.truth, features.values[:, columns])
        low = high = None
        if matrices is not None:
            chosen = [0, 1, *(2 + i for i in columns)]
            low, high = _percentiles(partial_from_matrix(matrices[:, chosen][:, :, chosen]), level)
        yield {
            "proxy": name, "given": what, "n_given": len(columns),
            "constant": ", ".join(features.constant), "estimate": _defined(value), "ci_low": low, "ci_high": high,
            "explained_of_proxy": _defined(of_proxy), "explained_of_truth": _defined(of_truth),
            "n_archs": len(table.archs), "n_classes": table.n_classes,
        }  # fmt: skip


def _importance(
    table: Learnable, score: Floats, regressor: str | Maker, repeats: int, seed: int, most: int | None
) -> pl.DataFrame:
    """Permutation importance on the half of the classes that the regressor was not fitted on."""
    name, make = maker(regressor, "explain_proxy")
    features = table.sets["features"]
    values = features.ranks() if name == "ridge" else features.values
    units = generator(seed, "explain", "halves").permutation(np.unique(table.classes))[:most]
    fitted, judged = (np.isin(table.classes, part) for part in (units[: len(units) // 2], units[len(units) // 2 :]))
    columns: dict[str, Any] = {"feature": features.names}
    for what, target in (("proxy", rankdata(score)), ("truth", rankdata(table.truth))):
        model = make(seed)
        model.fit(values[fitted], target[fitted])
        rng = generator(seed, "explain", "permutations")
        one = permutation_importance(model, values[judged], target[judged], repeats=repeats, rng=rng)
        columns[what], columns[f"{what}_sd"] = one.drops.mean(axis=1), one.drops.std(axis=1)
        columns[f"fit_{what}"] = [one.r2] * len(features.names)
    return pl.DataFrame(columns).sort("truth", descending=True, maintain_order=True)


def _errors(table: Learnable, score: Floats, drawn: Counts | None, level: float) -> pl.DataFrame:
    error = (rankdata(score) - rankdata(table.truth)) / len(score)
    features = table.sets["features"]
    of_level = [(name, *one) for name, v in zip(features.names, features.values.T, strict=True) for one in _levels(v)]
    here = np.array([level_of for _, _, level_of in of_level], dtype=np.float64)
    means = np.full((0, len(of_level)), np.nan)
    if drawn is not None:
        sizes = drawn @ here.T
        means = np.divide(drawn @ (here * error).T, sizes, out=np.full(sizes.shape, np.nan), where=sizes > 0)
    rows = []
    for (name, text, in_level), resampled in zip(of_level, means.T, strict=True):
        values = features.values[in_level, features.names.index(name)]
        low, high = _percentiles(resampled, level)
        rows.append({
            "feature": name, "level": text, "mean_value": float(values.mean()),
            "mean_error": float(error[in_level].mean()), "mean_size": float(np.abs(error[in_level]).mean()),
            "ci_low": low, "ci_high": high, "n_archs": int(in_level.sum()),
        })  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"ci_low": pl.Float64(), "ci_high": pl.Float64()})


def _levels(values: Floats) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each value of a feature of few values, else fifths of the architectures."""
    distinct = np.unique(values)
    if len(distinct) <= 2 * _BINS:
        yield from ((_text(value), values == value) for value in distinct.tolist())
        return
    ends = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)))
    which = np.clip(np.searchsorted(ends, values, side="right"), 1, len(ends) - 1)
    for i in range(1, len(ends)):
        if (which == i).any():
            yield f"{_text(ends[i - 1])} - {_text(ends[i])}", which == i


def _text(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"


def _percentiles(drawn: Floats, level: float) -> tuple[float | None, float | None]:
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _defined(value: float) -> float | None:
    return value if np.isfinite(value) else None
