"""``nasanalysis diffsearch standalone``: architectures trained alone, several at once, resumable.

A folder of results::

    out/trainings/ARCH-SEED/    truth.parquet, curves.parquet, weights.pt (checkpoint.pt while it trains)
    out/truth.parquet           TRUTH of all that are finished, origin `trained`; out/curves.parquet likewise
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from ..core.atomic import write_text
from ..core.errors import MissingDataError, ParameterError
from ..core.frames import read_frame, write_frame
from ..core.provenance import provenance
from ..core.seeding import torch_generator
from ..jobs import unordered
from ..jobs.units import exclusive
from ..networks.build import build_alone
from ..training.alone import AloneLearner, train_alone
from ..training.devices import explained_memory, settle
from ..training.standalone import StandaloneConfig
from ..training.tasks import load_task
from .diffsearch import selections
from .train import epochs_shown


@dataclass(frozen=True)
class StandaloneRun:
    """What every process starts from; small, so that it travels.

    Attributes
    ----------
    archs: canonical names. out: folder of results. device: ``cpu`` or ``cuda``. data: folder of image files; None: as
    everywhere. stand_in: drawn pixels where images are missing, for estimates alone.
    """

    config: StandaloneConfig
    archs: tuple[str, ...]
    out: Path
    device: str = "cpu"
    data: Path | None = None
    stand_in: bool = False

    @classmethod
    def of(
        cls,
        config: StandaloneConfig,
        out: Path,
        device: str = "cpu",
        data: Path | None = None,
        search: Path | None = None,
    ) -> StandaloneRun:
        """The trainings of a configuration; `search`: the folder of the searches whose architectures they are.

        Raises `MissingDataError` where a search is needed and none is finished there, `ParameterError` where
        there is nothing to train.
        """
        try:
            return cls(config, tuple(config.named_archs(_selected(config, search))), out, device, data)
        except ValueError as error:
            raise ParameterError(str(error)) from None

    @property
    def jobs(self) -> list[tuple[str, int]]:
        """(architecture, seed), the first seed of every architecture first."""
        return [(arch, seed) for seed in self.config.seeds for arch in self.archs]

    def folder(self, arch: str, seed: int) -> Path:
        """Where a training is."""
        return self.out / "trainings" / f"{hashlib.sha256(arch.encode()).hexdigest()[:16]}-{seed}"

    @property
    def needs(self) -> list[Path]:
        """Folders that every process that works must see."""
        return [self.out, *([self.data] if self.data else [])]


def _selected(config: StandaloneConfig, search: Path | None) -> tuple[str, ...]:
    if config.archs != "selected":
        return ()
    path = None if search is None else search / "trace.parquet"
    if path is None or not path.exists():
        raise MissingDataError(
            f'archs = "selected": expected the folder of a finished search, got {search or "none"}; run `nasanalysis '
            "diffsearch run` and name its --out with --search, or list the architectures in the configuration"
        )
    trace = read_frame(path, "TRACE")
    return tuple(selections(trace, config.every))


def train_one(run: StandaloneRun, arch: str, seed: int) -> Path:
    """One training, in this process."""
    config, folder = run.config, run.folder(arch, seed)
    settle(config.threads)
    task = load_task(config.images, data=run.data, device=run.device, stand_in=run.stand_in)
    with explained_memory(f"training {arch}, seed {seed}", config.alone.batch_size, run.device):
        train_alone(
            arch,
            config.size,
            task,
            config.alone,
            seed=seed,
            folder=folder,
            device=run.device,
            config={"preset": config.preset, "data": config.images.model_dump(), "threads": config.threads},
            on_epoch=lambda done, of: write_text(folder / "epoch", str(done)),
        )
    return folder


def train_all(run: StandaloneRun, workers: int = 1) -> dict[str, Path]:
    """Every architecture with every seed; ``truth`` and ``curves`` of all of them, each one file."""
    learner_of(run, run.archs[0])  # settings that the network cannot follow are refused before any training begins
    folders = [run.folder(*job) for job in run.jobs]
    with exclusive(run.out), epochs_shown("training alone: epochs", folders, run.config.alone.epochs * len(folders)):
        for _ in unordered(train_one, [(replace(run), *job) for job in run.jobs], workers=workers, needs=run.needs):
            pass
        return gather(run)


def gather(run: StandaloneRun) -> dict[str, Path]:
    """TRUTH and CURVES of all finished trainings, each in one file with the hash of every part."""
    folders = finished(run)
    if not folders:
        raise MissingDataError(f"{run.out}: expected finished trainings, got none; run them first")
    record = provenance(
        seeds={f"training {seed}": seed for seed in run.config.seeds},
        inputs=[folder / "truth.parquet" for folder in folders],
        config=json.loads(run.config.model_dump_json()),
    )
    paths = {}
    for name in ("truth", "curves"):
        frames = [read_frame(folder / f"{name}.parquet", name.upper()) for folder in folders]
        paths[name] = write_frame(pl.concat(frames), run.out / f"{name}.parquet", record)
    return paths


def finished(run: StandaloneRun) -> list[Path]:
    """Folders of the trainings that are at their end."""
    return [folder for job in run.jobs if ((folder := run.folder(*job)) / "truth.parquet").exists()]


def summary(curves: pl.DataFrame) -> list[dict[str, Any]]:
    """A row for each training: accuracy in percent of the last epoch, which counts, and of the best, which is named."""
    split = "test_accuracy" if curves["test_accuracy"].count() else "valid_accuracy"
    rows = []
    for (arch, seed), one in curves.sort("step").group_by("arch", "seed", maintain_order=True):
        best = one.sort(split, "step", descending=[True, False], nulls_last=True)
        rows.append(
            {
                "arch": arch,
                "seed": seed,
                split.replace("_", " "): round(float(one[split][-1]), 2),
                "best": round(float(best[split][0]), 2),
                "best epoch": int(best["step"][0]),
                "seconds": round(float(one["seconds"][-1]), 1),
            }
        )
    return rows


#: Updates of each architecture, and architectures, that an estimate times.
TIMED_UPDATES, TIMED_ARCHS = 5, 3


def learner_of(run: StandaloneRun, arch: str) -> AloneLearner:
    """One training, not begun."""
    config = run.config
    task = load_task(config.images, data=run.data, device=run.device, stand_in=run.stand_in)
    net = build_alone(arch, config.size, task, torch_generator(0, "estimate"), device=run.device)
    return AloneLearner(net, task, config.alone, seed=0, name=arch)


def estimate(run: StandaloneRun) -> list[dict[str, Any]]:
    """Hours of one process on this machine: updates and a reading of a few architectures, times all epochs."""
    run = replace(run, stand_in=True)
    settle(run.config.threads)
    step = max(1, len(run.archs) // TIMED_ARCHS)
    updates, readings, each = [], [], 0
    for arch in run.archs[::step][:TIMED_ARCHS]:
        learner = learner_of(run, arch)
        learner.net.train()
        each = learner.updates
        learner.update()  # the first is slow
        updates.append(_seconds(learner.update() for _ in range(TIMED_UPDATES)) / TIMED_UPDATES)
        learner.net.eval()
        readings.append(_seconds(learner.read(0) for _ in range(1)))
    update, reading = statistics.fmean(updates), statistics.fmean(readings)
    hours = (update * each + reading * run.config.alone.epochs) * len(run.jobs) / 3600
    return [
        {
            "architectures": len(run.archs),
            "seeds": len(run.config.seeds),
            "seconds an update": round(update, 4),
            "updates": each,
            "seconds a reading": round(reading, 2),
            "hours": round(hours, 2),
            "images": learner.task.name,
        }
    ]


def _seconds(work: Iterable[object]) -> float:
    started = time.perf_counter()
    for _ in work:
        pass
    return time.perf_counter() - started
