"""Where data is looked for, and the cache of converted files."""

from __future__ import annotations

import pickle
from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import MissingDataError
from nasanalysis.core.frames import read_provenance
from nasanalysis.core.provenance import sha256
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.cache import convert, converted_path
from nasanalysis.loaders.data_sets import data_sets
from nasanalysis.loaders.files import cache_dir, find


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("given", "env", "cache")}
    for folder in found.values():
        folder.mkdir()
    monkeypatch.setenv("NASANALYSIS_DATA", str(found["env"]))
    monkeypatch.setenv("NASANALYSIS_CACHE", str(found["cache"]))
    return found


def test_order_of_folders_and_names(places: dict[str, Path]) -> None:
    for name in ("cache", "env", "given"):
        (places[name] / "t.csv").write_text(name)
        assert find("nb201/t.csv", places["given"]) == places[name] / "t.csv"
    (places["given"] / "nb201").mkdir()
    (places["given"] / "nb201" / "t.csv").write_text("")
    assert find("nb201/t.csv", places["given"]) == places["given"] / "nb201" / "t.csv"
    assert find("nb201/t.csv") == places["env"] / "t.csv"


def test_missing_data_lists_where_it_was_looked_for(places: dict[str, Path]) -> None:
    with pytest.raises(MissingDataError) as caught:
        find("nb201/none.csv", places["given"])
    text = str(caught.value)
    for folder in places.values():
        assert str(folder / "nb201" / "none.csv") in text
        assert str(folder / "none.csv") in text
    assert "nasanalysis data list" in text


def test_cache_dir_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASANALYSIS_CACHE")
    assert cache_dir().name == "nasanalysis"
    assert cache_dir().is_absolute()


def test_conversion_happens_once(places: dict[str, Path], tmp_path: Path) -> None:
    raw = tmp_path / "raw.csv"
    raw.write_text("a\n1\n")
    calls = []

    def work() -> pl.DataFrame:
        calls.append(1)
        return pl.DataFrame({"a": [len(calls)]})

    path = places["cache"] / "converted" / f"{sha256(raw)[:16]}-t-v1.parquet"
    assert convert(raw, "t", 1, work)["a"].to_list() == [1]
    assert path.exists()
    assert read_provenance(path)["raw"] == ["raw.csv"]
    assert convert(raw, "t", 1, work)["a"].to_list() == [1]
    path.write_bytes(path.read_bytes()[:-20])
    assert convert(raw, "t", 1, work)["a"].to_list() == [2]
    path.write_bytes(b"")
    assert convert(raw, "t", 1, work)["a"].to_list() == [3]
    assert convert(raw, "t", 2, work)["a"].to_list() == [4]
    assert not path.exists()
    raw.write_text("a\n2\n")
    assert convert(raw, "t", 2, work)["a"].to_list() == [5]
    assert convert(raw, "other", 2, work)["a"].to_list() == [6]


def test_no_cache_where_none_can_be_written(
    places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(blocked))
    assert convert(blocked, "t", 1, lambda: pl.DataFrame({"a": [1]}))["a"].to_list() == [1]
    assert not converted_path(sha256(blocked), "t", 1).exists()
    assert blocked.read_text() == "not a folder"


@pytest.mark.parametrize(
    ("benchmark", "data_set", "short"),
    [
        ("darts-214", "darts-214", "needs the data set darts-214: `nasanalysis data get darts-214`"),
        ("nb101", "nb101-108", "needs the data set nb101-108: `nasanalysis data get nb101-108`"),
        ("nb201", "nb201-mean", "needs the data set nb201-mean: `nasanalysis data get nb201-mean`"),
        ("nats-tss", "nats-tss", "needs the data set nats-tss: by hand from https://github.com/D-X-Y/NATS-Bench"),
    ],
)
def test_what_is_missing_says_how_to_get_it(
    benchmark: str, data_set: str, short: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path))
    with pytest.raises(MissingDataError, match="get it: ") as caught:
        load_benchmark(benchmark, tmp_path)
    assert (caught.value.data_set, caught.value.short) == (data_set, f"{short}, or --data FOLDER")
    travelled = pickle.loads(pickle.dumps(caught.value))  # from a worker process
    assert (travelled.short, str(travelled)) == (caught.value.short, str(caught.value))


def test_every_data_set_that_can_be_had_by_a_command_names_it() -> None:
    for entry in data_sets().values():
        if entry.urls:
            assert f"`nasanalysis data get {entry.name}`" in entry.to_get
            assert f"nasanalysis data get {entry.name}" in entry.how, entry.name
