"""Logs of real searches by the authors of RobustDARTS (Zela et al. 2020): DARTS, and random search, in small spaces.

One folder per setting, ``s1/cifar10/<drop-path>_<L2 factor>-<job>`` (`robust_runs` says which folders there are), with
for each of three seeds k

==========================  =====================================================================
``derivatives_k.json[.gz]`` one JSON object per line (epochs 0, 2, ..., 48, 49): ``H``, the full
                            Hessian of the validation loss in the architecture parameters, in which
                            the architecture weight decay stands on the diagonal (0.001 I)
``errors_k.json``           lists over 50 epochs, ``train_acc`` and ``valid_acc`` in percent. In part of
                            the searches (without drop-path, or with the smallest L2 factor) these are
                            *errors*, in the others accuracies. Here they are always errors:
                            ``train_error``, ``valid_error``; `errors` says how the two are told apart
``arch_k``                  the genotype found after the last epoch
``log_k.txt``               the log, with the genotype of every epoch
==========================  =====================================================================

``results_perf.yaml`` and ``results_arch.yaml`` hold the last validation error of the search model and the
genotype of all runs, in S1 on CIFAR-10 and S3 on SVHN. Epochs are as logged: number e is the state
after epoch e, counted from 0. In S1 the 56 parameters are 28 edges (14 normal, 14 reduce) by 2 operations; in S3 there
are 84, by 3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ...core.errors import ArchError, DataFileError, MissingExtraError
from ...core.frames import check
from ...core.reading import reading, reads
from ...core.shown import shown, words
from ...spaces import get_space
from ..benchmark import Benchmark
from ..files import find
from ..safe_pickle import read_bytes
from .robust_runs import Run, log_folders, run, runs, spelled, survey

__all__ = [
    "Run",
    "dominant_eigenvalues",
    "errors",
    "genotypes",
    "hessians",
    "holds_accuracies",
    "load",
    "results",
    "run",
    "runs",
    "survey",
    "trace",
]

Matrix = npt.NDArray[np.float64]

#: Architecture weight decay of these searches, on the diagonal of every logged Hessian.
ARCH_DECAY = 1e-3
#: Architecture parameters of a space: 28 edges by its operations.
_PARAMETERS = {"s1": 56, "s2": 56, "s3": 84, "s4": 56}
_GROUP = re.compile(r"(s[1-4])_(cifar10|cifar100|svhn)")
#: Two percentages are the same number: the files hold some fifteen digits of them.
_SAME = 1e-3
_GENOTYPE = re.compile(r"genotype = (Genotype\(.*\))")
#: Most bytes of a results file: YAML is read at a megabyte in ten seconds (the real files have 10 kB).
_YAML_LIMIT = 2**20
_EPOCH = re.compile(r" epoch (\d+) lr ")
_ERRORS = {
    "train_acc": "train_error",
    "valid_acc": "valid_error",
    "train_loss": "train_loss",
    "valid_loss": "valid_loss",
}


def load(data: Path | None = None) -> Benchmark:
    """The logs as a benchmark that records TRACE (`Benchmark.lazy` reads it): no truth, no curves of architectures."""
    root = find("robust_darts", data)
    searches, unread = survey(root)
    if not searches:
        runs(root)  # raises: says what was looked for
    datasets = dict.fromkeys(["cifar10", "svhn", *sorted({search.dataset for search in searches})])
    return Benchmark(
        name="robust-darts",
        space="s1",
        datasets=tuple(datasets),
        inputs=(*sorted(root.glob("results_perf.yaml")), *(path for search in searches for path in search.files())),
        read={"TRACE": lambda: trace(root).lazy()},
        notes=(
            "epochs as logged, from 0; Hessians with the architecture weight decay 0.001 I in them",
            *_said_of_errors(searches),
            *unread,
        ),
    )


def _said_of_errors(searches: Sequence[Run]) -> Iterator[str]:
    """In whose files accuracies stand under the names of errors, in one sentence; damaged files are told elsewhere."""
    turned = []
    for search in searches:
        with suppress(DataFileError):
            turned += [search] if holds_accuracies(search) else []
    if turned:
        settings = sorted({f"{s.method} {s.space}/{s.dataset} {s.setting}" for s in turned})
        yield (
            f"errors_k.json of {len(turned)} of {len(searches)} searches holds accuracies; they are read as 100 minus "
            f"that: {', '.join(settings)}"
        )


def hessians(search: Run, *, with_decay: bool = True) -> tuple[npt.NDArray[np.int64], Matrix]:
    """Logged Hessians of one search.

    Parameters
    ----------
    with_decay: as logged, with 0.001 I; False takes it off.

    Returns
    -------
    Epochs (n,), and matrices (n, p, p): second derivatives of the validation loss on one minibatch; p is 56, in S3 84.

    `MissingDataError` where none were logged (`Run.has_hessians`).
    """
    epochs, matrices = _read_hessians(search.file("derivatives", ".json"), _PARAMETERS.get(search.space, 56))
    return epochs.copy(), matrices - (0 if with_decay else ARCH_DECAY) * np.eye(matrices.shape[1])


def dominant_eigenvalues(search: Run, *, with_decay: bool = True) -> dict[int, float]:
    """Logged epoch -> largest eigenvalue of the Hessian in the architecture parameters."""
    epochs, matrices = hessians(search, with_decay=with_decay)
    largest = np.linalg.eigvalsh((matrices + matrices.transpose(0, 2, 1)) / 2)[:, -1]
    return dict(zip(epochs.tolist(), largest.tolist(), strict=True))


def spectra(searches: Iterable[Run], *, with_decay: bool = True) -> pl.DataFrame:
    """TRACE of ``arch_hessian_spectrum``: every logged eigenvalue, ``part`` its number from the lowest.

    Searches whose Hessians were not logged are left out.
    """
    rows = []
    for search in searches:
        if search.has_hessians:
            epochs, matrices = hessians(search, with_decay=with_decay)
            values = np.linalg.eigvalsh((matrices + matrices.transpose(0, 2, 1)) / 2)
            setting = spelled(search.dataset, search.space, search.setting)
            for epoch, row in zip(epochs.tolist(), values.tolist(), strict=True):
                rows += [
                    ("robust-darts", search.dataset, search.method, setting, str(i), search.seed, epoch, value)
                    for i, value in enumerate(row)
                ]
    schema = ["benchmark", "dataset", "method", "setting", "part", "seed", "epoch", "value"]
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(quantity=pl.lit("arch_hessian_spectrum"))
    return check(frame, "TRACE")


def errors(search: Run) -> pl.DataFrame:
    """Columns ``epoch``, ``train_error``, ``valid_error`` (percent), ``train_loss``, ``valid_loss`` (nats).

    Always errors, also where the file holds accuracies (`holds_accuracies`).
    """
    columns = _logged(search.file("errors", ".json"))
    table = pl.DataFrame({"epoch": range(len(columns["valid_error"])), **columns}, schema_overrides={"epoch": pl.Int64})
    if holds_accuracies(search):
        table = table.with_columns((100 - pl.col(name)).alias(name) for name in ("train_error", "valid_error"))
    return table


def holds_accuracies(search: Run) -> bool:
    """Whether what ``errors_k.json`` calls ``train_acc`` and ``valid_acc`` are accuracies, not errors.

    The results file says so where it has the search: its last error is the last entry, or 100 minus that. Else the
    course of the training does: errors fall with the loss, accuracies rise as it falls.
    """
    columns = _logged(search.file("errors", ".json"))
    last, known = columns["valid_error"][-1], _known_error(search)
    if known is not None:
        as_error, as_accuracy = abs(last - known) < _SAME, abs(100 - last - known) < _SAME
        if as_error != as_accuracy:
            return as_accuracy
    values, losses = np.array(columns["train_error"]), np.array(columns["train_loss"])
    return bool((values - values.mean()) @ (losses - losses.mean()) < 0)


@reads("a log of errors and losses")
def _logged(path: Path) -> dict[str, list[float]]:
    """The four lists of an ``errors_k.json`` by our names, as they stand there."""
    content = _json(read_bytes(path), path)
    if not isinstance(content, dict) or set(content) != set(_ERRORS):
        got = words(content) if isinstance(content, dict) else type(content).__name__
        raise DataFileError(f"{path}: expected the keys {', '.join(_ERRORS)}, got {got:.80}")
    lengths = {len(values) if isinstance(values, list) else -1 for values in content.values()}
    if len(lengths) != 1 or min(lengths) < 1:
        raise DataFileError(f"{path}: expected four lists of equal length, got lengths {sorted(lengths)}")
    try:
        columns = {name: [float(v) for v in content[key]] for key, name in _ERRORS.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise DataFileError(f"{path}: expected numbers, got {error!s:.80}") from error
    for name in ("train_error", "valid_error"):
        if not all(0 <= value <= 100 for value in columns[name]):
            raise DataFileError(
                f"{path}: {name}: expected percent, 0 to 100, got {min(columns[name])} to {max(columns[name])}"
            )
    return columns


def _known_error(search: Run) -> float | None:
    """The last validation error that the results file beside the folder of the search's space has; None without one."""
    path = search.folder.parents[2] / "results_perf.yaml" if len(search.folder.parents) > 2 else None
    if search.method != "darts" or path is None or not path.is_file():
        return None
    return _last_errors(path, path.stat().st_mtime_ns).get((search.space, search.dataset, search.setting, search.seed))


@lru_cache(maxsize=4)
def _last_errors(path: Path, _changed: int) -> dict[tuple[str, str, str, int], float]:
    """(space, dataset, setting, seed) -> last error; {} where the file cannot be read: `results` says why."""
    try:
        return {key: _percent(value, path) for key, value in _results_of(path)}
    except (DataFileError, MissingExtraError):
        return {}


def genotypes(search: Run) -> dict[int, str]:
    """Logged epoch -> genotype as text ``s1:key``: of the last epoch, and of every one where the log is at hand."""
    last = errors(search)["epoch"].to_list()[-1]
    path = search.file("arch", "")
    by_epoch = {last: _arch(_utf8(read_bytes(path), path), search.space, path)}
    if search.log.exists():
        epoch = None
        for line in _utf8(read_bytes(search.log), search.log).splitlines():
            if started := _EPOCH.search(line):
                epoch = int(started[1])
            elif (match := _GENOTYPE.search(line)) and epoch is not None:
                by_epoch[epoch] = _arch(match[1], search.space, search.log)
    return dict(sorted(by_epoch.items()))


def trace(root: Path) -> pl.DataFrame:
    """TRACE frame of every search.

    Quantities: ``arch_hessian_ev`` (largest eigenvalue, as logged), ``arch_hessian_ev_without_decay``,
    ``train_error``, ``valid_error``, ``train_loss``, ``valid_loss``, ``genotype`` (text). A search whose Hessians were
    not logged has no eigenvalues. The setting is the folder's, with the space in front (``s2/0.2_0.0003``) where that
    is not S1 on CIFAR-10 or S3 on SVHN.
    """
    frames = [_trace_of(search) for search in runs(root)]
    return check(pl.concat(frames), "TRACE", where=str(root))


def _trace_of(search: Run) -> pl.DataFrame:
    rows: list[tuple[int, str, float | None, str | None]] = []
    for epoch, value in dominant_eigenvalues(search).items() if search.has_hessians else ():
        # Taking c I off a matrix takes c off each of its eigenvalues.
        rows += [
            (epoch, "arch_hessian_ev", value, None),
            (epoch, "arch_hessian_ev_without_decay", value - ARCH_DECAY, None),
        ]
    for row in errors(search).to_dicts():
        rows += [(row["epoch"], name, row[name], None) for name in _ERRORS.values()]
    rows += [(epoch, "genotype", None, text) for epoch, text in genotypes(search).items()]
    setting = spelled(search.dataset, search.space, search.setting)
    return _trace_frame([(search.dataset, setting, search.seed, *row) for row in rows], search.method)


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
    home = next((folder for folder in log_folders(root) if (folder / "results_perf.yaml").exists()), root)
    rows: list[tuple[Any, ...]] = []
    for path in (home / "results_perf.yaml", home / "results_arch.yaml"):
        for (space, dataset, setting, seed), value in _results_of(path):
            where = (dataset, spelled(dataset, space, setting), seed, 49)
            if path.name == "results_perf.yaml":
                rows.append((*where, "valid_error", _percent(value, path), None))
            else:
                rows.append((*where, "genotype", None, _arch(_text(value, path), space, path)))
    return check(_trace_frame(rows, "darts"), "TRACE", where=str(root))


def _results_of(path: Path) -> Iterator[tuple[tuple[str, str, str, int], Any]]:
    """((space, dataset, setting, seed), what it says) of a results file."""
    for group, settings in _mapping(_yaml(path), path).items():
        match = _GROUP.fullmatch(str(group)[:40])
        if match is None:
            raise DataFileError(f"{path}: expected groups such as s1_cifar10, s3_svhn, got {shown.repr(group)}")
        for setting, seeds in _mapping(settings, path).items():
            for seed, value in _mapping(seeds, path).items():
                yield (match[1], match[2], str(setting), _integer(seed, path)), value


@lru_cache(maxsize=4)
@reads("one Hessian in each line")
def _read_hessians(path: Path, size: int) -> tuple[npt.NDArray[np.int64], Matrix]:
    epochs: list[int] = []
    matrices: list[Matrix] = []
    for number, line in _lines(path):
        record = _json(line, path, number)
        try:
            epoch, matrix = int(record["epoch"]), np.array(record["H"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise DataFileError(
                f"{path}: line {number}: expected an epoch and a square matrix H, got none ({type(error).__name__})"
            ) from error
        if matrix.shape != (size, size):
            raise DataFileError(
                f"{path}: line {number}: expected a Hessian of {size} by {size} (one row for each operation of each "
                f"edge), got {matrix.shape}"
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
        raise DataFileError(f"{where}: expected JSON, got {_said(error)}; is the file complete?") from error


def _said(error: Exception) -> str:
    return str(error).partition(";")[0]  # of a number of thousands of digits Python says how to read it nevertheless


def _utf8(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path}: expected text, got {error}") from error


def _arch(text: str, space: str, path: Path) -> str:
    try:
        with reading(path, "a genotype"):
            return str(get_space(space).parse(text))
    except ArchError as error:
        raise DataFileError(f"{path}: {error}") from error


@reads("YAML")
def _yaml(path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("yaml", "robust-darts", "reading RobustDARTS's results files") from error

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):  # nine of nine of nine ... take 100 bytes to write
                raise DataFileError(f"{path}: expected YAML without aliases, got one; write out what it stands for")
            return super().compose_node(parent, index)

    try:
        return yaml.load(_utf8(read_bytes(path, _YAML_LIMIT), path), Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataFileError(f"{path}: expected YAML, got {str(error).splitlines()[0]}") from error


def _mapping(value: object, path: Path) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise DataFileError(f"{path}: expected a mapping (group, setting, seed), got {type(value).__name__}")
    return value


def _text(value: object, path: Path) -> str:
    if not isinstance(value, str):
        raise DataFileError(f"{path}: expected a genotype as text, got {shown.repr(value)}")
    return value


def _integer(value: object, path: Path) -> int:
    if type(value) is not int:
        raise DataFileError(f"{path}: expected a seed, got {shown.repr(value)}")
    return value


def _percent(value: object, path: Path) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 100:
        raise DataFileError(f"{path}: expected an error in percent, got {shown.repr(value)}")
    return float(value)
