"""The official NATS-Bench files, against the benchmark's own package."""

from __future__ import annotations

import bz2
import pickle
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import DataFileError, MissingDataError, OutputError
from nasanalysis.core.provenance import InputSet, provenance
from nasanalysis.loaders.benchmark import Benchmark, load_benchmark
from nasanalysis.loaders.nats import benchmark as nats
from nasanalysis.loaders.nats import convert as nats_convert
from nasanalysis.spaces.nb201 import SPACE

SEEDS = {12: (111, 777), 200: (777, 888, 999)}
INDICES = (0, 11)


@pytest.fixture(scope="module")
def folder(data_dir: Path) -> Path:
    try:
        return nats.find_folder(nats.TSS, data_dir)
    except MissingDataError:
        pytest.skip("no NATS-Bench tss folder among the data")


@pytest.fixture(scope="module")
def tss(folder: Path) -> Benchmark:
    return load_benchmark("nats-tss", folder.parent.parent)


@pytest.fixture(scope="module")
def official(folder: Path) -> Any:
    pytest.importorskip("nats_bench", reason="the benchmark's own package is the oracle")
    from nats_bench import create

    return create(str(folder), "tss", fast_mode=True, verbose=False)


def runs(official: Any) -> list[tuple[int, int, str, int]]:
    found = []
    for index in INDICES:
        official.query_by_index(index, "cifar10", hp="12")
        for schedule in (12, 200):
            result = official.arch2infos_dict[index][str(schedule)]
            found += [(index, schedule, d, s) for d in nats.DATASETS for s in result.get_dataset_seeds(d)]
    return found


#: Our split -> the package's name of it, by dataset.
NAMES = {
    "cifar10": {"test": "ori-test"},
    "cifar10-valid": {"valid": "x-valid", "test": "ori-test"},
    "cifar100": {"valid": "x-valid", "test": "x-test", "valtest": "ori-test"},
    "ImageNet16-120": {"valid": "x-valid", "test": "x-test", "valtest": "ori-test"},
}


def test_order_of_architectures(folder: Path) -> None:
    assert nats.read_meta(folder) == [arch.key for arch in SPACE]


def test_truth_is_the_packages(tss: Benchmark, official: Any) -> None:
    truth = tss.truth()
    seen = 0
    for index, schedule, dataset, seed in runs(official):
        result = official.arch2infos_dict[index][str(schedule)]
        ours = truth.filter(arch=str(SPACE.arch(index)), dataset=dataset, schedule=schedule, seed=seed)
        assert set(ours["split"]) == set(NAMES[dataset])
        for split, accuracy in ours.select("split", "accuracy").rows():
            assert accuracy == result.get_metrics(dataset, NAMES[dataset][split], is_random=seed)["accuracy"]
            seen += 1
    assert seen == truth.filter(pl.col("seed").is_not_null()).height == 76


def test_means_are_the_packages(tss: Benchmark, official: Any) -> None:
    for index in INDICES:
        for dataset, splits in NAMES.items():
            for split, name in splits.items():
                expected = official.arch2infos_dict[index]["200"].get_metrics(dataset, name, is_random=False)[
                    "accuracy"
                ]
                row = tss.truth(dataset, split=split, schedule=200).filter(
                    pl.col("seed").is_null(), arch=str(SPACE.arch(index))
                )
                assert row["accuracy"].to_list() == [pytest.approx(expected, abs=1e-9)]


def test_curves_are_the_packages(tss: Benchmark, official: Any) -> None:
    curves = tss.curves()
    assert curves.height == len(INDICES) * (5 * 12 + 12 * 200)
    recorded = 0
    for index, schedule, dataset, seed in runs(official):
        run = official.arch2infos_dict[index][str(schedule)].query(dataset, seed)
        ours = curves.filter(arch=str(SPACE.arch(index)), dataset=dataset, schedule=schedule, seed=seed).sort("step")
        assert ours["step"].to_list() == list(range(1, schedule + 1))
        for split in ("train", "valid", "test", "valtest"):
            for row in ours.iter_rows(named=True):
                loss, accuracy = row[f"{split}_loss"], row[f"{split}_accuracy"]
                expected = package_value(run, split, dataset, row["step"] - 1)
                if expected is None:
                    assert (loss, accuracy) == (None, None)
                else:
                    assert (loss, accuracy) == (np.float32(expected[0]), np.float32(expected[1]))
                    recorded += 1
        assert ours["seconds"].to_list() == [run.train_times[epoch] for epoch in range(schedule)]
    assert recorded > 2 * 2 * (5 * 12 + 12 * 200) * 0.9


def package_value(run: Any, split: str, dataset: str, epoch: int) -> tuple[float, float] | None:
    if split == "train":
        info = run.get_train(epoch)
        return info["loss"], info["accuracy"]
    name = NAMES[dataset].get(split)
    if name is None or f"{name}@{epoch}" not in run.eval_acc1es:
        return None
    info = run.get_eval(name, epoch)
    return info["loss"], info["accuracy"]


def test_what_is_not_recorded_is_null(tss: Benchmark) -> None:
    curves = tss.curves("cifar100", schedule=200)
    assert curves.filter(pl.col("valid_accuracy").is_not_null())["step"].unique().to_list() == [200]
    assert curves["valtest_accuracy"].null_count() == 0
    assert tss.curves("cifar10")["valid_loss"].null_count() == tss.curves("cifar10").height
    valid = tss.curves("cifar10-valid", schedule=200)
    assert valid["valid_loss"].null_count() == 0
    assert valid.filter(pl.col("test_loss").is_not_null())["step"].unique().to_list() == [200]


@pytest.mark.parametrize("schedule", [12, 200])
def test_costs_are_the_packages_and_exact(folder: Path, official: Any, schedule: int) -> None:
    costs = nats.recorded_costs(folder, schedule=schedule)
    assert costs.height == 8
    for row in costs.iter_rows(named=True):
        info = official.get_cost_info(SPACE.index(row["arch"]), row["dataset"], hp=str(schedule))
        assert row["params"] == round(info["params"] * 1e6) == SPACE.params(row["arch"], row["dataset"])
        assert row["flops"] == pytest.approx(info["flops"] * 1e6, abs=0.5)
        assert row["flops"] == SPACE.flops(row["arch"], row["dataset"])


def test_notes_and_inputs(tss: Benchmark, folder: Path) -> None:
    assert tss.notes[0] == f"2 of 15,625 architectures are in {folder.name}"
    [given] = tss.inputs
    assert isinstance(given, InputSet)
    record = provenance(inputs=tss.inputs)["inputs"]
    assert record == {folder.name: given.key}
    assert re.fullmatch(r"names\+sizes\+meta:[0-9a-f]{64}", given.key)
    assert tss.archs("cifar100")["params"].to_list() == [SPACE.params(SPACE.arch(i), "cifar100") for i in INDICES]


def test_agrees_with_the_tables(tss: Benchmark, data_dir: Path) -> None:
    """The same runs, as other people wrote them down."""
    tables = load_benchmark("nb201", data_dir)
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        pairs = (
            tss.truth(dataset, split="test", schedule=200)
            .filter(pl.col("seed").is_null())
            .join(tables.truth(dataset, split="test").filter(pl.col("seed").is_null()), on="arch")
        )
        assert pairs["accuracy"].to_list() == pytest.approx(pairs["accuracy_right"].to_list(), abs=1e-6)
    runs = tss.truth("cifar10-valid", split="valid", schedule=200).filter(pl.col("seed").is_not_null())
    listed = tables.truth("cifar10-valid", split="valid", schedule=200)
    for arch in runs["arch"].unique():
        assert sorted(runs.filter(arch=arch)["accuracy"]) == pytest.approx(
            sorted(listed.filter(arch=arch)["accuracy"]), abs=1e-4
        )


def place(tmp_path: Path, folder: Path, *names: str) -> Path:
    """An unpacked archive that holds `names` only."""
    copy = tmp_path / folder.name
    copy.mkdir()
    for name in names:
        shutil.copy(folder / f"{name}.pickle.pbz2", copy)
    return copy


def test_where_the_folder_is_looked_for(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    monkeypatch.delenv("TORCH_HOME", raising=False)
    with pytest.raises(MissingDataError, match=r"NATS-tss-v1_0-\*-simple"):
        nats.find_folder(nats.TSS, tmp_path)
    home = tmp_path / "home"
    (home / "nats-bench").mkdir(parents=True)
    copy = place(home / "nats-bench", folder, "000011")
    assert nats.find_folder(nats.TSS, home) == copy
    assert nats.find_folder(nats.TSS, copy) == copy
    monkeypatch.setenv("TORCH_HOME", str(home))
    assert nats.find_folder(nats.TSS) == copy
    benchmark = nats.load_tss()
    assert set(benchmark.truth()["arch"]) == {str(SPACE.arch(11))}
    assert benchmark.notes[0].startswith("1 of 15,625")


def write(path: Path, content: object) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(content)))


def test_wrong_files_are_refused(folder: Path, tmp_path: Path) -> None:
    good = pickle.loads(bz2.decompress((folder / "000011.pickle.pbz2").read_bytes()))
    path = tmp_path / "000011.pickle.pbz2"
    write(path, good)
    assert len(list(nats.read_file(path))) == 17
    other = path.with_name("000012.pickle.pbz2")
    write(other, good)
    with pytest.raises(DataFileError, match=r"000012.pickle.pbz2: expected architecture 12, .* got 11"):
        list(nats.read_file(other))
    for change, message in (
        (lambda d: d["200"].pop("all_results"), "expected the layout of a NATS-Bench -simple file, got KeyError"),
        (lambda d: d["12"].update(arch_str="|x~0|"), "expected three nodes"),
        (
            lambda d: next(iter(d["12"]["all_results"].values()))["eval_losses"].update({"x-valid@12": 1.0}),
            "epoch 12 of 12",
        ),
        (lambda d: next(iter(d["12"]["all_results"].values()))["eval_losses"].update({"x-train@1": 1.0}), "KeyError"),
        (lambda d: next(iter(d["200"]["all_results"].values())).update(epochs=12), "expected 200 epochs"),
    ):
        bad = pickle.loads(pickle.dumps(good))
        change(bad)
        write(path, bad)
        with pytest.raises(DataFileError, match=message):
            list(nats.read_file(path))
    write(path, [1, 2])
    with pytest.raises(DataFileError, match="layout"):
        list(nats.read_file(path)) or pytest.fail("a list was taken for an architecture")
    path.write_bytes(b"<html>")
    with pytest.raises(DataFileError, match="a web page"):
        list(nats.read_file(path))


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "NATS-tss-v1_0-3ffb9-simple").mkdir()
    with pytest.raises(DataFileError, match="is the archive unpacked"):
        nats.load_tss(tmp_path)


def test_many_chunks_and_no_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tss: Benchmark
) -> None:
    """The same frames from parallel chunks without a cache that can be written."""
    monkeypatch.setattr(nats_convert, "CHUNK", 5)
    monkeypatch.setattr(nats, "CHUNK", 5)
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(blocked))
    benchmark = nats.load_tss(folder)
    with pytest.warns(UserWarning, match="the cache cannot be written"):
        benchmark.truth()
    keys = ["dataset", "arch", "schedule", "seed", "step"]
    assert benchmark.curves().sort(keys).equals(tss.curves().sort(keys))
    keys = ["dataset", "arch", "split", "schedule", "seed"]
    assert benchmark.truth().sort(keys).equals(tss.truth().sort(keys))


def test_a_disk_that_is_full_falls_back_to_a_temporary_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tss: Benchmark
) -> None:
    """The cache can be written to, and then no more: the conversion goes on elsewhere, and says so once."""
    cache, write = tmp_path / "full", nats_convert.write_frame

    def full(frame: pl.DataFrame, path: Path, *record: Any) -> Path:
        if cache in path.parents:
            raise OutputError(f"cannot write {path}: No space left on device; free some space")
        return write(frame, path, *record)

    monkeypatch.setattr(nats_convert, "write_frame", full)
    monkeypatch.setenv("NASANALYSIS_CACHE", str(cache))
    benchmark = nats.load_tss(folder)
    with pytest.warns(UserWarning, match="the conversion is kept in a temporary folder"):
        truth = benchmark.truth()
    with warnings.catch_warnings(action="error"):
        assert nats.load_tss(folder).truth().equals(truth)
    keys = ["dataset", "arch", "split", "schedule", "seed"]
    assert truth.sort(keys).equals(tss.truth().sort(keys))
    assert not list(cache.rglob("*.parquet"))


def test_final_accuracies_are_the_pickled_numbers(folder: Path, tss: Benchmark) -> None:
    """Bit for bit, in TRUTH and at the end of a curve: 88.73, not the 88.730003 of a 32-bit float."""
    counted = 0
    for index in INDICES:
        content = pickle.loads(bz2.decompress((folder / f"{index:06d}.pickle.pbz2").read_bytes()))
        arch = str(SPACE.arch(index))
        for (dataset, seed), run in content["200"]["all_results"].items():
            if dataset not in ("cifar10", "cifar10-valid"):
                continue  # their curves are of valid and test together
            split, key = ("valid", "x-valid") if dataset == "cifar10-valid" else ("test", "ori-test")
            recorded = run["eval_acc1es"][f"{key}@199"]
            truth = tss.truth(dataset, split=split, schedule=200, archs=[arch]).filter(pl.col("seed") == seed)
            curve = tss.curve(arch, dataset, f"{split}_accuracy", schedule=200, seed=seed)
            assert truth["accuracy"].to_list() == [recorded] == curve["value"].to_list()[-1:]
            assert curve["value"][0] == float(np.float32(run["eval_acc1es"][f"{key}@0"]))
            counted += recorded != float(np.float32(recorded))
    assert counted >= 4, "these files have numbers that 32 bits do not hold"
