"""One architecture's results as NATS-Bench pickles them -> rows and arrays.

Splits, by the benchmark's own names: ``x-valid`` is ``valid``; ``x-test`` is ``test``; ``ori-test`` is the test
set of CIFAR-10 (``test``), but the *whole* held-out set of CIFAR-100 and ImageNet16-120, validation and test
together (``valtest``). What a file does not record, or records as infinite, is null. ``step`` is completed epochs,
so the key ``x-valid@11`` is step 12.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..errors import ArchError, DataFileError
from ..spaces import get_space
from .nats_files import Format

Array = np.ndarray[Any, Any]

SPLITS = ("valid", "test", "valtest")
DATASETS = ("cifar10", "cifar10-valid", "cifar100", "ImageNet16-120")

#: Rows of a training's array: loss and accuracy of each split.
QUANTITIES = tuple(f"{split}_{what}" for split in ("train", *SPLITS) for what in ("loss", "accuracy"))
_ACCURACIES = [i for i, name in enumerate(QUANTITIES) if name.endswith("accuracy")]

_LARGEST = float(np.finfo(np.float32).max)

#: The columns of `Rows.runs`: one row for each training.
RUNS = {
    "dataset": pl.String(),
    "arch": pl.String(),
    "schedule": pl.Int64(),
    "seed": pl.Int64(),
    "params": pl.Int64(),
    "flops": pl.Float64(),
    **dict.fromkeys(SPLITS, pl.Float64()),
}


@dataclass
class Rows:
    """What several architectures' files hold, gathered.

    ``runs``: one tuple for each training, with the columns `RUNS`. ``curves``: for each training float32
    (8, epochs), the rows `QUANTITIES`. ``seconds``: for each training float64 (epochs,). ``where``: its file.
    """

    runs: list[tuple[Any, ...]] = field(default_factory=list)
    curves: list[Array] = field(default_factory=list)
    seconds: list[Array] = field(default_factory=list)
    where: list[Path] = field(default_factory=list)

    def add(self, content: Any, form: Format, index: int, where: Path) -> None:
        """Add the file of architecture `index`; `DataFileError` names `where` and says what is wrong in it."""
        try:
            if not {hp for hp, _ in form.schedules} & set(content.keys()):
                raise KeyError(f"none of {', '.join(hp for hp, _ in form.schedules)}")
            for hp, epochs in form.schedules:
                if hp in content:
                    self._add_trainings(content[hp], form, index, epochs, where)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
            if isinstance(error, ArchError):
                raise DataFileError(f"{where}: {error}") from error
            raise DataFileError(
                f"{where}: expected the layout of a NATS-Bench -simple file, got {type(error).__name__}: {error}; "
                "is it the right archive?"
            ) from error

    def _add_trainings(self, info: Any, form: Format, index: int, epochs: int, where: Path) -> None:
        space = get_space(form.space)
        official = space.arch(index)
        if info["arch_index"] != index or info["arch_str"] != official.key:
            got = f"{info['arch_index']}, {space.parse(info['arch_str']).key}"
            raise DataFileError(f"{where}: expected architecture {index}, {official.key}, got {got}")
        results = info["all_results"]
        listed = {(dataset, seed) for dataset, seeds in info["dataset_seed"].items() for seed in seeds}
        if listed != set(results):
            raise DataFileError(
                f"{where}: {epochs} epochs: expected the {len(listed)} trainings that it lists, got {len(results)}; "
                f"they differ in {sorted(listed ^ set(results))[:3]}"
            )
        for (dataset, seed), run in results.items():
            if dataset not in DATASETS or run["epochs"] != epochs:
                raise DataFileError(
                    f"{where}: expected {epochs} epochs on one of {', '.join(DATASETS)}, "
                    f"got {run['epochs']} on {dataset!r}"
                )
            table = np.full((len(QUANTITIES), epochs), np.nan)
            for row, name in enumerate(("train_losses", "train_acc1es")):
                values = run[name]
                table[row, _epochs(tuple(values), epochs)] = _numbers(values)
            for what, name in enumerate(("eval_losses", "eval_acc1es")):
                values = run[name]
                splits, steps = _evaluations(tuple(values), dataset, epochs)
                table[2 * splits + what, steps] = _numbers(values)
            seconds = np.full(epochs, np.nan)
            values = run["train_times"] or {}
            seconds[_epochs(tuple(values), epochs)] = _numbers(values)
            table[~(np.abs(table) <= _LARGEST)] = np.nan  # infinite, or so as float32
            curves = table.astype(np.float32)
            last = (None if np.isnan(value) else float(value) for value in table[_ACCURACIES[1:], -1])
            params, flops = round(float(run["params"]) * 1e6), float(round(float(run["flop"]) * 1e6))
            self.runs.append((dataset, str(official), epochs, int(seed), params, flops, *last))
            self.curves.append(curves)
            self.seconds.append(seconds)
            self.where.append(where)

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Frames of the trainings (`RUNS`) and of their curves, both sorted by dataset and schedule.

        The curves have ``dataset, arch, schedule, seed, step``, `QUANTITIES` and ``seconds``: the CURVES frame
        less its constant columns. `DataFileError` where an accuracy, a loss or a time is out of its range.
        """
        order = sorted(range(len(self.runs)), key=lambda i: (self.runs[i][0], self.runs[i][2]))
        runs = pl.DataFrame([self.runs[i] for i in order], schema=RUNS, orient="row")
        epochs = runs["schedule"].to_numpy()
        rows = np.repeat(np.arange(len(order), dtype=np.uint32), epochs)
        starts = np.repeat(np.cumsum(epochs) - epochs, epochs)
        steps = np.arange(1, len(rows) + 1) - starts
        values = np.concatenate([self.curves[i] for i in order] or [np.empty((len(QUANTITIES), 0), np.float32)], axis=1)
        seconds = np.concatenate([self.seconds[i] for i in order] or [np.empty(0)])
        for name, column in (*zip(QUANTITIES, values, strict=True), ("seconds", seconds)):
            high = 100.0 if name.endswith("accuracy") else np.inf
            bad = np.flatnonzero((column < 0) | (column > high))
            if bad.size:
                dataset, _, schedule, seed = self.runs[i := order[rows[bad[0]]]][:4]
                expected = "percent, 0 to 100" if name.endswith("accuracy") else "a number of 0 or more"
                raise DataFileError(
                    f"{self.where[i]}: {dataset}, seed {seed}, {schedule} epochs: {name} of step {steps[bad[0]]}: "
                    f"expected {expected}, got {column[bad[0]]:g}"
                )
        curves = runs.select("dataset", "arch", "schedule", "seed")[rows].with_columns(
            pl.Series("step", steps, pl.Int64),
            *(pl.Series(name, row).fill_nan(None) for name, row in zip(QUANTITIES, values, strict=True)),
            pl.Series("seconds", seconds).fill_nan(None),
        )
        return runs, curves


def _numbers(values: dict[Any, Any]) -> Array:
    return np.fromiter(values.values(), np.float64, len(values))


@lru_cache(maxsize=64)
def _epochs(keys: tuple[Any, ...], epochs: int) -> Array:
    """Which epochs (counted from 0) the keys of a training's dict are."""
    for key in keys:
        if type(key) is not int or not 0 <= key < epochs:
            raise ValueError(f"epoch {key!r} of {epochs}")
    return np.array(keys, np.int64)


@lru_cache(maxsize=256)
def _evaluations(keys: tuple[Any, ...], dataset: str, epochs: int) -> tuple[Array, Array]:
    """Keys such as ``x-valid@11`` -> the splits (1 valid, 2 test, 3 valtest) and the epochs counted from 0."""
    names = {"x-valid": "valid", "x-test": "test"}
    names["ori-test"] = "test" if dataset in ("cifar10", "cifar10-valid") else "valtest"
    splits, steps = [], []
    for key in keys:
        name, _, epoch = key.partition("@")
        splits.append(1 + SPLITS.index(names[name]))
        steps.append(int(epoch))
    if len(set(zip(splits, steps, strict=True))) < len(keys):
        raise ValueError("one epoch of one split twice")
    _epochs(tuple(steps), epochs)
    return np.array(splits, np.int64), np.array(steps, np.int64)


def read_all(contents: Iterable[tuple[int, Path, Any]], form: Format) -> Rows:
    """The rows of several architectures, given as (index, name for messages, unpickled content)."""
    rows = Rows()
    for index, where, content in contents:
        rows.add(content, form, index, where)
    return rows


def trainings(rows: Rows) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Every training as a dict of its `RUNS` columns and a dict of its curves, float32 (epochs,), NaN where missing."""
    for run, table, seconds in zip(rows.runs, rows.curves, rows.seconds, strict=True):
        yield dict(zip(RUNS, run, strict=True)), {**dict(zip(QUANTITIES, table, strict=True)), "seconds": seconds}
