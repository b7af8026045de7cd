"""What a search asks: tables, sums, memory."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import SearchError, UnknownNameError
from nasanalysis.core.frames import check, to_pandas
from nasanalysis.search import (
    Answers,
    Combined,
    Fitness,
    FunctionFitness,
    Memoised,
    Part,
    SteppedFitness,
    SteppedTable,
    TableFitness,
    seconds_of,
)
from nasanalysis.stats import normalise
from nasanalysis.stats.averages import MixedSeedsWarning

A, B, C = "nb201:a", "nb201:b", "nb201:c"


def scores(rows: list[tuple[str, str, int | None, int | None, float | None]]) -> pl.DataFrame:
    """Rows (arch, proxy, seed, step, value)."""
    table = pl.DataFrame(rows, schema=["arch", "proxy", "seed", "step", "value"], orient="row")
    return check(
        table.with_columns(
            pl.col("value").cast(pl.Float64),
            benchmark=pl.lit("b"),
            dataset=pl.lit("d"),
            method=pl.lit("m"),
            setting=pl.lit(""),
            unit=pl.when(pl.col("step").is_null()).then(None).otherwise(pl.lit("epoch")),
        ),
        "SCORES",
    )


def truth(values: dict[str, float], split: str = "test") -> pl.DataFrame:
    table = pl.DataFrame({"arch": list(values), "accuracy": list(values.values())})
    return check(
        table.with_columns(
            benchmark=pl.lit("b"),
            dataset=pl.lit("d"),
            split=pl.lit(split),
            schedule=pl.lit(12),
            seed=pl.lit(None, pl.Int64),
            origin=pl.lit("trained"),
        ),
        "TRUTH",
    )


def test_a_table_is_oriented_and_averages_its_seeds() -> None:
    table = scores([(A, "sotl", 0, 3, 2.0), (A, "sotl", 1, 3, 4.0), (B, "sotl", 0, 3, 1.0), (B, "sotl", 1, 3, None)])
    fitness = TableFitness.from_scores(table, seconds={A: 5.0, B: 7.0})
    assert isinstance(fitness, Fitness)
    assert (fitness.name, fitness.space, fitness.archs) == ("sotl", "nb201", (A, B))
    answers = fitness([B, A, A])
    assert answers.values[1:].tolist() == [-3.0, -3.0]  # a loss: lower is better
    assert math.isnan(answers.values[0])  # one seed has no value: the mean is undefined
    assert answers.seconds.tolist() == [7.0, 5.0, 5.0]
    assert TableFitness.from_scores(table, seed=0, direction=1)([B]).values.tolist() == [1.0]
    assert TableFitness.from_scores(to_pandas(table), "sotl", step=3)([A]).values.tolist() == [-3.0]


def test_rows_without_a_seed_are_the_mean() -> None:
    table = scores([(A, "val_acc", None, 1, 9.0), (A, "val_acc", 0, 1, 1.0), (B, "val_acc", None, 1, 8.0)])
    assert TableFitness.from_scores(table)([A, B]).values.tolist() == [9.0, 8.0]


def test_mean_or_seeds_is_decided_for_each_architecture() -> None:
    rows = [
        (A, "val_acc", None, 1, 9.0),
        (A, "val_acc", 0, 1, 1.0),
        (B, "val_acc", 0, 1, 8.0),
        (B, "val_acc", 1, 1, 6.0),
    ]
    with pytest.warns(MixedSeedsWarning, match="1 of 2 architectures have a row of null seed"):
        fitness = TableFitness.from_scores(scores([*rows]))
    assert fitness([A, B]).values.tolist() == [9.0, 7.0]


def test_means_over_seeds_keep_ties() -> None:
    rows = [(A, "val_acc", seed, 1, 0.1) for seed in range(3)] + [
        (B, "val_acc", seed, 1, v) for seed, v in enumerate((0.1, 0.2, 0.0))
    ]
    values = TableFitness.from_scores(scores(rows))([A, B]).values
    assert values[0] == values[1] == 0.1


def test_a_table_that_is_not_one_list_says_what_tells_its_rows_apart() -> None:
    table = scores([(A, "sotl", 0, 3, 2.0), (A, "sotl", 0, 4, 4.0), (A, "params", None, None, 4.0)])
    with pytest.raises(SearchError, match=r"got several \(all rows\): proxy: params, sotl; unit: .*step: 3, 4, None"):
        TableFitness.from_scores(table)
    with pytest.raises(SearchError, match=r"got several \(proxy sotl\): step: 3, 4; choose one"):
        TableFitness.from_scores(table, "sotl")
    with pytest.raises(SearchError, match="no rows of proxy sotl, step 5. The frame has proxy: params, sotl; step"):
        TableFitness.from_scores(table, "sotl", step=5)
    with pytest.raises(SearchError, match="no rows of seed 8; there are 0"):
        TableFitness.from_scores(table, "sotl", step=3, seed=8)
    with pytest.raises(SearchError, match=r"direction: expected \+1 or -1, got 2"):
        TableFitness.from_scores(table, "sotl", step=3, direction=2)


def test_an_unknown_architecture_is_an_error_that_says_what_to_do() -> None:
    fitness = TableFitness.from_truth(truth({A: 90.0, B: 80.0}))
    with pytest.raises(SearchError, match=r"no value for nb201:c: TRUTH of b, d holds 2 architectures; .*get_moves"):
        fitness([A, C])
    assert fitness.restricted([B]).archs == (B,)
    with pytest.raises(SearchError, match="no value for nb201:c"):
        fitness.restricted([C])


@pytest.mark.parametrize(
    ("values", "seconds", "message"),
    [
        ({}, 0.0, "expected at least one architecture, got an empty table"),
        ({"darts:x": 1.0}, 0.0, "expected architectures as 'nb201:key', got 'darts:x'"),
        ({A: math.inf}, 0.0, "expected finite values or NaN, got infinite ones"),
        ({A: 1.0, B: 2.0}, {A: 1.0}, "all 2 architectures, 1 lack them, first nb201:b"),
        ({A: 1.0}, -1.0, "expected finite numbers of at least 0"),
    ],
)
def test_malformed_tables(values: dict[str, float], seconds: float, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        TableFitness("f", "nb201", values, seconds)


def test_malformed_answers() -> None:
    with pytest.raises(SearchError, match="live: expected finite values or NaN, got infinite ones"):
        Answers.of([1.0, -math.inf], name="live")
    with pytest.raises(SearchError, match=r"expected \(n,\) values and seconds, got \(2,\) and \(3,\)"):
        Answers.of([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(SearchError, match="expected seconds of at least 0"):
        Answers.of([1.0], math.nan)


def test_recorded_seconds() -> None:
    table = scores([(A, "training_seconds", None, None, 3.0), (B, "training_seconds", None, None, None)])
    assert seconds_of(table, "training_seconds") == {A: 3.0}


def test_memory_costs_nothing_and_asks_once() -> None:
    asked: list[str] = []

    def length(arch: str) -> float:
        asked.append(arch)
        return float(len(arch))

    memory = Memoised(FunctionFitness("length", "nb201", length, seconds=2.0))
    assert isinstance(memory, Fitness)
    assert memory([A, B, A]).seconds.tolist() == [2.0, 2.0, 0.0]
    again = memory([B, "nb201:long", A])
    assert again.seconds.tolist() == [0.0, 2.0, 0.0]
    assert again.values.tolist() == [7.0, 10.0, 7.0]
    assert again.counted is None
    assert asked == [A, B, "nb201:long"]
    assert len(memory) == 3
    evaluations = Memoised(memory.fitness, count_repeats=False)
    counted = evaluations([A, B, A]).counted
    assert counted is not None
    assert counted.tolist() == [True, True, False]


VALUES = st.lists(st.floats(-100, 100, width=16), min_size=3, max_size=12).filter(lambda v: len(set(v)) > 1)


@given(VALUES, st.sampled_from(["z", "rank"]))
def test_rules_with_a_reference_agree_with_the_rule_on_the_reference(values: list[float], rule: str) -> None:
    part = Part(FunctionFitness("f", "nb201", lambda _: 0.0), 2.0, rule, reference=values)  # type: ignore[arg-type]
    np.testing.assert_allclose(part.scaled(np.array(values)), 2 * normalise(values, rule), atol=1e-9)  # type: ignore[arg-type]
    assert math.isnan(part.scaled(np.array([math.nan]))[0])


def test_a_sum_normalises_orients_and_adds_costs() -> None:
    angle = TableFitness("angle", "nb201", {A: np.pi / 2, B: 1.0}, 1.0)
    flat = TableFitness.from_scores(
        scores([(A, "flatness", 0, None, 0.002), (B, "flatness", 0, None, None)]), direction=1, seconds=3.0
    )
    both = Combined("angle + flatness", [Part(angle, 1, "angle/pi"), Part(flat, 16, "1/sigma_1", sigma_1=2e-3)])
    answers = both([A, B])
    assert answers.values[0] == pytest.approx(0.5 + 16 * 0.002 / 2e-3)
    assert math.isnan(answers.values[1])
    assert answers.seconds.tolist() == [4.0, 4.0]
    assert both.space == "nb201"


def test_sums_that_would_move_or_mix_are_refused() -> None:
    one = FunctionFitness("one", "nb201", lambda _: 1.0)
    with pytest.raises(SearchError, match="one: the rule 'z' depends on the set of architectures.*give reference="):
        Part(one, rule="z")
    with pytest.raises(SearchError, match="the rule 'raw' takes no reference"):
        Part(one, reference=[1.0, 2.0])
    with pytest.raises(SearchError, match="z: expected a reference that varies"):
        Part(one, rule="z", reference=[1.0, 1.0])
    with pytest.raises(UnknownNameError, match="normalisation rule 'percents'. Did you mean 'percent'"):
        Part(one, rule="percents")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1/sigma_1: expected sigma_1 > 0, got None"):
        Part(one, rule="1/sigma_1")
    with pytest.raises(SearchError, match="expected parts of one space, got darts, nb201"):
        Combined("sum", [Part(one), Part(FunctionFitness("two", "darts", lambda _: 1.0))])
    with pytest.raises(SearchError, match="expected at least one part"):
        Combined("sum", [])


def test_a_stepped_table_charges_for_the_steps_in_between() -> None:
    table = scores([(A, "sotl", 0, 1, 2.0), (A, "sotl", 0, 4, 9.0), (B, "sotl", 0, 1, 3.0)])
    fitness = SteppedTable.from_scores(table, "sotl", seconds_per_step={A: 10.0, B: 20.0})
    assert isinstance(fitness, SteppedFitness)
    assert (fitness.steps, fitness.archs) == ((1, 4), (A,))
    assert fitness([A, B], 1).values.tolist() == [-2.0, -3.0]
    assert fitness([A, B], 1).seconds.tolist() == [10.0, 20.0]
    assert fitness([A], 4, 1).seconds.tolist() == [30.0]
    with pytest.raises(SearchError, match="sotl: expected one of the steps 1, 4, got 2"):
        fitness([A], 2)
    with pytest.raises(SearchError, match="no value for nb201:b: the scores at step 4"):
        fitness([B], 4)
    with pytest.raises(SearchError, match="expected 0 to 4 steps before, got 5"):
        fitness([A], 4, 5)
    with pytest.raises(SearchError, match="params: expected scores at some step"):
        SteppedTable.from_scores(scores([(A, "params", None, None, 1.0)]), "params")
