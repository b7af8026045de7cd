"""A benchmark written as Parquet with a Croissant description, and read again."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import nasanalysis as na
from nasanalysis.cli import app as cli
from nasanalysis.core.columns import MEANINGS, OF_FRAME
from nasanalysis.core.errors import DataFileError, ParameterError
from nasanalysis.core.provenance import sha256
from nasanalysis.core.schemas import SCHEMAS
from nasanalysis.loaders.export import export_benchmark


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits-2")
    export_benchmark(na.load_benchmark("digits-2"), folder)
    return folder


def test_every_frame_comes_back_as_it_was(exported: Path) -> None:
    before, after = na.load_benchmark("digits-2"), na.load_benchmark(str(exported))
    assert (after.name, after.space, after.datasets) == (before.name, before.space, before.datasets)
    assert after.notes == before.notes
    assert sorted(after.read) == ["CURVES", "PERTURBED", "SCORES", "TRUTH"]
    for frame in after.read:
        assert after.lazy(frame).collect().equals(before.lazy(frame).collect())
    assert after.archs().equals(before.archs())


def test_a_correlation_is_the_same_from_the_export(exported: Path) -> None:
    numbers = []
    for benchmark in (na.load_benchmark("digits-2"), na.load_benchmark(exported)):
        scores = na.score(benchmark, "sotl", step=4)
        stats = na.correlate(benchmark.truth(split="test"), scores, statistics=["kendall_tau"], n_boot=20)
        numbers.append(stats["estimate"].to_list())
    assert numbers[0] == numbers[1]
    assert 0 < numbers[0][0] < 1


def test_the_description_names_every_file_column_and_licence(exported: Path) -> None:
    told = json.loads((exported / "croissant.json").read_text(encoding="utf-8"))
    files = {one["name"]: one for one in told["distribution"]}
    assert set(files) == {path.name for path in exported.glob("*.parquet")}
    assert told["license"] == ["Apache-2.0"]
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    for name, one in files.items():
        assert one["sha256"] == sha256(exported / name)
        assert one["contentSize"] == f"{(exported / name).stat().st_size} B"
    for records in told["recordSet"]:
        columns = pl.read_parquet_schema(exported / f"{records['name']}.parquet")
        assert [field["name"] for field in records["field"]] == list(columns)
        assert all(field["description"] for field in records["field"])
        assert {key["@id"] for key in records["key"]} <= {field["@id"] for field in records["field"]}


def test_mlcroissant_validates_and_loads_it(exported: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed (extra croissant)")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed (extra croissant)")
    loaded = mlcroissant.Dataset(jsonld=exported / "croissant.json")
    assert not loaded.metadata.issues.errors
    [row] = itertools.islice(loaded.records(record_set="truth"), 1)
    first = pl.read_parquet(exported / "truth.parquet").row(0, named=True)
    assert row["truth/accuracy"] == first["accuracy"]
    assert row["truth/arch"].decode() == first["arch"]


def test_the_same_benchmark_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (export_benchmark(na.load_benchmark("digits"), tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_table_of_ones_own_needs_a_licence(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("arch,accuracy\nx,50\ny,60\nz,70\n", encoding="utf-8")
    mine = na.load_benchmark(table)
    with pytest.raises(ParameterError, match=r"expected a licence.*--licence CC-BY-4.0"):
        export_benchmark(mine, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    export_benchmark(mine, tmp_path / "out", licence="CC-BY-4.0", cite="me", url="https://example.org")
    back = na.load_benchmark(tmp_path / "out")
    assert back.truth()["accuracy"].to_list() == [50, 60, 70]
    told = json.loads((tmp_path / "out" / "croissant.json").read_text(encoding="utf-8"))
    assert (told["license"], told["citeAs"], told["url"]) == (["CC-BY-4.0"], "me", "https://example.org")


def test_a_file_that_is_not_the_one_described_is_refused(tmp_path: Path) -> None:
    export_benchmark(na.load_benchmark("digits"), tmp_path)
    truth = pl.read_parquet(tmp_path / "truth.parquet")
    truth.head(5).write_parquet(tmp_path / "truth.parquet")
    with pytest.raises(DataFileError, match=r"truth.parquet: expected SHA-256"):
        na.load_benchmark(tmp_path).truth()
    (tmp_path / "truth.parquet").unlink()
    with pytest.raises(DataFileError, match=r"expected the files it names, truth.parquet"):
        na.load_benchmark(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"distribution": 3}', '{"distribution": []}'])
def test_descriptions_of_other_things(text: str, tmp_path: Path) -> None:
    (tmp_path / "croissant.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataFileError, match=r"croissant.json: expected"):
        na.load_benchmark(tmp_path)


def test_the_command(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["data", "export", "digits", "--to", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    names = [Path(path).name for path in json.loads(done.stdout)["files"]]
    assert names == ["archs.parquet", "truth.parquet", "curves.parquet", "croissant.json"]


def test_every_column_has_a_meaning() -> None:
    assert {column for schema in SCHEMAS.values() for column in schema.columns} == set(MEANINGS)
    assert all(column in SCHEMAS[frame].columns for frame, column in OF_FRAME)


def test_exporting_loads_neither_torch_nor_pandas(tmp_path: Path) -> None:
    code = f"""
import sys
import nasanalysis as na
from nasanalysis.loaders.export import export_benchmark
export_benchmark(na.load_benchmark("digits"), {str(tmp_path / "out")!r})
assert not {{"torch", "pandas", "mlcroissant"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
