"""Logs of real DARTS searches by the authors of RobustDARTS (Zela et al. 2020): space S1, CIFAR-10.

One folder per setting, ``s1/cifar10/<drop-path>_<L2 factor>-<job>``, with for each of three seeds k

==========================  =====================================================================
``derivatives_k.json[.gz]`` one JSON object per line (epochs 0, 2, ..., 48, 49): ``H``, the full
                            Hessian of the validation loss in the architecture parameters, in which
                            the architecture weight decay stands on the diagonal (0.001 I)
``errors_k.json``           lists over 50 epochs. What the file calls ``train_acc`` and ``valid_acc``
                            are *errors* in percent; here they are ``train_error``, ``valid_error``
``arch_k``                  the genotype found after the last epoch
``log_1.txt``               the log of seed 1 (one setting only), with the genotype of every epoch
==========================  =====================================================================

``results_perf.yaml`` and ``results_arch.yaml`` hold the last validation error of the search model and the
genotype of all runs, in S1 on CIFAR-10 and S3 on SVHN. Epochs are as logged: number e is the state
after epoch e, counted from 0. The 56 parameters are 28 edges (14 normal, 14 reduce) by 2 operations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ...core.errors import ArchError, DataFileError, MissingExtraError, NasAnalysisError
from ...core.frames import check
from ...spaces import get_space
from ..benchmark import Benchmark
from ..files import find, missing
from ..safe_pickle import read_bytes

Matrix = npt.NDArray[np.float64]

#: Architecture weight decay of these searches, on the diagonal of every logged Hessian.
ARCH_DECAY = 1e-3
#: Dataset of a folder or a results file -> (space, dataset).
_RUNS = {"s1_cifar10": ("s1", "cifar10"), "s3_svhn": ("s3", "svhn")}
_FOLDER = re.compile(r"(?P<drop>\d+(?:\.\d+)?)_(?P<l2>\d+(?:\.\d+)?)(?:-(?P<job>\d+))?")
_GENOTYPE = re.compile(r"genotype = (Genotype\(.*\))")
_EPOCH = re.compile(r" epoch (\d+) lr ")
_ERRORS = {
    "train_acc": "train_error",
    "valid_acc": "valid_error",
    "train_loss": "train_loss",
    "valid_loss": "valid_loss",
}


@dataclass(frozen=True)
class Run:
    """One search: its setting (``<drop-path>_<L2>``, as the folder spells it), its seed, and where its files lie."""

    setting: str
    seed: int
    folder: Path

    @property
    def drop_path(self) -> float:
        """Maximal drop-path probability."""
        return float(self.setting.partition("_")[0])

    @property
    def weight_decay(self) -> float:
        """L2 factor on the weights."""
        return float(self.setting.partition("_")[2])

    def file(self, stem: str, suffix: str) -> Path:
        """``<stem>_<seed><suffix>``, packed by gzip or not."""
        for name in (f"{stem}_{self.seed}{suffix}", f"{stem}_{self.seed}{suffix}.gz"):
            if (self.folder / name).exists():
                return self.folder / name
        raise missing(f"robust-darts: {stem}_{self.seed}{suffix}", [self.folder])

    def files(self) -> Iterator[Path]:
        """The files that its trace is read from."""
        yield from (self.file("derivatives", ".json"), self.file("errors", ".json"), self.file("arch", ""))
        if self.log.exists():
            yield self.log

    @property
    def log(self) -> Path:
        """The training log, which not every search has here."""
        return self.folder / f"log_{self.seed}.txt"


def load(data: Path | None = None) -> Benchmark:
    """The logs as a benchmark that records TRACE (`Benchmark.lazy` reads it): no truth, no curves of architectures."""
    root = find("robust_darts", data)
    return Benchmark(
        name="robust-darts",
        space="s1",
        datasets=("cifar10", "svhn"),
        inputs=tuple(path for search in runs(root) for path in search.files()),
        read={"TRACE": lambda: trace(root).lazy()},
        notes=("epochs as logged, from 0; Hessians with the architecture weight decay 0.001 I in them",),
    )


def runs(root: Path) -> list[Run]:
    """Every search under `root` (the folder ``robust_darts``), by setting and seed."""
    folder = root / "s1" / "cifar10"
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = _FOLDER.fullmatch(path.name)
        if match and path.is_dir():
            seeds = sorted({int(p.name[5:]) for p in path.glob("arch_*") if p.name[5:].isdigit()})
            found += [Run(f"{match['drop']}_{match['l2']}", seed, path) for seed in seeds]
    if not found:
        raise missing("robust-darts: s1/cifar10/<drop>_<L2>-<job>/arch_<seed>", [folder])
    return found


def run(root: Path, setting: str, seed: int) -> Run:
    """One search by its setting, such as ``0.0_0.0003``, and seed."""
    every = runs(root)
    for found in every:
        if (found.setting, found.seed) == (setting, seed):
            return found
    settings = sorted({r.setting for r in every})
    raise NasAnalysisError(
        f"robust-darts: expected a setting of {', '.join(settings)} and a seed 1 to 3, got {setting!r}, {seed!r}"
    )


def hessians(search: Run, *, with_decay: bool = True) -> tuple[npt.NDArray[np.int64], Matrix]:
    """Logged Hessians of one search.

    Parameters
    ----------
    with_decay: as logged, with 0.001 I; False takes it off.

    Returns
    -------
    Epochs (n,), and matrices (n, 56, 56): second derivatives of the validation loss on one minibatch.
    """
    epochs, matrices = _read_hessians(search.file("derivatives", ".json"))
    return epochs.copy(), matrices - (0 if with_decay else ARCH_DECAY) * np.eye(matrices.shape[1])


def dominant_eigenvalues(search: Run, *, with_decay: bool = True) -> dict[int, float]:
    """Logged epoch -> largest eigenvalue of the Hessian in the architecture parameters."""
    epochs, matrices = hessians(search, with_decay=with_decay)
    largest = np.linalg.eigvalsh((matrices + matrices.transpose(0, 2, 1)) / 2)[:, -1]
    return dict(zip(epochs.tolist(), largest.tolist(), strict=True))


def errors(search: Run) -> pl.DataFrame:
    """Columns ``epoch``, ``train_error``, ``valid_error`` (percent), ``train_loss``, ``valid_loss`` (nats)."""
    path = search.file("errors", ".json")
    found = _json(read_bytes(path), path)
    if not isinstance(found, dict) or set(found) != set(_ERRORS):
        got = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
        raise DataFileError(f"{path}: expected the keys {', '.join(_ERRORS)}, got {got}")
    lengths = {len(values) if isinstance(values, list) else -1 for values in found.values()}
    if len(lengths) != 1 or min(lengths) < 1:
        raise DataFileError(f"{path}: expected four lists of equal length, got lengths {sorted(lengths)}")
    try:
        columns = {name: [float(v) for v in found[key]] for key, name in _ERRORS.items()}
    except (TypeError, ValueError) as error:
        raise DataFileError(f"{path}: expected numbers, got {error}") from error
    for name in ("train_error", "valid_error"):
        if not all(0 <= value <= 100 for value in columns[name]):
            raise DataFileError(
                f"{path}: {name}: expected percent, 0 to 100, got {min(columns[name])} to {max(columns[name])}"
            )
    return pl.DataFrame({"epoch": range(lengths.pop()), **columns}, schema_overrides={"epoch": pl.Int64})


def genotypes(search: Run) -> dict[int, str]:
    """Logged epoch -> genotype as text ``s1:key``: of the last epoch, and of every one where the log is at hand."""
    last = errors(search)["epoch"].to_list()[-1]
    path = search.file("arch", "")
    found = {last: _arch(_utf8(read_bytes(path), path), "s1", path)}
    if search.log.exists():
        epoch = None
        for line in _utf8(read_bytes(search.log), search.log).splitlines():
            if started := _EPOCH.search(line):
                epoch = int(started[1])
            elif (match := _GENOTYPE.search(line)) and epoch is not None:
                found[epoch] = _arch(match[1], "s1", search.log)
    return dict(sorted(found.items()))


def trace(root: Path) -> pl.DataFrame:
    """TRACE frame of every search.

    Quantities: ``arch_hessian_ev`` (largest eigenvalue, as logged), ``arch_hessian_ev_without_decay``,
    ``train_error``, ``valid_error``, ``train_loss``, ``valid_loss``, ``genotype`` (text). The S3 runs on SVHN
    have no logs here, only their last error and genotype (from the results files, where PyYAML is there).
    """
    frames = [_trace_of(search) for search in runs(root)]
    return check(pl.concat(frames), "TRACE", where=str(root))


def _trace_of(search: Run) -> pl.DataFrame:
    rows: list[tuple[int, str, float | None, str | None]] = []
    for epoch, value in dominant_eigenvalues(search).items():
        # Taking c I off a matrix takes c off each of its eigenvalues.
        rows += [
            (epoch, "arch_hessian_ev", value, None),
            (epoch, "arch_hessian_ev_without_decay", value - ARCH_DECAY, None),
        ]
    for row in errors(search).to_dicts():
        rows += [(row["epoch"], name, row[name], None) for name in _ERRORS.values()]
    rows += [(epoch, "genotype", None, text) for epoch, text in genotypes(search).items()]
    return _trace_frame([("cifar10", search.setting, search.seed, *row) for row in rows], "darts")


def _trace_frame(rows: list[tuple[Any, ...]], method: str) -> pl.DataFrame:
    schema = {
        "dataset": pl.String(),
        "setting": pl.String(),
        "seed": pl.Int64(),
        "epoch": pl.Int64(),
        "quantity": pl.String(),
        "value": pl.Float64(),
        "text": pl.String(),
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(benchmark=pl.lit("robust-darts"), method=pl.lit(method))


def results(root: Path) -> pl.DataFrame:
    """TRACE frame of the results files: ``valid_error`` (percent) and ``genotype`` of the last epoch (49) of all runs.

    Dataset ``cifar10`` is space S1, ``svhn`` S3. Needs PyYAML.
    """
    rows: list[tuple[Any, ...]] = []
    for name, quantity in (("results_perf.yaml", "valid_error"), ("results_arch.yaml", "genotype")):
        path = root / name
        for group, settings in _mapping(_yaml(path), path).items():
            if group not in _RUNS:
                raise DataFileError(f"{path}: expected the groups {', '.join(_RUNS)}, got {group!r}")
            space, dataset = _RUNS[group]
            for setting, seeds in _mapping(settings, path).items():
                for seed, value in _mapping(seeds, path).items():
                    where = (dataset, str(setting), _integer(seed, path), 49, quantity)
                    if quantity == "valid_error":
                        rows.append((*where, _percent(value, path), None))
                    else:
                        rows.append((*where, None, _arch(str(value), space, path)))
    return check(_trace_frame(rows, "darts"), "TRACE", where=str(root))


@lru_cache(maxsize=4)
def _read_hessians(path: Path) -> tuple[npt.NDArray[np.int64], Matrix]:
    epochs: list[int] = []
    matrices: list[Matrix] = []
    for number, line in _lines(path):
        record = _json(line, path, number)
        try:
            epoch, matrix = int(record["epoch"]), np.array(record["H"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise DataFileError(
                f"{path}: line {number}: expected an epoch and a square matrix H, got {error!r}"
            ) from error
        if matrix.ndim != 2 or matrix.shape != (56, 56):
            raise DataFileError(
                f"{path}: line {number}: expected a Hessian of 56 by 56 (28 edges by 2 operations), got {matrix.shape}"
            )
        if not np.isfinite(matrix).all():
            raise DataFileError(f"{path}: line {number}: the Hessian of epoch {epoch} holds values that are not finite")
        if epochs and epoch <= epochs[-1]:
            raise DataFileError(f"{path}: line {number}: expected epochs in order, got {epoch} after {epochs[-1]}")
        epochs.append(epoch)
        matrices.append(matrix)
    if not epochs:
        raise DataFileError(f"{path}: expected one Hessian per line, got an empty file")
    return np.array(epochs, dtype=np.int64), np.stack(matrices)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(read_bytes(path).splitlines(), start=1):
        if line.strip():
            yield number, line


def _json(data: bytes, path: Path, line: int | None = None) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        where = f"{path}: line {line}" if line else str(path)
        raise DataFileError(f"{where}: expected JSON, got {error}; is the file complete?") from error


def _utf8(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path}: expected text, got {error}") from error


def _arch(text: str, space: str, path: Path) -> str:
    try:
        return str(get_space(space).parse(text))
    except ArchError as error:
        raise DataFileError(f"{path}: {error}") from error


def _yaml(path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("yaml", "robust-darts", "reading RobustDARTS's results files") from error
    try:
        return yaml.safe_load(_utf8(read_bytes(path), path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataFileError(f"{path}: expected YAML, got {str(error).splitlines()[0]}") from error


def _mapping(value: object, path: Path) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise DataFileError(f"{path}: expected a mapping (group, setting, seed), got {type(value).__name__}")
    return value


def _integer(value: object, path: Path) -> int:
    if type(value) is not int:
        raise DataFileError(f"{path}: expected a seed, got {value!r}")
    return value


def _percent(value: object, path: Path) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 100:
        raise DataFileError(f"{path}: expected an error in percent, got {value!r}")
    return float(value)
