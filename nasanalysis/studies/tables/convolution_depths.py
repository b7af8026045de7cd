"""Does depth cost accuracy where nothing else differs? Space 3 of NAS-Bench-1shot1, five 3x3 convolutions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import polars as pl

from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells
from ...search.selected import t_interval
from ...spaces import get_space
from ...spaces.nb1shot1 import NB1Shot1
from ..items import Resampling, Sources

SPACE, OPERATION = "nb101-3", "conv3x3"


def convolution_depths(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each depth (edges of the longest path from input to output): accuracy of the distinct cells."""
    depths = dict(_cells(get_space(SPACE, NB1Shot1)))
    truth = sources.benchmark(SPACE).truth("cifar10", split="test", schedule=108, archs=list(depths))
    known = truth.filter(pl.col("seed").is_null()).select("arch", "accuracy")
    space = get_space(SPACE, NB1Shot1)
    found = known.with_columns(
        depth=pl.Series([depths[arch] for arch in known["arch"]], dtype=pl.Int64),
        cell=pl.Series([str(space.cell(arch)) for arch in known["arch"]], dtype=pl.String),
    ).unique("cell", keep="first", maintain_order=True)
    rows = []
    groups = [
        (f"{depth[0]}", part) for depth, part in found.sort("depth", "arch").group_by("depth", maintain_order=True)
    ]
    for name, part in [*groups, ("at most 3", found.filter(pl.col("depth") <= 3))]:
        values = part["accuracy"].to_numpy().astype(np.float64)
        low, high = t_interval(values, resampling.level)
        rows.append((name, float(values.mean()), low, high, float(values.min()), float(values.max()), len(values)))
    columns = ["depth", "mean", "ci_low", "ci_high", "lowest", "highest", "cells"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    cells = [[r[0], with_interval(*r[1:4], 2), f"{r[4]:.2f}", f"{r[5]:.2f}", str(r[6])] for r in rows]
    header = ["depth", "mean test accuracy (%)", "lowest", "highest", "cells"]
    note = "Mean test accuracy of three runs of 108 epochs, CIFAR-10; brackets: 95 %, Student's t over distinct cells."
    return Table("convolution-depths", "Depth and accuracy of cells of 3x3 convolutions", header, cells, frame,
                 [False, *[True] * 4], note)  # fmt: skip


def _cells(space: NB1Shot1) -> Iterator[tuple[str, int]]:
    """Every encoding with that operation alone, and its depth."""
    for parents in itertools.product(*space.combinations):
        depths = [0]
        for sources in parents:
            depths.append(1 + max(depths[source] for source in sources))
        nodes = [f"{OPERATION}~{''.join(map(str, of))}" for of in parents[:-1]]
        text = "+".join([*nodes, f"output~{''.join(map(str, parents[-1]))}"])
        yield str(space.parse(text)), depths[-1]
