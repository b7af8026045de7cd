"""One rule from an interval to a word, a mark and a tier; intervals that hold together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats as scipy_stats

from nasanalysis.core.errors import FrameError, StudyError
from nasanalysis.core.schemas import SCHEMAS
from nasanalysis.stats import (
    compare_proxies,
    difference_by_step,
    emphasis_from_pairs,
    friedman,
    in_words,
    permutation_test,
    permutations_for,
    rank_sets,
    simultaneous_band,
    tiers,
    verdict,
)
from nasanalysis.stats.influence import influence, standard_error
from nasanalysis.stats.registry import get_statistic
from nasanalysis.stats.verdicts import better

N = 120


def truth_of(values: Any, archs: list[str]) -> pl.DataFrame:
    row = {"benchmark": "b", "dataset": "d", "split": "test", "schedule": 200, "seed": 0, "origin": "trained"}
    rows = [{**row, "arch": a, "accuracy": float(v)} for a, v in zip(archs, values, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns)


def scores_of(values: Any, proxy: str, archs: list[str], **changes: Any) -> pl.DataFrame:
    row = {"benchmark": "b", "dataset": "d", "method": "m", "setting": "", "proxy": proxy, "seed": None, "unit": None}
    rows = [{**row, "step": None, **changes, "arch": a, "value": float(v)} for a, v in zip(archs, values, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


ARCHS = [f"nb201:{i:03d}" for i in range(N)]
RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(10, 90, N)


def noisy(spread: float, seed: int) -> np.ndarray:
    return TRUTH + np.random.default_rng(seed).normal(scale=spread, size=N)


@pytest.mark.parametrize(
    ("numbers", "margin", "p", "expected"),
    [
        ((0.1, 0.05, 0.2), None, None, "ahead"),
        ((-0.1, -0.2, -0.05), None, None, "behind"),
        ((0.1, -0.01, 0.2), None, None, "not told apart"),
        ((0.001, -0.01, 0.02), None, None, "not told apart"),
        ((0.001, -0.01, 0.02), 0.03, None, "equivalent"),
        ((0.001, -0.01, 0.02), 0.02, None, "not told apart"),  # the end itself lies on the margin
        ((0.01, 0.005, 0.02), 0.03, None, "equivalent"),
        ((0.1, 0.05, 0.2), 0.06, None, "ahead"),
        ((0.1, 0.05, 0.2), None, 0.06, "not told apart"),
        ((0.1, 0.05, 0.2), None, 0.05, "ahead"),
        ((0.1, None, None), None, 0.01, "ahead"),
        ((0.1, None, None), None, None, "not told apart"),
        ((0.1, math.nan, math.nan), None, None, "not told apart"),
        ((None, 0.05, 0.2), None, None, "not told apart"),
        ((0.1, 0.0, 0.2), None, None, "not told apart"),
    ],
)
def test_the_rule(numbers, margin, p, expected) -> None:
    assert verdict(*numbers, margin, p=p) == expected


def test_words() -> None:
    assert in_words("ahead", "a", "b") == "a ranks better than b"
    assert in_words("equivalent", "a", "b", 0.02) == "a ranks as well as b (within 0.02)"
    assert in_words("not told apart", "a", "b") == "a and b are not told apart"
    assert [better(said, "a", "b") for said in ("ahead", "behind", "equivalent")] == ["a", "b", "neither"]
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="margin: expected a positive difference"):
            verdict(0.0, -1, 1, bad)


def test_as_well_as_needs_a_margin() -> None:
    scores = pl.concat([scores_of(noisy(5, 1), "p", ARCHS), scores_of(noisy(5, 2), "q", ARCHS)])
    truth = truth_of(TRUTH, ARCHS)
    said = [
        compare_proxies(truth, scores, n_boot=200, margin=m)["verdict"][0] for m in (None, 0.001, 0.2)
    ]  # fmt: skip
    assert said == ["not told apart", "not told apart", "equivalent"]
    assert difference_by_step(truth, scores, "p", "q", n_boot=200, margin=0.2)["verdict"][0] == "equivalent"
    assert difference_by_step(truth, scores, "p", "q", n_boot=0)["verdict"][0] == "not told apart"


def test_thirteen_proxies_of_which_one_is_clearly_best_are_told_apart() -> None:
    """p was at least 1/1001 and Holm multiplies by 78: nothing could ever be ahead."""
    some = ARCHS[:50]
    scores = [scores_of(noisy(2, 0)[:50], "good", some)]
    scores += [scores_of(np.random.default_rng(i).normal(size=50), f"p{i}", some) for i in range(1, 13)]
    table = compare_proxies(truth_of(TRUTH[:50], some), pl.concat(scores), n_boot=100)
    best = table.filter(pl.col("proxy") == "good")
    assert best["ahead"].to_list() == ["good"] * 12
    assert set(table["permutations"]) == {permutations_for(78)} == {15_600}
    marks = emphasis_from_pairs(table)
    assert marks["good"] == "best"
    assert set(marks.values()) == {"best", "behind"}
    sets = rank_sets(truth_of(TRUTH[:50], some), pl.concat(scores), n_boot=100)
    assert sets.row(0)[2:3] + sets.row(0)[5:9] == ("good", 1, 1, 1, 1)
    assert sets["rank_low"].to_list()[1:] == [2] * 12
    assert sets["rank_high"].to_list()[1:] == [13] * 12
    assert sets["tier"].to_list()[1:] == [2] * 12


def test_too_few_permutations_are_refused() -> None:
    scores = pl.concat([scores_of(noisy(20, i), f"p{i}", ARCHS) for i in range(12)])
    with pytest.raises(StudyError, match="1000 permutations cannot tell anything apart.*66 comparisons"):
        compare_proxies(truth_of(TRUTH, ARCHS), scores, n_boot=0, n_permutations=1000)
    assert compare_proxies(truth_of(TRUTH, ARCHS), scores, n_boot=20, n_permutations=0)["p"].is_null().all()
    assert (permutations_for(1), permutations_for(55)) == (1000, 11_000)


@pytest.mark.parametrize("name", ["kendall_tau", "spearman_rho", "pearson_r"])
def test_influence_is_what_leaving_one_out_changes(name: str) -> None:
    """The jackknife, n - 1 times what one architecture changes, is the influence up to order 1/n."""
    measure, x = get_statistic(name), noisy(30, 4)
    every = np.arange(N)
    left_out = np.array([measure(x[every != i], TRUTH[every != i]) for i in range(N)])
    jackknife = (N - 1) * (left_out.mean() - left_out)
    assert np.corrcoef(influence(name, x, TRUTH), jackknife)[0, 1] > 0.99
    assert influence(name, x, TRUTH).std() == pytest.approx(jackknife.std(), rel=0.06)
    assert standard_error(name, x, TRUTH * 0 + np.random.default_rng(1).normal(size=N), TRUTH) > 0


def test_members_of_a_class_are_exchanged_together_and_counted_once() -> None:
    labels = np.repeat(np.arange(N // 3), 3)
    y, x, z = (np.random.default_rng(i).normal(size=N // 3)[labels] for i in range(3))
    rho = get_statistic("spearman_rho")
    single = permutation_test(rho, x + 0.4 * y, z, y, rng=np.random.default_rng(0))
    classes = permutation_test(rho, x + 0.4 * y, z, y, rng=np.random.default_rng(0), labels=labels)
    assert classes > 3 * single
    assert standard_error("spearman_rho", x, z, y, labels) == pytest.approx(
        np.sqrt(3) * standard_error("spearman_rho", x, z, y), rel=0.02
    )


def test_the_studentised_test_finds_what_is_there_and_no_more() -> None:
    rho = get_statistic("kendall_tau")
    good, bad = noisy(5, 1), noisy(80, 2)
    for other, p in ((bad, 0.01), (good, 1.0)):
        rng = np.random.default_rng(0)
        assert permutation_test(rho, good, other, TRUTH, rng=rng, n_permutations=99, studentised=True) == p
    scores = pl.concat([scores_of(good, "p", ARCHS), scores_of(bad, "q", ARCHS)])
    table = compare_proxies(truth_of(TRUTH, ARCHS), scores, n_boot=0, n_permutations=99, studentised=True)
    assert table["ahead"][0] == "p"


def test_the_band_holds_at_all_steps_at_once() -> None:
    """Ten steps without a difference: single intervals miss 0 somewhere far more often than the band."""
    missed = np.zeros(2)
    for i in range(60):
        rng = np.random.default_rng(i)
        y, x = rng.normal(size=60), rng.normal(size=60)
        steps = [scores_of(y + rng.normal(size=60), "p", ARCHS[:60], step=s, unit="epoch") for s in range(10)]
        table = difference_by_step(
            truth_of(50 + y, ARCHS[:60]),
            pl.concat([*steps, scores_of(y + x, "q", ARCHS[:60])]),
            "p",
            "q",
            n_boot=150,
        )
        ends = [(table[f"{c}_low"] > 0) | (table[f"{c}_high"] < 0) for c in ("ci", "band")]
        missed += [bool(e.any()) for e in ends]
        assert (table["ahead"] == "neither").to_list() == (~ends[1]).to_list()
        assert (table["band_low"] < table["ci_low"]).mean() > 0.8
    assert missed[1] <= 8 < missed[0]


def test_steps_with_other_architectures_share_their_draws() -> None:
    full, some = scores_of(noisy(20, 1), "p", ARCHS, step=1), scores_of(noisy(20, 1)[:90], "p", ARCHS[:90], step=2)
    steps = pl.concat([full, some]).with_columns(unit=pl.lit("epoch"))
    both = pl.concat([steps, scores_of(noisy(30, 2), "q", ARCHS)])
    table = difference_by_step(truth_of(TRUTH, ARCHS), both, "p", "q", n_boot=200)
    assert table["n_archs"].to_list() == [120, 90]
    assert table["band_low"].is_finite().all()
    one = difference_by_step(
        truth_of(TRUTH, ARCHS), both.filter((pl.col("step") != 2) | pl.col("step").is_null()), "p", "q"
    )
    assert one.select("band_low", "band_high").row(0) == one.select("ci_low", "ci_high").row(0)


def test_band_of_normal_values_has_the_quantile_of_the_largest() -> None:
    draws = np.random.default_rng(0).normal(size=(20, 20_000))
    band = simultaneous_band(np.zeros(20), draws)
    assert band.quantile == pytest.approx(scipy_stats.norm.ppf((1 + 0.95 ** (1 / 20)) / 2), abs=0.05)
    alone = simultaneous_band(np.zeros(1), draws[:1])
    assert alone.quantile == pytest.approx(1.96, abs=0.05)
    odd = simultaneous_band(np.array([1.0, np.nan, 2.0]), np.vstack([np.ones(50), np.full(50, np.nan), draws[0, :50]]))
    assert odd.low[0] == odd.high[0] == 1.0
    assert np.isnan(odd.low[1])


def test_rank_sets_hold_the_true_ranks() -> None:
    """Four scores of known order: all sets hold their rank at once in about 95 % or more."""
    held = 0
    for i in range(80):
        rng = np.random.default_rng(100 + i)
        y = rng.normal(size=100)
        parts = [scores_of(y + s * rng.normal(size=100), f"p{k}", ARCHS[:100]) for k, s in enumerate((0.5, 0.6, 2, 9))]
        table = rank_sets(truth_of(50 + y, ARCHS[:100]), pl.concat(parts), n_boot=150).sort("proxy")
        held += ((table["rank_low"] <= [1, 2, 3, 4]) & (table["rank_high"] >= [1, 2, 3, 4])).all()
    assert held >= 72
    assert table.filter(pl.col("proxy") == "p3")["rank_low"][0] > 2


def test_tiers() -> None:
    clear = np.zeros((4, 4), dtype=bool)
    clear[0, 2] = clear[0, 3] = clear[1, 3] = True
    assert tiers([0.9, 0.8, 0.7, 0.6], clear) == [1, 1, 2, 2]
    assert tiers([0.6, 0.9], np.zeros((2, 2), dtype=bool)) == [1, 1]
    with pytest.raises(StudyError, match="compared with the best"):
        rows = [("a", "b", 0.2, 0.1, "ahead"), ("c", "b", 0.9, 0.1, "ahead")]
        names = ["proxy", "other", "first", "second", "verdict"]
        place = {"benchmark": pl.lit("b"), "dataset": pl.lit("d"), "statistic": pl.lit("rho")}
        emphasis_from_pairs(pl.DataFrame(rows, schema=names, orient="row").with_columns(**place))


def test_undefined_proxies_have_no_rank() -> None:
    scores = pl.concat(
        [scores_of(noisy(5, 1), "p", ARCHS), scores_of(noisy(5, 2), "q", ARCHS), scores_of([1.0] * N, "flat", ARCHS)]
    )
    table = rank_sets(truth_of(TRUTH, ARCHS), scores, n_boot=30)
    assert table.row(2, named=True)["proxy"] == "flat"
    assert table["rank"].to_list()[2] is None
    assert table["rank_high"].to_list()[:2] == [2, 2]
    with pytest.raises(StudyError, match="expected at least 2 proxies"):
        rank_sets(truth_of(TRUTH, ARCHS), scores_of(TRUTH, "p", ARCHS))


def test_friedman_and_the_critical_difference() -> None:
    """Demsar 2006: q of 4 algorithms at 0.05 is 2.569, so over 14 data sets the critical difference is 1.25."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(14, 4)) + np.array([3, 3, 0, 0])
    rows = [("b", str(i), f"p{k}", v) for i, row in enumerate(values) for k, v in enumerate(row)]
    table = pl.DataFrame(rows, schema=["benchmark", "dataset", "proxy", "estimate"], orient="row")
    answer = friedman(table)
    assert answer["critical_difference"][0] == pytest.approx(1.25, abs=0.005)
    assert answer["p"][0] == pytest.approx(scipy_stats.friedmanchisquare(*values.T).pvalue)
    ranks = scipy_stats.rankdata(-values, axis=1).mean(axis=0)
    assert dict(answer.select("proxy", "mean_rank").rows()) == pytest.approx({f"p{k}": r for k, r in enumerate(ranks)})
    assert dict(answer.select("proxy", "tier").rows()) == {"p0": 1, "p1": 1, "p2": 2, "p3": 2}
    tied = friedman(table.with_columns(estimate=1.0))
    assert tied["p"].to_list() == [None] * 4
    with pytest.raises(StudyError, match="at least 3 proxies"):
        friedman(table.filter(pl.col("proxy").is_in(["p0", "p1"])))
    with pytest.raises(StudyError, match="'p3' has no value on b/0"):
        friedman(table.filter((pl.col("proxy") != "p3") | (pl.col("dataset") != "0")))
    with pytest.raises(StudyError, match="several; filter to one step"):
        friedman(pl.concat([table, table]))
    with pytest.raises(FrameError, match="missing column"):
        friedman(table.drop("estimate"))
