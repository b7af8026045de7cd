"""What training losses do while architectures are finetuned from a supernet (SoTL thesis, Figure 4.8)."""

from __future__ import annotations

import numpy as np
import polars as pl

from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells
from ...search.selected import t_interval
from ..items import Resampling, Sources

#: Kept losses of SPOS supernets (`nasanalysis supernet keep ... --losses spos`), and the rates shown.
LOSSES = "nb201_finetune_losses.parquet"
RATES = {"rate-0.01": "0.01", "rate-0.001": "0.001"}
#: Minibatches at either end that are averaged.
ENDS = 20
_WHAT = {
    "rise": "mean loss, end less beginning (nats)",
    "widening": "loss of the middle less that of the best tenth, end less beginning (nats)",
}


def finetune_losses(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each rate and quantity: mean over supernets with Student's interval."""
    truth = sources.benchmark("nb201").truth("cifar10", split="test", schedule=200)
    truth = truth.filter(pl.col("seed").is_null()).select("arch", "accuracy")
    losses = sources.frame(LOSSES, "CURVES").drop_nulls("train_loss").join(truth, on="arch", how="inner")
    rows, cells = [], []
    for part, rate in RATES.items():
        each = losses.filter(setting=part)
        numbers = [_of_one(supernet) for _, supernet in each.group_by("seed", maintain_order=True)]
        for k, (name, said) in enumerate(_WHAT.items()):
            values = np.array([one[k] for one in numbers])
            low, high = t_interval(values, resampling.level)
            rows.append((rate, name, float(values.mean()), low, high, len(values), each["arch"].n_unique()))
            cells.append([rate, said, with_interval(float(values.mean()), low, high, 3), str(len(values))])
    columns = ["rate", "what", "estimate", "ci_low", "ci_high", "supernets", "n_archs"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    note = (
        f"Mean of the first and of the last {ENDS} of 100 minibatches, over the thesis's architectures, CIFAR-10. The "
        "best tenth and the middle fifth are those of the true accuracy. Brackets: Student's t over supernets."
    )
    return Table("finetune-losses", "Training losses while architectures are finetuned",
                 ["rate", "what", "nats", "supernets"], cells, frame, [False, False, True, True], note)  # fmt: skip


def _of_one(supernet: pl.DataFrame) -> tuple[float, float]:
    """What of `_WHAT` one supernet has."""
    last = int(supernet["step"].max())  # type: ignore[arg-type]
    share = pl.col("accuracy").rank() / pl.len()
    ends = [supernet.filter(pl.col("step") <= ENDS), supernet.filter(pl.col("step") > last - ENDS)]
    means, gaps = [], []
    for end in ends:
        archs = end.group_by("arch", "accuracy").agg(pl.col("train_loss").mean()).with_columns(share=share).sort("arch")
        best = archs.filter(pl.col("share") > 0.9)["train_loss"].mean()
        middle = archs.filter(pl.col("share").is_between(0.4, 0.6))["train_loss"].mean()
        means.append(float(archs["train_loss"].mean()))  # type: ignore[arg-type]
        gaps.append(float(middle) - float(best))  # type: ignore[arg-type]
    return means[1] - means[0], gaps[1] - gaps[0]
