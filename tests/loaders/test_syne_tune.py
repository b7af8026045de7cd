"""NAS-Bench-201 in the layout of Syne Tune's blackbox repository: files that we write, as its import script does."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import nasanalysis as na
from nasanalysis.core.errors import ArchError, DataFileError, MissingDataError, NasAnalysisError
from nasanalysis.loaders import syne_tune
from nasanalysis.loaders.benchmark import load_benchmark
from nasanalysis.loaders.registry import check_data
from nasanalysis.loaders.syne_tune import from_folder
from nasanalysis.spaces.nb201 import SPACE

OBJECTIVES = ["valid_error", "train_error", "runtime", "elapsed_time", "latency", "flops", "params"]
TASKS = ("cifar10", "cifar100", "ImageNet16-120")
IMAGES = {"cifar10": 10_000, "cifar100": 10_000, "ImageNet16-120": 6_000}
KEYS = [SPACE.arch(index).key for index in (0, 11, 1462, 6111)]


def operations(key: str) -> list[str]:
    return [part.partition("~")[0] for part in key.replace("+", "|").split("|") if part]


def impute(values: np.ndarray) -> np.ndarray:
    """The mean of the others where a seed is missing, as the script does it, one number after another."""
    for arch, seed, epoch in zip(*np.nonzero(np.isnan(values)), strict=True):
        values[arch, seed, epoch] = np.mean(np.delete(values[arch, :, epoch], seed))
    return values


def write_blackbox(folder: Path, keys: list[str], trained: dict[str, dict[str, np.ndarray]]) -> Path:
    """`trained`: data set -> accuracy (percent), train (percent), seconds: (archs, 3, 200), NaN where not trained."""
    folder.mkdir(parents=True)
    values = np.zeros((len(trained), len(keys), 3, 200, len(OBJECTIVES)), dtype=np.float32)
    for place, curves in enumerate(trained.values()):
        columns = [1 - curves["accuracy"] / 100, 1 - curves["train"] / 100, curves["seconds"]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            for number, column in enumerate(columns):
                values[place, ..., number] = impute(column.astype(np.float32))
        values[place, ..., 3] = np.cumsum(values[place, ..., 2], axis=-1)
    np.save(folder / "objectives_evaluations.npy", values, allow_pickle=False)
    np.save(folder / "fidelities_values.npy", np.arange(1, 201), allow_pickle=False)
    cells = pl.DataFrame([operations(key) for key in keys], schema=[f"hp_x{i}" for i in range(6)], orient="row")
    cells.write_parquet(folder / "hyperparameters.parquet", compression="gzip")
    told = {"objectives_names": [f"metric_{name}" for name in OBJECTIVES], "task_names": list(trained)}
    (folder / "metadata.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def some_curves(seed: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """Accuracies of whole images; the second cell lacks its third training, the third its last two."""
    rng = np.random.default_rng(seed)
    curves = {}
    for task, images in IMAGES.items():
        accuracy = np.sort(rng.integers(images // 10, images, (4, 3, 200)), axis=2) / images * 100
        train = np.sort(rng.integers(5_000, 50_000, (4, 3, 200)), axis=2) / 500
        seconds = np.repeat(rng.uniform(5, 50, (4, 3, 1)), 200, axis=2)
        for values in (accuracy, train, seconds):
            values[1, 2] = np.nan
            values[2, 1:] = np.nan
        curves[task] = {"accuracy": accuracy, "train": train, "seconds": seconds}
    return curves


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_blackbox(tmp_path / "nasbench201", KEYS, some_curves())


def test_every_number_comes_back_under_its_split_and_seed(folder: Path) -> None:
    benchmark, made = from_folder(folder), some_curves()
    for task in TASKS:
        split = "test" if task == "cifar10" else "valtest"
        for place in (0, 3):
            for number, seed in enumerate((777, 888, 999)):
                curve = benchmark.curve(KEYS[place], task, f"{split}_accuracy", schedule=200, seed=seed)
                np.testing.assert_allclose(curve["value"], made[task]["accuracy"][place, number], atol=2e-5)
                truth = benchmark.truth(task, split=split, archs=[f"nb201:{KEYS[place]}"]).filter(seed=seed)
                assert truth["accuracy"].to_list() == [
                    pytest.approx(made[task]["accuracy"][place, number, -1], abs=1e-12)
                ]
    assert benchmark.curves()["train_accuracy"].max() == pytest.approx(
        max(np.nanmax(made[task]["train"]) for task in TASKS), abs=1e-4
    )
    assert benchmark.curves()["seconds"].null_count() == 0


def test_trainings_that_are_filled_in_or_undefined_are_left_out(folder: Path) -> None:
    truth = from_folder(folder).truth("cifar10")
    seeds = {key: sorted(truth.filter(pl.col("seed").is_not_null(), arch=f"nb201:{key}")["seed"]) for key in KEYS}
    assert list(seeds.values()) == [[777, 888, 999], [777, 888], [777], [777, 888, 999]]
    made = some_curves()["cifar10"]["accuracy"][..., -1]
    mean = truth.filter(pl.col("seed").is_null(), arch=f"nb201:{KEYS[1]}")["accuracy"].item()
    assert mean == pytest.approx(made[1, :2].mean(), abs=1e-9)


def test_three_trainings_that_are_alike_stay(tmp_path: Path) -> None:
    curves = some_curves()
    for of_task in curves.values():
        for name, value in (("accuracy", 10.0), ("train", 10.0), ("seconds", 7.0)):
            of_task[name][0] = value
    truth = from_folder(write_blackbox(tmp_path / "nasbench201", KEYS, curves)).truth("cifar10")
    assert truth.filter(arch=f"nb201:{KEYS[0]}")["accuracy"].to_list() == [10.0] * 4


def test_it_is_a_benchmark_by_name_and_checked_by_content(folder: Path) -> None:
    benchmark = load_benchmark("nb201-syne-tune", folder.parent)
    assert benchmark.datasets == TASKS
    params = na.score(benchmark, "params", dataset="cifar10")
    stats = na.correlate(benchmark.truth("cifar10"), params, statistics=["spearman_rho"], n_boot=0)
    assert stats["n_archs"].to_list() == [4]
    [checked] = check_data("nb201-syne-tune", folder.parent)
    assert checked.status == "ok", checked.message
    assert "4 architectures; cifar10: 9 trainings, 3 filled in or undefined" in checked.message


def test_where_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="nasanalysis data get nb201-syne-tune"):
        load_benchmark("nb201-syne-tune", tmp_path)


def _told(folder: Path, **change: Any) -> None:
    told = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    (folder / "metadata.json").write_text(json.dumps({**told, **change}), encoding="utf-8")


def _pickled(folder: Path) -> None:
    np.save(folder / "objectives_evaluations.npy", np.array([{}], dtype=object), allow_pickle=True)


def _cut(folder: Path) -> None:
    path = folder / "objectives_evaluations.npy"
    path.write_bytes(path.read_bytes()[:-1000])


def _twice(folder: Path) -> None:
    table = pl.read_parquet(folder / "hyperparameters.parquet")
    pl.concat([table.head(3), table.head(1)]).write_parquet(folder / "hyperparameters.parquet")


def _unknown_operation(folder: Path) -> None:
    table = pl.read_parquet(folder / "hyperparameters.parquet")
    table.with_columns(hp_x0=pl.lit("conv_7x7")).write_parquet(folder / "hyperparameters.parquet")


def _other_images(folder: Path) -> None:
    values = np.load(folder / "objectives_evaluations.npy")
    values[0, ..., 0] += 3.3e-5
    np.save(folder / "objectives_evaluations.npy", values)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: _told(f, task_names=["fcnet"]), "expected data sets among cifar10"),
        (lambda f: _told(f, task_names=["cifar10"]), r"expected \(1, 4, 3, 200, 7\)"),
        (lambda f: _told(f, objectives_names=["metric_loss"]), "expected the objectives metric_valid_error"),
        (lambda f: (f / "metadata.json").write_text("{"), "expected JSON with task_names"),
        (lambda f: (f / "metadata.json").unlink(), "expected metadata.json beside the others"),
        (
            lambda f: np.save(f / "fidelities_values.npy", np.arange(1, 13)),
            "expected epochs 1 to 200, got 1, 2, 3",
        ),
        (_pickled, "expected a whole .npy file of numbers"),
        (_cut, "expected a whole .npy file of numbers"),
        (_twice, "expected each architecture once, got 1 again"),
        (_unknown_operation, "conv_7x7"),
        (_other_images, "expected accuracies of 10,000 images"),
    ],
)
def test_malformed_files(spoil: Any, message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises((DataFileError, ArchError), match=message) as raised:
        from_folder(folder).curves()
    assert isinstance(raised.value, NasAnalysisError)


def test_the_official_archive_through_this_layout_is_what_its_own_loader_reads(data_dir: Path, tmp_path: Path) -> None:
    """Real curves of NATS-Bench, converted as Syne Tune's script converts them."""
    try:
        official = load_benchmark("nats-tss", data_dir)
        curves = official.curves("cifar10", schedule=200)
    except MissingDataError:
        pytest.skip("no NATS-Bench tss folder among the data")
    archs = curves["arch"].cast(pl.String).unique(maintain_order=True).to_list()[:4]
    shape = (len(archs), 3, 200)
    made = {name: np.full(shape, np.nan) for name in ("accuracy", "train", "seconds")}
    columns = {"accuracy": "test_accuracy", "train": "train_accuracy", "seconds": "seconds"}
    for place, arch in enumerate(archs):
        for number, seed in enumerate(syne_tune.SEEDS):
            rows = curves.filter(pl.col("arch").cast(pl.String) == arch, seed=seed).sort("step")
            for name, column in columns.items():
                made[name][place, number] = rows[column].to_numpy() if rows.height else np.nan
    written = write_blackbox(
        tmp_path / "nasbench201", [arch.removeprefix("nb201:") for arch in archs], {"cifar10": made}
    )
    keys = ["arch", "seed"]
    ours = from_folder(written).truth("cifar10").select(*keys, "accuracy").sort(keys)
    theirs = official.truth("cifar10", split="test", schedule=200, archs=archs)
    theirs = theirs.select(pl.col("arch").cast(pl.String), "seed", "accuracy").sort(keys)
    assert ours.select(keys).equals(theirs.select(keys))
    np.testing.assert_allclose(ours["accuracy"], theirs["accuracy"], atol=1e-9)
