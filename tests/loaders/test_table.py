"""Bring your own table: every format and coding, unit conversions, and what wrong tables are told."""

from __future__ import annotations

import json
import math
import pickle
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import DataFileError, MissingDataError, UnsafePickleError
from nasanalysis.core.frames import Quantity, truth_quantity
from nasanalysis.loaders.tables.benchmark import load_descriptor, load_tables, read_table
from nasanalysis.spaces.nb201 import EDGES, OPERATIONS, SPACE, format_cell

DOCS = Path(__file__).resolve().parents[2] / "docs" / "bring-your-own-table.md"
A, B, C = (SPACE.arch(i).key for i in (0, 1, 2))
BASE = """
benchmark = "mine"
space = "nb201"
dataset = "cifar10"
"""
TRUTH = BASE + 'frame = "TRUTH"\nsplit = "test"\nschedule = 200\n'
TABLE = TRUTH + 'arch_column = "arch"\nvalues = { accuracy = "acc" }\nunit = "percent"\n'
DICT = TRUTH + 'rows = "dict"\nunit = "percent"\n'


def read(folder: Path, name: str, content: object, toml: str) -> pl.DataFrame:
    """Write a file and its description, and read it."""
    path = folder / name
    if name.endswith(".parquet"):
        pl.DataFrame(content).write_parquet(path)
    elif isinstance(content, str):
        path.write_text(content)
    elif name.endswith(".json"):
        path.write_text(json.dumps(content))
    else:
        path.write_bytes(pickle.dumps(content))
    (folder / "t.toml").write_text(f'file = "{name}"\n' + toml)
    return read_table(load_descriptor(folder / "t.toml"), folder)


def refused(folder: Path, name: str, content: object, toml: str) -> str:
    with pytest.raises(DataFileError) as caught:
        read(folder, name, content, toml)
    return str(caught.value)


ROWS = [{"arch": A, "acc": 90.5}, {"arch": B, "acc": 80.25}]
COLUMNS = {"arch": [A, B], "acc": [90.5, 80.25]}


@pytest.mark.parametrize(
    ("name", "content", "toml"),
    [
        ("t.csv", f"arch,acc\n{A},90.5\n{B},80.25\n", TABLE),
        ("t.tsv", f"arch\tacc\n{A}\t90.5\n{B}\t80.25\n", TABLE),
        ("t.csv", f"arch,acc\nnb201:{A},90.5\nnb201:{B},80.25\n", TABLE),
        ("t.parquet", COLUMNS, TABLE),
        ("t.json", ROWS, TABLE),
        ("t.json", COLUMNS, TABLE),
        ("t.pkl", ROWS, TABLE),
        ("t.pkl", {"arch": [A, B], "acc": np.array([90.5, 80.25])}, TABLE),
        ("t.json", {A: 90.5, B: 80.25}, DICT),
        ("t.pickle", {A: np.float64(90.5), B: 80.25}, DICT),
        ("t.p", {A: {"acc": 90.5}, B: {"acc": 80.25}}, DICT.replace("unit", 'values = { accuracy = "acc" }\nunit')),
        ("t.json", {"x": {"y": ROWS}}, TABLE + 'select = ["x", "y"]'),
        ("t.csv", "arch,acc\n0,90.5\n1,80.25\n", TABLE + 'arch_code = "index"'),
        ("t.json", {"0": 90.5, "1": 80.25}, DICT + 'arch_code = "index"'),
    ],
)
def test_formats(tmp_path: Path, name: str, content: object, toml: str) -> None:
    frame = read(tmp_path, name, content, toml)
    assert frame.select("benchmark", "dataset", "arch", "split", "schedule", "seed", "accuracy", "origin").rows() == [
        ("mine", "cifar10", f"nb201:{A}", "test", 200, None, 90.5, "tabular"),
        ("mine", "cifar10", f"nb201:{B}", "test", 200, None, 80.25, "tabular"),
    ]


def test_a_list_in_index_order(tmp_path: Path) -> None:
    accuracies = [float(i % 97) for i in range(15625)]
    for name in ("t.json", "t.pkl"):
        frame = read(tmp_path, name, accuracies, TRUTH + 'rows = "list"\nunit = "percent"')
        assert frame["accuracy"].to_list() == accuracies
        assert frame["arch"].to_list() == [str(arch) for arch in SPACE]


def test_a_short_list_is_refused(tmp_path: Path) -> None:
    text = refused(tmp_path, "t.json", [1.0] * 15624, TRUTH + 'rows = "list"\nunit = "percent"')
    assert "expected 15625 rows" in text
    assert "got 15624" in text
    assert str(tmp_path / "t.json") in text


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("percent", 93.5, 93.5),
        ("fraction", 0.5, 50.0),
        ("error-percent", 6.5, 93.5),
        ("error-fraction", 0.25, 75.0),
    ],
)
def test_accuracy_units(tmp_path: Path, unit: str, value: float, expected: float) -> None:
    frame = read(tmp_path, "t.json", {A: value, B: value}, DICT.replace('"percent"', f'"{unit}"'))
    assert frame["accuracy"].to_list() == [expected, expected]


GIVEN = 'arch_column = "arch"\nvalues = { value = "t" }\n'
LATENCY = TRUTH + 'quantity = "latency"\nquantity_unit = "ms"\nquantity_direction = -1\n'


@pytest.mark.parametrize(
    ("name", "content", "toml"),
    [
        ("t.csv", f"arch,t\n{A},2300.5\n{B},-1\n", LATENCY + GIVEN + "missing = -1\n"),
        ("t.json", {A: 2300.5, B: None}, LATENCY + 'rows = "dict"\n'),
    ],
)  # fmt: skip
def test_a_truth_that_is_no_accuracy(tmp_path: Path, name: str, content: object, toml: str) -> None:
    table = read(tmp_path, name, content, toml)
    assert table["value"].to_list() == [2300.5, None]
    assert table["accuracy"].null_count() == 2
    assert truth_quantity(table) == Quantity("latency", "ms", -1)
    benchmark = load_tables([tmp_path / "t.toml"], tmp_path)
    assert benchmark.truth(quantity="latency").equals(table)
    assert benchmark.truth(quantity="accuracy").is_empty()


def test_a_quantity_said_by_halves_is_refused(tmp_path: Path) -> None:
    halved = LATENCY.replace('quantity_unit = "ms"\n', "") + GIVEN
    assert "quantity_unit and quantity_direction: both needed" in refused(tmp_path, "t.csv", "arch,t\n", halved)
    wrong = LATENCY + GIVEN.replace("value =", "accuracy =")
    assert "'accuracy' is no target of TRUTH; expected value" in refused(tmp_path, "t.csv", "arch,t\n", wrong)


def test_cost_units(tmp_path: Path) -> None:
    toml = (
        BASE + 'frame = "SCORES"\nrows = "dict"\n[values]\nparams = { column = "m", unit = "millions" }\nflops = "f"\n'
    )
    frame = read(tmp_path, "t.json", {A: {"m": 0.073306, "f": 2.5}, B: {"m": 1.0, "f": None}}, toml)
    assert dict(zip(zip(frame["arch"], frame["proxy"], strict=True), frame["value"], strict=True)) == {
        (f"nb201:{A}", "params"): 73306.0,
        (f"nb201:{B}", "params"): 1e6,
        (f"nb201:{A}", "flops"): 2.5,
        (f"nb201:{B}", "flops"): None,
    }
    assert frame["method"].unique().to_list() == ["published"]
    assert frame["setting"].unique().to_list() == ["t"]


@pytest.mark.parametrize(
    ("seed", "cells", "expected"),
    [
        ('"run"', [[1.0, 20.0], [30.0]], [(A, 0, 1.0), (A, 1, 20.0), (B, 0, 30.0)]),
        ("[777, 888]", [[1.0, 20.0], [30.0, 40.0]], [(A, 777, 1.0), (A, 888, 20.0), (B, 777, 30.0), (B, 888, 40.0)]),
        ("5", [1.0, 20.0], [(A, 5, 1.0), (B, 5, 20.0)]),
    ],
)
def test_seeds(tmp_path: Path, seed: str, cells: list[object], expected: list[object]) -> None:
    frame = read(tmp_path, "t.json", dict(zip([A, B], cells, strict=True)), DICT + f"seed = {seed}")
    assert frame.select(pl.col("arch").str.strip_prefix("nb201:"), "seed", "accuracy").rows() == expected


def test_runs_in_rows_and_columns_for_keys(tmp_path: Path) -> None:
    csv = f"arch,acc,s,d,e,p\n{A},90,7,cifar10,12,test\n{A},91,8,cifar10,12,test\n{A},92,7,cifar100,200,valid\n"
    toml = (
        TABLE.replace('"cifar10"', '{ column = "d" }')
        .replace("200", '{ column = "e" }')
        .replace('"test"', '{ column = "p" }')
        + 'seed = { column = "s" }'
    )
    frame = read(tmp_path, "t.csv", csv, toml)
    assert frame.select("dataset", "split", "schedule", "seed", "accuracy").rows() == [
        ("cifar10", "test", 12, 7, 90.0),
        ("cifar10", "test", 12, 8, 91.0),
        ("cifar100", "valid", 200, 7, 92.0),
    ]
    frame = read(tmp_path, "t.csv", f"arch,acc\n{A},90\n{B},70\n{A},91\n", TABLE + 'seed = "run"')
    assert sorted(frame.select("seed", "accuracy").rows()) == [(0, 70.0), (0, 90.0), (1, 91.0)]


def test_groups_in_index_order(tmp_path: Path) -> None:
    size = np.repeat(np.arange(15625), 2)
    content = {"size": size, "err": np.tile([10.0, 20.0], 15625)}
    toml = (
        TRUTH
        + 'rows = "list"\nseed = "run"\ngroup_when_changed = "size"\nvalues = { accuracy = "err" }\n'
        + 'unit = "error-percent"'
    )
    frame = read(tmp_path, "t.pkl", content, toml.replace('"size"', '["size"]'))
    assert frame.height == 31250
    assert frame.filter(pl.col("arch") == str(SPACE.arch(7))).select("seed", "accuracy").rows() == [
        (0, 90.0),
        (1, 80.0),
    ]


OPS = ["skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"]


@given(indices=st.tuples(*[st.integers(0, 4)] * 6), order=st.sampled_from(["target", "source"]), as_text=st.booleans())
def test_operation_indices(
    tmp_path_factory: pytest.TempPathFactory, indices: tuple[int, ...], order: str, as_text: bool
) -> None:
    """Oracle: each edge is looked up by its two nodes in the order of the description."""
    listed = (
        [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
        if order == "target"
        else [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    )
    by_edge = {edge: OPS[i] for edge, i in zip(listed, indices, strict=True)}
    expected = format_cell([by_edge[source, target] for target, source in EDGES])
    toml = TABLE + f'arch_code = "operations"\noperations = {json.dumps(OPS)}\nedge_order = "{order}"'
    rows = [{"arch": str(indices) if as_text else list(indices), "acc": 50}]
    frame = read(tmp_path_factory.mktemp("t"), "t.json", rows, toml)
    assert frame["arch"].to_list() == [f"nb201:{expected}"]


@given(ops=st.tuples(*[st.sampled_from(OPERATIONS)] * 6))
def test_nested_tuples(tmp_path_factory: pytest.TempPathFactory, ops: tuple[str, ...]) -> None:
    nested = [((ops[0], 0),), ((ops[1], 0), (ops[2], 1)), ((ops[3], 0), (ops[4], 1), (ops[5], 2))]
    frame = read(tmp_path_factory.mktemp("t"), "t.json", {str(nested): 50}, DICT + 'arch_code = "nested"')
    assert frame["arch"].to_list() == [f"nb201:{format_cell(ops)}"]


CURVES = (
    BASE
    + 'frame = "CURVES"\nschedule = 3\narch_column = "arch"\nunit = "percent"\n'
    + 'values = { valid_accuracy = "va", train_loss = "tl" }\n'
)


def test_curves(tmp_path: Path) -> None:
    wide = f'arch,va,tl\n{A},"[10.5, 20, 30]","[2.5, 1.5, 1]"\n{B},"[11, 21]","[2, 1]"\n'
    long = f"arch,va,tl,epoch\n{A},10.5,2.5,0\n{A},20,1.5,1\n{A},30,1,2\n{B},11,2,0\n{B},21,1,1\n"
    first = read(tmp_path, "t.csv", wide, CURVES)
    second = read(tmp_path, "t.csv", long, CURVES + 'step_column = "epoch"\nfirst_step = 0')
    assert first.equals(second)
    assert first.select("step", "valid_accuracy", "train_loss").rows() == [
        (1, 10.5, 2.5),
        (2, 20, 1.5),
        (3, 30, 1),
        (1, 11, 2),
        (2, 21, 1),
    ]
    assert first["test_accuracy"].null_count() == 5
    assert (first["unit"][0], first["method"][0], first["setting"][0], first["seed"][0]) == (
        "epoch",
        "scratch",
        "published",
        None,
    )


def test_missing_markers(tmp_path: Path) -> None:
    toml = BASE + 'frame = "SCORES"\nrows = "dict"\nvalues = ["latency"]\nmissing = [-1, nan, inf]'
    frame = read(tmp_path, "t.pkl", {A: -1, B: 2.5, C: math.nan, SPACE.arch(3).key: math.inf}, toml)
    assert frame["value"].to_list() == [None, 2.5, None, None]
    assert frame["proxy"].unique().to_list() == ["latency"]


@pytest.mark.parametrize(
    ("name", "content", "toml", "expected"),
    [
        (
            "t.csv",
            f"arch,acc\n{A},90\n{A},91\n",
            TABLE,
            r"appears more than once, at line 2 and line 3.*seed = \"run\"",
        ),
        ("t.parquet", {"arch": [A, B, A], "acc": [1.0, 20.0, 30.0]}, TABLE, "at row 1 and row 3"),
        ("t.json", [ROWS[0], ROWS[0]], TABLE, r"at entry 0 \(counted from 0\) and entry 1"),
        ("t.json", f'{{"{A}": 90, "{A}": 91}}', DICT, "appears twice"),
        ("t.csv", f"arch,acc\n{A},0.9\n{B},0.8\n", TABLE, "look like fractions; say unit = 'fraction'"),
        (
            "t.csv",
            f"arch,acc\n{A},90\n{B},0.8\n",
            TABLE.replace("percent", "fraction"),
            "line 2: accuracy: expected fraction, 0 to 1, got 90",
        ),
        ("t.csv", f"arch,acc\n{A},90\n{B},101\n", TABLE, "line 3: accuracy: expected percent, 0 to 100, got 101"),
        (
            "t.csv",
            f"arch,acc\n{A},-1\n{B},50\n",
            TABLE,
            "line 2: accuracy: expected percent, 0 to 100, got -1.*missing",
        ),
        (
            "t.csv",
            f"arch,acc\n{A},nan\n{B},50\n",
            TABLE,
            r"line 2: accuracy: expected a finite number, got nan.*missing = \[nan\]",
        ),
        ("t.csv", f"arch,acc\n{A},50\n{B},inf\n", TABLE, "line 3: accuracy: expected a finite number, got inf"),
        ("t.csv", f"arch,acc\n{A},good\n{B},50\n", TABLE, "line 2: expected a number, got 'good'"),
        ("t.json", [{"arch": A, "acc": "good"}], TABLE, "entry 0 .*expected a number, got 'good'"),
        ("t.json", [{"arch": A, "acc": True}], TABLE, "entry 0 .*expected a number, got True"),
        (
            "t.csv",
            f"arch,acc\n{A.replace('avg_pool_3x3', 'avg_pool_5x5')},50\n",
            TABLE,
            "line 2: .*unknown operation 'avg_pool_5x5'. Did you mean 'avg_pool_3x3'",
        ),
        (
            "t.csv",
            "arch,acc\n15625,50\n",
            TABLE + 'arch_code = "index"',
            "line 2: nb201: expected an index from 0 to 15624, got 15625",
        ),
        ("t.csv", "arch,acc\n-1,50\n", TABLE + 'arch_code = "index"', "got -1"),
        ("t.csv", f"arch,accu\n{A},50\n", TABLE, "expected a column 'acc', got arch, accu. Did you mean 'accu'"),
        ("t.csv", f"arch,acc\n{A},50\n", TABLE + "expected = 2", "expected 2 architectures, got 1"),
        ("t.json", {A: [1, 50]}, DICT, "holds a list of runs"),
        ("t.json", {A: [1, 50]}, DICT + "seed = [1, 2, 3]", "expected 3 runs .* got 2"),
        ("t.json", {A: [1, 50], B: []}, DICT + 'seed = "run"', "expected lists of one length, got"),
        ("t.json", {"x": 1}, TABLE + 'select = "y"', "select: expected a key 'y', got x"),
        ("t.json", {"arch": [A, B], "acc": [1]}, TABLE, "columns of different lengths: 'acc' has 1, expected 2"),
        ("t.json", "<html>busy</html>", TABLE, "expected json content, got a web page"),
        ("t.csv", "<html>busy</html>", TABLE, "expected csv content, got a web page"),
        ("t.csv", "", TABLE, "expected csv content, got an empty file"),
        ("t.json", '{"a": ', TABLE, "expected json content, got Expecting value"),
        ("t.xls", "", TABLE, "expected a file named .csv"),
        (
            "t.csv",
            f'arch,va,tl\n{A},"[1, 2, 3, 4]","[1, 2, 3, 4]"\n',
            CURVES,
            "expected at most 3 epochs .* got step 4",
        ),
        ("t.csv", f'arch,va,tl\n{A},"[1, 2]","[1, 2, 3]"\n', CURVES, "line 2: expected lists of one length"),
        ("t.csv", f'arch,va,tl\n{A},"[1, x]","[1, 2]"\n', CURVES, "line 2: expected a list of numbers"),
        ("t.csv", f"arch,va,tl\n{A},1,2\n", CURVES, "expected a list over epochs"),
        (
            "t.json",
            {"(0, 1)": 50},
            DICT + f'arch_code = "operations"\noperations = {OPS}\nedge_order = "target"',
            "expected six operation indices, got 2",
        ),
        (
            "t.json",
            {"(0, 1, 2, 3, 4, 5)": 50},
            DICT + f'arch_code = "operations"\noperations = {OPS}\nedge_order = "target"',
            "unknown operation 5",
        ),
        ("t.json", {"[(('none', 0),)]": 50}, DICT + 'arch_code = "nested"', "expected text such as"),
    ],
)
def test_wrong_tables_name_file_and_row(tmp_path: Path, name: str, content: object, toml: str, expected: str) -> None:
    text = refused(tmp_path, name, content, toml)
    assert text.startswith(f"{tmp_path / name}: ")
    assert re.search(expected, text, re.DOTALL), text


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (TABLE.replace("benchmark", "benchmrak"), "unknown key 'benchmrak'. Did you mean 'benchmark'?"),
        (TABLE.replace("benchmark", "benchmrak"), "missing key 'benchmark'"),
        (
            TABLE.replace('"acc" }', '{ colum = "acc" } }'),
            "unknown key 'values.accuracy.colum'. Did you mean 'column'?",
        ),
        (TABLE.replace("accuracy", "accurcy"), "'accurcy' is no target of TRUTH; did you mean 'accuracy'?"),
        (TABLE.replace('unit = "percent"', ""), "unit: expected one of percent, fraction"),
        (TABLE.replace('"percent"', '"procent"'), "unit: Input should be 'percent'"),
        (TABLE.replace('"TRUTH"', '"TRUTHS"'), "frame: Input should be 'TRUTH'"),
        (TABLE.replace("200", '"200"'), "schedule"),
        (TABLE.replace("schedule = 200", ""), "schedule: expected the epochs"),
        (TABLE.replace('split = "test"', ""), "split: expected valid, test or valtest"),
        (TABLE.replace('"nb201"', '"nb2001"'), "space: unknown space 'nb2001'; did you mean 'nb201'?"),
        (TABLE.replace('arch_column = "arch"', ""), "arch_column: needed with rows = 'table'"),
        (TABLE + 'arch_code = "operations"', "operations and edge_order: both needed"),
        (TABLE + "first_step = 2", "first_step"),
        (TABLE + "path = 1", "unknown key 'path'."),
        ("a = ", "expected TOML, got"),
    ],
)
def test_wrong_descriptions_are_readable(tmp_path: Path, toml: str, expected: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text('file = "t.csv"\n' + toml)
    with pytest.raises(DataFileError) as caught:
        load_descriptor(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)


def test_unsafe_and_missing(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    with pytest.raises(UnsafePickleError):
        read(tmp_path, "t.pkl", Attack(), TABLE)
    assert not (tmp_path / "executed").exists()
    (tmp_path / "u.toml").write_text('file = "nowhere.csv"\n' + TABLE)
    with pytest.raises(MissingDataError, match=r"nowhere.csv: not on this machine"):
        load_tables([tmp_path / "u.toml"])
    with pytest.raises(MissingDataError, match="expected a TOML description"):
        load_descriptor(tmp_path / "none.toml")


def test_two_descriptions_make_one_benchmark(tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(f"arch,acc\n{A},90\n{B},80\n")
    (tmp_path / "truth.toml").write_text('file = "truth.csv"\nnotes = "mine"\n' + TABLE)
    (tmp_path / "score.json").write_text(json.dumps({A: 1.0, B: 2.0}))
    (tmp_path / "score.toml").write_text(
        'file = "score.json"\n' + BASE + 'frame = "SCORES"\nrows = "dict"\nvalues = ["zen"]\n'
    )
    benchmark = load_tables([tmp_path / "truth.toml", tmp_path / "score.toml"])
    assert benchmark.name == "mine"
    assert benchmark.inputs == (tmp_path / "truth.csv", tmp_path / "score.json")
    assert benchmark.truth("cifar10")["accuracy"].to_list() == [90.0, 80.0]
    assert benchmark.scores(proxy="zen")["value"].to_list() == [1.0, 2.0]
    assert benchmark.archs()["params"].to_list() == [SPACE.params(A), SPACE.params(B)]
    assert benchmark.notes == ("truth.csv: mine",)
    again = load_tables([tmp_path / "truth.toml", tmp_path / "truth.toml"])
    with pytest.raises(ValueError, match=r"truth.toml \+ truth.toml: TRUTH: duplicate rows"):
        again.truth()
    (tmp_path / "truth.csv").write_text(f"arch,acc\n{A},70\n")  # the cache goes by content
    assert load_tables([tmp_path / "truth.toml"]).truth()["accuracy"].to_list() == [70.0]


def test_conversions_kept_by_an_earlier_version_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lack what frames have gained since: here the name of a truth that is no accuracy."""
    from nasanalysis.loaders.tables import benchmark as tables

    kept = {A: 90.0, B: 80.0}
    for name, accuracy in kept.items():
        (tmp_path / f"{accuracy:.0f}.csv").write_text(f"arch,acc\n{name},{accuracy}\n")
        (tmp_path / f"{accuracy:.0f}.toml").write_text(f'file = "{accuracy:.0f}.csv"\n' + TABLE)
    convert = tables._converted
    newer = ["quantity", "value", "quantity_unit", "quantity_direction"]
    monkeypatch.setattr(tables, "_converted", lambda *parts: convert(*parts).drop(newer, strict=False))
    assert load_tables([tmp_path / "90.toml", tmp_path / "80.toml"]).truth()["accuracy"].to_list() == [90.0, 80.0]


def test_examples_of_the_documentation(tmp_path: Path) -> None:
    blocks = re.findall(r"^`([\w.]+)`\n\n```\w+\n(.*?)```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert [name for name, _ in blocks] == ["my_results.csv", "my_results.toml", "my_curves.json", "my_curves.toml"]
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    benchmark = load_tables([tmp_path / "my_results.toml", tmp_path / "my_curves.toml"])
    assert benchmark.truth().select("seed", "accuracy").rows() == [
        (0, pytest.approx(93.12)),
        (1, pytest.approx(92.88)),
        (0, pytest.approx(61.74)),
    ]
    curves = benchmark.curves()
    assert curves.select("step", "train_loss").rows()[3:] == [
        (1, pytest.approx(2.2)),
        (2, pytest.approx(1.9)),
        (3, None),
    ]
    assert curves["valid_accuracy"].to_list() == pytest.approx([29.0, 51.5, 60.8, 19.9, 34.0, 38.7], abs=1e-5)
    assert (
        curves["arch"][0]
        == "nb201:|skip_connect~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"
    )


def test_every_key_is_documented() -> None:
    from nasanalysis.loaders.tables import descriptor

    text = DOCS.read_text()
    for key in descriptor.TableDescriptor.model_fields:
        if key != "path":
            assert f"`{key}`" in text, key
            assert f"``{key}``" in (descriptor.__doc__ or ""), key
