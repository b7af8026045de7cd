"""How often the architectures of public benchmarks were trained: runs of each, as their files record them."""

from __future__ import annotations

import polars as pl

from ...report.cells import count, number
from ...report.model import Table
from ...report.published import Cells
from ..items import Resampling, Sources

#: (benchmark, data set, split, schedule) whose single runs are recorded.
RECORDED = (
    ("nb201", "cifar10-valid", "valid", 200),
    ("nb201", "cifar100", "valtest", 200),
    ("nb201", "ImageNet16-120", "valtest", 200),
    ("nb101", "cifar10", "test", 108),
)


def training_runs(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each of `RECORDED`: fewest and most runs of an architecture, and the share that has the most."""
    rows = []
    for name, dataset, split, schedule in RECORDED:
        truth = sources.benchmark(name).truth(dataset, split=split, schedule=schedule)
        runs = truth.drop_nulls("seed").group_by("arch").len()["len"]
        most = int(runs.max())  # type: ignore[arg-type]
        rows.append((name, dataset, schedule, len(runs), int(runs.min()), most, float((runs == most).mean())))  # type: ignore[arg-type]
    columns = ["benchmark", "dataset", "epochs", "architectures", "fewest", "most", "share"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    cells = [[*row[:2], str(row[2]), count(row[3]), str(row[4]), str(row[5]), number(row[6], 3)] for row in rows]
    header = ["benchmark", "data set", "epochs", "architectures", "fewest runs", "most runs", "share with the most"]
    note = "Of the architectures whose single runs are in the files at hand, not of their means."
    return Table("training-runs", "Runs of an architecture", header, cells, frame, [False, False, *[True] * 5], note)
