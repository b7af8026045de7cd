"""What searches select, judged by a truth: means, intervals by hand, standings, what has no truth."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student

from nasanalysis.core.errors import SearchError
from nasanalysis.search.selected import selected_by_epoch, summarise_selected, t_interval

ARCHS = [f"nb201:a{i}" for i in range(6)]


def trace(rows: list[tuple[str, str, int, int, str, str]]) -> pl.DataFrame:
    names = ("method", "setting", "seed", "epoch", "quantity", "text")
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.with_columns(benchmark=pl.lit("live-nb201"), dataset=pl.lit("digits"), value=pl.lit(None, pl.Float64))


def truth(seeds: int = 2) -> pl.DataFrame:
    rows = [(arch, seed, 80.0 + i + seed) for i, arch in enumerate(ARCHS[:5]) for seed in range(seeds)]
    frame = pl.DataFrame(rows, schema=("arch", "seed", "accuracy"), orient="row")
    return frame.with_columns(
        benchmark=pl.lit("digits"),
        dataset=pl.lit("digits"),
        split=pl.lit("test"),
        schedule=pl.lit(12),
        origin=pl.lit("trained"),
    )


def searches() -> pl.DataFrame:
    rows = []
    for seed, (one, two) in enumerate([(4, 3), (4, 2), (3, 2)]):
        for method, arch in (("darts", one), ("gdas", two)):
            rows += [(method, "", seed, e, "genotype", ARCHS[min(e, arch)]) for e in range(3)]
            rows.append((method, "", seed, 2, "selected", ARCHS[arch]))
    rows.append(("enas", "", 0, 2, "selected", ARCHS[5]))
    return trace(rows)


def test_every_selection_stands_beside_its_truth() -> None:
    frame = selected_by_epoch(searches(), truth())
    darts = frame.filter(method="darts", seed=0)
    assert darts.select("epoch", "accuracy", "last").rows() == [
        (0, 80.5, False),
        (1, 81.5, False),
        (2, 82.5, False),
        (2, 84.5, True),
    ]
    assert frame.filter(method="enas")["accuracy"].to_list() == [None]


def test_means_and_intervals_are_students_and_standings_are_paired() -> None:
    table = summarise_selected(selected_by_epoch(searches(), truth()))
    assert table["method"].to_list() == ["darts", "gdas", "enas"]
    values = np.array([84.5, 84.5, 83.5])
    row = table.row(0, named=True)
    low, high = student.interval(0.95, 2, loc=values.mean(), scale=values.std(ddof=1) / 3**0.5)
    assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx((values.mean(), low, high))
    gaps = values - np.array([83.5, 82.5, 82.5])
    gap_low, _ = t_interval(gaps, 0.95)
    assert gap_low is not None
    assert table["standing"].to_list() == ["best", "behind" if gap_low > 0 else "tied", None]
    assert table.row(2, named=True) | {"standing": None} == {
        "method": "enas", "setting": "", "n_seeds": 1, "n_undefined": 1, "mean": None, "sd": None, "ci_low": None,
        "ci_high": None, "standing": None,
    }  # fmt: skip
    one = summarise_selected(selected_by_epoch(searches().filter(pl.col("seed") == 0), truth()))
    assert one["ci_low"].null_count() == 3, "one seed has no interval"
    assert one["standing"].to_list() == ["best", None, None]


def test_what_is_mixed_or_missing_is_refused() -> None:
    with pytest.raises(SearchError, match="one split, got test, valid"):
        selected_by_epoch(searches(), pl.concat([truth(), truth().with_columns(split=pl.lit("valid"))]))
    with pytest.raises(SearchError, match="expected a trace with the quantities genotype or selected"):
        selected_by_epoch(searches().filter(quantity="selected").with_columns(quantity=pl.lit("loss")), truth())
