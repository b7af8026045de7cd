"""Run a configuration: independent units, each a file of its own, and one small table of all of them.

``out/NAME/units/UNIT.parquet``   what a unit gave; a run that was killed goes on from there
``out/NAME/checkpoints/UNIT.pt``  a long unit after its last whole epoch
``out/synthetic_NAME.parquet``    all units in one frame, with configuration and provenance
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import MissingExtraError
from ..core.frames import write_frame
from ..core.provenance import package_versions, provenance
from ..jobs.units import exclusive, gather, prepare, run_units
from .config import EvidenceConfig, Experiment, FourierConfig, MaxDegConfig, MemoryConfig, RateConfig

#: What can change a number of these experiments.
_PACKAGES = ("numpy", "scipy", "torch")
Units = dict[str, tuple[Callable[..., pl.DataFrame], tuple[Any, ...]]]


@dataclass(frozen=True)
class Place:
    """Where a run reads and writes.

    Attributes
    ----------
    folder: of this configuration. data: of raw files. device: ``cpu`` or ``cuda``. seed: of every draw.
    """

    folder: Path
    data: Path | None = None
    device: str = "cpu"
    seed: int = 0

    def seeds(self, config: Experiment) -> range:
        """The seeds of the repetitions."""
        return range(self.seed, self.seed + config.seeds)


def run_experiment(
    name: str,
    config: Experiment,
    out: Path,
    *,
    data: Path | None = None,
    device: str = "cpu",
    seed: int = 0,
    workers: int = 1,
    quiet: bool = False,
) -> Path:
    """Run `config` as far as it is not there yet; the path of its table.

    The same seed, configuration and versions give the same numbers, times and memory aside.
    """  # fmt: skip
    place = Place(out / name, data, device, seed)
    fingerprint = {"config": config.model_dump(mode="json"), "seed": seed, "packages": package_versions(_PACKAGES)}
    with exclusive(place.folder):
        folder = prepare(place.folder, fingerprint, resume=True)
        needs = [place.folder, *([data] if data else [])]
        paths = run_units(
            _work, units_of(config, place), folder, workers=workers, needs=needs, description=name, quiet=quiet
        )
        frames = gather(paths)
    record = provenance(seeds={"experiment": seed}, config={"name": name, **config.model_dump(mode="json")})
    return write_frame(pl.concat(frames), out / f"synthetic_{name}.parquet", record)


def _work(function: Callable[..., pl.DataFrame], arguments: tuple[Any, ...]) -> pl.DataFrame:
    return function(*arguments)


def units_of(config: Experiment, place: Place) -> Units:
    """Unit -> what makes it."""
    return _UNITS[config.kind](config, place)


def _evidence_units(config: EvidenceConfig, place: Place) -> Units:
    from .evidence_runs import bounds, one_problem

    units: Units = {"bounds": (bounds, (config, place.seed))}
    return units | {f"problem-{i}": (one_problem, (config, i, place.seed)) for i in range(config.seeds)}


def _fourier_units(config: FourierConfig, place: Place) -> Units:
    from .fourier import fixed_degrees

    return {f"seed-{seed}": (fixed_degrees, (config, seed)) for seed in place.seeds(config)}


def _maxdeg_units(config: MaxDegConfig, place: Place) -> Units:
    from .maxdeg import OBJECTIVES, search

    searches = [(start, config.fixed_T, "sotl") for start in config.starts]
    searches += [(config.fixed_start, T, "sotl") for T in config.Ts]
    for T in config.validation_Ts:
        searches += [(config.fixed_start, T, objective) for objective in OBJECTIVES if objective != "sotl"]
    return {
        f"seed-{seed}-{objective.replace(' + ', '-').replace(' ', '-')}-start-{start:g}-T-{T}": (
            search,
            (config, start, T, objective, seed),
        )
        for seed in place.seeds(config)
        for start, T, objective in dict.fromkeys(searches)
    }


def _rate_units(config: RateConfig, place: Place) -> Units:
    with _needs_torch():
        from .rates import train
    units: Units = {}
    for seed in place.seeds(config):
        arms = {f"seed-{seed}-T-{T}": (config, T) for T in config.Ts}
        arms |= {f"seed-{seed}-rate-{rate:g}": (config.changed(rate=rate), 0) for rate in config.fixed_rates}
        for stem, (own, T) in arms.items():
            checkpoint = place.folder / "checkpoints" / f"{stem}.pt"
            units[stem] = (train, (own, T, seed, place.data, place.device, checkpoint))
    return units


def _memory_units(config: MemoryConfig, place: Place) -> Units:
    with _needs_torch():
        from .memory import measure
    modes = [("forward", T) for T in config.Ts] + [("reverse", T) for T in config.reverse_Ts]
    return {
        f"seed-{seed}-{mode}-T-{T}": (measure, (config, mode, T, seed, place.data, place.device))
        for seed in place.seeds(config)
        for mode, T in modes
    }


@contextlib.contextmanager
def _needs_torch() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "supernet", "the learning-rate experiment") from error


_UNITS: Mapping[str, Callable[[Any, Place], Units]] = {
    "evidence": _evidence_units,
    "fourier": _fourier_units,
    "maxdeg": _maxdeg_units,
    "learning_rate": _rate_units,
    "memory": _memory_units,
}
