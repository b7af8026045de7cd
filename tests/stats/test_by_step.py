"""Curves over steps: first step above a threshold, crossover, and what a budget buys."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import FrameError, StudyError, UnknownNameError
from nasanalysis.core.frames import SCHEMAS
from nasanalysis.stats import (
    compute_matched,
    correlate,
    cost_by_step,
    crossover,
    first_step_reaching,
    spearman_rho,
)
from nasanalysis.stats.bootstrap import bootstrap_counts

PLACE = {"benchmark": "b", "dataset": "d"}
ARCHS = [f"nb201:a{i:04d}" for i in range(80)]
RNG = np.random.default_rng(0)
ACCURACY = 50 + 10 * RNG.normal(size=80)
NOISE = RNG.normal(size=80)


def truth_frame() -> pl.DataFrame:
    row = {**PLACE, "split": "test", "schedule": 200, "seed": 0, "origin": "trained"}
    rows = [{**row, "arch": a, "accuracy": v} for a, v in zip(ARCHS, ACCURACY, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns)


def curve(proxy: str, noises: list[float | None], first_step: int = 1) -> pl.DataFrame:
    """A score whose noise at each step is given; [None] is a cost without a step."""
    rows = []
    for i, noise in enumerate(noises):
        step = None if noise is None else first_step + i
        values = ACCURACY + 10 * (1.2 if noise is None else noise) * NOISE
        row = {**PLACE, "method": "m", "setting": "s", "proxy": proxy, "seed": 0, "step": step}
        row["unit"] = None if step is None else "epoch"
        rows += [{**row, "arch": a, "value": float(v)} for a, v in zip(ARCHS, values, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


def rho_at(noise: float) -> float:
    return spearman_rho(ACCURACY + 10 * noise * NOISE, ACCURACY)


def test_first_step_reaching() -> None:
    scores = pl.concat([curve("p", [4, 2, 1, 0.5, 0.25]), curve("params", [None])])
    threshold = (rho_at(1) + rho_at(2)) / 2
    table = first_step_reaching(truth_frame(), scores, threshold, n_boot=300)
    row = table.row(0, named=True)
    assert len(table) == 1  # a cost has no steps
    assert (row["first_step"], row["last_step"], row["n_archs"], row["reached"]) == (3, 5, 80, 1.0)
    assert 2 <= row["ci_low"] <= 3 <= row["ci_high"] <= 4
    never = first_step_reaching(truth_frame(), scores, 0.999, n_boot=50).row(0, named=True)
    assert never["first_step"] is never["ci_low"] is never["ci_high"] is None
    assert never["reached"] == 0


def test_first_step_interval_equals_a_plain_loop() -> None:
    noises = [3, 2, 1.5, 1.2, 1, 0.8]
    found = first_step_reaching(truth_frame(), curve("p", noises), 0.7, n_boot=200, seed=0).row(0, named=True)
    from nasanalysis.core.seeding import generator

    counts = bootstrap_counts(80, 200, generator(0, "stats", "bootstrap"))
    steps = []
    for row in counts:
        drawn = np.repeat(np.arange(80), row)
        each = [spearman_rho((ACCURACY + 10 * n * NOISE)[drawn], ACCURACY[drawn]) for n in noises]
        steps.append(next((i + 1 for i, value in enumerate(each) if value >= 0.7), np.inf))
    low, high = np.quantile(steps, [0.025, 0.975], method="inverted_cdf")
    assert (found["ci_low"], found["ci_high"] or np.inf) == (low, high)
    assert found["reached"] == np.isfinite(steps).mean()


def test_crossover() -> None:
    scores = pl.concat([curve("late", [4, 2, 1, 0.5, 0.25]), curve("early", [1, 1, 1, 1, 1]), curve("params", [None])])
    row = crossover(truth_frame(), scores, "late", "early", n_boot=200).row(0, named=True)
    assert (row["step"], row["unit"], row["n_steps"], row["crosses"]) == (4, "epoch", 5, 1)
    assert 3 <= row["ci_low"] <= 4 <= row["ci_high"] <= 5
    assert row["from_start"] == 0
    against_cost = crossover(truth_frame(), scores, "late", "params", n_boot=50).row(0, named=True)
    assert against_cost["step"] == 3  # noise 1 against 1.2
    back = crossover(truth_frame(), scores, "early", "late", n_boot=50).row(0, named=True)
    assert back["step"] is back["ci_high"] is None  # not ahead for good
    same = crossover(truth_frame(), scores, "early", "early", n_boot=10).row(0, named=True)
    assert (same["step"], same["crosses"]) == (None, 0)


def test_crossover_refuses() -> None:
    scores = pl.concat([curve("p", [1, 1]), curve("q", [1, 1], first_step=5), curve("a", [None]), curve("b", [None])])
    with pytest.raises(StudyError, match="'p' and 'q' share no step of b/d"):
        crossover(truth_frame(), scores, "p", "q")
    with pytest.raises(StudyError, match="have no steps; compare_proxies"):
        crossover(truth_frame(), scores, "a", "b")
    with pytest.raises(UnknownNameError, match="unknown proxy in these scores 'z'"):
        crossover(truth_frame(), scores, "p", "z")
    with pytest.raises(StudyError, match="curves over steps: expected a correlation, got 'topk_mean@5'"):
        crossover(truth_frame(), scores, "p", "q", statistic="topk_mean@5")
    with pytest.raises(StudyError, match="expected scores with steps"):
        first_step_reaching(truth_frame(), curve("a", [None]), 0.5)


def test_compute_matched() -> None:
    scores = pl.concat([curve("p", [2, 1, 0.5]), curve("q", [1.5, 1.4, 1.3]), curve("params", [None])])
    stats = correlate(truth_frame(), scores, statistics=("spearman_rho",), n_boot=0)
    costs = pl.DataFrame(
        {"proxy": ["p"] * 3 + ["q"] * 3, "step": [1, 2, 3] * 2, "cost": [10.0, 20.0, 30.0, 1.0, 2.0, 3.0]}
    )
    table = compute_matched(stats, costs, budgets=[0, 2.5, 25, 1000])
    chosen = table.select("budget", "proxy", "step").rows()
    assert chosen == [
        (0, "params", None), (2.5, "params", None), (2.5, "q", 2), (25, "p", 2), (25, "params", None), (25, "q", 3),
        (1000, "p", 3), (1000, "params", None), (1000, "q", 3),
    ]  # fmt: skip
    assert table.filter("best").select("budget", "proxy").rows() == [
        (0, "params"), (2.5, "params"), (25, "p"), (1000, "p"),
    ]  # fmt: skip
    assert sorted(set(compute_matched(stats, costs)["budget"])) == [0, 1, 2, 3, 10, 20, 30]
    with pytest.raises(StudyError, match="no cost for 'p' at step 3"):
        compute_matched(stats, costs.filter(~((pl.col("proxy") == "p") & (pl.col("step") == 3))))
    with pytest.raises(FrameError, match=r"costs: missing column\(s\) cost"):
        compute_matched(stats, costs.drop("cost"))
    with pytest.raises(FrameError, match="expected one cost for each of proxy, step"):
        compute_matched(stats, pl.concat([costs, costs]))


def test_cost_by_step_adds_seconds_up() -> None:
    row = {**PLACE, "method": "scratch", "setting": "s", "schedule": 3, "seed": 0, "unit": "epoch"}
    rows = [
        {**row, "arch": a, "step": s, "seconds": w} for a, w in (("nb201:x", 1.0), ("nb201:y", 3.0)) for s in (1, 2, 3)
    ]
    curves = pl.DataFrame(rows)
    costs = cost_by_step(curves, ["p", "q"])
    assert costs.filter(proxy="q").select("step", "cost").rows() == [(0, 0), (1, 2), (2, 4), (3, 6)]
    with pytest.raises(StudyError, match="seconds of every step from 1 on"):
        cost_by_step(curves.filter(pl.col("step") != 1), ["p"])
    with pytest.raises(StudyError, match="expected curves with seconds"):
        cost_by_step(curves.with_columns(seconds=pl.lit(None, pl.Float64)), ["p"])
