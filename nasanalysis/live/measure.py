"""``nasanalysis supernet measure``: SCORES and PERTURBED of every part ``[[measure]]`` of a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import torch

from ..core.errors import BuildError, NasAnalysisError, ParameterError
from ..core.frames import check, write_frame
from ..core.provenance import sha256
from ..core.seeding import generator, torch_generator
from ..jobs import kept_for_one_run
from ..jobs.units import exclusive
from ..loaders.samples import space_archs
from ..measures.capabilities import HasWeightPaths
from ..networks.angles import supernet_angles
from ..networks.base import live_benchmark
from ..spaces import get_space
from ..spaces.capabilities import Samplable
from ..training.devices import explained_memory, settle
from ..training.measure import Measured, Probes, draw_probes, measure
from ..training.settings import ANGLE_OF, ANGLES
from .config import MeasureConfig
from .parts import ROW_NAMES, chosen, jobs_of, run_part, unit_rows
from .run import Job, Run


def measure_all(run: Run, *, only: str | None = None, workers: int = 1, epochs: Sequence[int] = ()) -> list[Path]:
    """Measure every architecture of every part, or of the one called `only`; the folders of results.

    `epochs`: snapshots in place of those that the parts name; each has a folder of its own, ``NAME-epoch-N``.

    ``scores.parquet`` (SCORES), ``perturbed.parquet`` (PERTURBED; sigma 0 is the network as it stands),
    ``shares.parquet`` (how much of an angle's vector is fixed) and ``seconds.parquet`` (architecture, supernet, what
    was read, seconds). Angles alone of ``all`` architectures are added up at once, without a forward pass.

    Raises `BuildError` where a supernet, or for an angle its initial weights, are missing, or where a supernet was
    trained under other options than the configuration's. What happens to an architecture that fails: see
    `nasanalysis.live.parts`.
    """
    parts = chosen(run.config.measure, only, "measure")
    return [
        _measure_part(at, named, workers)
        for part in parts
        for at, named in _by_epoch(run, part, tuple(epochs) or part.epochs)
    ]


def _by_epoch(run: Run, part: MeasureConfig, epochs: Sequence[int]) -> list[tuple[Run, MeasureConfig]]:
    """A part at each of its epochs, under a name that says which; as it is where it names none."""
    if not epochs:
        return [(run, part)]
    return [
        (replace(run, epoch=epoch), part.model_copy(update={"name": f"{part.name}-epoch-{epoch}"})) for epoch in epochs
    ]


def _measure_part(run: Run, part: MeasureConfig, workers: int) -> Path:
    jobs = jobs_of(run, part)
    require(run, part, jobs)
    if part.archs == "all" and not part.sigmas and set(part.measures) <= set(ANGLES):
        return _angles_of_all(run, part, jobs)
    return run_part(
        run,
        part,
        measure_unit,
        {"scores": scores, "perturbed": lambda rows: perturbed(rows, part), "seconds": seconds, "shares": shares},
        kind="measure",
        fingerprint=measure_fingerprint(run, part),
        seeds={"noise": part.noise_seed, **{f"supernet {seed}": seed for _, seed in jobs}},
        workers=workers,
    )


def _angles_of_all(run: Run, part: MeasureConfig, jobs: Sequence[Job]) -> Path:
    """Angles of every architecture of the space: a second where `nasanalysis.networks.angles.HasAngles`."""
    archs = space_archs(part.archs, run.config.space, data=run.data)[: part.limit]
    frames = [
        _angles_of_job(run, part, job, archs).with_columns(method=pl.lit(job[0]), seed=pl.lit(job[1], pl.Int64))
        for job in jobs
    ]
    rows = pl.concat(frames).with_columns(
        benchmark=pl.lit(live_benchmark(run.config.space)), dataset=pl.lit(run.task.name), setting=pl.lit(part.name)
    )
    folder = run.out / "measure" / part.name
    record = run.record(part.name, {f"supernet {seed}": seed for _, seed in jobs})
    parts = {"scores": scores, "perturbed": lambda rows: perturbed(rows, part), "seconds": seconds, "shares": shares}
    with exclusive(folder):
        for name, frame_of in parts.items():
            write_frame(frame_of(rows), folder / f"{name}.parquet", record)
    return folder


def _angles_of_job(run: Run, part: MeasureConfig, job: Job, archs: Sequence[str]) -> pl.DataFrame:
    """Rows of one supernet as `scores` and `shares` read them."""
    frames = []
    for name in part.measures:
        vector, weights = ANGLE_OF[name]
        angles = supernet_angles(run.initial_supernet(job), run.supernet(job), archs, vector=vector, weights=weights)
        value = {"proxy": name, "value": angles.angle}
        share = {"angle_of": name, "fixed_before": angles.fixed_before, "fixed_after": angles.fixed_after}
        frames += [pl.DataFrame({"arch": archs, **columns}) for columns in (value, share)]
    return pl.concat(frames, how="diagonal")


def measure_fingerprint(run: Run, part: MeasureConfig) -> dict[str, Any]:
    """What the numbers of a unit of `part` depend on."""
    jobs, settings = jobs_of(run, part), {**part.settings.model_dump(), "noise_seed": part.noise_seed}
    angles = any(name in ANGLES for name in part.measures)
    initial = {f"{p}-{s}": sha256(run.folder(p, s) / "initial.pt") for p, s in jobs if angles}
    return {**run.fingerprint(jobs), "initial": initial, "measure": settings}


def require(run: Run, part: MeasureConfig, jobs: Sequence[Job]) -> None:
    """What all architectures need, said before the first: supernets, images, and for an angle more.

    `BuildError` without weights, or without those from before the training; `ParameterError` without paths or images.
    """
    run.require_supernets(jobs)
    _probes(run.on_cpu, part)
    measures = part.measures
    if any(name in measures for name in ("angle", "angle_cells")):
        space = run.config.space
        with torch.device("meta"):
            net = run.on_cpu.blank().standalone(get_space(space, Samplable).sample(1, generator(0, "paths"))[0])
        if not isinstance(net, HasWeightPaths):
            raise ParameterError(
                f"angle: expected a space whose paths are defined (nb201 and the DARTS spaces), got {space}; use "
                "angle_flat"
            )
    for job in jobs if any(name in ANGLES for name in measures) else ():
        path = run.folder(*job) / "initial.pt"
        if not path.exists():
            raise BuildError(
                f"{path}: expected the weights from before the training, which an angle needs, found none; "
                "`nasanalysis supernet train` writes them: train this supernet again, or leave the angles out of "
                "`measures`"
            )


def measure_unit(run: Run, part: MeasureConfig, arch: str) -> pl.DataFrame:
    """One architecture of every supernet of a part: rows of scores, of noise and of seconds, or errors."""
    settle(run.config.threads)
    return unit_rows(run, part, arch, _measured(run, part, arch))


def _measured(run: Run, part: MeasureConfig, arch: str) -> Iterator[tuple[Job, pl.DataFrame | Exception]]:
    for job in jobs_of(run, part):
        run.supernet(job)  # a file that cannot be read is not the architecture's fault
        try:
            with explained_memory(f"measuring {arch}", part.batch_size, run.place):
                yield job, _rows(measure_arch(run, part, job, arch))
        except NasAnalysisError as error:
            yield job, error


def measure_arch(run: Run, part: MeasureConfig, job: Job, arch: str) -> Measured:
    """One architecture of one supernet. What is drawn depends on the architecture, the supernet and the seed alone."""
    settings = part.settings
    initial = run.initial_supernet(job).subnet(arch) if any(n in ANGLES for n in settings.measures) else None

    def draws(what: str) -> torch.Generator:
        return torch_generator(part.noise_seed, "measure", what, *map(str, job), arch)

    return measure(run.supernet(job).subnet(arch), initial, _probes(run, part), settings, draws)


@kept_for_one_run
@lru_cache(maxsize=2)
def _probes(run: Run, part: MeasureConfig) -> Probes:
    return draw_probes(run.task, part.settings, seed=part.noise_seed)


def _rows(measured: Measured) -> pl.DataFrame:
    """One row for each score, noisy loss and time: which it is, is said by the column that is not null."""
    parts = [
        pl.DataFrame({"proxy": [*measured.scores], "value": [*measured.scores.values()]}, schema=_SCORE),
        measured.noise,
        pl.DataFrame({"read": [*measured.seconds], "seconds": [*measured.seconds.values()]}, schema=_TIME),
        pl.DataFrame([(name, *both) for name, both in measured.shares.items()], schema=_SHARE, orient="row"),
    ]
    return pl.concat(parts, how="diagonal")


_SCORE = {"proxy": pl.String(), "value": pl.Float64()}
_SHARE = {"angle_of": pl.String(), "fixed_before": pl.Float64(), "fixed_after": pl.Float64()}
_TIME = {"read": pl.String(), "seconds": pl.Float64()}


def scores(rows: pl.DataFrame) -> pl.DataFrame:
    """SCORES of `measure_unit` rows; they have no step."""
    kept = _with(rows, _SCORE, "proxy").select(*ROW_NAMES, "proxy", "value")
    return check(
        kept.with_columns(
            unit=pl.lit(None, pl.String), step=pl.lit(None, pl.Int64), value=pl.col("value").fill_nan(None)
        ),
        "SCORES",
    )


def perturbed(rows: pl.DataFrame, part: MeasureConfig) -> pl.DataFrame:
    """PERTURBED of `measure_unit` rows."""
    kept = _with(rows, {"sigma": pl.Float64(), "draw": pl.Int64(), "loss": pl.Float64()}, "sigma")
    how = [pl.lit(word).alias(name) for name, word in part.kind_of_noise.items()]
    return check(kept.select(*ROW_NAMES, *how, "sigma", "draw", "loss"), "PERTURBED")


def shares(rows: pl.DataFrame) -> pl.DataFrame:
    """How much of each angle's vector is fixed: arch, method, setting, seed, proxy, fixed_before, fixed_after.

    Shares of the squared length that is not weights of convolutions in the search cells; null where no path is live.
    Units of runs from before they were kept have none.
    """
    kept = _with(rows, _SHARE, "angle_of").with_columns(pl.col("fixed_before", "fixed_after").fill_nan(None))
    return kept.select("arch", "method", "setting", "seed", pl.col("angle_of").alias("proxy"), *[*_SHARE][1:])


def seconds(rows: pl.DataFrame) -> pl.DataFrame:
    """What each thing that was read of `measure_unit` rows took: columns arch, method, setting, seed, read, seconds."""
    return _with(rows, _TIME, "read").select("arch", "method", "setting", "seed", "read", "seconds")


def _with(rows: pl.DataFrame, columns: dict[str, pl.DataType], named: str) -> pl.DataFrame:
    """The rows in which `named` is given; `columns` are there even where every architecture failed."""
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in columns.items() if name not in rows.columns]
    return rows.with_columns(lacking).filter(pl.col(named).is_not_null())
