"""Within which classes of NAS-Bench-201 cells may a trained result be shared? Members beside what seeds alone give."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from ...report.cells import number, with_interval
from ...report.model import Table
from ...report.published import Cells
from ...spaces import Arch, get_space
from ...spaces.nb201 import NB201
from ...spaces.nb201_isomorphism import canonical_form
from ...stats.class_spread import class_spread, mean_gap
from ..items import Resampling, Sources

_KINDS = {"whole": "both rules agree", "alike": "trained, part of functional", "mixed": "functional, split by trained"}


def shared_results(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A row for each truth with repeated runs and each kind of class (see the note)."""
    del published
    benchmark = sources.benchmark("nb201")
    truth = benchmark.truth(schedule=200).filter(pl.col("seed").is_not_null())
    classes = _classes(truth["arch"].unique().to_list())
    rows = []
    for (dataset, split), part in truth.group_by("dataset", "split", maintain_order=True):
        if part["seed"].n_unique() > 1:
            rows += _rows(str(dataset), str(split), part.join(classes, on="arch"), resampling)
    frame = pl.DataFrame(rows).sort("dataset", "split", maintain_order=True)
    header = ["dataset", "split", "classes", "number", "architectures", "sd of seeds", "spread / seeds"]
    header += ["most minus fewest convolutions", "above 0 (%)"]
    text = [
        [
            row["dataset"],
            row["split"],
            row["classes"],
            f"{row['n_classes']:,}",
            f"{row['n_archs']:,}",
            number(row["seed_sd"], 3),
            with_interval(row["ratio"], row["ratio_low"], row["ratio_high"], 2),
            with_interval(row["gap"], row["gap_low"], row["gap_high"], 2),
            number(None if row["share"] is None else 100 * row["share"], 0),
        ]
        for row in frame.to_dicts()
    ]
    note = (
        "Accuracy in percentage points, of every run. Spread: variance of members' means within a class, over what "
        "their seeds alone give (1: members are like runs of one network; below: runs of one seed share something). "
        "First: classes on which the rules functional and trained agree; then classes of trained that are part of a "
        "larger functional one; then those larger ones, where one convolution that is read twice counts as two of "
        "the same input. Brackets: 95 %, classes resampled."
    )
    numeric = [False, False, False, True, True, True, True, True, True]
    return Table("shared-results", "Do members of a class train alike?", header, text, frame, numeric, note)


def _classes(archs: list[str]) -> pl.DataFrame:
    """arch, coarse and fine (representatives), convs that reach the output, mixed: whether the coarse class splits."""
    space = get_space("nb201")
    assert isinstance(space, NB201)
    known = {str(arch): arch for arch in space.unique_archs("functional")}
    coarse, fine = space.unique_archs("functional"), space.unique_archs("trained")
    table = pl.DataFrame(
        {
            "arch": archs,
            "coarse": [str(coarse[known[a]]) for a in archs],
            "fine": [str(fine[known[a]]) for a in archs],
            "convs": [_convolutions(space, known[a]) for a in archs],
        }
    )
    return table.with_columns(mixed=pl.col("fine").n_unique().over("coarse") > 1)


def _convolutions(space: NB201, arch: Arch) -> float:
    """How many reach the output, as the rule `trained` writes them."""
    return float(canonical_form(space.operations(arch), "trained").rpartition("|")[2].count("nor_conv"))


def _rows(dataset: str, split: str, part: pl.DataFrame, resampling: Resampling) -> list[dict[str, Any]]:
    kinds = {
        "whole": (~pl.col("mixed"), "coarse"),
        "alike": (pl.col("mixed"), "fine"),
        "mixed": (pl.col("mixed"), "coarse"),
    }
    how: dict[str, Any] = {"n_boot": resampling.n, "seed": resampling.seed, "level": resampling.level}
    rows = []
    for kind, (which, by) in kinds.items():
        runs = part.filter(which)
        numbers = [runs[c].rank("dense").to_numpy().astype(np.intp) for c in ("arch", by)]
        one = class_spread(runs["accuracy"].to_numpy(), *numbers, **how)
        row = {
            "dataset": dataset, "split": split, "classes": _KINDS[kind],
            "n_classes": one.n_classes, "n_archs": one.n_archs, "seed_sd": one.seed_sd,
            "ratio": one.ratio, "ratio_low": one.interval.low, "ratio_high": one.interval.high,
            "gap": None, "gap_low": None, "gap_high": None, "share": None,
        }  # fmt: skip
        if kind == "mixed":
            means = runs.group_by("arch", "coarse", "convs", maintain_order=True).agg(pl.col("accuracy").mean())
            labels = means["coarse"].rank("dense").to_numpy().astype(np.intp)
            gap, ends, share, _ = mean_gap(means["accuracy"].to_numpy(), means["convs"].to_numpy(), labels, **how)
            row |= {"gap": gap, "gap_low": ends.low, "gap_high": ends.high, "share": share}
        rows.append(row)
    return rows
