"""``nasanalysis supernet finetune``: CURVES and SCORES of every part ``[[finetune]]`` of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
from torch import nn

from ..core.frames import SCHEMAS, check
from ..core.seeding import torch_generator
from ..jobs import kept_for_one_run
from ..networks.base import initialise_on_cpu
from ..training.devices import DeviceError, explained_memory, settle
from ..training.finetune import MEASURES, Batches, DivergedError, draw_batches, finetune_together
from .config import FinetuneConfig
from .parts import ROW_NAMES, chosen, jobs_of, run_part, unit_rows
from .run import Job, Run


def finetune_all(run: Run, *, only: str | None = None, workers: int = 1) -> list[Path]:
    """Finetune every architecture of every part, or of the one called `only`; the folders of results.

    Raises `BuildError` where a supernet is not trained yet. What happens to an architecture that fails: see
    `nasanalysis.live.parts`.
    """
    return [_finetune_part(run, part, workers) for part in chosen(run.config.finetune, only, "finetune")]


def _finetune_part(run: Run, part: FinetuneConfig, workers: int) -> Path:
    jobs = _jobs(run, part)
    require(run, part)
    return run_part(
        run,
        part,
        finetune_unit,
        {"curves": curves, "scores": scores},
        kind="finetune",
        fingerprint=finetune_fingerprint(run, part),
        seeds={"minibatches": part.data_seed, **{f"supernet {seed}": seed for _, seed in jobs}},
        workers=workers,
    )


def finetune_fingerprint(run: Run, part: FinetuneConfig) -> dict[str, Any]:
    """What the numbers of a unit of `part` depend on."""
    jobs, settings = _jobs(run, part), part.settings.model_dump()
    beside = {"together": part.together, "from_scratch": part.from_scratch, "data_seed": part.data_seed}
    fresh = {"scratch": [seed for _, seed in jobs]} if part.from_scratch else {}
    supernets = [] if part.from_scratch else jobs
    return {**run.fingerprint(supernets), "finetune": {**settings, **beside, **fresh}}


def require(run: Run, part: FinetuneConfig) -> None:
    """`BuildError` where a supernet that is finetuned from is not trained yet."""
    if not part.from_scratch:
        run.require_supernets(_jobs(run, part))


def _jobs(run: Run, part: FinetuneConfig) -> list[Job]:
    """(method, seed) of a part; from scratch the protocols make no difference."""
    jobs = jobs_of(run, part)
    return list(dict.fromkeys(("scratch", seed) for _, seed in jobs)) if part.from_scratch else jobs


def finetune_unit(run: Run, part: FinetuneConfig, arch: str) -> pl.DataFrame:
    """One architecture from every supernet of a part: rows of `finetune` and the columns that name them, or errors."""
    settle(run.config.threads)
    return unit_rows(run, part, arch, _finetuned(run, part, arch)).with_columns(
        schedule=pl.lit(part.minibatches, pl.Int64)
    )


def _finetuned(run: Run, part: FinetuneConfig, arch: str) -> Iterator[tuple[Job, pl.DataFrame | Exception]]:
    jobs, settings, batches = _jobs(run, part), part.settings, _batches(run, part)
    for start in range(0, len(jobs), part.together):
        chunk = jobs[start : start + part.together]
        rows: list[pl.DataFrame | DivergedError] | list[DeviceError]
        try:
            with explained_memory(f"finetuning {arch}", settings.batch_size, run.place):
                rows = finetune_together([_network(run, part, job, arch) for job in chunk], batches, settings)
        except DeviceError as failure:
            rows = [failure] * len(chunk)
        yield from zip(chunk, rows, strict=True)


def _network(run: Run, part: FinetuneConfig, job: Job, arch: str) -> nn.Module:
    """The network to be finetuned: with a supernet's weights, or with fresh ones drawn for this architecture."""
    if not part.from_scratch:
        return run.supernet(job).subnet(arch)
    blank = run.blank()
    initialise_on_cpu(blank, torch_generator(job[1], "finetune", "scratch", arch))
    return blank.subnet(arch)


@kept_for_one_run
@lru_cache(maxsize=2)
def _batches(run: Run, part: FinetuneConfig) -> Batches:
    return draw_batches(run.task, part.settings, seed=part.data_seed)


def curves(rows: pl.DataFrame) -> pl.DataFrame:
    """CURVES by minibatch of `finetune_unit` rows: training minibatches and validation minibatches."""
    values = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "seconds")
    read = [name for name in values if name in rows.columns]  # none where every architecture failed
    return check(rows.select(*ROW_NAMES, "schedule", pl.lit("minibatch").alias("unit"), "step", *read), "CURVES")


def scores(rows: pl.DataFrame) -> pl.DataFrame:
    """SCORES by minibatch of `finetune_unit` rows: everything in `MEASURES` that was read."""
    measured = [name for name in MEASURES if name in rows.columns]
    if not measured:
        return SCHEMAS["SCORES"].empty()
    long = rows.unpivot(on=measured, index=[*ROW_NAMES, "step"], variable_name="proxy", value_name="value")
    return check(long.drop_nulls("value").with_columns(unit=pl.lit("minibatch")), "SCORES")
