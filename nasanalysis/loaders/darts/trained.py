"""Architectures of the DARTS space that were really trained: two sets, not comparable with each other.

``darts-214``   214 architectures drawn at random, trained on CIFAR-10 for 600 epochs with DARTS's own
                protocol (Yang et al. 2020, "NAS evaluation is frustratingly hard"): test accuracy of
                every epoch. The accuracy recorded with each is the best of its epochs, which is what
                TRUTH gives; that of the last epoch is the last step of the curve
``darts-1000``  1,000 random architectures, *validation* accuracy on CIFAR-10 after 200 epochs, another
                protocol (from 10.2 to 86.6 percent). Normal and reduction cell are the same in each;
                811 feed a node twice from one predecessor and 644 hold ``none``: fine in the ``darts``
                space, outside NAS-Bench-301's encoding

**Duplicates.** Two rows that spell one architecture (the order of a node's inputs means nothing) are
runs of it: with equal accuracies one is kept, with different ones they are numbered by the seed column
0, 1, ... in the order of the file. The public files have none.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ...core.budget import regular
from ...core.errors import ArchError, DataFileError
from ...core.frames import check
from ...core.reading import reads
from ...spaces.base import Arch
from ...spaces.darts import SPACE
from .. import safe_pickle
from ..benchmark import Benchmark
from ..files import find

_GENOTYPES, _CURVES = "darts/genotypes_214.pkl", "darts/curves_214_architectures.npy"
_RANDOM = "darts/random_1000_cifar10.csv"


def load_214(data: Path | None = None) -> Benchmark:
    """The 214: TRUTH (split ``test``, schedule 600, best epoch) and CURVES (test accuracy, steps 1 to 600)."""
    genotypes, curves = find(_GENOTYPES, data), find(_CURVES, data)
    return Benchmark(
        name="darts-214",
        space="darts",
        datasets=("cifar10",),
        inputs=(genotypes, curves),
        read={
            "TRUTH": lambda: truth_214(genotypes, curves).lazy(),
            "CURVES": lambda: curves_214(genotypes, curves).lazy(),
        },
        notes=("accuracy is the best test accuracy of the 600 epochs, as the file records it",),
    )


def load_1000(data: Path | None = None) -> Benchmark:
    """The 1,000: TRUTH, split ``valid``, schedule 200."""
    path = find(_RANDOM, data)
    return Benchmark(
        name="darts-1000",
        space="darts",
        datasets=("cifar10",),
        inputs=(path,),
        read={"TRUTH": lambda: truth_1000(path).lazy()},
        notes=("validation accuracy; normal and reduction cell are the same in every architecture",),
    )


@reads("pickled genotypes")
def read_genotypes(path: Path, space: str = SPACE.name) -> list[Arch]:
    """Architectures of a pickled list of ``Genotype`` objects, by `normal` and `reduce`; their code is not run."""
    records = safe_pickle.load(path, safe_pickle.DARTS_SAMPLE)
    if not isinstance(records, list):
        raise DataFileError(f"{path}: expected a list of Genotype objects, got {type(records).__name__}")
    archs = []
    for number, record in enumerate(records):
        state = getattr(record, "record_state", record)
        try:
            archs.append(
                SPACE.from_genotype(
                    {k: v for k, v in state.items() if k in ("normal", "reduce", "normal_concat", "reduce_concat")}
                )
            )
        except (ArchError, AttributeError) as error:
            raise DataFileError(f"{path}: entry {number}: {error}") from error
    return archs


def truth_214(genotypes: Path, curves: Path) -> pl.DataFrame:
    """TRUTH frame of the 214: the accuracy recorded with each, checked against its curve."""
    archs, accuracy, history = _read_214(genotypes, curves)
    return _truth("darts-214", archs, accuracy, "test", history.shape[1], genotypes)


def curves_214(genotypes: Path, curves: Path) -> pl.DataFrame:
    """CURVES frame of the 214: ``test_accuracy`` (percent) after each completed epoch; nothing else is recorded."""
    archs, _, history = _read_214(genotypes, curves)
    epochs = history.shape[1]
    seeds, keep = _number_runs(archs, [tuple(row) for row in history])
    kept = len(keep)
    frame = pl.DataFrame(
        {
            "arch": pl.Series([str(archs[i]) for i in keep]).gather(np.repeat(np.arange(kept), epochs)),
            "seed": pl.Series([seeds[i] for i in keep], dtype=pl.Int64).gather(np.repeat(np.arange(kept), epochs)),
            "step": np.tile(np.arange(1, epochs + 1), kept),
            "test_accuracy": history[keep].ravel(),
        }
    )
    frame = frame.with_columns(
        benchmark=pl.lit("darts-214"),
        dataset=pl.lit("cifar10"),
        method=pl.lit("scratch"),
        setting=pl.lit(""),
        schedule=pl.lit(epochs, pl.Int64),
        unit=pl.lit("epoch"),
    )
    return check(frame, "CURVES", where=str(curves))


@reads("genotypes and accuracies as CSV")
def truth_1000(path: Path) -> pl.DataFrame:
    """TRUTH frame of the 1,000."""
    archs, accuracy = [], []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if len(row) != 2:
                    raise DataFileError(
                        f"{path}: line {number}: expected a genotype and an accuracy, got {len(row)} fields"
                    )
                try:
                    archs.append(SPACE.parse(row[0]))
                    accuracy.append(float(row[1]))
                except (ArchError, ValueError) as error:
                    raise DataFileError(f"{path}: line {number}: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFileError(f"{path}: expected CSV of genotypes and accuracies, got {error}") from error
    if len(archs) != 1000:
        raise DataFileError(f"{path}: expected 1000 rows, got {len(archs)}; is the download complete?")
    return _truth("darts-1000", archs, accuracy, "valid", 200, path)


def _read_214(genotypes: Path, curves: Path) -> tuple[list[Arch], list[float], npt.NDArray[np.float64]]:
    records = safe_pickle.load(genotypes, safe_pickle.NUMPY)
    try:
        pairs = [(str(text), float(accuracy)) for text, accuracy in records]
    except (TypeError, ValueError, OverflowError) as error:
        raise DataFileError(f"{genotypes}: expected pairs of genotype text and accuracy, got {error}") from error
    history = _curves_214(curves)
    if len(pairs) != 214:
        raise DataFileError(f"{genotypes}: expected 214 architectures, got {len(pairs)}; is the download complete?")
    archs = []
    for number, (text, accuracy) in enumerate(pairs):
        try:
            archs.append(SPACE.parse(text))
        except ArchError as error:
            raise DataFileError(f"{genotypes}: entry {number}: {error}") from error
        if not abs(history[number].max() - accuracy) < 5e-3:
            raise DataFileError(
                f"{genotypes}: entry {number}: expected the best epoch of its curve, "
                f"{history[number].max():.2f}, got {accuracy}; {curves.name} belongs to another list"
            )
    return archs, [accuracy for _, accuracy in pairs], history


@reads("a whole numpy file of curves")
def _curves_214(path: Path) -> npt.NDArray[np.float64]:
    # Mapped, not read: a damaged header may speak of 6e12 numbers.
    history = np.load(regular(path), mmap_mode="r", allow_pickle=False)
    if history.shape != (214, 600) or history.dtype.kind != "f":
        raise DataFileError(
            f"{path}: expected 214 curves of 600 epochs, got an array {history.dtype} of shape {history.shape}"
        )
    return np.array(history, dtype=np.float64)


def _truth(
    benchmark: str, archs: Sequence[Arch], accuracy: Sequence[float], split: str, schedule: int, path: Path
) -> pl.DataFrame:
    seeds, keep = _number_runs(archs, accuracy)
    frame = pl.DataFrame(
        {
            "arch": [str(archs[i]) for i in keep],
            "seed": pl.Series([seeds[i] for i in keep], dtype=pl.Int64),
            "accuracy": [accuracy[i] for i in keep],
        }
    )
    frame = frame.with_columns(
        benchmark=pl.lit(benchmark),
        dataset=pl.lit("cifar10"),
        split=pl.lit(split),
        schedule=pl.lit(schedule, pl.Int64),
        origin=pl.lit("trained"),
    )
    return check(frame, "TRUTH", where=str(path))


def _number_runs(archs: Sequence[Arch], results: Sequence[object]) -> tuple[list[int | None], list[int]]:
    """The rule for duplicates: seed of each row (null where an architecture has one result), and the rows to keep."""
    runs_of: dict[Arch, dict[object, int]] = {}
    keep = []
    for i, (arch, result) in enumerate(zip(archs, results, strict=True)):
        runs = runs_of.setdefault(arch, {})
        if result not in runs:
            runs[result] = len(runs)
            keep.append(i)
    seeds = [runs_of[a][r] if len(runs_of[a]) > 1 else None for a, r in zip(archs, results, strict=True)]
    return seeds, keep
