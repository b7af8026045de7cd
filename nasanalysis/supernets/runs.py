"""``nasanalysis supernet train`` and ``finetune``: a configuration becomes supernets, then CURVES and SCORES.

A folder of results::

    out/supernets/spos-0/        weights.pt, initial.pt, trace.parquet (checkpoint.pt while it trains)
    out/finetune/NAME/units/     one file for each finished architecture, from all supernets
    out/finetune/NAME/           curves.parquet, scores.parquet, failed.parquet

Everything is a unit that a killed run does not lose: the same command goes on from what is there. Several
processes share the work; on the CPU each uses `threads` of the configuration.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import joblib
import polars as pl
import torch
from torch import nn

from ..atomic import write_text
from ..errors import BuildError, NasAnalysisError, ParameterError
from ..frames import SCHEMAS, check, write_frame
from ..provenance import package_versions, provenance, sha256
from ..samples import space_archs
from ..seeding import torch_generator
from ..units import exclusive, gather, prepare, progress_bar, run_units
from .base import Supernet, initialise
from .config import FinetuneConfig, SupernetConfig
from .finetune import MEASURES, Batches, draw_batches, finetune_together
from .networks import build_supernet
from .tasks import DataConfig, Task, load_task
from .train import load_weights, train_supernet


class DeviceError(NasAnalysisError):
    """A device that is not there, or has too little memory."""


def choose_device(name: str) -> str:
    """``auto`` -> ``cuda`` where there is one, else ``cpu``; `DeviceError` for CUDA that is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise ParameterError(f"--device: expected auto, cpu or cuda, got {name!r}")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU only"
        raise DeviceError(
            f"--device cuda: no CUDA device here (torch {torch.__version__} is built for {built}); use --device cpu, "
            "or install a CUDA build of torch on a machine with a GPU"
        )
    return name


@contextlib.contextmanager
def explained_memory(what: str, batch_size: int, device: str) -> Iterator[None]:
    """Out of memory becomes a `DeviceError` that says what would fit; the batch is never changed silently."""
    on_gpu = device == "cuda"
    before = torch.cuda.memory_allocated() if on_gpu else 0
    try:
        yield
    except torch.OutOfMemoryError as error:
        free, _ = torch.cuda.mem_get_info() if on_gpu else (0, 0)
        used = max(1, torch.cuda.max_memory_allocated() - before) if on_gpu else 0
        room = free + torch.cuda.memory_reserved() - before if on_gpu else 0
        fits = max(0, int(0.8 * batch_size * min(1.0, room / used))) if on_gpu else 0
        hint = f"about {fits} images a batch would fit" if fits > 1 else "no batch of at least 2 images would fit"
        raise DeviceError(f"{what}: out of memory on {device} at batch_size = {batch_size}; {hint}") from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise DeviceError(
            f"{what}: out of memory at batch_size = {batch_size} ({str(error).splitlines()[0][:200]}); memory grows "
            "with batch_size x size x size x channels: make one of them smaller, or use fewer --workers"
        ) from error


# --- training -------------------------------------------------------------------------------------------


def train_all(
    config: SupernetConfig, out: Path, *, device: str = "auto", workers: int = 1, data: Path | None = None
) -> list[Path]:
    """Train every protocol with every seed of `config`; the files of weights, in that order."""
    device = choose_device(device)
    for protocol in map(config.train.protocol, config.train.protocols):
        if protocol.fair:  # not defined on every space: said before hours of training
            protocol.passes(_blank(config, device, data))
    jobs = [(protocol, seed) for protocol in config.train.protocols for seed in config.train.seeds]
    folders = [_folder(out, protocol, seed) for protocol, seed in jobs]
    epochs = config.train.settings.epochs
    with exclusive(out), _epochs_shown(folders, epochs):
        calls = (
            joblib.delayed(train_one)(config, protocol, seed, folder, device, data)
            for (protocol, seed), folder in zip(jobs, folders, strict=True)
        )
        for _ in joblib.Parallel(n_jobs=min(workers, len(jobs)), return_as="generator_unordered")(calls):
            pass
    return [folder / "weights.pt" for folder in folders]


def train_one(config: SupernetConfig, protocol: str, seed: int, folder: Path, device: str, data: Path | None) -> Path:
    """One supernet, in this process."""
    torch.set_num_threads(config.threads)
    task = _task(config, data, device)
    net = build_supernet(config.space, config.network, task, device=device)
    settings = config.train.settings
    with explained_memory(f"training {protocol}, seed {seed}", settings.batch_size, device):
        return train_supernet(
            net,
            task,
            config.train.protocol(protocol),
            settings,
            seed=seed,
            folder=folder,
            config={"network": config.network.model_dump(), "data": vars(config.data), "threads": config.threads},
            on_epoch=lambda done, of: write_text(folder / "epoch", str(done)),
        )


def _folder(out: Path, protocol: str, seed: int) -> Path:
    return out / "supernets" / f"{protocol}-{seed}"


@contextlib.contextmanager
def _epochs_shown(folders: Sequence[Path], epochs: int) -> Iterator[None]:
    """A progress bar over the epochs of all trainings, whichever process runs them."""

    def done() -> int:
        total = 0
        for folder in folders:
            with contextlib.suppress(OSError, ValueError):
                total += int((folder / "epoch").read_text())
        return total

    def follow() -> None:
        while not over.wait(1.0):
            bar.update(task, completed=done())

    over = threading.Event()
    with progress_bar() as bar:
        task = bar.add_task("training supernets: epochs", total=epochs * len(folders), completed=done())
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            bar.update(task, completed=done())


# --- finetuning -----------------------------------------------------------------------------------------


def finetune_all(
    config: SupernetConfig,
    out: Path,
    *,
    device: str = "auto",
    workers: int = 1,
    data: Path | None = None,
    only: str | None = None,
) -> list[Path]:
    """Finetune every architecture of every part of `config` from its supernets; the folders of results.

    Raises `BuildError` where a supernet is not trained yet. An architecture that fails is recorded in
    ``failed.parquet`` with its error, and the rest go on; one that lacked memory is tried again by the next
    run. From scratch, the protocols make no difference: each architecture is trained once for each seed.
    """
    device = choose_device(device)
    parts = [part for part in config.finetune if only in (None, part.name)]
    if not parts:
        named = ", ".join(part.name for part in config.finetune) or "none"
        raise ParameterError(f"finetune: expected a part of the configuration ({named}), got {only!r}")
    return [_finetune_part(config, part, out, device, workers, data) for part in parts]


def _finetune_part(
    config: SupernetConfig, part: FinetuneConfig, out: Path, device: str, workers: int, data: Path | None
) -> Path:
    archs = space_archs(part.archs, config.space, data=data)[: part.limit]
    jobs = _jobs(config, part)
    missing = [path for job in jobs if not (path := _folder(out, *job) / "weights.pt").exists()]
    if missing and not part.from_scratch:
        raise BuildError(
            f"{missing[0]}: expected a trained supernet, found none ({len(missing)} of {len(jobs)} are missing); run "
            "`nasanalysis supernet train` with the same --config and --out first"
        )
    task = _task(config, data, device)
    fingerprint = {
        "space": config.space,
        "network": config.network.model_dump(),
        "data": {**vars(config.data), "inputs": dict(task.inputs_sha256)},
        "supernets": {
            f"{p}-{s}": None if part.from_scratch else sha256(_folder(out, p, s) / "weights.pt") for p, s in jobs
        },
        "finetune": part.model_dump(mode="json", exclude={"name", "limit", "archs", "protocols", "seeds"}),
        "threads": config.threads,
        "device": device,
        "packages": package_versions(("torch", "numpy")),
    }
    folder = out / "finetune" / part.name
    units = {_unit_name(arch): (config, part, arch, out, device, data) for arch in archs}
    with exclusive(folder):
        home = prepare(folder, fingerprint, resume=True)
        paths = run_units(finetune_unit, units, home, workers=workers, description=f"finetuning {part.name}")
        made = gather(paths)
        rows = pl.concat(made, how="diagonal_relaxed")
        record = provenance(
            seeds={"minibatches": part.data_seed, **{f"supernet {seed}": seed for _, seed in jobs}},
            config={**config.model_dump(mode="json"), "part": part.name, "device": device},
        )
        record["inputs"] = dict(task.inputs_sha256)
        write_frame(curves(rows), folder / "curves.parquet", record)
        write_frame(scores(rows), folder / "scores.parquet", record)
        failed = rows.filter(pl.col("error").is_not_null()).select("method", "seed", "arch", "error")
        write_frame(failed, folder / "failed.parquet", record)
        for path, frame in zip(paths, made, strict=True):
            if "lacked_memory" in frame.columns:
                path.unlink()
    return folder


def _jobs(config: SupernetConfig, part: FinetuneConfig) -> list[tuple[str, int]]:
    """(protocol, seed) of the supernets of a part; from scratch the protocols make no difference."""
    protocols = part.protocols or config.train.protocols
    seeds = part.seeds or config.train.seeds
    return [(protocol, seed) for protocol in protocols[: 1 if part.from_scratch else None] for seed in seeds]


def _unit_name(arch: str) -> str:
    """The file of an architecture, whatever sample it stands in."""
    return hashlib.sha256(arch.encode()).hexdigest()[:16]


def finetune_unit(
    config: SupernetConfig, part: FinetuneConfig, arch: str, out: Path, device: str, data: Path | None
) -> pl.DataFrame:
    """One architecture from every supernet of a part: rows of `finetune` and the columns that name them, or errors."""
    torch.set_num_threads(config.threads)
    task, settings = _task(config, data, device), part.settings(config.train)
    jobs, batches = _jobs(config, part), _batches(config, part, device, data)
    frames: list[pl.DataFrame] = []
    for start in range(0, len(jobs), part.together):
        chunk = jobs[start : start + part.together]
        error, found = None, []
        try:
            with explained_memory(f"finetuning {arch}", settings.batch_size, device):
                nets = [_inherited(config, part, job, arch, out, device, data) for job in chunk]
                found = finetune_together(nets, batches, settings)
        except DeviceError as failure:
            error = failure
        for place, (protocol, seed) in enumerate(chunk):
            made = found[place] if error is None else error
            rows = made if isinstance(made, pl.DataFrame) else pl.DataFrame({"step": [0]})
            if isinstance(made, DeviceError):
                rows = rows.with_columns(lacked_memory=True)
            frames.append(
                rows.with_columns(
                    benchmark=pl.lit(f"live-{config.space}"),
                    dataset=pl.lit(task.name),
                    arch=pl.lit(arch),
                    method=pl.lit("scratch" if part.from_scratch else protocol),
                    setting=pl.lit(part.name),
                    seed=pl.lit(seed, pl.Int64),
                    schedule=pl.lit(settings.minibatches, pl.Int64),
                    error=pl.lit(None if isinstance(made, pl.DataFrame) else str(made), pl.String),
                )
            )
    return pl.concat(frames, how="diagonal_relaxed")


def _inherited(
    config: SupernetConfig,
    part: FinetuneConfig,
    job: tuple[str, int],
    arch: str,
    out: Path,
    device: str,
    data: Path | None,
) -> nn.Module:
    """The network to be finetuned: from the supernet of a protocol and seed, or from scratch."""
    if not part.from_scratch:
        return _supernet(config, _folder(out, *job) / "weights.pt", device, data).subnet(arch)
    blank = _blank(config, device, data)
    initialise_scratch(blank, arch, job[1])
    return blank.subnet(arch)


_NAMES = ["benchmark", "dataset", "arch", "method", "setting", "seed"]


def curves(rows: pl.DataFrame) -> pl.DataFrame:
    """CURVES by minibatch of `finetune_unit` rows: training minibatches and validation minibatches."""
    kept = rows.filter(pl.col("error").is_null())
    values = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "seconds")
    read = [name for name in values if name in kept.columns]  # none where every architecture failed
    return check(kept.select(*_NAMES, "schedule", pl.lit("minibatch").alias("unit"), "step", *read), "CURVES")


def scores(rows: pl.DataFrame) -> pl.DataFrame:
    """SCORES by minibatch of `finetune_unit` rows: everything in `MEASURES` that was read."""
    kept = rows.filter(pl.col("error").is_null())
    measured = [name for name in MEASURES if name in kept.columns]
    if not measured:
        return SCHEMAS["SCORES"].empty()
    long = kept.unpivot(on=measured, index=[*_NAMES, "step"], variable_name="proxy", value_name="value")
    return check(long.drop_nulls("value").with_columns(unit=pl.lit("minibatch")), "SCORES")


# --- what a process keeps from unit to unit -------------------------------------------------------------------


@lru_cache(maxsize=2)
def _loaded(config: DataConfig, data: Path | None, device: str) -> Task:
    return load_task(config, data=data, device=device)


def _task(config: SupernetConfig, data: Path | None, device: str) -> Task:
    return _loaded(config.data, data, device)


@lru_cache(maxsize=64)
def _supernet(config: SupernetConfig, weights: Path, device: str, data: Path | None) -> Supernet:
    net = _blank(config, device, data)
    load_weights(net, weights)
    return net


def _blank(config: SupernetConfig, device: str, data: Path | None) -> Supernet:
    return build_supernet(config.space, config.network, _task(config, data, device), device=device)


def initialise_scratch(net: Supernet, arch: str, seed: int) -> None:
    """Fresh weights of one architecture from `seed`, drawn on the CPU."""
    device = next(net.parameters()).device
    initialise(net.cpu(), torch_generator(seed, "finetune", "scratch", arch))
    net.to(device)


@lru_cache(maxsize=2)
def _batches(config: SupernetConfig, part: FinetuneConfig, device: str, data: Path | None) -> Batches:
    return draw_batches(_task(config, data, device), part.settings(config.train), seed=part.data_seed)
