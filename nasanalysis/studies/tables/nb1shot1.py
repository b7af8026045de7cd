"""What counting an architecture several times does: the thesis's samples of the NAS-Bench-1shot1 spaces."""

from __future__ import annotations

import numpy as np
import polars as pl

from ... import stats
from ...core.seeding import generator
from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells, places
from ..items import Resampling, Sources

SPACES = ("nb101-1", "nb101-2", "nb101-3")


def nb1shot1_samples(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """Spearman of parameters with mean test accuracy on the thesis's samples, as drawn and on distinct cells."""
    record, rows = [], []
    for name in SPACES:
        printed = published.get(((name,), "spearman_rho"))
        cells = sample_cells(sources, name)
        row = [name, printed.value if printed else "–"]
        for counted, part in (("as drawn", cells), ("distinct", cells.unique("unique_arch", maintain_order=True))):
            rho, low, high = _rank_correlation(part, name, resampling)
            record.append((name, counted, len(part), rho, low, high, printed.number if printed else None))
            row += [str(len(part)), with_interval(rho, low, high, 3)]
        rows.append(row)
    columns = ["space", "cells", "n", "estimate", "ci_low", "ci_high", "published"]
    beside = places(published.values()) or "published"
    return Table(
        "nb1shot1-samples",
        "Parameters against test accuracy: the thesis's samples of the NAS-Bench-1shot1 spaces",
        ["space", beside, "drawn", "Spearman's ρ as drawn", "distinct cells", "on distinct cells"],
        rows,
        pl.DataFrame(record, schema=columns, orient="row", schema_overrides={"published": pl.Float64()}),
        [False, True, True, True, True, True],
        "The thesis drew encodings, many of which are the same NAS-Bench-101 cell: a cell drawn five times counts five "
        "times. On distinct cells the parameter count ranks less well. Brackets: 95 % percentile bootstrap over rows.",
    )


def sample_cells(sources: Sources, name: str) -> pl.DataFrame:
    """Parameters and accuracy of the sample's cells, in its order: those drawn several times stand several times."""
    benchmark = sources.benchmark(name)
    drawn = sources.named_archs("thesis", name)
    assert drawn is not None
    truth = benchmark.truth("cifar10", split="test", schedule=108, archs=drawn)
    truth = truth.filter(pl.col("seed").is_null()).select("arch", "accuracy")
    costs = benchmark.archs("cifar10", archs=drawn).select("arch", "unique_arch", "params")
    cells = pl.DataFrame({"arch": drawn}).join(costs, on="arch", maintain_order="left")
    return cells.join(truth, on="arch", maintain_order="left")  # resamples depend on the order of the rows


def _rank_correlation(
    cells: pl.DataFrame, name: str, resampling: Resampling
) -> tuple[float, float | None, float | None]:
    """Spearman's rho of parameters and accuracy, with its interval."""
    measure = stats.get_statistic("spearman_rho")
    params, accuracy = cells["params"].to_numpy().astype(np.float64), cells["accuracy"].to_numpy()
    rho = measure(params, accuracy)
    if not resampling.n:
        return rho, None, None
    rng = generator(resampling.seed, "nb1shot1", name)
    drawn = stats.bootstrap(measure.on_resamples, params, accuracy, rng=rng, n_boot=resampling.n)
    return rho, drawn.low, drawn.high
