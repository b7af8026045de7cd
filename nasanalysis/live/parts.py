"""A part of a configuration: one unit of work for each architecture, whichever process does it.

``out/KIND/NAME/units/`` holds one file for each finished architecture with the rows of all its supernets, so a killed
run loses little and the same command goes on. An architecture that fails is recorded in ``failed.parquet`` with its
error and the rest go on; one that lacked memory is tried again by the next run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from ..core.errors import ParameterError
from ..core.frames import write_frame
from ..jobs.units import exclusive, gather, prepare, run_units
from ..loaders.samples import space_archs
from ..networks.base import live_benchmark
from ..training.devices import DeviceError
from .config import PartConfig
from .run import Job, Run

#: Columns that name a row of any frame.
ROW_NAMES = ("benchmark", "dataset", "arch", "method", "setting", "seed")

Part = TypeVar("Part", bound=PartConfig)

#: Rows of all units that did not fail -> a frame.
Frames = Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]


def chosen(parts: Sequence[Part], only: str | None, kind: str) -> list[Part]:
    """The part called `only`, or all of them; `ParameterError` where there is none."""
    named = [part for part in parts if only in (None, part.name)]
    if not named:
        known = ", ".join(part.name for part in parts) or "none"
        raise ParameterError(f"{kind}: expected a part of the configuration ({known}), got {only!r}")
    return named


def jobs_of(run: Run, part: PartConfig) -> list[Job]:
    """(protocol, seed) of the supernets that a part reads."""
    train = run.config.train
    return [(p, s) for p in part.protocols or train.protocols for s in part.seeds or train.seeds]


def run_part(
    run: Run,
    part: PartConfig,
    unit: Callable[[Run, Any, str], pl.DataFrame],
    frames: Frames,
    *,
    kind: str,
    fingerprint: Mapping[str, Any],
    seeds: Mapping[str, int],
    workers: int,
) -> Path:
    """``unit(run, part, arch)`` for every architecture of `part`, then its frames; the folder ``out/KIND/NAME``.

    `fingerprint`: what a unit depends on; finished units of another one are refused. `seeds`: for provenance.
    """
    archs = space_archs(part.archs, run.config.space, data=run.data)[: part.limit]
    folder = run.out / kind / part.name
    with exclusive(folder):
        home = prepare(folder, fingerprint, resume=True)
        units = {unit_name(arch): (run, part, arch) for arch in archs}
        paths = run_units(unit, units, home, workers=workers, needs=run.needs, description=f"{kind} {part.name}")
        frames_of_units = gather(paths)
        rows = pl.concat(frames_of_units, how="diagonal_relaxed")
        record = run.record(part.name, seeds)
        kept = rows.filter(pl.col("error").is_null())
        for name, frame_of in frames.items():
            write_frame(frame_of(kept), folder / f"{name}.parquet", record)
        failed = rows.filter(pl.col("error").is_not_null()).select("method", "seed", "arch", "error")
        write_frame(failed, folder / "failed.parquet", record)
        for path, frame in zip(paths, frames_of_units, strict=True):
            if "lacked_memory" in frame.columns:
                path.unlink()
    return folder


def unit_name(arch: str) -> str:
    """The file of an architecture, whatever sample it stands in."""
    return hashlib.sha256(arch.encode()).hexdigest()[:16]


def unit_rows(
    run: Run, part: PartConfig, arch: str, answers: Iterable[tuple[Job, pl.DataFrame | Exception]]
) -> pl.DataFrame:
    """Rows of one architecture with the columns that name them; an error in place of rows where there is one."""
    frames = []
    for (method, seed), answer in answers:
        error = str(answer) if isinstance(answer, Exception) else None
        rows = pl.DataFrame({"step": [0]}) if isinstance(answer, Exception) else answer
        if isinstance(answer, DeviceError):
            rows = rows.with_columns(lacked_memory=True)
        frames.append(
            rows.with_columns(
                benchmark=pl.lit(live_benchmark(run.config.space)),
                dataset=pl.lit(run.task.name),
                arch=pl.lit(arch),
                method=pl.lit(method),
                setting=pl.lit(part.name),
                seed=pl.lit(seed, pl.Int64),
                error=pl.lit(error, pl.String),
            )
        )
    return pl.concat(frames, how="diagonal_relaxed")
