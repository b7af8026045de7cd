"""One architecture's results as NATS-Bench pickles them -> rows and arrays.

Splits, by the benchmark's own names: ``x-valid`` is ``valid``; ``x-test`` is ``test``; ``ori-test`` is the test
set of CIFAR-10 (``test``), but the *whole* held-out set of CIFAR-100 and ImageNet16-120, validation and test
together (``valtest``). What a file does not record, or records as infinite, is null. ``step`` is completed epochs,
so the key ``x-valid@11`` is step 12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...core.errors import ArchError, DataFileError
from ...core.reading import reading
from ...core.shown import shown
from ...spaces import get_space
from ...spaces.capabilities import Enumerable
from .files import Format

Array = np.ndarray[Any, Any]

SPLITS = ("valid", "test", "valtest")
DATASETS = ("cifar10", "cifar10-valid", "cifar100", "ImageNet16-120")

#: Loss and accuracy of each split: the rows of a training's curves. Row `_SECONDS` is its times.
QUANTITIES = tuple(f"{split}_{what}" for split in ("train", *SPLITS) for what in ("loss", "accuracy"))
_SECONDS = len(QUANTITIES)

#: The dicts of a training that are read, in this order; and ``train_times``, which may be missing.
_READ = ("train_losses", "train_acc1es", "eval_losses", "eval_acc1es")

_LARGEST = float(np.finfo(np.float32).max)

#: The facts of a training, and (`RUNS`) with its final accuracies.
_FACTS = {
    "dataset": pl.String(),
    "arch": pl.String(),
    "schedule": pl.Int64(),
    "seed": pl.Int64(),
    "params": pl.Int64(),
    "flops": pl.Float64(),
}
RUNS = {**_FACTS, **dict.fromkeys(SPLITS, pl.Float64())}


@dataclass(frozen=True)
class Layout:
    """Where the numbers of a training go whose dicts have certain keys: thousands of trainings share one.

    ``pack``: all of its numbers -> their bytes, float64. ``pieces``: (row, columns, epochs): these columns of the
    numbers are these epochs, counted from 0, of row `QUANTITIES` or `_SECONDS`; each row at most once. ``recorded``:
    how many of the columns are not seconds. ``final``: (number of the split in `SPLITS`, column) of the accuracies
    after the last epoch.
    """

    pack: struct.Struct
    pieces: tuple[tuple[int, slice | Array, slice | Array], ...]
    recorded: int
    final: tuple[tuple[int, int], ...]

    def values(self, packed: Sequence[bytes]) -> Array:
        """The numbers of trainings of this layout: float64 (trainings, columns), NaN for infinite losses."""
        values = np.frombuffer(b"".join(packed)).reshape(len(packed), -1)
        recorded = values[:, : self.recorded]
        bad = ~(np.abs(recorded) <= _LARGEST)  # infinite, or so as float32
        if bad.any():
            values = values.copy()
            values[:, : self.recorded][bad] = np.nan
        return values


@dataclass
class Rows:
    """What several architectures' files hold, gathered.

    For each training: ``runs``, the columns `RUNS` without the accuracies; ``layouts`` and ``packed``, its numbers;
    ``where``, its file.
    """

    runs: list[tuple[Any, ...]] = field(default_factory=list)
    layouts: list[Layout] = field(default_factory=list)
    packed: list[bytes] = field(default_factory=list)
    where: list[Path] = field(default_factory=list)
    _known: dict[tuple[Any, ...], tuple[list[Any], Layout]] = field(default_factory=dict)

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
        space = get_space(form.space, Enumerable)
        official = space.arch(index)
        if info["arch_index"] != index or info["arch_str"] != official.key:
            got = f"{shown.repr(info['arch_index'])}, {space.parse(info['arch_str']).key}"
            raise DataFileError(f"{where}: expected architecture {index}, {official.key}, got {got}")
        results = info["all_results"]
        listed = {(dataset, seed) for dataset, seeds in info["dataset_seed"].items() for seed in seeds}
        if listed != set(results):
            raise DataFileError(
                f"{where}: {epochs} epochs: expected the {len(listed)} trainings that it lists, got {len(results)}; "
                f"they differ in {shown.repr(sorted(listed ^ set(results))[:3])}"
            )
        name = str(official)
        for (dataset, seed), run in results.items():
            if dataset not in DATASETS or run["epochs"] != epochs:
                raise DataFileError(
                    f"{where}: expected {epochs} epochs on one of {', '.join(DATASETS)}, "
                    f"got {shown.repr(run['epochs'])} on {shown.repr(dataset)}"
                )
            dicts = [*(run[key] for key in _READ), run["train_times"] or {}]
            losses, accuracies, eval_losses, eval_accuracies, times = dicts
            keys = [*losses, *accuracies, *eval_losses, *eval_accuracies, *times]
            shape = (dataset, epochs, *map(len, dicts))
            known, layout = self._known.get(shape, (None, None))
            if layout is None or known != keys:
                layout = _layout(dicts, dataset, epochs)
                self._known[shape] = (keys, layout)
            try:
                packed = layout.pack.pack(
                    *losses.values(),
                    *accuracies.values(),
                    *eval_losses.values(),
                    *eval_accuracies.values(),
                    *times.values(),
                )
            except struct.error:  # not all are numbers: None is missing, others are refused
                values = chain.from_iterable(table.values() for table in dicts)
                packed = np.fromiter(values, np.float64, len(keys)).tobytes()
            params, flops = round(float(run["params"]) * 1e6), float(round(float(run["flop"]) * 1e6))
            self.runs.append((dataset, name, epochs, int(seed), params, flops))
            self.layouts.append(layout)
            self.packed.append(packed)
            self.where.append(where)

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Frames of the trainings (`RUNS`) and of their curves, both sorted by dataset and schedule.

        The curves have ``dataset, arch, schedule, seed, step``, `QUANTITIES` and ``seconds``: the CURVES frame
        less its constant columns. `DataFileError` where an accuracy, a loss or a time is out of its range.
        """
        order = sorted(range(len(self.runs)), key=lambda i: (self.runs[i][0], self.runs[i][2]))
        runs = pl.DataFrame([self.runs[i] for i in order], schema=_FACTS, orient="row")
        epochs = runs["schedule"].to_numpy()
        rows = np.repeat(np.arange(len(order), dtype=np.uint32), epochs)
        starts = np.repeat(np.cumsum(epochs) - epochs, epochs)
        steps = np.arange(1, len(rows) + 1) - starts
        columns, final = self._columns(order)
        for name, column in zip((*QUANTITIES, "seconds"), columns, strict=True):
            high = 100.0 if name.endswith("accuracy") else np.inf
            if np.fmin.reduce(column, initial=np.inf) >= 0 and np.fmax.reduce(column, initial=0) <= high:
                continue
            bad = np.flatnonzero((column < 0) | (column > high))
            dataset, _, schedule, seed = self.runs[i := order[rows[bad[0]]]][:4]
            expected = "percent, 0 to 100" if name.endswith("accuracy") else "a number of 0 or more"
            raise DataFileError(
                f"{self.where[i]}: {dataset}, seed {seed}, {schedule} epochs: {name} of step {steps[bad[0]]}: "
                f"expected {expected}, got {column[bad[0]]:g}"
            )
        curves = runs.select("dataset", "arch", "schedule", "seed")[rows].with_columns(
            pl.Series("step", steps, pl.Int64),
            *(
                pl.Series(name, column).fill_nan(None)
                for name, column in zip((*QUANTITIES, "seconds"), columns, strict=True)
            ),
        )
        accuracies = (pl.Series(split, column).fill_nan(None) for split, column in zip(SPLITS, final, strict=True))
        return runs.with_columns(*accuracies), curves

    def _columns(self, order: Sequence[int]) -> tuple[list[Array], Array]:
        """Curves and final accuracies of the trainings in `order`, NaN where missing.

        A float32 array for each of `QUANTITIES` and float64 seconds, each with a number for each epoch of the first
        training, then of the second, and so on; and float64 (splits, trainings). Trainings of one dataset and
        schedule must be next to each other to be read together.
        """
        total = sum(self.runs[i][2] for i in order)
        columns = [np.full(total, np.nan, np.float32) for _ in QUANTITIES] + [np.full(total, np.nan)]
        final = np.full((len(SPLITS), len(order)), np.nan)
        first = begin = 0
        for (_, epochs), group in groupby(order, key=lambda i: (self.runs[i][0], self.runs[i][2])):
            block = list(group)
            same: dict[int, list[int]] = {}  # trainings of one layout, by their places in the block
            for place, i in enumerate(block):
                same.setdefault(id(self.layouts[i]), []).append(place)
            end = begin + len(block) * epochs
            for places in same.values():
                layout = self.layouts[block[places[0]]]
                values = layout.values([self.packed[block[place]] for place in places])
                at = _span(places)
                for row, columns_of, epochs_of in layout.pieces:
                    part = np.full((len(places), epochs), np.nan, columns[row].dtype)
                    part[:, epochs_of] = values[:, columns_of]
                    columns[row][begin:end].reshape(len(block), epochs)[at] = part
                for split, column in layout.final:
                    final[split, first : first + len(block)][at] = values[:, column]
            first, begin = first + len(block), end
        return columns, final


def _layout(dicts: Sequence[dict[Any, Any]], dataset: str, epochs: int) -> Layout:
    """The layout of a training's dicts `_READ`; an error where a key is no epoch, or no split, that it can have."""
    rows: list[int] = []
    steps: list[int] = []
    for row, table in zip((0, 1), dicts[:2], strict=True):
        rows += [row] * len(table)
        steps += _epochs(table, epochs)
    for what, table in enumerate(dicts[2:4]):
        splits, epochs_of = _evaluations(table, dataset, epochs)
        rows += [2 * split + what for split in splits]
        steps += epochs_of
    recorded = len(rows)
    rows += [_SECONDS] * len(dicts[4])
    steps += _epochs(dicts[4], epochs)
    places = {row: [i for i, other in enumerate(rows) if other == row] for row in set(rows)}
    return Layout(
        struct.Struct(f"{len(rows)}d"),
        tuple((row, _span(table), _span([steps[i] for i in table])) for row, table in places.items()),
        recorded,
        tuple(
            (split, i)
            for split in range(len(SPLITS))
            for i in places.get(2 * (1 + split) + 1, [])
            if steps[i] == epochs - 1
        ),
    )


def _span(places: list[int]) -> slice | Array:
    """Places in an array, as a slice where they follow each other: numpy is then several times faster."""
    if places == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places, np.int64)


def _epochs(keys: Iterable[Any], epochs: int) -> list[int]:
    """Which epochs (counted from 0) the keys of a training's dict are."""
    names = list(keys)
    for key in names:
        if type(key) is not int or not 0 <= key < epochs:
            raise ValueError(f"epoch {shown.repr(key)} of {epochs}")
    return names


def _evaluations(keys: Iterable[str], dataset: str, epochs: int) -> tuple[list[int], list[int]]:
    """Keys such as ``x-valid@11`` -> the splits (1 valid, 2 test, 3 valtest) and the epochs counted from 0."""
    names = {"x-valid": "valid", "x-test": "test"}
    names["ori-test"] = "test" if dataset in ("cifar10", "cifar10-valid") else "valtest"
    splits, steps = [], []
    for key in keys:
        name, _, epoch = key.partition("@")
        splits.append(1 + SPLITS.index(names[name]))
        steps.append(int(epoch))
    if len(set(zip(splits, steps, strict=True))) < len(steps):
        raise ValueError("one epoch of one split twice")
    return splits, _epochs(steps, epochs)


def read_all(contents: Iterable[tuple[int, Path, Any]], form: Format) -> Rows:
    """The rows of several architectures, given as (index, name for messages, unpickled content)."""
    rows = Rows()
    for index, where, content in contents:
        with reading(where, "a NATS-Bench -simple file"):
            rows.add(content, form, index, where)
    return rows


def trainings(rows: Rows) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Every training as a dict of its `RUNS` columns and a dict of its curves, float32 (epochs,), NaN where missing."""
    for i, run in enumerate(rows.runs):
        (*curves, seconds), final = rows._columns([i])
        accuracies = (None if np.isnan(value) else float(value) for value in final[:, 0])
        yield (
            dict(zip(RUNS, (*run, *accuracies), strict=True)),
            {**dict(zip(QUANTITIES, curves, strict=True)), "seconds": seconds},
        )
