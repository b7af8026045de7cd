"""RobustDARTS's early stopping: against the rule word by word, and on its published logs."""

from __future__ import annotations

from statistics import fmean

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_frames import trace_frame

from nasanalysis import stats
from nasanalysis.core.errors import ParameterError, StudyError


def slow_rule(values: dict[int, float], factor: float = 1.3) -> tuple[int, int] | None:
    """The rule word by word: A(e), mean of the last five; stop when A(e) / A(e - 8) > factor and e - 12 >= 10."""
    for e in sorted(values):
        window, before = [e - 8, e - 6, e - 4, e - 2, e], [e - 16, e - 14, e - 12, e - 10, e - 8]
        if e % 2 or not all(x in values for x in window + before) or e - 12 < 10:
            continue
        if fmean(values[x] for x in window) / fmean(values[x] for x in before) > factor:
            return e, e - 12
    return None


@given(st.lists(st.floats(0.05, 2.0), min_size=26, max_size=26))
def test_early_stopping_is_the_rule_word_by_word(values: list[float]) -> None:
    epochs = dict(zip([*range(0, 50, 2), 49], values, strict=True))
    got = stats.early_stopping(trace_frame(epochs)).row(0, named=True)
    expected = slow_rule(epochs)
    assert ((got["stop_epoch"], got["return_epoch"]) if got["stop_epoch"] is not None else None) == expected


def test_average_belongs_to_the_middle_of_its_window() -> None:
    table = stats.eigenvalue_trajectories(trace_frame({e: float(e) for e in range(0, 20, 2)}))
    averages = dict(table.drop_nulls("average").select("epoch", "average").iter_rows())
    assert averages == {e: float(e) for e in range(4, 16, 2)}
    with pytest.raises(StudyError, match="no values of 'valid_loss'; the trace holds arch_hessian_ev"):
        stats.eigenvalue_trajectories(trace_frame({0: 1.0}), quantity="valid_loss")


def test_early_stopping_on_the_logs_of_robustdarts(data_dir) -> None:  # type: ignore[no-untyped-def]
    from nasanalysis import load_benchmark

    trace = load_benchmark("robust-darts", data_dir).lazy("TRACE").collect()
    ends = stats.early_stopping(trace)
    assert len(ends) == 21
    for row in ends.to_dicts():
        own = trace.filter(
            pl.col("setting") == row["setting"], pl.col("seed") == row["seed"], pl.col("quantity") == "arch_hessian_ev"
        )
        expected = slow_rule(dict(own.select("epoch", "value").iter_rows()))
        assert ((row["stop_epoch"], row["return_epoch"]) if row["stop_epoch"] is not None else None) == expected
    fired = dict(ends.group_by("setting").agg(pl.col("stop_epoch").count()).iter_rows())
    assert fired["0.0_0.0003"] == 3  # the weak L2 factor of DARTS overfits: every seed stops
    assert fired["0.0_0.0243"] == 0


def test_another_rule_reads_other_epochs() -> None:
    """Every epoch, windows of three, doubled within four epochs: worked out by hand on powers of 1.2."""
    rule = stats.StoppingRule(every=1, window=3, lag=4, factor=2.0, first=2)
    assert rule({e: 1.2**e for e in range(30)}) == pytest.approx((7, 2, 1.2**4))
    assert rule({e: 1.1**e for e in range(30)}) is None
    assert rule({e: 1.2**e for e in range(30) if e != 7}) == pytest.approx((10, 5, 1.2**4))  # no windows about 6, 7, 8
    assert stats.StoppingRule()(dict.fromkeys(range(50), -1.0)) is None  # no growth to speak of
    with pytest.raises(ParameterError, match="an odd window, got 2, 8 and 4"):
        stats.StoppingRule(window=4)


def test_parts_and_search_seeds_are_searches_of_their_own() -> None:
    rising, level = trace_frame({e: 1.1**e for e in range(50)}), trace_frame(dict.fromkeys(range(50), 1.0))
    two = pl.concat(t.with_columns(part=pl.lit(p), search_seed=pl.lit(1)) for p, t in (("a", rising), ("b", level)))
    ends = stats.early_stopping(two)
    assert ends.select("part", "stop_epoch").rows() == [("a", 22), ("b", None)]
