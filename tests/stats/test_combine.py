"""Scores made of scores, and tables of ablations."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.core.frames import SCHEMAS, check, to_pandas
from nasanalysis.stats import (
    Term,
    ablation,
    aggregate_ranks,
    combine,
    held_out_weight,
    kendall_tau,
    normalise,
    term_shares,
)

PLACE = {"benchmark": "b", "dataset": "d"}


def truth_frame(accuracy) -> pl.DataFrame:
    row = {**PLACE, "split": "test", "schedule": 200, "seed": 0, "origin": "trained"}
    rows = [{**row, "arch": f"nb201:a{i:04d}", "accuracy": float(a)} for i, a in enumerate(accuracy)]
    return pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns)


def score_frame(values, proxy: str, seed: int | None = 0, step: int | None = None, **changes) -> pl.DataFrame:
    row = {**PLACE, "method": "m", "setting": "s", "proxy": proxy, "seed": seed, "step": step, **changes}
    row["unit"] = None if step is None else "epoch"
    rows = [{**row, "arch": f"nb201:a{i:04d}", "value": v} for i, v in enumerate(values)]
    return pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


def values_of(scores: pl.DataFrame) -> list[float | None]:
    return scores.sort("arch")["value"].to_list()


# ---- normalisation


def test_rules_by_hand() -> None:
    assert normalise([1.0, 3.0, math.nan]).tolist()[:2] == [1, 3]
    assert normalise([1.0, 3.0, math.nan], "z").tolist()[:2] == [-1, 1]
    assert normalise([5.0, 1.0, 5.0, math.inf], "rank").tolist()[:3] == pytest.approx([2.5 / 3, 1 / 3, 2.5 / 3])
    assert math.isnan(normalise([5.0, math.inf], "rank")[1])
    assert normalise([math.pi / 2], "angle/pi")[0] == 0.5
    assert normalise([90.0], "percent")[0] == 0.9
    assert normalise([0.004], "1/sigma_1", sigma_1=2e-3)[0] == 2
    with pytest.raises(ValueError, match="1/sigma_1: expected sigma_1 > 0, got None"):
        normalise([1.0], "1/sigma_1")
    with pytest.raises(StudyError, match="expected values that vary"):
        normalise([2.0, 2.0], "z")
    with pytest.raises(UnknownNameError, match="unknown normalisation rule 'zz'"):
        normalise([1.0], "zz")  # type: ignore[arg-type]


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=20, unique=True))
def test_z_and_rank_do_not_see_scale(values: list[int]) -> None:
    x = np.array(values, dtype=float)
    for rule in ("z", "rank"):
        assert normalise(3 * x + 7, rule) == pytest.approx(normalise(x, rule))


# ---- sums and ranks


def test_genas_score() -> None:
    """S + gamma beta F with S = angle / pi and beta = 1 / sigma_1 (GeNAS Eq. 5)."""
    angle, flatness = np.array([1.0, 2.0, 1.5]), np.array([1e-3, 3e-3, 2e-3])
    scores = pl.concat([score_frame(angle, "angle"), score_frame(flatness, "flatness")])
    terms = [Term("angle", 1, "angle/pi"), Term("flatness", 16, "1/sigma_1", 2e-3)]
    found = combine(scores, terms, "angle+flatness")
    assert values_of(found) == pytest.approx((angle / np.pi + 16 * flatness / 2e-3).tolist())
    assert found["proxy"].unique().to_list() == ["angle+flatness"]
    assert check(found, "SCORES").equals(found)


@pytest.mark.parametrize(("table", "r"), [("angle", 0.51), ("accuracy", 0.36)])
def test_shares_follow_the_published_law(table: str, r: float) -> None:
    """The printed shares of GeNAS Tables 10 and 11 fit gamma r / (1 + gamma r); ours follow the law exactly."""
    rng = np.random.default_rng(0)
    base, flatness = rng.uniform(0.3, 0.5, size=(2, 50))
    flatness *= r * base.mean() / flatness.mean()
    scores = pl.concat([score_frame(base, table), score_frame(flatness, "flatness")])
    for gamma in (0.5, 1, 16, 32):
        shares = term_shares(scores, [Term(table), Term("flatness", gamma)])["share"].to_list()
        assert shares[1] == pytest.approx(gamma * r / (1 + gamma * r))
        assert sum(shares) == pytest.approx(1)


def test_directions_are_applied_before_weights() -> None:
    scores = pl.concat([score_frame([1.0, 2.0, 3.0], "sotl"), score_frame([1.0, 1.0, 5.0], "angle")])
    found = combine(scores, [Term("sotl", 1, "rank"), Term("angle", 1, "rank")], "sum")
    assert values_of(found) == pytest.approx([1 + 0.5, 2 / 3 + 0.5, 1 / 3 + 1])
    kept = combine(scores, [Term("sotl", direction=1)], "raw")
    assert values_of(kept) == [1, 2, 3]


def test_terms_are_matched_by_seed_and_step_and_costs_join_all() -> None:
    sotl = pl.concat([score_frame([1.0 * s + t, 2.0], "x", seed=s, step=t) for s in (0, 1) for t in (1, 2)])
    cost = score_frame([10.0, 20.0], "params", seed=None)
    for terms in ([Term("x"), Term("params")], [Term("params"), Term("x")]):
        found = combine(pl.concat([sotl, cost]), terms, "both")
        assert len(found) == 8
        row = found.filter(pl.col("arch") == "nb201:a0000", seed=1, step=2)
        assert row["value"].to_list() == [13.0]
        assert row["unit"].to_list() == ["epoch"]


def test_missing_terms_are_null() -> None:
    scores = pl.concat([score_frame([1.0, 2.0, None], "x"), score_frame([1.0, None], "y")])
    assert values_of(combine(scores, [Term("x"), Term("y")], "sum")) == [2.0, None, None]
    with pytest.raises(UnknownNameError, match="unknown proxy in these scores 'z'"):
        combine(scores, [Term("x"), Term("z")], "sum")
    with pytest.raises(StudyError, match="share no architecture, seed and step"):
        combine(
            pl.concat([score_frame([1.0], "x", step=1), score_frame([1.0], "y", step=2)]), [Term("x"), Term("y")], "s"
        )
    with pytest.raises(StudyError, match="'x' stands under several methods"):
        combine(pl.concat([score_frame([1.0], "x"), score_frame([1.0], "x", setting="t")]), [Term("x")], "s")
    with pytest.raises(StudyError, match="at least one term"):
        combine(scores, [], "sum")
    assert type(combine(to_pandas(scores), [Term("x")], "s")).__module__.startswith("pandas")


def test_rank_aggregation() -> None:
    scores = pl.concat(
        [score_frame([1.0, 2.0, 3.0], "x"), score_frame([30.0, 10.0, 20.0], "y"), score_frame([3.0, 2.0, 1.0], "sotl")]
    )
    expected = {
        "mean": [5 / 9, 5 / 9, 8 / 9],
        "median": [1 / 3, 2 / 3, 1],
        "best": [1, 2 / 3, 1],
        "worst": [1 / 3, 1 / 3, 2 / 3],
    }
    for how, values in expected.items():
        assert values_of(aggregate_ranks(scores, ["x", "y", "sotl"], "all", how=how)) == pytest.approx(values)
    with pytest.raises(UnknownNameError, match="unknown rank aggregation 'max'"):
        aggregate_ranks(scores, ["x", "y"], "all", how="max")  # type: ignore[arg-type]


# ---- held-out weight


def noise_study(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    truth = 50 + 10 * rng.normal(size=n)
    x, y = truth + 10 * rng.normal(size=(2, n))
    return truth, x, y


def test_held_out_weight() -> None:
    truth, x, y = noise_study(400)
    scores = pl.concat([score_frame(x, "x"), score_frame(y, "y")])
    table = held_out_weight(truth_frame(truth), scores, Term("x"), Term("y"), weights=(0, 0.5, 1, 2, 1000), n_splits=6)
    assert (table["n_searched"] == 200).all()
    assert table["weight"].is_in([0.5, 1.0, 2.0]).all()
    mean = {c: table[c].mean() for c in ("searched", "held_out", "first_alone", "second_alone", "best_possible")}
    assert mean["held_out"] > max(mean["first_alone"], mean["second_alone"])
    assert (table["best_possible"] >= table["held_out"] - 1e-12).all()
    row = table.row(0, named=True)
    again = held_out_weight(truth_frame(truth), scores, Term("x"), Term("y"), weights=(row["weight"],), n_splits=1)
    assert again["held_out"][0] == pytest.approx(row["held_out"])
    assert kendall_tau(x, truth) == pytest.approx(mean["first_alone"], abs=0.05)


def test_searching_flatters_itself_where_there_is_nothing_to_find() -> None:
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(20):
        truth, x, y = rng.uniform(10, 90, 40), *rng.normal(size=(2, 40))
        scores = pl.concat([score_frame(x, "x"), score_frame(y, "y")])
        weights = (0, 0.3, 1, 3, 10)
        table = held_out_weight(truth_frame(truth), scores, Term("x"), Term("y"), weights=weights, n_splits=5)
        gaps.append(table["searched"].mean() - table["held_out"].mean())
    assert np.mean(gaps) > 0.05


def test_held_out_weight_refuses() -> None:
    truth, x, y = noise_study(20)
    scores = pl.concat([score_frame(x, "x"), score_frame(y, "y")])
    frame = truth_frame(truth)
    with pytest.raises(StudyError, match="at least 3 architectures on both sides, got 1 and 19"):
        held_out_weight(frame, scores, Term("x"), Term("y"), share=0.05)
    with pytest.raises(UnknownNameError, match="unknown proxy in these scores 'z'"):
        held_out_weight(frame, scores, Term("x"), Term("z"))
    with pytest.raises(StudyError, match="a statistic that is better higher, got 'regret@1'"):
        held_out_weight(frame, scores, Term("x"), Term("y"), statistic="regret@1")
    with pytest.raises(ValueError, match="0 < share < 1"):
        held_out_weight(frame, scores, Term("x"), Term("y"), share=1.0)


# ---- ablation


def measure(gamma: float, sigmas: tuple[float, ...] = (1.0,)) -> dict[str, float]:
    return {"tau": gamma * len(sigmas), "top": -gamma}


def test_ablation_of_all_combinations() -> None:
    table = ablation(measure, {"gamma": (1, 2), "sigmas": ((2e-3, 1e-2), (1e-5,))})
    assert table.columns == ["gamma", "sigmas", "metric", "value", "baseline", "delta", "is_baseline"]
    assert table.filter(metric="tau").select("gamma", "sigmas", "value", "delta").rows() == [
        (1, "0.002, 0.01", 2.0, 0.0), (1, "1e-05", 1.0, -1.0), (2, "0.002, 0.01", 4.0, 2.0), (2, "1e-05", 2.0, 0.0),
    ]  # fmt: skip
    assert table["is_baseline"].to_list() == [True, True, *[False] * 6]


def test_ablation_one_at_a_time_and_another_baseline() -> None:
    grid = {"gamma": (1, 2, 4), "sigmas": ((1.0,), (1.0, 2.0))}
    table = ablation(measure, grid, baseline={"gamma": 2}, one_at_a_time=True).filter(metric="tau")
    assert table.select("gamma", "sigmas", "delta").rows() == [(2, "1", 0), (1, "1", -1), (4, "1", 2), (2, "1, 2", 2)]
    outside = ablation(measure, {"gamma": (1, 2)}, baseline={"gamma": 8}).filter(metric="tau")
    assert outside["delta"].to_list() == [0, -7, -6]
    plain = ablation(lambda mu: None if mu == 2 else float(mu), {"mu": (1, 2)})
    assert plain.select("metric", "value", "delta").rows() == [("value", 1.0, 0.0), ("value", None, None)]


def test_ablation_refuses() -> None:
    for grid in ({}, {"a": ()}, {"a": "xy"}):
        with pytest.raises(StudyError, match="expected a grid of factors"):
            ablation(measure, grid)
    with pytest.raises(UnknownNameError, match="unknown factor of this grid 'gama'. Did you mean 'gamma'"):
        ablation(measure, {"gamma": (1,)}, baseline={"gama": 1})
    with pytest.raises(StudyError, match="holds a value twice"):
        ablation(measure, {"gamma": (1, 1)})
    with pytest.raises(StudyError, match="expected the metrics a of every setting, got b"):
        ablation(lambda x: {x: 1.0}, {"x": ("a", "b")})
