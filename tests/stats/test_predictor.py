"""k trained architectures and a regressor: against a plain loop, and what must not leak."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

import nasanalysis as na
from nasanalysis.core.errors import MissingExtraError, StudyError, UnknownNameError
from nasanalysis.proxies import graph_features
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.stats.feature_tables import learnable
from nasanalysis.stats.predictor import predictor_curve, predictor_draws

pytest.importorskip("sklearn")

ARCHS = sorted(str(arch) for arch in SPACE.sample(600, np.random.default_rng(0)))


def truth_of(values: Sequence[float], archs: Sequence[str] = ARCHS) -> pl.DataFrame:
    return pl.DataFrame({"arch": archs, "accuracy": values}, schema_overrides={"accuracy": pl.Float64}).select(
        benchmark=pl.lit("nb201"), dataset=pl.lit("cifar10"), arch="arch", split=pl.lit("test"),
        schedule=pl.lit(200, pl.Int64), seed=pl.lit(None, pl.Int64), accuracy="accuracy", origin=pl.lit("tabular"),
    )  # fmt: skip


def table_of(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"arch": ARCHS, **columns})


GRAPH = graph_features(ARCHS)
NOISE = np.random.default_rng(1).normal(size=len(ARCHS))
#: Convolutions on the longest open path, with a little noise: what the features say and single counts do not.
TRUTH = truth_of((50 + 10 * GRAPH["graph_depth_conv"].to_numpy() + NOISE).tolist())


class OneColumn:
    """Predicts its first feature, whatever it was fitted on."""

    fitted: list[Any] = []  # noqa: RUF012

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, features: Any, truth: Any) -> None:
        self.fitted.append((features.copy(), truth.copy()))

    def predict(self, features: Any) -> Any:
        return features[:, 0]


def test_a_curve_is_the_mean_of_plain_draws_over_the_rest() -> None:
    table = learnable(TRUTH, {"noise": table_of(noise=NOISE)}, "here")
    rows = predictor_draws(
        table, k=(10, 40), draws=4, regressor=OneColumn, parts=("all", "top_tenth"), leave_out="class", seed=5
    )
    for row in rows.to_dicts():
        rest = [i for i in range(600) if table.classes[i] not in table.classes[row["train"]]]
        assert row["n_rest"] == len(rest)
        truth, scores = table.truth[rest], NOISE[rest]
        if row["part"] == "top_tenth":
            best = np.argsort(-truth)[: int(np.ceil(len(rest) / 10))]
            truth, scores = truth[best], scores[best]
        assert row["value"] == pytest.approx(spearmanr(scores, truth)[0], abs=1e-12)
    curve = predictor_curve(TRUTH, {"noise": table_of(noise=NOISE)}, k=(10, 40), draws=4, regressor=OneColumn, seed=5)
    for row in curve.to_dicts():
        values = rows.filter(k=row["k"], part=row["part"])["value"].to_numpy()
        assert row["estimate"] == pytest.approx(values.mean())
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
        assert row["regressor"] == "OneColumn"


def test_no_function_of_the_training_part_is_ranked() -> None:
    table = learnable(TRUTH, {"graph": GRAPH}, "here")
    assert table.n_classes < len(ARCHS), "the sample holds isomorphs"
    leaks = 0
    for leave_out in ("class", "arch"):
        rows = predictor_draws(table, k=(150,), draws=3, regressor=OneColumn, parts=("all",), leave_out=leave_out)
        for row in rows.to_dicts():
            train = row["train"]
            assert len(set(table.classes[train].tolist())) == len(train) == 150, "one member of each class"
            inside = int(np.isin(table.classes, table.classes[train]).sum())
            assert row["n_rest"] == len(ARCHS) - (inside if leave_out == "class" else 150)
            leaks += inside - 150
    assert leaks > 0
    by_class, by_arch = (
        predictor_draws(table, k=(9,), draws=2, regressor=OneColumn, parts=("all",), leave_out=how)["train"].to_list()
        for how in ("class", "arch")
    )
    assert by_class == by_arch, "so the difference between the two is the leak alone"


def test_the_regressor_sees_the_truth_of_its_training_part_only() -> None:
    OneColumn.fitted.clear()
    table = learnable(TRUTH, {"noise": table_of(noise=NOISE)}, "here")
    rows = predictor_draws(table, k=(12,), draws=2, regressor=OneColumn, parts=("all",), leave_out="class")
    for (features, truth), train in zip(OneColumn.fitted, rows["train"].to_list(), strict=True):
        np.testing.assert_array_equal(truth, table.truth[train])
        np.testing.assert_array_equal(features[:, 0], NOISE[train])


@pytest.mark.parametrize("regressor", ["random_forest", "ridge"])
def test_features_that_make_the_truth_beat_those_that_do_not(regressor: str) -> None:
    sets = {"graph": GRAPH, "noise": table_of(noise=NOISE**3), "both": [GRAPH, table_of(noise=NOISE**3)]}
    curve = predictor_curve(TRUTH, sets, k=(20, 100), draws=4, regressor=regressor, parts=("all",))
    value = {(row["features"], row["k"]): row["estimate"] for row in curve.to_dicts()}
    assert value["graph", 100] > 0.8
    assert value["graph", 100] > value["noise", 100] + 0.4
    assert curve.filter(features="both")["n_features"][0] == curve.filter(features="graph")["n_features"][0] + 1
    assert na.stats.predictor_curve is predictor_curve


def test_seeds_are_honoured_and_nothing_global_is_drawn() -> None:
    ask = {"k": (15,), "draws": 2, "parts": ("all",)}
    np.random.seed(1)  # noqa: NPY002
    first = predictor_curve(TRUTH, {"graph": GRAPH}, **ask)
    np.random.seed(2)  # noqa: NPY002
    assert predictor_curve(TRUTH, {"graph": GRAPH}, **ask).equals(first)
    assert not predictor_curve(TRUTH, {"graph": GRAPH}, seed=1, **ask).equals(first)


def test_proxies_alone_are_oriented_and_seconds_are_summed() -> None:
    params = [SPACE.params(arch) for arch in ARCHS]
    features = {"costs": table_of(params=params, graph_parameter_free=GRAPH["graph_parameter_free"].fill_nan(None))}
    seconds = table_of(seconds=[2.0] * len(ARCHS))
    curve = predictor_curve(
        TRUTH, features, k=(30,), draws=2, parts=("all",), alone=["params", "graph_parameter_free"], seconds=seconds
    )
    assert curve["seconds"].to_list() == [60.0] * 3
    alone = curve.filter(pl.col("regressor").is_null())
    assert (alone["estimate"] > 0.2).all(), "lower is better for a share without parameters"


def test_constant_features_are_left_out_and_counted_and_holes_are_filled() -> None:
    holed = NOISE.copy()
    holed[::7] = np.nan
    sets = {"set": table_of(one=[1.0] * 600, noise=holed, two=[2] * 600)}
    for regressor in ("random_forest", "ridge"):
        curve = predictor_curve(TRUTH, sets, k=(30,), draws=2, regressor=regressor, parts=("all",))
        assert curve.select("n_features", "n_constant").row(0) == (1, 2)
        assert curve["n_undefined"].to_list() == [0]
    with pytest.raises(StudyError, match="features that vary, got 2 constant ones: one, two"):
        predictor_curve(TRUTH, {"set": table_of(one=[1.0] * 600, two=[2] * 600)})


def test_tied_truth_is_undefined_and_counted() -> None:
    tied = truth_of([50.0] * 600)
    curve = predictor_curve(tied, {"graph": GRAPH}, k=(10,), draws=2, parts=("all",))
    assert curve.select("estimate", "n_undefined").row(0) == (None, 2)


def test_bad_input() -> None:
    graph = {"graph": GRAPH}
    n_classes = learnable(TRUTH, graph, "here").n_classes
    for k in (n_classes, 10_000, 1):
        with pytest.raises(
            StudyError, match=f"from 2 to {n_classes - 1}, since there are {n_classes} functional classes"
        ):
            predictor_curve(TRUTH, graph, k=(10, k))
    with pytest.raises(StudyError, match="at least 20 architectures to rank"):
        predictor_curve(TRUTH, graph, k=(n_classes - 1,), draws=1)
    with pytest.raises(UnknownNameError, match="unknown regressor 'forest'"):
        predictor_curve(TRUTH, graph, regressor="forest")
    with pytest.raises(UnknownNameError, match="unknown part of the rest 'top'"):
        predictor_curve(TRUTH, graph, parts=("top",))
    with pytest.raises(StudyError, match="share no architecture"):
        predictor_curve(TRUTH, {"other": GRAPH.with_columns(arch="x:" + pl.col("arch"))})
    with pytest.raises(StudyError, match="got several; filter to one dataset"):
        predictor_curve(TRUTH, {"twice": pl.concat([GRAPH, GRAPH])})
    with pytest.raises(StudyError, match="truth of one dataset, split and schedule, got 2"):
        predictor_curve(pl.concat([TRUTH, TRUTH.with_columns(dataset=pl.lit("cifar100"))]), graph)
    with pytest.raises(StudyError, match="seconds: expected a number for every architecture, got none for"):
        predictor_curve(TRUTH, graph, k=(5,), draws=1, seconds=table_of(s=[None, *[1.0] * 599]))


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"predictor_curve needs 'scikit-learn'.*nasanalysis\[predict\]"):
        predictor_curve(TRUTH, {"graph": GRAPH}, k=(5,), draws=1)
