"""What is left of a proxy, what drives it, where it errs: against plain code, pingouin's formula and built cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import rankdata, spearmanr
from test_predictor import ARCHS, GRAPH, table_of
from test_predictor import truth_of as accuracies

from nasanalysis.core.errors import StudyError
from nasanalysis.proxies import graph_features
from nasanalysis.stats import partial_spearman
from nasanalysis.stats.classes import class_labels
from nasanalysis.stats.explain import explain_proxy, residual_correlation
from nasanalysis.stats.resampling import Resampling

pytest.importorskip("sklearn")
sm = pytest.importorskip("statsmodels.api")

RNG = np.random.default_rng(7)
DEPTH = GRAPH["graph_depth_conv"].to_numpy()
WIDTH = GRAPH["graph_width"].to_numpy()
NOISE = RNG.normal(size=len(ARCHS))
FEW = GRAPH.select("arch", "graph_depth_conv", "graph_width", "graph_count@none")


def truth_of(values: Any) -> pl.DataFrame:
    return accuracies(40 + 5 * np.asarray(values))


def scores_of(values: Any, proxy: str = "mine") -> pl.DataFrame:
    return pl.DataFrame({"arch": ARCHS, "value": values}, schema_overrides={"value": pl.Float64}).select(
        benchmark=pl.lit("nb201"), dataset=pl.lit("cifar10"), arch="arch", method=pl.lit("none"), setting=pl.lit(""),
        proxy=pl.lit(proxy), seed=pl.lit(None, pl.Int64), unit=pl.lit(None, pl.String), step=pl.lit(None, pl.Int64),
        value="value",
    )  # fmt: skip


def test_the_partial_correlation_is_that_of_the_residuals_of_two_regressions_of_ranks() -> None:
    score, truth = DEPTH + NOISE, DEPTH + 0.3 * WIDTH + NOISE**2
    x = np.column_stack([DEPTH, WIDTH])
    design = sm.add_constant(np.column_stack([rankdata(c) for c in x.T]))
    fits = [sm.OLS(rankdata(y), design).fit() for y in (score, truth)]
    value, of_score, of_truth = residual_correlation(score, truth, x)
    assert value == pytest.approx(np.corrcoef(fits[0].resid, fits[1].resid)[0, 1], abs=1e-12)
    assert (of_score, of_truth) == pytest.approx((fits[0].rsquared, fits[1].rsquared), abs=1e-12)
    assert value == pytest.approx(partial_spearman(score, truth, DEPTH, WIDTH), abs=1e-9)
    assert residual_correlation(score, truth, x[:, :0])[0] == pytest.approx(spearmanr(score, truth)[0], abs=1e-12)


def test_a_proxy_that_is_a_feature_has_nothing_left() -> None:
    found = explain_proxy(truth_of(DEPTH + NOISE), scores_of(2 * DEPTH), FEW, n_boot=0, repeats=2)
    given = {row["given"]: row for row in found.partial.to_dicts()}
    assert given["nothing"]["estimate"] > 0.5
    assert given["all features"]["estimate"] is None
    assert given["all features"]["explained_of_proxy"] == pytest.approx(1)
    assert set(given) == {"nothing", "all features"}


def test_what_drives_the_proxy_and_what_drives_the_truth_stand_side_by_side() -> None:
    truth, score = DEPTH + 0.2 * NOISE, WIDTH + 0.2 * NOISE
    found = explain_proxy(truth_of(truth), scores_of(score), FEW, n_boot=0, repeats=3)
    importance = {row["feature"]: row for row in found.importance.to_dicts()}
    assert found.importance["feature"][0] == "graph_depth_conv"
    assert importance["graph_depth_conv"]["truth"] > 5 * abs(importance["graph_depth_conv"]["proxy"]) > -1
    assert importance["graph_width"]["proxy"] > 5 * abs(importance["graph_width"]["truth"])
    assert (found.importance["fit_truth"] > 0.5).all()


def test_errors_are_ranks_too_high_level_by_level() -> None:
    truth, score = NOISE, NOISE + 3 * (DEPTH == 2)
    found = explain_proxy(truth_of(truth), scores_of(score), FEW, n_boot=50, repeats=2)
    rows = {row["level"]: row for row in found.errors.filter(feature="graph_depth_conv").to_dicts()}
    error = (rankdata(score) - rankdata(truth)) / len(ARCHS)
    for level, row in rows.items():
        here = float(level) == DEPTH
        assert row["n_archs"] == here.sum()
        assert (row["mean_error"], row["mean_size"]) == pytest.approx((error[here].mean(), np.abs(error[here]).mean()))
        assert row["ci_low"] <= row["mean_error"] <= row["ci_high"]
    assert rows["2"]["ci_low"] > 0 > rows["1"]["ci_high"]
    assert sum(row["n_archs"] for row in rows.values()) == len(ARCHS)


def test_many_values_are_cut_into_fifths_that_hold_everyone() -> None:
    features = table_of(params=np.exp(NOISE), depth=DEPTH)
    found = explain_proxy(truth_of(NOISE), scores_of(NOISE + WIDTH), features, n_boot=20, repeats=2)
    rows = found.errors.filter(feature="params")
    assert len(rows) == 5
    assert rows["n_archs"].to_list() == [120] * 5
    given = {row["given"]: row for row in found.partial.to_dicts()}
    assert set(given) == {"nothing", "params", "all but params", "all features"}
    assert [given[g]["n_given"] for g in ("nothing", "params", "all but params", "all features")] == [0, 1, 1, 2]
    assert given["all but params"]["ci_low"] < given["all but params"]["estimate"] < given["all but params"]["ci_high"]


def test_the_direction_turns_the_score_and_seeds_are_honoured() -> None:
    truth = truth_of(DEPTH + NOISE)
    plain = explain_proxy(truth, scores_of(DEPTH - NOISE), FEW, n_boot=5, repeats=2)
    turned = explain_proxy(truth, scores_of(NOISE - DEPTH), FEW, directions={"mine": -1}, n_boot=5, repeats=2)
    assert turned.partial.equals(plain.partial)
    assert turned.errors.equals(plain.errors)
    assert turned.importance.equals(plain.importance)
    other = explain_proxy(truth, scores_of(DEPTH - NOISE), FEW, n_boot=5, repeats=2, seed=1)
    assert not other.partial["ci_low"].equals(plain.partial["ci_low"])


def test_constant_features_are_left_out_and_said() -> None:
    found = explain_proxy(
        truth_of(NOISE), scores_of(NOISE + WIDTH), [FEW, table_of(same=[3] * 600)], n_boot=0, repeats=2
    )
    assert set(found.partial["constant"]) == {"same"}
    assert "same" not in found.importance["feature"].to_list() + found.errors["feature"].to_list()


def test_bad_input() -> None:
    truth, scores = truth_of(NOISE), scores_of(NOISE)
    with pytest.raises(StudyError, match="more architectures than features.*got 29 architectures with all of 27"):
        explain_proxy(truth.head(29), scores, graph_features(ARCHS[:29]).with_columns(pl.exclude("arch") + NOISE[:29]))
    with pytest.raises(StudyError, match="features that vary, got 1 constant ones: mine"):
        explain_proxy(truth, scores_of([1.0] * 600), FEW)
    with pytest.raises(StudyError, match="scores of one proxy that varies, got mine, other"):
        explain_proxy(truth, pl.concat([scores, scores_of(DEPTH, "other")]), FEW)


def test_intervals_of_partial_correlations_are_those_of_each_resample_by_itself() -> None:
    truth, score = truth_of(DEPTH + NOISE), DEPTH - NOISE
    table = explain_proxy(truth, scores_of(score), FEW, n_boot=40, repeats=2, seed=3).partial
    order = np.argsort(ARCHS)
    accuracy, score = truth.sort("arch")["accuracy"].to_numpy(), score[order]
    features = FEW.sort("arch").drop("arch").to_numpy()
    resampling = Resampling(40, 3)
    units = resampling.units(len(ARCHS), class_labels(sorted(ARCHS)))
    assert units.n == table["n_classes"][0]
    values = []
    for counts in units.spread(resampling.counts(units.n)):
        rows = np.repeat(np.arange(len(ARCHS)), counts)
        values.append(residual_correlation(score[rows], accuracy[rows], features[rows])[0])
    row = table.filter(given="all features").row(0, named=True)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-9)


def test_fewer_classes_for_the_importances_leave_the_rest_as_it_is() -> None:
    truth, scores = truth_of(DEPTH + NOISE), scores_of(DEPTH - NOISE)
    every = explain_proxy(truth, scores, FEW, n_boot=5, repeats=2)
    fewer = explain_proxy(truth, scores, FEW, n_boot=5, repeats=2, most=100)
    assert fewer.partial.equals(every.partial)
    assert fewer.errors.equals(every.errors)
    assert not fewer.importance.equals(every.importance)
    with pytest.raises(StudyError, match="most: expected 4 functional classes or more, or None for all, got 3"):
        explain_proxy(truth, scores, FEW, most=3)
