"""The frames' schemas: what they accept, what they refuse and in which words."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import (
    ArchError,
    DataFileError,
    FrameError,
    MissingDataError,
    MissingExtraError,
    NasAnalysisError,
    OutputError,
    UnknownNameError,
)
from nasanalysis.core.frames import (
    SCHEMAS,
    Quantity,
    any_frame,
    check,
    complete,
    read_frame,
    read_provenance,
    to_pandas,
    truth_quantity,
    write_frame,
)

WHERE = {"benchmark": ["b", "b"], "dataset": ["d", "d"], "arch": ["nb201:x", "nb201:y"]}
HOW = {"method": ["scratch", "scratch"], "setting": ["", ""]}
VALID: dict[str, dict[str, list[Any]]] = {
    "ARCHS": {**WHERE, "unique_arch": ["nb201:x", "nb201:x"], "params": [1, 2], "flops": [1.0, 2.0]},
    "TRUTH": {
        **WHERE,
        "split": ["test", "valid"],
        "schedule": [12, 200],
        "seed": [0, None],
        "accuracy": [0.0, 100.0],
        "origin": ["tabular", "trained"],
    },
    "CURVES": {
        **WHERE,
        **HOW,
        "schedule": [12, 12],
        "seed": [0, None],
        "unit": ["epoch", "minibatch"],
        "step": [0, 12],
        "train_loss": [2.25, None],
        "test_accuracy": [0.0, 100.0],
    },
    "PERTURBED": {
        **WHERE,
        **HOW,
        "seed": [0, 1],
        "position": ["all", "cells"],
        "direction": ["random", "hessian"],
        "draws": ["independent", "cumulative"],
        "sigma": [0.1, 0.2],
        "draw": [0, 1],
        "loss": [1.0, 2.0],
    },
    "SCORES": {
        **WHERE,
        **HOW,
        "proxy": ["sotl", "params"],
        "seed": [0, None],
        "unit": ["epoch", None],
        "step": [1, None],
        "value": [-3.0, None],
    },
    "STATS": {
        "benchmark": ["b", "b"],
        "dataset": ["d", "d"],
        **HOW,
        "proxy": ["sotl", "params"],
        "truth_split": ["test", "test"],
        "truth_schedule": [12, 12],
        "truth_seeds": ["mean", None],
        "sample": ["all", "all"],
        "statistic": ["spearman_rho", "topk_mean@5"],
        "unit": ["epoch", None],
        "step": [1, None],
        "estimate": [0.5, None],
        "ci_low": [0.4, None],
        "ci_high": [0.6, None],
        "interval": ["x", None],
        "n_archs": [5, 5],
        "n_missing": [0, 1],
    },
    "TRACE": {
        "benchmark": ["b", "b"],
        "dataset": ["d", "d"],
        **HOW,
        "seed": [0, None],
        "epoch": [1, 2],
        "quantity": ["loss", "genotype"],
        "value": [1.0, None],
        "text": [None, "g"],
    },
    "ALPHAS": {
        "benchmark": ["b", "b"],
        "dataset": ["d", "d"],
        **HOW,
        "seed": [0, 0],
        "epoch": [0, 50],
        "cell": ["normal", "normal"],
        "edge": ["0-1", "0-1"],
        "operation": ["skip_connect", "skip_connect"],
        "weight": [0.125, 0.25],
        "alpha": [0.0, None],
        "mask": [None, True],
    },
    "STRENGTHS": {
        "benchmark": ["b", "b"],
        "dataset": ["d", "d"],
        **HOW,
        "seed": [0, 0],
        "epoch": [50, 50],
        "cell": ["normal", "normal"],
        "edge": ["0-1", "0-1"],
        "operation": ["none", "skip_connect"],
        "weight": [0.125, 0.25],
        "alpha": [0.0, None],
        "strength": [0.0, 12.5],
        "strength_loss": [0.0, None],
        "discrete_accuracy": [None, 40.0],
        "converged_accuracy": [None, 62.5],
        "tuned_epochs": [None, 7],
    },
}

#: A truth of several quantities: an accuracy, a loss, a latency that is no percentage.
QUANTITIES = {
    "benchmark": "b",
    "dataset": "d",
    "arch": "nb201:x",
    "split": "test",
    "schedule": 12,
    "seed": 0,
    "quantity": [None, "loss", "latency"],
    "accuracy": [91.5, None, None],
    "value": [None, 0.25, 2300.0],
    "quantity_unit": [None, "nats", "ms"],
    "quantity_direction": [None, -1, -1],
    "origin": "trained",
}


def valid(name: str) -> pl.DataFrame:
    return pl.DataFrame(VALID[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_valid_frame_is_accepted_in_canonical_types_and_order(name: str) -> None:
    frame = valid(name)
    shuffled = frame.select(reversed(frame.columns)).with_columns(extra=pl.lit("kept"))
    table = check(shuffled, name)
    assert dict(table.drop("extra").schema) == SCHEMAS[name].columns
    assert table.columns == [*SCHEMAS[name].columns, "extra"]
    assert table.select(frame.columns).rows() == frame.rows()
    assert check(table, name).equals(table), "check is idempotent"


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_missing_column_is_named(name: str) -> None:
    schema = SCHEMAS[name]
    for column in schema.columns:
        without = check(valid(name), name).drop(column)
        if column in (*schema.optional, *schema.defaults):
            filled = check(without, name)[column]
            assert filled.equals(check(valid(name).drop(column, strict=False), name)[column])
            assert column in schema.defaults or filled.is_null().all()
        else:
            with pytest.raises(FrameError, match=rf"^here: {name}: missing column\(s\) {column}; got .*A {name} frame"):
                check(without, name, where="here")


@pytest.mark.parametrize("name", SCHEMAS)
def test_null_keys_are_refused_unless_they_mean_something(name: str) -> None:
    schema = SCHEMAS[name]
    for column in schema.keys:
        holed = check(valid(name), name).head(1).with_columns(pl.lit(None, schema.keys[column]).alias(column))
        if column in (*schema.nullable, *schema.defaults):
            check(holed, name)
        else:
            with pytest.raises(FrameError, match=f"column '{column}' is null in 1 of 1 rows"):
                check(holed, name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_duplicate_keys_are_shown(name: str) -> None:
    twice = pl.concat([valid(name), valid(name).head(1)])
    with pytest.raises(FrameError, match=r"duplicate rows for one key in 2 of 3 rows, first: \{'benchmark': 'b'"):
        check(twice, name)


def test_two_null_seeds_are_a_duplicate() -> None:
    means = valid("TRUTH").tail(1)
    with pytest.raises(FrameError, match="duplicate rows"):
        check(pl.concat([means, means]), "TRUTH")


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("TRUTH", {"accuracy": 101.0}, r"'accuracy' outside \[0, 100\] in 2 of 2 rows.*accuracy is in percent"),
    ("TRUTH", {"accuracy": -0.1}, r"'accuracy' outside \[0, 100\]"),
    ("TRUTH", {"accuracy": float("inf")}, r"'accuracy' holds infinite values; leave undefined values empty"),
    ("TRUTH", {"accuracy": float("-inf")}, "holds infinite values"),
    ("TRUTH", {"accuracy": "high"}, "column 'accuracy': expected Float64, got String.*high"),
    ("TRUTH", {"accuracy": "inf"}, "accuracy"),
    ("TRUTH", {"accuracy": True}, "column 'accuracy': expected numbers, got true/false"),
    ("TRUTH", {"seed": 1.5}, r"column 'seed': expected whole numbers, got \[1.5"),
    ("TRUTH", {"seed": 1e300}, "column 'seed': expected Int64"),
    ("TRUTH", {"split": "tset"}, "'split' must be one of test, valid, valtest in 2 of 2 rows"),
    ("TRUTH", {"split": "train"}, "'split' must be one of test, valid, valtest"),
    ("TRUTH", {"origin": "guessed"}, "'origin' must be one of surrogate, tabular, trained"),
    ("TRUTH", {"arch": "|none~0|"}, "'arch' must read 'space:key'.*add the space, for example 'nb201:'"),
    ("TRUTH", {"arch": ":key"}, "'arch' must read 'space:key'"),
    ("TRUTH", {"arch": "nb201:"}, "'arch' must read 'space:key'"),
    ("TRUTH", {"arch": 7}, "'arch' must read 'space:key'"),
    ("ARCHS", {"params": -1}, "'params' outside"),
    ("ARCHS", {"params": 1.5}, "column 'params': expected whole numbers"),
    ("CURVES", {"step": -1}, "'step' outside"),
    ("CURVES", {"unit": "iteration"}, "'unit' must be one of epoch, minibatch"),
    ("CURVES", {"train_accuracy": 100.5}, "'train_accuracy' outside"),
    ("CURVES", {"train_loss": 1e300}, "column 'train_loss': expected numbers below 3.4e38, got 1e[+]300"),
    ("SCORES", {"value": float("inf")}, "column 'value' holds infinite values"),
    ("PERTURBED", {"direction": "hesian"}, "'direction' must be one of hessian, random"),
]


@pytest.mark.parametrize(("name", "change", "message"), REFUSED, ids=lambda v: str(v)[:40])
def test_impossible_values_are_refused(name: str, change: dict[str, Any], message: str) -> None:
    frame = valid(name).with_columns(pl.lit(value).alias(column) for column, value in change.items())
    with pytest.raises(FrameError, match=message):
        check(frame, name)


def test_nan_is_null_and_stays_out_of_range_checks() -> None:
    assert check(valid("TRUTH").with_columns(accuracy=float("nan")), "TRUTH")["accuracy"].null_count() == 2


@given(st.lists(st.floats(0, 100) | st.none(), min_size=1, max_size=6))
def test_values_pass_unchanged(values: list[float | None]) -> None:
    frame = pl.DataFrame(
        {
            "benchmark": "b",
            "dataset": "d",
            "arch": [f"nb201:{i}" for i in range(len(values))],
            "split": "test",
            "schedule": 1,
            "seed": 0,
            "accuracy": pl.Series(values, dtype=pl.Float64),
            "origin": "tabular",
        }
    )
    assert check(frame, "TRUTH")["accuracy"].to_list() == values


def test_unknown_frame_and_no_table() -> None:
    with pytest.raises(UnknownNameError, match="unknown frame 'TRUHT'. Did you mean 'TRUTH'"):
        check(valid("TRUTH"), "TRUHT")
    for nothing in ({"arch": [1]}, None, [1, 2], valid("TRUTH")["arch"]):
        with pytest.raises(FrameError, match="expected a table"):
            check(nothing, "TRUTH")


def test_lazy_frames_are_collected() -> None:
    assert check(valid("CURVES").lazy(), "CURVES").equals(check(valid("CURVES"), "CURVES"))


# --- what older versions wrote, and truths that are no accuracy --------------------------------------


def test_a_truth_of_0_1_is_an_accuracy_in_percent() -> None:
    table = check(valid("TRUTH"), "TRUTH")
    assert "quantity" not in VALID["TRUTH"], "0.1 had no such column"
    assert table["accuracy"].to_list() == VALID["TRUTH"]["accuracy"]
    assert truth_quantity(table) == Quantity("accuracy", "percent", 1)
    assert truth_quantity(table).column == "accuracy"
    assert complete(valid("TRUTH").lazy(), "TRUTH").collect().equals(table)


def test_perturbed_and_trace_of_0_1_read_with_nulls() -> None:
    for name, columns in (("PERTURBED", ["unit", "step"]), ("TRACE", ["part", "search_seed"])):
        assert not set(columns) & set(VALID[name])
        assert check(valid(name), name).select(columns).null_count().row(0) == (2, 2)


def test_weights_taken_at_several_steps_are_several_rows() -> None:
    one = valid("PERTURBED").head(1)
    steps = [one.with_columns(unit=pl.lit("epoch"), step=pl.lit(step)) for step in (0, 1, 2)]
    assert check(pl.concat([*steps, one], how="diagonal"), "PERTURBED")["step"].to_list() == [0, 1, 2, None]


def test_searches_of_several_parts_and_seeds_are_several_rows() -> None:
    one = valid("TRACE").head(1)
    rows = [one.with_columns(part=pl.lit(part), search_seed=pl.lit(seed)) for part in "ab" for seed in (0, 1)]
    assert len(check(pl.concat(rows), "TRACE")) == 4
    with pytest.raises(FrameError, match="duplicate rows"):
        check(pl.concat([*rows, rows[0]]), "TRACE")


def test_a_truth_may_be_another_quantity_with_its_unit_and_direction() -> None:
    table = check(pl.DataFrame(QUANTITIES), "TRUTH")
    assert table["quantity"].to_list() == ["accuracy", "loss", "latency"]
    assert table["quantity_unit"].to_list() == ["percent", "nats", "ms"]
    assert table["quantity_direction"].to_list() == [1, -1, -1]
    latency = table.filter(quantity="latency")
    assert truth_quantity(latency) == Quantity("latency", "ms", -1)
    assert truth_quantity(latency).column == "value"
    assert truth_quantity(latency).label == "latency (ms)"
    with pytest.raises(FrameError, match="expected one quantity, got accuracy, loss, latency; filter"):
        truth_quantity(table)


def test_a_truth_without_accuracies_needs_no_such_column() -> None:
    table = check(pl.DataFrame(QUANTITIES).drop("accuracy").slice(1), "TRUTH")
    assert table["accuracy"].is_null().all()
    with pytest.raises(FrameError, match="missing column.s. accuracy"):
        check(pl.DataFrame(QUANTITIES).drop("accuracy", "value"), "TRUTH")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6), st.sampled_from([1, -1]))
def test_other_quantities_pass_unchanged_whatever_their_size(values: list[float], direction: int) -> None:
    rows = {**QUANTITIES, "arch": [f"nb201:{i}" for i in range(len(values))], "quantity": "regret", "accuracy": None}
    frame = pl.DataFrame({**rows, "value": values, "quantity_unit": "points", "quantity_direction": direction})
    table = check(frame, "TRUTH")
    assert table["value"].to_list() == values
    assert truth_quantity(table).direction == direction


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (0, {"value": 91.5}, "'value' is filled where 'quantity' is accuracy.*or name the quantity"),
        (1, {"accuracy": 25.0}, "'accuracy' is filled where 'quantity' is another.*into 'value'"),
        (0, {"quantity_unit": "fraction"}, "accuracy is in percent and higher is better"),
        (0, {"quantity_direction": -1}, "accuracy is in percent and higher is better"),
        (1, {"quantity_unit": None}, "'quantity_unit' is null where 'quantity' is not accuracy"),
        (1, {"quantity_direction": None}, "'quantity_direction' must be 1 .more is better. or -1"),
        (1, {"quantity_direction": 0}, "'quantity_direction' must be 1"),
    ],
)
def test_a_quantity_said_wrongly_is_refused(row: int, change: dict[str, Any], message: str) -> None:
    one = pl.DataFrame(QUANTITIES).slice(row, 1)
    frame = one.with_columns(pl.lit(value).cast(one.schema[column]).alias(column) for column, value in change.items())
    with pytest.raises(FrameError, match=message):
        check(frame, "TRUTH")


def test_one_quantity_has_one_unit() -> None:
    loss = pl.DataFrame(QUANTITIES).slice(1, 1)
    other = loss.with_columns(arch=pl.lit("nb201:y"), quantity_unit=pl.lit("bits"))
    with pytest.raises(FrameError, match="one quantity with several units"):
        check(pl.concat([loss, other]), "TRUTH")


# --- pandas ------------------------------------------------------------------------------------------


def test_pandas_of_every_flavour_reads_as_the_polars_frame() -> None:
    pd = pytest.importorskip("pandas")
    expected = check(valid("TRUTH"), "TRUTH")
    plain = pd.DataFrame(VALID["TRUTH"])
    assert plain["seed"].dtype == np.float64, "pandas holds a seed with a gap as float"
    nullable = plain.convert_dtypes()
    assert str(nullable["seed"].dtype) == "Int64"
    categorical = plain.astype({"split": "category", "benchmark": "category", "origin": "category"})
    indexed = plain.set_index(pd.Index([7, 7]))
    small = plain.astype({"accuracy": "float32", "schedule": "int16"})
    for frame in (plain, nullable, categorical, indexed, small, plain.astype(object)):
        assert check(frame, "TRUTH").equals(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f, pd: pd.concat([f, f[["accuracy"]]], axis=1), "columns have different names"),
        (lambda f, pd: pd.DataFrame(np.zeros((2, 2))), r"columns are named by text, got \[0, 1\]"),
        (lambda f, pd: f.set_index("arch"), r"missing column\(s\) arch"),
        (lambda f, pd: f.assign(accuracy=pd.Series([1, "x"], dtype=object)), "column 'accuracy': expected Float64"),
        (lambda f, pd: f.assign(accuracy=pd.Series([1.0, np.inf])), "infinite"),
        (lambda f, pd: f.assign(seed=pd.Series([0.0, 0.5])), "whole numbers"),
    ],
)
def test_bad_pandas_tables(change: Callable[..., Any], message: str) -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(FrameError, match=message):
        check(change(pd.DataFrame(VALID["TRUTH"]), pd), "TRUTH")


def test_any_frame_answers_in_kind() -> None:
    pd = pytest.importorskip("pandas")

    @any_frame
    def double(frame: pl.DataFrame, factor: int = 2, *, other: Any = None) -> Any:
        assert isinstance(frame, (pl.DataFrame, pl.LazyFrame))
        assert other is None or isinstance(other, pl.DataFrame)
        return frame.lazy().collect().with_columns(pl.col("a") * factor)

    polars = pl.DataFrame({"a": [1, None], "t": ["x", None]})
    assert isinstance(double(polars), pl.DataFrame)
    assert isinstance(double(polars.lazy()), pl.DataFrame)
    answer = double(pd.DataFrame({"a": [1, None], "t": ["x", None]}), 3)
    assert isinstance(answer, pd.DataFrame)
    assert answer["a"].tolist()[0] == 3
    assert answer["a"].isna().tolist() == [False, True]
    assert answer["t"].isna().tolist() == [False, True]
    assert isinstance(double(polars, other=pd.DataFrame({"b": [1]})), pd.DataFrame)
    assert double.__name__ == "double"


def test_to_pandas_round_trip() -> None:
    pytest.importorskip("pandas")
    for name in SCHEMAS:
        table = check(valid(name), name)
        assert check(to_pandas(table), name).equals(table), name
    assert len(to_pandas(SCHEMAS["TRUTH"].empty())) == 0


# --- files -------------------------------------------------------------------------------------------


def test_file_round_trip_with_provenance(tmp_path: Path) -> None:
    table = check(valid("CURVES"), "CURVES")
    path = write_frame(table, tmp_path / "new" / "out[1]*?.parquet", {"seeds": {"a": 1}, "commit": "é"})
    assert read_frame(path, "CURVES").equals(table)
    assert read_provenance(path) == {"seeds": {"a": 1}, "commit": "é"}
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_equal_frames_are_equal_files(tmp_path: Path) -> None:
    table = check(valid("CURVES"), "CURVES")
    first, second = (
        write_frame(table, tmp_path / n, {"b": 1, "a": 2}).read_bytes() for n in ("1.parquet", "2.parquet")
    )
    assert first == second


def test_truncated_missing_and_foreign_files(tmp_path: Path) -> None:
    path = write_frame(check(valid("CURVES"), "CURVES"), tmp_path / "whole.parquet", {"a": 1})
    whole = path.read_bytes()
    cut = tmp_path / "cut.parquet"
    for size in (0, 1, 4, 8, len(whole) // 3, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        cut.write_bytes(whole[:size])
        for read in (read_frame, read_provenance):
            with pytest.raises(DataFileError, match=r"cut\.parquet: expected a whole Parquet file, got"):
                read(cut)
    cut.write_text("arch,accuracy\nnb201:x,1\n")
    for read in (read_frame, read_provenance):
        with pytest.raises(DataFileError, match="expected a whole Parquet file"):
            read(cut)
        with pytest.raises(DataFileError, match="expected a whole Parquet file, found nothing there"):
            read(tmp_path / "nothing.parquet")
    with pytest.raises(FrameError, match=r"whole\.parquet: TRUTH: missing column"):
        read_frame(path, "TRUTH")


def test_foreign_parquet_has_no_provenance(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "foreign.parquet")
    assert read_provenance(tmp_path / "foreign.parquet") == {}


# --- errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        UnknownNameError("proxy", "sotll", ["sotl", "params"]),
        MissingExtraError("torch", "supernet", "building digits"),
        OutputError("cannot write x"),
        MissingDataError("nb201: not here"),
        ArchError("nb201: expected"),
    ],
)
def test_errors_survive_the_way_back_from_a_worker_process(error: NasAnalysisError) -> None:
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)


def test_did_you_mean() -> None:
    assert str(UnknownNameError("proxy", "sotll", ["sotl", "params"])) == (
        "unknown proxy 'sotll'. Did you mean 'sotl'? Known: sotl, params."
    )
    assert "Did you mean" not in str(UnknownNameError("proxy", "zzz", ["sotl", "params"]))
    assert "Known" not in str(UnknownNameError("arch", "x", map(str, range(100)))), "no wall of names"


def test_missing_extra_says_what_to_install() -> None:
    text = str(MissingExtraError("torch", "supernet", "building digits"))
    assert "building digits needs 'torch'" in text
    assert "pip install -c constraints.txt 'nasanalysis[supernet]'" in text


def test_pandas_is_not_needed_to_check_polars() -> None:
    code = "import sys; sys.modules['pandas'] = None; import polars as pl; from nasanalysis.core.frames import check; "
    code += f"print(len(check(pl.DataFrame({VALID['ARCHS']!r}), 'ARCHS')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2"
