"""NAS-Bench-201 as Syne Tune's blackbox repository keeps it: every epoch of 200, three seeds, three data sets.

A folder ``nasbench201`` with four files, written by Syne Tune's import script (Salinas et al. 2022, arXiv:2203.03302)
from the official file of NATS-Bench::

    hyperparameters.parquet       (archs, 6)  operations of the edges, hp_x0 to hp_x5, in the order of the cell's text
    objectives_evaluations.npy    (data sets, archs, seeds, epochs, objectives) float32
    fidelities_values.npy         (epochs,)   1 to 200
    metadata.json                 task_names, objectives_names

**What its names mean.** ``metric_valid_error`` is 1 - accuracy on what NATS-Bench calls ``ori-test``: test images of
CIFAR-10, but validation and test images together of CIFAR-100 and ImageNet16-120; so the split is ``test`` there and
``valtest`` here. ``metric_runtime`` is the time of one epoch, its evaluation included.

**What it fills in.** Many architectures were trained with fewer than three seeds; the script puts the mean of the
others where one is missing. Such a training is no training: it is left out here. It is told by being that mean at every
epoch, in errors and runtime; where all three are alike (cells that learn nothing) nothing is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import DataFileError
from ..core.frames import check, write_frame
from ..core.means import exact_means
from ..core.provenance import sha256
from ..core.reading import reading
from ..spaces import get_space
from .benchmark import Benchmark
from .cache import converted_path, is_whole
from .files import find

NAME = "nb201-syne-tune"
FOLDER = "nasbench201"
OBJECTIVES, ARCHS, EPOCHS, METADATA = (
    *("objectives_evaluations.npy", "hyperparameters.parquet", "fidelities_values.npy", "metadata.json"),
)
#: Data set -> the split of its ``ori-test``, and how many images that is.
SPLITS: Mapping[str, tuple[str, int]] = {
    "cifar10": ("test", 10_000),
    "cifar100": ("valtest", 10_000),
    "ImageNet16-120": ("valtest", 6_000),
}
SEEDS = (777, 888, 999)
SCHEDULE = 200
_EDGES = tuple(f"hp_x{edge}" for edge in range(6))
_NEEDED = ("metric_valid_error", "metric_train_error", "metric_runtime")
_VERSION = 1

Array = NDArray[np.float32]


def load(data: Path | None = None) -> Benchmark:
    """The benchmark in the folder ``nasbench201``; `MissingDataError` lists where it was looked for."""
    return from_folder(find(f"{FOLDER}/{OBJECTIVES}", data).parent)


def from_folder(folder: Path | str) -> Benchmark:
    """The benchmark in this folder. Frames are made when they are asked for, once: Parquet in the cache.

    Raises `DataFileError` for files of another layout, and for architectures that are not of NAS-Bench-201.
    """
    table = read_blackbox(folder)

    @cache
    def curves_of(task: str) -> Path:
        path = converted_path(table.key, f"syne-tune-{task}", _VERSION)
        if not is_whole(path):
            write_frame(table.curves(task), path, {"raw": [str(table.folder)], "converter": NAME})
        return path

    def curves() -> pl.LazyFrame:
        return pl.concat([pl.scan_parquet(curves_of(task)) for task in table.tasks])

    def truth() -> pl.LazyFrame:
        return pl.concat([_truth(pl.scan_parquet(curves_of(task)), task) for task in table.tasks]).lazy()

    return Benchmark(
        name=NAME,
        space="nb201",
        datasets=table.tasks,
        inputs=tuple(table.folder / name for name in (OBJECTIVES, ARCHS, EPOCHS, METADATA)),
        read={"CURVES": curves, "TRUTH": truth},
        notes=(
            "trainings that the files fill with the mean of the others are left out",
            "accuracies of cifar100 and ImageNet16-120 are of validation and test images together",
            "seconds of an epoch include its evaluation",
        ),
    )


@dataclass(frozen=True)
class Blackbox:
    """The files of one folder.

    Attributes
    ----------
    archs: texts ``space:key``, in the order of the files.
    tasks: data sets, in their order.
    values: (data sets, archs, seeds, epochs, objectives), mapped into memory.
    columns: objective -> its place.
    """

    folder: Path
    archs: tuple[str, ...]
    tasks: tuple[str, ...]
    values: Array
    columns: Mapping[str, int]

    @property
    def key(self) -> str:
        """Stands for the content of the files."""
        digests = [sha256(self.folder / name) for name in (OBJECTIVES, ARCHS, EPOCHS, METADATA)]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def objective(self, task: str, name: str) -> Array:
        """(archs, seeds, epochs) of one objective on one data set."""
        return np.asarray(self.values[self.tasks.index(task), ..., self.columns[name]])

    def trained(self, task: str) -> NDArray[np.bool_]:
        """(archs, seeds) which trainings are trainings: neither undefined nor the mean of the others."""
        arrays = [self.objective(task, name) for name in _NEEDED]
        defined = np.all([np.isfinite(values).all(axis=2) for values in arrays], axis=0)
        filled = np.all([_is_mean_of_others(values) for values in arrays], axis=0)
        filled &= filled.sum(axis=1, keepdims=True) == 1  # all alike: nothing tells which was filled in
        return np.asarray(defined & ~filled)

    def curves(self, task: str) -> pl.DataFrame:
        """CURVES of one data set."""
        split, images = SPLITS[task]
        arch, seed = np.nonzero(self.trained(task))
        epochs = self.values.shape[3]
        seen = 100 * (1 - self.objective(task, "metric_valid_error")[arch, seed].astype(np.float64))
        exact = np.rint(seen * images / 100) / images * 100  # so many of so many images; float32 errors are near that
        if seen.size and np.abs(seen - exact).max() > 1e-3:
            raise DataFileError(f"{self.folder}: {task}: expected accuracies of {images:,} images, got others")
        frame = pl.DataFrame(
            {
                "arch": pl.Series(self.archs, dtype=pl.String).gather(np.repeat(arch, epochs)),
                "seed": np.repeat(np.asarray(SEEDS, dtype=np.int64)[seed], epochs),
                "step": np.tile(np.arange(1, epochs + 1, dtype=np.int64), len(arch)),
                "train_accuracy": 100 * (1 - self.objective(task, "metric_train_error")[arch, seed].ravel()),
                f"{split}_accuracy": exact.ravel(),
                "seconds": self.objective(task, "metric_runtime")[arch, seed].ravel().astype(np.float64),
            }
        )
        said = {"benchmark": NAME, "dataset": task, "method": "scratch", "setting": "published", "unit": "epoch"}
        columns = [pl.lit(value).alias(column) for column, value in said.items()]
        frame = frame.with_columns(*columns, pl.lit(SCHEDULE, pl.Int64).alias("schedule"))
        return check(frame, "CURVES", where=str(self.folder))


def _is_mean_of_others(values: Array) -> NDArray[np.bool_]:
    """(archs, seeds) whether a seed's curve is the mean of the other seeds' curves, within the rounding of float32."""
    total = values.astype(np.float64).sum(axis=1, keepdims=True)
    others = (total - values) / (values.shape[1] - 1)
    return np.asarray((np.abs(values - others) <= 1e-6 * np.maximum(1, np.abs(others))).all(axis=2))


def _truth(curves: pl.LazyFrame, task: str) -> pl.DataFrame:
    """TRUTH after the last epoch: every training, and (seed null) their mean."""
    split, images = SPLITS[task]
    last = curves.filter(pl.col("step") == pl.col("schedule")).collect()
    accuracy = np.rint(last[f"{split}_accuracy"].cast(pl.Float64).to_numpy() * images / 100) / images * 100
    runs = last.select(
        *("benchmark", "dataset", "arch", "schedule", "seed"),
        pl.lit(split).alias("split"),
        pl.Series("accuracy", accuracy),
    )
    means = exact_means(runs, [c for c in runs.columns if c not in ("seed", "accuracy")], "accuracy")
    both = pl.concat([runs, means.with_columns(seed=pl.lit(None, pl.Int64)).select(runs.columns)])
    return check(both.with_columns(origin=pl.lit("tabular")), "TRUTH")


# --- the files --------------------------------------------------------------------------------------------


def read_blackbox(folder: Path | str) -> Blackbox:
    """The files of `folder`, checked against each other; see the module for their layout."""
    folder = Path(folder)
    for name in (OBJECTIVES, ARCHS, EPOCHS, METADATA):
        if not (folder / name).is_file():
            raise DataFileError(f"{folder}: expected {name} beside the others; is the download complete?")
    told = _told(folder / METADATA)
    archs = _archs(folder / ARCHS)
    epochs = _array(folder / EPOCHS, 1)
    values = _array(folder / OBJECTIVES, 5)
    if epochs.tolist() != list(range(1, SCHEDULE + 1)):
        raise DataFileError(f"{folder / EPOCHS}: expected epochs 1 to {SCHEDULE}, got {_short(epochs.tolist())}")
    tasks, names = told["task_names"], told["objectives_names"]
    expected = (len(tasks), len(archs), len(SEEDS), SCHEDULE, len(names))
    if values.shape != expected:
        raise DataFileError(
            f"{folder / OBJECTIVES}: expected {expected} (data sets, architectures, seeds, epochs, objectives), "
            f"got {values.shape}"
        )
    return Blackbox(folder, archs, tuple(tasks), values, {name: place for place, name in enumerate(names)})


def _told(path: Path) -> dict[str, list[str]]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        tasks, names = list(told["task_names"]), list(told["objectives_names"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataFileError(f"{path}: expected JSON with task_names and objectives_names, got {error!r}") from None
    if strange := [task for task in tasks if task not in SPLITS]:
        raise DataFileError(f"{path}: expected data sets among {', '.join(SPLITS)}, got {_short(strange)}")
    if lacking := [name for name in _NEEDED if name not in names]:
        raise DataFileError(f"{path}: expected the objectives {', '.join(_NEEDED)}, got none of {', '.join(lacking)}")
    return {"task_names": tasks, "objectives_names": names}


def _archs(path: Path) -> tuple[str, ...]:
    with reading(path, "a whole Parquet file"):
        table = pl.read_parquet(path, glob=False)
    if lacking := [edge for edge in _EDGES if edge not in table.columns]:
        raise DataFileError(f"{path}: expected columns {', '.join(_EDGES)}, got none of {', '.join(lacking)}")
    space = get_space("nb201")
    rows = table.select(pl.col(_EDGES).cast(pl.String)).iter_rows()
    archs = tuple(str(space.parse(_text(*operations))) for operations in rows)
    if len(set(archs)) != len(archs):
        raise DataFileError(f"{path}: expected each architecture once, got {len(archs) - len(set(archs))} again")
    return archs


def _text(a: str, b: str, c: str, d: str, e: str, f: str) -> str:
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def _array(path: Path, dimensions: int) -> Array:
    """A .npy file, mapped into memory; one that asks for pickle is refused."""
    read: Callable[..., Array] = np.load
    try:
        values = read(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataFileError(f"{path}: expected a whole .npy file of numbers, got {error}") from None
    if values.ndim != dimensions or values.dtype.kind not in "fiu":
        raise DataFileError(f"{path}: expected {dimensions} dimensions of numbers, got {values.ndim} of {values.dtype}")
    return values


def _short(values: list[object]) -> str:
    return f"{', '.join(map(str, values[:4]))}{' ...' if len(values) > 4 else ''}"
