"""Nested cells, several truths in one file, spaces and data sets that we do not know."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import DataFileError, MissingCapabilityError, ParameterError
from nasanalysis.loaders.tables.benchmark import load_tables, read_table
from nasanalysis.loaders.tables.descriptor import load_descriptor
from nasanalysis.spaces.nb201 import SPACE

A, B, C = (SPACE.arch(i).key for i in (0, 1, 15624))
BASE = 'benchmark = "mine"\nspace = "nb201"\ndataset = "cifar10"\n'
SCORES = BASE + 'frame = "SCORES"\nrows = "dict"\n'
TRUTH = BASE + 'frame = "TRUTH"\nsplit = "test"\nschedule = 200\n'


def described(folder: Path, content: object, toml: str, name: str = "t.json") -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    (folder / f"{name}.toml").write_text(f'file = "{name}"\n{toml}')
    return folder / f"{name}.toml"


def read(*args: object) -> pl.DataFrame:
    return read_table(load_descriptor(described(*args)))  # type: ignore[arg-type]


def refused(*args: object) -> str:
    with pytest.raises(DataFileError) as caught:
        read(*args)
    return str(caught.value)


SUITE = {A: {"synflow": {"score": 1.5, "time": 0.1}, "snip": {"score": 7, "time": 0.2}}, B: {"synflow": {"score": 2.5}}}


def test_scores_inside_nested_cells(tmp_path: Path) -> None:
    frame = read(tmp_path, SUITE, SCORES + 'values = { synflow = "synflow.score", snip = "snip.score" }')
    assert frame.select("proxy", "value").rows() == [("synflow", 1.5), ("synflow", 2.5), ("snip", 7.0), ("snip", None)]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({A: [[1.5, 9], [3]], B: [[2.5, 9], [4]]}, "0.0"),
        ({A: {"results": [1.5, 2]}, B: {"results": [2.5, 2]}}, "results.0"),
        ({A: {"a.b": {"c.d": 1.5}}, B: {"a.b": {"c.d": 2.5}}}, "a.b.c.d"),
        ({A: {"runs": {"777": 1.5}}, B: {"runs": {"777": 2.5}}}, "runs.777"),
    ],
)
def test_paths(tmp_path: Path, content: object, path: str) -> None:
    assert read(tmp_path, content, SCORES + f'values = {{ mine = "{path}" }}')["value"].to_list() == [1.5, 2.5]


def test_a_path_into_json_text_of_a_csv_cell_and_a_struct_of_parquet(tmp_path: Path) -> None:
    toml = BASE + 'frame = "SCORES"\narch_column = "arch"\nvalues = { mine = "cell.score" }\n'
    rows = f'arch,cell\n{A},"{{""score"": 1.5}}"\n{B},"{{""score"": 2.5}}"\n'
    assert read(tmp_path, rows, toml, "t.csv")["value"].to_list() == [1.5, 2.5]
    pl.DataFrame({"arch": [A, B], "cell": [{"score": 1.5}, {"score": 2.5}]}).write_parquet(tmp_path / "t.parquet")
    (tmp_path / "p.toml").write_text('file = "t.parquet"\n' + toml)
    assert read_table(load_descriptor(tmp_path / "p.toml"))["value"].to_list() == [1.5, 2.5]


def test_a_path_that_leads_nowhere_says_what_is_there(tmp_path: Path) -> None:
    message = refused(tmp_path, SUITE, SCORES + 'values = { synflow = "synflow.scores" }')
    assert "expected 'synflow.scores' in column 'synflow', got a dict of score, time" in message
    message = refused(tmp_path, SUITE, SCORES + 'values = { synflow = "synflow" }')
    assert "expected a number, got a dict of score, time; name what to take of it, as in 'column.score'" in message


@pytest.mark.parametrize(
    ("content", "toml", "message"),
    [
        ({"seed": 777, "results": SUITE}, SCORES.replace("dict", "table"), "say select = 'results'"),
        ({"results": SUITE, "seed": 777}, SCORES.replace("dict", "table"), "say select = 'results'"),
        (SUITE, SCORES.replace("dict", "table"), "say rows = 'dict' if these keys are architectures"),
        ({"seed": 777, "results": SUITE}, SCORES, "key 'seed': nb201: expected three nodes"),
    ],
)
def test_nested_files_that_are_no_columns(tmp_path: Path, content: object, toml: str, message: str) -> None:
    toml += "" if 'rows = "dict"' in toml else 'arch_column = "arch"\n'
    assert re.search(message, refused(tmp_path, content, toml + 'values = { mine = "synflow.score" }'))


def test_part_of_a_nested_file(tmp_path: Path) -> None:
    toml = SCORES + 'select = "results"\nvalues = { mine = "synflow.score" }'
    assert read(tmp_path, {"seed": 777, "results": SUITE}, toml)["value"].to_list() == [1.5, 2.5]


# --- several truths -------------------------------------------------------------------------------------


def test_many_data_sets_in_one_file(tmp_path: Path) -> None:
    content = {A: {"clean": 0.9, "c": {"fog": 0.5, "snow": 0.4}}, B: {"clean": 0.8, "c": {"fog": 0.3, "snow": 0.2}}}
    toml = TRUTH.replace('dataset = "cifar10"\n', "") + 'rows = "dict"\ntargets = "dataset"\nunit = "fraction"\n'
    toml += 'classes = 10\nimage_size = 32\n[values]\ncifar10 = "clean"\nfog = "c.fog"\nsnow = "c.snow"\n'
    benchmark = load_tables([described(tmp_path, content, toml)])
    assert benchmark.datasets == ("cifar10", "fog", "snow")
    assert benchmark.truth("fog")["accuracy"].to_list() == [50.0, 30.0]
    assert benchmark.truth("cifar10")["accuracy"].to_list() == [90.0, 80.0]
    assert benchmark.archs("snow")["params"].to_list() == [SPACE.params(a, "cifar10") for a in (A, B)]


def test_many_quantities_in_one_file(tmp_path: Path) -> None:
    content = "arch,acc,loss,ms\n" + f"{A},0.9,0.3,12\n{B},0.8,0.5,7\n"
    toml = TRUTH + 'arch_column = "arch"\ntargets = "quantity"\nunit = "fraction"\nquantity_direction = -1\n[values]\n'
    toml += 'accuracy = "acc"\nloss = { column = "loss", quantity_unit = "nats" }\n'
    toml += 'latency = { column = "ms", quantity_unit = "ms" }\n'
    benchmark = load_tables([described(tmp_path, content, toml, "t.csv")])
    assert benchmark.truth(quantity="accuracy")["accuracy"].to_list() == [90.0, 80.0]
    loss = benchmark.truth(quantity="loss")
    assert loss.select("value", "quantity_unit", "quantity_direction", "accuracy").rows() == [
        (0.3, "nats", -1, None),
        (0.5, "nats", -1, None),
    ]
    assert benchmark.truth(quantity="latency")["value"].to_list() == [12.0, 7.0]


def test_several_descriptions_make_one_benchmark_with_several_data_sets(tmp_path: Path) -> None:
    toml = TRUTH + 'arch_column = "arch"\nvalues = { accuracy = "acc" }\nunit = "percent"\n'
    paths = [
        described(tmp_path, f"arch,acc\n{A},{n}0.5\n{B},20\n", toml.replace("cifar10", name), f"{name}.csv")
        for n, name in ((1, "a"), (3, "b"))
    ]
    benchmark = load_tables(paths)
    assert benchmark.datasets == ("a", "b")
    assert benchmark.truth("b")["accuracy"].to_list() == [30.5, 20.0]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (
            'targets = "dataset"\nunit = "percent"\n[values]\na = "a"\n',
            "dataset: expected a name or a column; it is left",
        ),
        ('targets = "quantity"\n[values]\nloss = "a"\n', "quantity_unit and quantity_direction: both needed"),
        ('unit = "percent"\nclasses = 10\n[values]\naccuracy = "a"\n', "classes and image_size: give both"),
    ],
)
def test_descriptions_that_do_not_fit_together(tmp_path: Path, toml: str, message: str) -> None:
    path = described(tmp_path, "arch,a\n", TRUTH + 'arch_column = "arch"\n' + toml, "t.csv")
    with pytest.raises(DataFileError, match=message):
        load_descriptor(path)


# --- spaces and data sets of others ---------------------------------------------------------------------

OPAQUE = TRUTH.replace("nb201", "macro") + 'arch_column = "arch"\nvalues = { accuracy = "acc" }\nunit = "percent"\n'


def test_a_space_that_we_do_not_know(tmp_path: Path) -> None:
    benchmark = load_tables([described(tmp_path, "arch,acc\n02012100,90\n1e3,80\n", OPAQUE, "t.csv")])
    assert benchmark.truth()["arch"].to_list() == ["macro:02012100", "macro:1e3"]
    with pytest.raises(MissingCapabilityError, match="architectures of benchmark 'mine' are texts to us"):
        benchmark.archs()


def test_a_known_space_misspelt_is_not_a_space_of_ones_own(tmp_path: Path) -> None:
    path = described(tmp_path, "arch,acc\nx,1\n", OPAQUE.replace("macro", "nb2O1"), "t.csv")
    with pytest.raises(DataFileError, match="unknown space 'nb2O1'; did you mean 'nb201'"):
        load_descriptor(path)


@pytest.mark.parametrize(
    ("said", "difference"), [("classes = 10\nimage_size = 32\n", 0), ("classes = 43\nimage_size = 32\n", 33 * 65)]
)
def test_costs_on_a_data_set_of_ones_own(tmp_path: Path, said: str, difference: int) -> None:
    """More classes cost a row of the classifier each: 64 weights and a bias."""
    toml = (
        TRUTH.replace("cifar10", "svhn")
        + said
        + 'arch_column = "arch"\nvalues = { accuracy = "acc" }\nunit = "percent"\n'
    )
    benchmark = load_tables([described(tmp_path, f"arch,acc\n{A},90\n{C},80\n", toml, "t.csv")])
    expected = [SPACE.params(a, "cifar10") + difference for a in (A, C)]
    assert benchmark.archs()["params"].to_list() == expected


def test_costs_on_a_data_set_of_unknown_size_say_what_to_add(tmp_path: Path) -> None:
    toml = TRUTH.replace("cifar10", "svhn") + 'arch_column = "arch"\nvalues = { accuracy = "acc" }\nunit = "percent"\n'
    benchmark = load_tables([described(tmp_path, f"arch,acc\n{A},90\n{C},80\n", toml, "t.csv")])
    with pytest.raises(ParameterError, match="not known for the data set 'svhn'; say them in its TOML description"):
        benchmark.archs()
