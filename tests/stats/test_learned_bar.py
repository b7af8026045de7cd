"""Entries beside what k trained architectures give: the same draws as the predictor, the same rests, paired."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from test_predictor import ARCHS, GRAPH, truth_of

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.stats import learned_bar, predictor_curve

pytest.importorskip("sklearn")

RNG = np.random.default_rng(11)
DEPTH = GRAPH["graph_depth_conv"].to_numpy()
TRUTH = truth_of((50 + 5 * DEPTH + RNG.normal(size=len(ARCHS))).tolist())
VALUES = TRUTH["accuracy"].to_numpy()


def entry(values: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"arch": ARCHS, "value": values})


NEAR, NOISE = entry(VALUES + 0.05 * RNG.normal(size=len(ARCHS))), entry(RNG.normal(size=len(ARCHS)))


def test_what_is_learned_is_what_the_predictor_gives() -> None:
    bar = learned_bar(TRUTH, GRAPH, {"near": NEAR}, {20: ["near"], 40: []}, draws=3, regressor="ridge", n_boot=60)
    curve = predictor_curve(TRUTH, {"g": GRAPH}, k=(20, 40), draws=3, regressor="ridge", parts=("all",))
    assert bar["learned"].to_list() == pytest.approx(curve["estimate"].to_list())
    assert bar.select("k", "entry").rows() == [(20, "near"), (40, None)]
    assert bar["n_rest"].to_list() == curve["n_rest"].to_list()
    assert bar["verdict"].to_list() == ["ahead", None]


def test_the_verdict_is_of_the_entry_and_its_interval_is_paired() -> None:
    bar = learned_bar(TRUTH, GRAPH, {"near": NEAR, "noise": NOISE}, {30: ["noise", "near"]}, draws=4, regressor="ridge")
    rows = {row["entry"]: row for row in bar.to_dicts()}
    assert rows["near"]["verdict"] == "ahead"
    assert rows["noise"]["verdict"] == "behind"
    for row in rows.values():
        assert row["difference"] == pytest.approx(row["estimate"] - row["learned"])
        assert row["ci_low"] < row["difference"] < row["ci_high"]
        assert row["learned_low"] < row["learned"] < row["learned_high"]
    itself = learned_bar(TRUTH, GRAPH, {"near": NEAR}, {30: ["near"]}, draws=4, regressor="ridge", margin=0.9)
    assert itself["verdict"].to_list() == ["equivalent"]


def test_no_resamples_no_intervals() -> None:
    bar = learned_bar(TRUTH, GRAPH, {"near": NEAR}, {10: ["near"]}, draws=2, regressor="ridge", n_boot=0)
    assert bar.select("learned_low", "ci_low", "ci_high").row(0) == (None, None, None)
    assert bar["verdict"].to_list() == ["not told apart"]


def test_bad_input() -> None:
    entries = {"near": NEAR}
    with pytest.raises(UnknownNameError, match="nea"):
        learned_bar(TRUTH, GRAPH, entries, {10: ["nea"]}, regressor="ridge")
    with pytest.raises(StudyError, match="k: expected whole numbers from 2 to"):
        learned_bar(TRUTH, GRAPH, entries, {600: ["near"]}, regressor="ridge")
    with pytest.raises(StudyError, match="expected a value of 'near' for every architecture"):
        learned_bar(TRUTH, GRAPH, {"near": entry(np.where(DEPTH > 1, np.nan, VALUES))}, {10: ["near"]})
    with pytest.raises(StudyError, match="features that vary, got 1 constant ones: same"):
        learned_bar(TRUTH, GRAPH, {"same": entry(np.ones(len(ARCHS)))}, {10: ["same"]})
    with pytest.raises(ValueError, match="margin"):
        learned_bar(TRUTH, GRAPH, entries, {10: ["near"]}, margin=-1)
