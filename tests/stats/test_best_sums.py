"""The best sum of every size, chosen on one half and judged on the other: by hand, limits, and what is refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau

from nasanalysis.core.errors import StudyError
from nasanalysis.core.frames import SCHEMAS
from nasanalysis.core.seeding import generator
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.stats import Resampling, Term, best_sums
from nasanalysis.stats.classes import class_labels

N = 120
ARCHS = sorted(f"nb201:{SPACE.arch(i * 127).key}" for i in range(N))
TERMS = [Term(name, rule="z", direction=1) for name in ("x", "y", "noise")]


def frames(seeds: int = 3, noise: float = 6.0, **fixed: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(4)
    truth = 50 + 10 * rng.normal(size=N)
    place = {"benchmark": "b", "dataset": "d"}
    facts = [
        {**place, "split": "test", "schedule": 200, "seed": None, "origin": "trained", "arch": a, "accuracy": float(v)}
        for a, v in zip(ARCHS, truth, strict=True)
    ]
    rows = []
    for seed in range(seeds):
        drawn = {name: truth + noise * rng.normal(size=N) for name in ("x", "y")} | {"noise": rng.normal(size=N)}
        for name, values in (drawn | fixed).items():
            rows += [
                {**place, "method": "m", "setting": "s", "seed": seed, "step": None, "unit": None, "arch": a,
                 "proxy": name, "value": float(v)}
                for a, v in zip(ARCHS, values, strict=True)
            ]  # fmt: skip
    return pl.DataFrame(facts, schema=SCHEMAS["TRUTH"].columns), pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


def test_every_row_by_hand() -> None:
    truth, scores = frames()
    table = best_sums(truth, scores, TERMS, resampling=Resampling(n=0, seed=5))
    labels = class_labels(ARCHS)
    names, group = np.unique(labels, return_inverse=True)
    first = np.isin(group, generator(5, "stats", "best sums").permutation(len(names))[: round(0.5 * len(names))])
    assert not set(labels[first]) & set(labels[~first]), "a class stands on one side"
    y = dict(truth.select("arch", "accuracy").iter_rows())
    accuracy = np.array([y[a] for a in ARCHS])
    wide = {(s, p): part.sort("arch")["value"].to_numpy() for (s, p), part in scores.group_by("seed", "proxy")}

    def mean_tau(chosen: tuple[str, ...], rows: np.ndarray) -> np.ndarray:
        return np.array([
            kendalltau(
                sum((wide[s, p][rows] - wide[s, p][rows].mean()) / wide[s, p][rows].std() for p in chosen),
                accuracy[rows],
            ).statistic
            for s in range(3)
        ])  # fmt: skip

    part = max((("x",), ("y",), ("noise",)), key=lambda c: mean_tau(c, first).mean())
    for row in table.iter_rows(named=True):
        best = max(combinations(("x", "y", "noise"), row["size"]), key=lambda c: mean_tau(c, first).mean())
        each = mean_tau(best, ~first)
        assert row["sum"] == " + ".join(best)
        assert row["searched"] == pytest.approx(mean_tau(best, first).mean())
        assert (row["held_out"], row["sd"]) == (pytest.approx(each.mean()), pytest.approx(each.std(ddof=1)))
        assert row["gain"] == (None if row["size"] == 1 else pytest.approx((each - mean_tau(part, ~first)).mean()))
    assert table["sum"][1] == "x + y"


def test_two_views_of_one_truth_beat_each_and_noise_does_not_help() -> None:
    table = best_sums(*frames(5, noise=8.0), TERMS, resampling=Resampling(n=200))
    assert table["verdict"].to_list()[:2] == [None, "ahead"]
    assert table["ci_low"][1] > 0
    assert table["held_out"][2] < table["held_out"][1]
    assert "functional classes" in table["interval"][1]


def test_a_constant_term_is_refused_and_so_are_other_mistakes() -> None:
    truth, scores = frames(1)
    for terms, message in (
        (TERMS[:1], "two terms or more"),
        ([TERMS[0], TERMS[0]], "each proxy once"),
        ([TERMS[0], Term("z9", direction=1)], "no scores of 'z9'"),
    ):
        with pytest.raises(StudyError, match=message):
            best_sums(truth, scores, terms)
    with pytest.raises(StudyError, match="expected a rank correlation, got 'topk_mean@10'"):
        best_sums(truth, scores, TERMS, statistic="topk_mean@10")
    with pytest.raises(StudyError, match="10 architectures on each side"):
        best_sums(truth.head(12), scores, TERMS)
    lost = frames(2)[1].filter((pl.col("seed") == 0) | (pl.col("proxy") != "y"))
    with pytest.raises(StudyError, match="the same seeds of every proxy"):
        best_sums(truth, lost, TERMS)
    flat = frames(1, noise=6.0, y=np.ones(N))[1]
    with pytest.raises(StudyError, match="expected values that vary"):
        best_sums(truth, flat, TERMS)


def test_one_seed_has_an_interval_over_architectures() -> None:
    table = best_sums(*frames(1), TERMS, resampling=Resampling(n=100))
    assert table["sd"].to_list() == [None] * 3
    assert table["ci_low"].null_count() == 1
