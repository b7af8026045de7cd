"""The simulation's cells: what is measured, its Monte Carlo error, and faults that the intervals had."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nasanalysis.stats.simulation import cases, simulate


@pytest.mark.parametrize("case", cases())
def test_a_cell_depends_on_its_seed_alone(case: str) -> None:
    table = simulate(case, 12, 3, 20, 1)
    assert table.equals(simulate(case, 12, 3, 20, 1))
    assert set(table["case"]) == {case}
    assert set(table["n_archs"]) == {12}
    shares = table.filter(pl.col("measured") != "bias")
    assert shares["percent"].is_between(0, 100).all()
    assert dict(shares.select("measured", "wanted").rows()).items() <= {"coverage": 95, "type I": 5}.items()


def test_the_error_is_that_of_a_share() -> None:
    table = simulate("clustered", 30, 40, 50, 0)
    share = table["percent"].to_numpy() / 100
    expected = 100 * np.sqrt(share * (1 - share) / 39)
    np.testing.assert_allclose(table["monte_carlo_error"].to_numpy(), expected, atol=0.01)
    by_unit = dict(table.filter(statistic="spearman_rho").select("method", "percent").rows())
    assert by_unit["over functional classes"] > by_unit["over architectures"] + 5


def test_single_intervals_find_a_step_far_more_often_than_the_band() -> None:
    found = dict(simulate("by_step", 30, 60, 100, 0).select("method", "percent").rows())
    assert found["somewhere, band"] < found["somewhere, single intervals"]


def test_the_mean_of_all_runs_chooses_a_part_that_repeats_less() -> None:
    table = simulate("reliability", 100, 20, 30, 0).filter(pl.col("setting").str.starts_with("reliability 0.0"))
    bias = dict(table.select("method", "percent").rows())
    assert bias["bias, chosen by the mean of all"] < -15
    assert abs(bias["bias, chosen by a run left out"]) < 8
