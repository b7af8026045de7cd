"""``nasanalysis diffsearch run``: every method with every seed of a configuration, several at once, resumable.

A folder of results::

    out/searches/METHOD-SEED/   trace.parquet, alphas.parquet, weights.pt (checkpoint.pt while it searches)
    out/trace.parquet           TRACE of all that are finished; out/alphas.parquet likewise
    out/alone/                  what was selected, trained alone (`train_selections`): truth.parquet
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from ..builders.build_digits import train_unit
from ..core.atomic import write_text
from ..core.errors import ParameterError
from ..core.frames import check, read_frame, read_provenance, write_frame
from ..core.provenance import package_versions, provenance
from ..differentiable.config import DiffSearchConfig, MethodConfig
from ..differentiable.diagnostics import require_defined
from ..differentiable.learner import SearchLearner
from ..differentiable.methods import method
from ..differentiable.search import read_outcome, run_search
from ..jobs import unordered
from ..jobs.units import exclusive, prepare, run_units
from ..jobs.units import gather as gather_units
from ..spaces.base import Arch
from ..spaces.nb201 import SPACE as NB201
from ..training.devices import explained_memory, settle
from ..training.digits import DigitsConfig
from ..training.tasks import load_task
from .train import epochs_shown


@dataclass(frozen=True)
class SearchRun:
    """What every process starts from; small, so that it travels.

    Attributes
    ----------
    out: folder of results. device: ``cpu`` or ``cuda``. data: folder of image files; None: as everywhere.
    stand_in: drawn pixels where images are missing, for estimates alone.
    other_versions: go on with searches that other versions of packages began; fingerprints then name both.
    """

    config: DiffSearchConfig
    out: Path
    device: str
    data: Path | None = None
    stand_in: bool = False
    other_versions: bool = False

    def folder(self, row: MethodConfig, seed: int) -> Path:
        """Where a search is."""
        return self.out / "searches" / f"{row.label}-{seed}".replace(" ", "_")

    @property
    def needs(self) -> list[Path]:
        """Folders that every process that works must see."""
        return [self.out, *([self.data] if self.data else [])]


def learner_of(run: SearchRun, row: MethodConfig, seed: int, **changes: Any) -> SearchLearner:
    """One search, not begun; `changes`: keys of its `SearchSettings` that come in place of what it says."""
    config = run.config
    parts = method(row.name, config.space, config.settings(row).epochs, **row.options)
    settings = config.settings(row, parts.settings).changed(**changes)
    task = load_task(config.data, data=run.data, device=run.device, stand_in=run.stand_in)
    return SearchLearner(config.space, config.network_of(row), task, parts, settings, seed=seed, device=run.device)


def search_one(run: SearchRun, row: MethodConfig, seed: int) -> Path:
    """One search, in this process."""
    settle(run.config.threads)
    folder = run.folder(row, seed)
    with explained_memory(f"searching by {row.label}, seed {seed}", run.config.settings(row).batch_size, run.device):
        run_search(
            learner_of(run, row, seed),
            folder,
            setting=row.setting,
            config={"data": run.config.data.model_dump(), "threads": run.config.threads},
            on_epoch=lambda done, of: write_text(folder / "epoch", str(done)),
            other_versions=run.other_versions,
        )
    return folder


def search_all(run: SearchRun, workers: int = 1) -> list[Path]:
    """Every method with every seed; the folders of all, in order, and the two frames of them together.

    Methods that the space does not define are refused before any search begins.
    """
    epochs = {}
    for row in run.config.method:
        settings = run.config.settings(row)
        parts = method(row.name, run.config.space, settings.epochs, **row.options)
        require_defined(parts, settings)
        epochs[row.label] = sum(stage.epochs for stage in parts.stages)
    jobs = run.config.jobs
    folders = [run.folder(*job) for job in jobs]
    total = sum(epochs[row.label] for row, _ in jobs)
    with exclusive(run.out), epochs_shown("searching: epochs", folders, total):
        for _ in unordered(search_one, [(replace(run), *job) for job in jobs], workers=workers, needs=run.needs):
            pass
        gather(run)
    return folders


def gather(run: SearchRun) -> dict[str, Path]:
    """TRACE and ALPHAS of all finished searches, each in one file with the hash of every part."""
    finished = [folder for folder in _folders(run) if (folder / "weights.pt").exists()]
    record = provenance(
        seeds={"searches": max(seed for _, seed in run.config.jobs)},
        inputs=[folder / "trace.parquet" for folder in finished],
        config=json.loads(run.config.model_dump_json()),
    )
    paths = {}
    for name in ("trace", "alphas"):
        frames = [read_frame(folder / f"{name}.parquet") for folder in finished]
        paths[name] = write_frame(pl.concat(frames), run.out / f"{name}.parquet", record)
    return paths


def _folders(run: SearchRun) -> Iterator[Path]:
    yield from (run.folder(row, seed) for row, seed in run.config.jobs)


def summary(run: SearchRun) -> list[dict[str, Any]]:
    """One row for each finished search: method, setting, seed, its architecture, and seconds."""
    rows = []
    for row, seed in run.config.jobs:
        folder = run.folder(row, seed)
        if not (folder / "weights.pt").exists():
            continue
        outcome = read_outcome(folder)
        seconds = outcome.trace.filter(quantity="seconds")["value"].sum()
        rows.append(
            {
                "method": row.name,
                "setting": row.setting,
                "seed": seed,
                "arch": str(outcome.arch),
                "seconds": round(float(seconds), 1),
            }
        )
    return rows


#: Weight steps of each row that an estimate times, at least.
TIMED_STEPS = 6


def estimate(run: SearchRun) -> list[dict[str, Any]]:
    """Hours of every row on this machine, from a few steps of its first stage.

    Rows: method, setting, seconds of a weight step (alpha's share with it), steps, hours of all its seeds, images
    (drawn pixels where none are at hand). What later stages, selections and eigenvalues add is left out.
    """
    run = replace(run, stand_in=True)
    settle(run.config.threads)
    rows = []
    for row in run.config.method:
        learner = learner_of(run, row, 0)
        learner.begin(0, learner.course.epochs)
        learner.net.train()
        learner.left = 1
        learner.update()  # the first is slow
        started, done = time.perf_counter(), 0
        while done < TIMED_STEPS:
            learner.begin(0, learner.course.epochs)
            learner.left = min(learner.left, TIMED_STEPS)  # a long period costs by the step what a short one does
            while learner.left:
                before = learner.left
                learner.update()
                done += before - learner.left
        seconds = (time.perf_counter() - started) / done
        steps = learner.batches * learner.course.epochs
        seeds = len(row.seeds or run.config.seeds)
        rows.append(
            {
                "method": row.name,
                "setting": row.setting,
                "seconds a step": round(seconds, 4),
                "steps": steps,
                "hours": round(seconds * steps * seeds / 3600, 2),
                "images": learner.task.name,
            }
        )
    return rows


#: Epochs between weights of candidates, and between selections that are trained alone, in kept results.
KEPT_EVERY = 10


def keep_searches(run: SearchRun, name: str, out: Path) -> list[Path]:
    """``out/NAME_trace.parquet`` (TRACE) and ``NAME_alphas.parquet`` (ALPHAS every `KEPT_EVERY` epochs and at the
    end).
    """
    paths = gather(run)
    kept = []
    for kind, path in paths.items():
        frame = read_frame(path)
        if kind == "alphas":
            last = pl.col("epoch").max().over("method", "setting", "seed")
            frame = frame.filter((pl.col("epoch") % KEPT_EVERY == 0) | (pl.col("epoch") == last))
            frame = frame.with_columns(pl.col("weight", "alpha").cast(pl.Float32))
        target = out / f"{name}_{kind}.parquet"
        kept.append(write_frame(frame, target, read_provenance(path)))
    return kept


def selections(trace: pl.DataFrame, every: int) -> list[str]:
    """Architectures that searches selected, at the end and after every so many epochs (0: the end alone), each once."""
    wanted = pl.col("quantity") == "selected"
    if every:
        wanted |= (pl.col("quantity") == "genotype") & (pl.col("epoch") % every == 0)
    rows = trace.filter(wanted)
    return sorted(set(rows["text"].to_list()))


def train_selections(run: SearchRun, out: Path, *, every: int = KEPT_EVERY, seeds: int = 2, workers: int = 1) -> Path:
    """TRUTH of what searches on digits selected, each cell trained alone as the benchmark `digits` trains.

    Cells of one functional class are one: the class's first cell is trained, and its accuracy is that of all of them.

    Returns ``out/truth.parquet``; resumable. `ParameterError` for other data, whose truth is in the benchmarks' files.
    """
    if run.config.data.data != "digits" or run.config.space != "nb201":
        raise ParameterError(
            f"truth: expected searches of nb201 on digits, got {run.config.space} on {run.config.data.data}; judge "
            "those by a benchmark's files (benchmark = ... of [[diffsearch]])"
        )
    trace = read_frame(gather(run)["trace"], "TRACE")
    archs = selections(trace, every)
    digits = DigitsConfig()
    classes = {arch: str(NB201.unique_arch(arch, "functional")) for arch in archs}
    units = {
        f"{NB201.index(first):05d}-{seed}": (Arch.from_text(first).key, seed, digits)
        for first in sorted(set(classes.values()))
        for seed in range(seeds)
    }
    fingerprint = {"config": digits.as_dict(), "packages": package_versions(("torch", "numpy", "scikit-learn"))}
    with exclusive(out):
        folder = prepare(out, fingerprint, resume=True)
        curves = pl.concat(gather_units(run_units(train_unit, units, folder, workers=workers, description="training")))
    last = curves.filter(pl.col("step") == pl.col("step").max().over("arch", "seed"))
    rows = pl.DataFrame({"of": list(classes), "arch": list(classes.values())}).join(
        last, on="arch", maintain_order="left"
    )
    truth = rows.select(
        benchmark="benchmark",
        dataset="dataset",
        arch="of",
        split=pl.lit("test"),
        schedule="schedule",
        seed="seed",
        accuracy=pl.col("test_accuracy").cast(pl.Float64),
        origin=pl.lit("trained"),
    )
    record = provenance(
        seeds={f"training {i}": i for i in range(seeds)},
        inputs=[run.out / "trace.parquet"],
        config={**digits.as_dict(), "every": every},
    )
    return write_frame(check(truth, "TRUTH"), out / "truth.parquet", record)
