"""One-shot evaluations of NAS-Bench-101 cells by Pourchot, Ducarouge and Sigaud (2020, "To Share or Not To Share").

``one_shot/<method>/space<n>/seed<k>/eval_results.pkl``: 1,000 cells, drawn with replacement, measured with
the weights of one supernet trained on the cells whose output has exactly n inner parents. These are *not*
the three NAS-Bench-1shot1 spaces, so the setting of their scores reads ``output_degree=<n>``. Methods:
``baseline_no_ft``, ``baseline_ft_bn`` and ``single-k_ft_bn``, where ``ft_bn`` means that batch-norm
statistics were estimated anew for each cell. Each file also holds the three official runs of its cells.

The authors' own folders, ``<method>/<n>/<k>/eval_results.pkl``, are read too. Those called ``full`` (``full_0`` ...)
are of supernets over cells of every degree: the setting reads ``space=full``. Files elsewhere are not read, and named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ...core.errors import ArchError, DataFileError
from ...core.reading import reading
from ...core.shown import shown
from ...spaces.nb101 import SPACE
from .. import safe_pickle
from .records import runs_frame, spec_runs

#: Operation indices of the files' ``architecture``.
_OPERATIONS = ("maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
_NAME = "eval_results.pkl"
_PLACE = re.compile(
    r"(?P<method>[^/]+)/(?:space)?(?P<space>(?P<degree>\d{1,2})|full(?:_\w+)?)/(?:seed)?(?P<seed>\d{1,9})/eval_results\.pkl"
)

Entry = dict[str, Any]


def oneshot_files(folder: Path) -> list[Path]:
    """The evaluation files in a folder ``one_shot``, by method, space and seed."""
    return [path for path in _evaluations(folder) if _PLACE.search(path.as_posix())]


def other_files(folder: Path) -> list[Path]:
    """Evaluation files in a folder ``one_shot`` whose path does not say what they are: they are not read."""
    return [path for path in _evaluations(folder) if not _PLACE.search(path.as_posix())]


def _evaluations(folder: Path) -> list[Path]:
    return sorted(folder.rglob(_NAME))


def read_oneshot(files: list[Path]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(scores, RUNS) of evaluation files.

    Scores: columns ``arch, method, setting, seed, value, draws``. A cell that was drawn again has one row:
    ``value`` is the mean accuracy (percent) over its ``draws``, which differ by up to 1.6 points where
    batch-norm statistics were estimated anew, and not at all elsewhere. RUNS: the official runs, each cell once.
    """
    values: list[tuple[str, str, str, int, float]] = []
    runs: dict[tuple[str, int, int], list[float | None]] = {}
    for path in files:
        place = _PLACE.search(path.as_posix())
        if not place:
            raise DataFileError(f"{path}: expected a path <method>/space<n>/seed<k>/eval_results.pkl")
        method, seed = place["method"], int(place["seed"])
        degree = int(place["degree"]) if place["degree"] else None
        setting = f"space={place['space']}" if degree is None else f"output_degree={degree}"
        for number, entry in enumerate(_entries(path)):
            with reading(f"{path}: entry {number}", "an evaluation of a cell"):
                try:
                    arch, accuracy, rows = _entry(entry, degree)
                except (ArchError, KeyError, IndexError, TypeError, ValueError) as error:
                    raise DataFileError(f"{path}: entry {number}: {type(error).__name__}: {error}") from error
            values.append((arch, method, setting, seed, accuracy))
            for row_arch, schedule, repeat, row in rows:
                if runs.setdefault((row_arch, schedule, repeat), row) != row:
                    raise DataFileError(f"{path}: entry {number}: other official runs of {row_arch} than met before")
    schema = {
        "arch": pl.String(),
        "method": pl.String(),
        "setting": pl.String(),
        "seed": pl.Int64(),
        "value": pl.Float64(),
    }
    scores = pl.DataFrame(values, schema=schema, orient="row")
    scores = scores.group_by("arch", "method", "setting", "seed", maintain_order=True).agg(
        pl.col("value").mean(), draws=pl.len().cast(pl.Int64)
    )
    return scores, runs_frame((*key, row) for key, row in runs.items())


def scores_of_oneshot(table: pl.LazyFrame) -> pl.LazyFrame:
    """SCORES: proxy ``val_acc``, validation accuracy in percent with inherited weights; ``seed`` is the supernet's."""
    return table.select(
        benchmark=pl.lit("nb101"),
        dataset=pl.lit("cifar10"),
        arch="arch",
        method="method",
        setting="setting",
        proxy=pl.lit("val_acc"),
        seed="seed",
        unit=pl.lit(None, pl.String),
        step=pl.lit(None, pl.Int64),
        value="value",
    )


def _entries(path: Path) -> Iterator[Entry]:
    loaded = safe_pickle.load(path, safe_pickle.NUMPY)
    if not isinstance(loaded, list) or not loaded or not all(isinstance(entry, dict) for entry in loaded):
        raise DataFileError(f"{path}: expected a list of dicts, one for each evaluation, got {type(loaded).__name__}")
    yield from loaded


def _entry(entry: Entry, degree: int | None) -> tuple[str, float, list[tuple[str, int, int, list[float | None]]]]:
    matrix, choices = entry["architecture"]
    names = [_OPERATIONS[_index(choice)] for choice in np.asarray(choices).tolist()]
    arch = SPACE.from_spec(np.asarray(matrix), ["input", *names, "output"])
    spec, by_schedule = entry["full_metrics"]
    rows = list(spec_runs(spec, by_schedule))
    if any(row[0] != str(arch) for row in rows):
        raise ValueError(f"the cell evaluated, {arch}, is not the cell of the official runs, {rows[0][0]}")
    inner = int(SPACE.spec(arch)[0][1:-1, -1].sum())
    if degree is not None and inner != degree:
        raise ValueError(f"expected a cell whose output has {degree} inner parents, got {inner}: {arch}")
    fraction = float(entry["proxy_metrics"]["final_validation_accuracy"])
    if not 0 <= fraction <= 1:
        raise ValueError(f"expected an accuracy from 0 to 1, got {fraction!r}")
    return str(arch), 100 * fraction, rows


def _index(choice: float) -> int:
    if choice not in (0, 1, 2):
        raise ValueError(f"expected operations 0, 1 or 2, got {shown.repr(choice)}")
    return int(choice)
