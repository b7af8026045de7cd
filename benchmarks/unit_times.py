"""What a larger study would take, from the unit times of a finished one.

    python benchmarks/unit_times.py RUN [--archs 15625] [--seeds 3] [--workers 64]

RUN is the --out of ``nasanalysis supernet``. Every part of its finetunings and measurings has recorded the seconds of
each architecture of each supernet; units are independent, so the whole takes their sum over the workers. Left out:
starting the workers, reading weights and images, uneven ends, and of a finetuning what it does before its first step
(batch-norm, and the accuracy of the inherited weights). Where several supernets were finetuned at once, a unit is each
one's share. A worker is taken to be as fast as the process that
measured: one thread of the machine that RUN was made on, or its GPU.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import polars as pl

from nasanalysis.core.frames import read_frame, read_provenance


def seconds_of(run: Path) -> pl.DataFrame:
    """Columns part, device, units (architecture of a supernet), seconds (mean of one)."""
    rows = []
    for path in sorted(run.glob("finetune/*/curves.parquet")):
        last = read_frame(path, "CURVES").drop_nulls("seconds").group_by("arch", "method", "seed").agg(
            pl.col("seconds").max()
        )  # fmt: skip
        rows.append((f"finetune {path.parent.name}", path, last["seconds"]))
    for path in sorted(run.glob("measure/*/seconds.parquet")):
        each = read_frame(path).group_by("arch", "method", "seed").agg(pl.col("seconds").sum())
        rows.append((f"measure {path.parent.name}", path, each["seconds"]))
    if not rows:
        sys.exit(f"{run}: expected finetune/*/curves.parquet or measure/*/seconds.parquet, found neither")
    found = [(name, read_provenance(path)["config"]["device"], len(s), s.mean()) for name, path, s in rows]
    return pl.DataFrame(found, schema=["part", "device", "units", "seconds"], orient="row")


def main() -> None:
    arguments = argparse.ArgumentParser(description="What a larger study would take, from measured unit times.")
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--archs", type=int, default=15_625)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--workers", type=int, default=64)
    given = arguments.parse_args()
    units = given.archs * given.seeds
    print(f"{given.archs:,} architectures x {given.seeds} supernets = {units:,} units on {given.workers} workers\n")
    print("| part | measured on | units measured | seconds a unit | hours of one worker | hours of all |")
    print("|---|---|---:|---:|---:|---:|")
    for part, device, count, seconds in seconds_of(given.run).iter_rows():
        hours = units * seconds / 3600
        print(f"| {part} | {device} | {count:,} | {seconds:.2f} | {hours:,.1f} | {hours / given.workers:,.2f} |")


if __name__ == "__main__":
    main()
