"""Makes the files beside it that the studies ``supernets``, ``weights`` and ``search`` read.

    nasanalysis supernet train    --config reports/configs/nb201_cifar10.toml --out build/nb201
    nasanalysis supernet finetune --config reports/configs/nb201_cifar10.toml --out build/nb201
    python reports/results/supernets.py build/nb201 nb201 --losses spos     (seconds; needs no torch)

``NAME_finetune_scores.parquet``  SCORES of all finetuned parts at the steps in `STEPS`; values as Float32
``NAME_finetune_losses.parquet``  CURVES: ``train_loss`` at every minibatch, of the protocols named by ``--losses``
                                  and the parts of 200 architectures
``NAME_training.parquet``         TRACE of all supernets, with ``updates`` beside what the run wrote
``NAME_measured_scores.parquet``  SCORES of all parts of ``nasanalysis supernet measure``, where the run has any
``NAME_perturbed.parquet``        PERTURBED of the same; losses as Float32
``NAME_search_traces.parquet``    TRACE of all parts of ``nasanalysis supernet search``, where the run has any
``NAME_search_perturbed.parquet`` PERTURBED around what they found; losses as Float32

Weights are not kept: the two commands above make them again, bit by bit on the CPU. The provenance of every part
and every supernet stands in each file's metadata.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from nasanalysis.core.atomic import write_atomically
from nasanalysis.core.frames import check, read_frame, read_provenance
from nasanalysis.search.traces import read_search_trace
from nasanalysis.spaces.nb201 import OPERATIONS

#: Minibatches after which scores are kept: the last step of a part, whichever it is, is kept too.
STEPS = (0, 1, 2, 5, 10, 20, 30, 50, 70, 100)
#: In which supernets are listed.
ORDER = ("spos", "fairnas", "multipath", "reptile", "metaprox", "multipath+metaprox")
HERE = Path(__file__).resolve().parent


def main() -> None:
    arguments = argparse.ArgumentParser(description="Keep the results of a supernet study.")
    arguments.add_argument("run", type=Path, help="the --out of `nasanalysis supernet`")
    arguments.add_argument("name", help="nb201, nb101-1 ...: how the files are called")
    arguments.add_argument("--losses", nargs="*", default=[], metavar="PROTOCOL", help="protocols whose losses to keep")
    arguments.add_argument("--out", type=Path, default=HERE)
    given = arguments.parse_args()
    made = []
    if (given.run / "finetune").is_dir():
        made.append(keep_scores(given.run, given.out / f"{given.name}_finetune_scores.parquet"))
    if given.losses:
        made.append(keep_losses(given.run, given.losses, given.out / f"{given.name}_finetune_losses.parquet"))
    made.append(keep_training(given.run, given.out / f"{given.name}_training.parquet"))
    if (given.run / "measure").is_dir():
        made += keep_measured(given.run, given.out / f"{given.name}_measured_scores.parquet", "SCORES", "value")
        made += keep_measured(given.run, given.out / f"{given.name}_perturbed.parquet", "PERTURBED", "loss")
    if (given.run / "search").is_dir():
        made += keep_searches(given.run, given.name, given.out)
    for path in made:
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", file=sys.stderr)


def keep_scores(run: Path, out: Path) -> Path:
    """All parts, thinned; rows in an order that compresses well."""
    paths = found(run, "finetune/*/scores.parquet")
    frame = pl.concat([read_frame(path, "SCORES") for path in paths])
    last = pl.col("step").max().over("setting")
    frame = frame.filter(pl.col("step").is_in(STEPS) | (pl.col("step") == last)).drop_nulls("value")
    frame = frame.sort("method", "setting", "proxy", "step", "seed", "arch")
    return write(frame.with_columns(pl.col("value").cast(pl.Float32)), out, records(run, paths))


def keep_losses(run: Path, protocols: list[str], out: Path) -> Path:
    """Training losses of `protocols`; parts with fewer architectures than the largest are left out."""
    paths = found(run, "finetune/*/curves.parquet")
    frame = pl.concat([read_frame(path, "CURVES") for path in paths])
    frame = frame.filter(pl.col("method").is_in(protocols), pl.col("step") >= 1).drop_nulls("train_loss")
    frame = frame.filter(pl.col("arch").n_unique().over("setting") == pl.col("arch").n_unique().over("setting").max())
    keys = ["benchmark", "dataset", "arch", "method", "setting", "schedule", "seed", "unit", "step", "train_loss"]
    frame = frame.sort("method", "setting", "seed", "arch", "step").select(keys)
    return write(frame, out, records(run, paths))


def keep_training(run: Path, out: Path) -> Path:
    """TRACE of all supernets, with the number of updates after each epoch."""
    paths = found(run, "supernets/*/trace.parquet")
    paths.sort(key=lambda path: next((i for i, p in enumerate(ORDER) if path.parent.name.startswith(f"{p}-")), 99))
    made = []
    for path in paths:
        trace, config = read_frame(path, "TRACE"), read_provenance(path)["config"]
        images = config["batch_size"] * passes(config["protocol"])
        updates = trace.filter(pl.col("quantity") == "images_seen").with_columns(
            quantity=pl.lit("updates"), value=pl.col("value") / images
        )
        made.append(pl.concat([trace, updates]).sort("quantity", "epoch"))
    return write(check(pl.concat(made), "TRACE"), out, records(run, paths))


def keep_measured(run: Path, out: Path, schema: str, value: str) -> list[Path]:
    """What a measuring wrote, all parts; rows in an order that compresses well."""
    paths = found(run, f"measure/*/{schema.lower()}.parquet")
    frame = pl.concat([read_frame(path, schema) for path in paths])
    frame = frame.sort(
        [c for c in ("method", "setting", "proxy", "sigma", "draw", "seed", "arch") if c in frame.columns]
    )
    return [write(frame.with_columns(pl.col(value).cast(pl.Float32)), out, records(run, paths))]


def keep_searches(run: Path, name: str, out: Path) -> list[Path]:
    """What searches went through, and the losses around what they found."""
    traces = found(run, "search/*/trace.parquet")
    frame = pl.concat([read_search_trace(path) for path in traces])
    frame = frame.sort("setting", "part", "search_seed", "quantity", "epoch")
    made = [write(frame, out / f"{name}_search_traces.parquet", records(run, traces))]
    noise = found(run, "search/*/perturbed.parquet")
    losses = pl.concat([read_frame(path, "PERTURBED") for path in noise]).sort(
        "setting", "arch", "seed", "sigma", "draw"
    )
    losses = losses.with_columns(pl.col("loss").cast(pl.Float32))
    return [*made, write(losses, out / f"{name}_search_perturbed.parquet", records(run, noise))]


def passes(protocol: Mapping[str, Any]) -> int:
    """Minibatches of one update, as `nasanalysis.training.protocols.Protocol.passes` (fair: NAS-Bench-201 only)."""
    paths = len(OPERATIONS) if protocol["fair"] else protocol["paths"]
    return int(paths * max(1, protocol["inner_steps"]))


def found(run: Path, pattern: str) -> list[Path]:
    paths = sorted(run.glob(pattern))
    if not paths:
        sys.exit(f"{run}: expected {pattern}, found none; is the run finished?")
    return paths


def records(run: Path, paths: list[Path]) -> dict[str, Any]:
    """Part or supernet -> provenance of its file."""
    return {path.parent.name: read_provenance(path) for path in paths}


def write(frame: pl.DataFrame, out: Path, made_from: Mapping[str, Any]) -> Path:
    """Parquet, as small as it gets."""
    metadata = {"nasanalysis": json.dumps({"made_from": made_from}, sort_keys=True)}
    return write_atomically(
        out, lambda temp: frame.write_parquet(temp, compression="zstd", compression_level=19, metadata=metadata)
    )


if __name__ == "__main__":
    main()
