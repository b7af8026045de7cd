"""``nasanalysis benchmark build digits``: train the embedded benchmark, unit by unit."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import torch

from ..core.errors import ParameterError
from ..core.frames import check, write_frame
from ..core.provenance import package_versions, provenance
from ..core.seeding import generator
from ..jobs.units import exclusive, gather, prepare, run_units
from ..spaces.base import Arch
from ..spaces.nb201 import OPERATIONS, SPACE, format_cell
from ..training.digits import DigitsConfig, DigitsData, load_digits
from .digits import train_architecture


def always_included() -> list[Arch]:
    """The cells that every sample holds, in index order.

    The five cells of one operation (all ``none`` ... all 3x3 convolution), and one cell of each of the
    24 functional classes without a live path: the degenerate ones, whose accuracy is chance.
    """
    single = {Arch("nb201", format_cell([op] * 6)) for op in OPERATIONS}
    dead = {SPACE.unique_arch(arch, "functional") for arch in SPACE if not SPACE.has_live_path(arch)}
    return sorted(single | dead, key=SPACE.index)


def sample_architectures(n: int, seed: int) -> tuple[list[Arch], list[Arch]]:
    """(all `n` architectures, those of them that are a uniform sample), in the order drawn.

    One permutation of the space is drawn from `seed`; a larger `n` takes a longer prefix of it, so a
    small build is part of every larger one.
    """
    always = always_included()
    if not len(always) <= n <= len(SPACE):
        raise ParameterError(f"--archs: expected {len(always)} (the cells always included) to {len(SPACE)}, got {n}")
    chosen = dict.fromkeys(always)
    uniform = []
    for arch in SPACE.sample(len(SPACE), generator(seed, "digits", "sample")):
        if arch not in chosen and len(chosen) == n:
            break
        chosen[arch] = None
        uniform.append(arch)
    return list(chosen), uniform


@lru_cache(maxsize=1)
def _data(config: DigitsConfig) -> DigitsData:
    return load_digits(config)


def train_unit(key: str, seed: int, config: DigitsConfig) -> pl.DataFrame:
    """One unit: one architecture trained with one seed, on one thread; rows of a CURVES frame."""
    torch.set_num_threads(1)
    curves = train_architecture(Arch("nb201", key), seed, config, _data(config))
    return curves.select(
        benchmark=pl.lit("digits"),
        dataset=pl.lit("digits"),
        arch=pl.lit(f"nb201:{key}"),
        method=pl.lit("scratch"),
        setting=pl.lit(""),
        schedule=pl.lit(config.epochs, pl.Int64),
        seed=pl.lit(seed, pl.Int64),
        unit=pl.lit("epoch"),
        step=pl.col("step"),
        **{c: pl.col(c).cast(pl.Float32) for c in curves.columns if c != "step"},
    )


def build_digits(
    out: Path,
    *,
    archs: int = 800,
    seeds: int = 2,
    workers: int = 2,
    resume: bool = True,
    config: DigitsConfig | None = None,
    quiet: bool = False,
) -> Path:
    """Train `archs` architectures with `seeds` seeds each (0, 1, ...) and write ``out/digits.parquet``.

    Returns the path. The file is a CURVES frame with provenance in its metadata, the same byte by byte
    for the same arguments, commit and versions, whatever `workers` and however often it was killed and
    resumed. Time spent is printed, not stored.
    """
    config = config or DigitsConfig()
    if seeds < 1:
        raise ParameterError(f"--seeds: expected at least 1, got {seeds}")
    if workers < 1:
        raise ParameterError(f"--workers: expected at least 1 process, got {workers}")
    chosen, uniform = sample_architectures(archs, config.data_seed)
    fingerprint: dict[str, Any] = {
        "benchmark": "digits",
        "config": config.as_dict(),
        "packages": package_versions(("torch", "numpy", "scikit-learn")),
    }
    units = {f"{SPACE.index(arch):05d}-{seed}": (arch.key, seed, config) for arch in chosen for seed in range(seeds)}
    with exclusive(out):
        folder = prepare(out, fingerprint, resume=resume)
        paths = run_units(train_unit, units, folder, workers=workers, description="digits: training", quiet=quiet)
        curves = pl.concat(gather(paths))
    order = {str(arch): i for i, arch in enumerate(chosen)}
    curves = curves.sort(pl.col("arch").replace_strict(order, return_dtype=pl.Int64), "seed", "step")
    record = provenance(
        seeds={"data": config.data_seed, **{f"training {i}": i for i in range(seeds)}},
        config={**config.as_dict(), "archs": archs, "seeds": seeds},
        stamp=False,
    )
    record["uniform_archs"] = len(uniform)
    record["outside_uniform_sample"] = [str(arch) for arch in chosen if arch not in set(uniform)]
    record["source"] = "scikit-learn load_digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0)"
    return write_frame(check(curves, "CURVES"), out / "digits.parquet", record)
