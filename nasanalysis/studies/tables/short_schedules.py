"""What accuracy after a short training says of the accuracy after the whole: NAS-Bench-201, 12 epochs against 200."""

from __future__ import annotations

import polars as pl

from ... import stats
from ...core.frames import to_polars
from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells
from ..items import Resampling, Sources

#: Sample -> what a reader calls it.
SAMPLES = {"all": "all", "thesis": "the thesis's 200"}


def short_schedules(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """Spearman's of validation accuracy after 12 epochs with mean test accuracy after 200, CIFAR-10."""
    benchmark = sources.benchmark("nb201")
    short = benchmark.truth("cifar10-valid", split="valid", schedule=12).filter(pl.col("seed").is_null())
    truth = benchmark.truth("cifar10", split="test", schedule=200).filter(pl.col("seed").is_null())
    scores = short.select("arch", proxy=pl.lit("val_acc"), value="accuracy")
    rows, cells = [], []
    for sample, said in SAMPLES.items():
        few = None if sample == "all" else set(sources.named_archs(sample, "nb201") or ())
        chosen = truth if few is None else truth.filter(pl.col("arch").is_in(few))
        one = to_polars(
            stats.correlate(
                chosen.select("arch", "accuracy"), scores.filter(pl.col("arch").is_in(chosen["arch"].implode())),
                statistics=["spearman_rho"], n_boot=resampling.n, seed=resampling.seed,
            )
        ).row(0, named=True)  # fmt: skip
        rows.append((sample, one["estimate"], one["ci_low"], one["ci_high"], one["n_archs"]))
        cells.append([said, with_interval(one["estimate"], one["ci_low"], one["ci_high"], 3), f"{one['n_archs']:,}"])
    frame = pl.DataFrame(rows, schema=["sample", "estimate", "ci_low", "ci_high", "n_archs"], orient="row")
    note = "Validation accuracy: mean of two trainings on half of CIFAR-10; truth: mean of the recorded runs."
    return Table("short-schedules", "Twelve epochs against two hundred", ["architectures", "Spearman's ρ", "n"],
                 cells, frame, [False, True, True], note)  # fmt: skip
