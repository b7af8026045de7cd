"""Known faults of the NAS-Bench-201 files, found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ...core.errors import DataFileError
from ...spaces.nb201 import SPACE
from .. import safe_pickle
from ..files import find
from .arch_codes import index_order


def faulty_cost_records(data: Path | str | None = None) -> pl.DataFrame:
    """Architectures whose parameter count, as NATS-Bench records it at 200 epochs, is not the exact one.

    Read from ``nb201/per_seed_200_epochs.pkl`` (CIFAR-10), in index order. Columns: ``arch``, ``recorded``
    and ``exact`` (count), ``difference`` (recorded - exact). 150 rows: each is off by one 1x1 convolution
    (28,000) or one 3x3 (243,040).
    """
    path = find("nb201/per_seed_200_epochs.pkl", data)
    content = safe_pickle.load(path, safe_pickle.NUMPY)
    try:
        size = np.asarray(content["cifar10"]["size_in_mb"], dtype=float)
        runtime = np.asarray(content["cifar10"]["runtime"], dtype=float)
        starts = np.flatnonzero(np.r_[True, (size[1:] != size[:-1]) | (runtime[1:] != runtime[:-1])])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataFileError(f"{path}: expected ['cifar10'] with columns size_in_mb and runtime, got {error}") from error
    if len(starts) != len(SPACE):
        raise DataFileError(f"{path}: expected {len(SPACE)} groups of runs, got {len(starts)}")
    exact = np.array([SPACE.params(arch, "cifar10") for arch in SPACE])
    table = pl.DataFrame(
        {
            "arch": index_order("nb201"),
            "recorded": np.rint(size[starts] * 1e6).astype(np.int64),
            "exact": exact,
        }
    ).with_columns(difference=pl.col("recorded") - pl.col("exact"))
    return table.filter(pl.col("difference") != 0)
