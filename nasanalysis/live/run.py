"""One run: a configuration, a folder of results, a device, and where the data is.

A folder of results::

    out/supernets/spos-0/        weights.pt, initial.pt, trace.parquet (checkpoint.pt while it trains; epoch-N.pt)
    out/finetune/NAME/units/     one file for each finished architecture, from all supernets
    out/finetune/NAME/           curves.parquet, scores.parquet, failed.parquet
    out/measure/NAME/            the same, with perturbed.parquet in place of curves.parquet
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ..core.errors import BuildError
from ..core.provenance import package_versions, provenance, sha256
from ..jobs import kept_for_one_run
from ..networks.base import Supernet
from ..networks.build import _blank
from ..training.devices import choose_device
from ..training.gpu_slots import worker_gpu
from ..training.settings import DataConfig
from ..training.tasks import Task, load_task
from ..training.train import differences, load_weights, training_of
from .config import SupernetConfig

#: (protocol, seed) of a supernet.
Job = tuple[str, int]


@dataclass(frozen=True)
class Run:
    """What every command on live supernets starts from; small, so that it travels to any process.

    Attributes
    ----------
    out: folder of results. device: ``cpu`` or ``cuda``, that of the processes that do the work.
    data: folder of benchmark and image files; None: as everywhere (``$NASANALYSIS_DATA``, then the user's cache).
    epoch: after which the weights that are read were kept; None: those of the end.
    stand_in: drawn pixels where images are missing, for estimates alone.
    """

    config: SupernetConfig
    out: Path
    device: str
    data: Path | None = None
    epoch: int | None = None
    stand_in: bool = False

    def weights(self, job: Job) -> Path:
        """The file of a supernet's weights."""
        last = self.epoch in (None, self.config.train.epochs)
        return self.folder(*job) / ("weights.pt" if last else f"epoch-{self.epoch}.pt")

    @property
    def skeleton(self) -> dict[str, Any]:
        """What a training depends on beside its protocol, settings and seed."""
        config = self.config
        return {
            "network": config.network.model_dump(),
            "data": config.data.model_dump(),
            "threads": config.threads,
        }

    def folder(self, protocol: str, seed: int) -> Path:
        """Where the supernet of a protocol and seed is."""
        return self.out / "supernets" / f"{protocol}-{seed}"

    @property
    def place(self) -> str:
        """The device of this process: with several GPUs the one that the fewest processes hold."""
        if self.device == "cpu":
            return "cpu"
        return f"{choose_device(self.device)}:{worker_gpu(torch.cuda.device_count())}"

    @property
    def on_cpu(self) -> Run:
        """The same for the process that hands out the work, which may have no GPU."""
        return replace(self, device="cpu")

    @property
    def needs(self) -> list[Path]:
        """Folders that every process that works must see."""
        return [self.out, *([self.data] if self.data else [])]

    @property
    def task(self) -> Task:
        return _task(self.config.data, self.data, self.place, self.stand_in)

    def blank(self) -> Supernet:
        """A supernet that waits for weights: every one is NaN until it is loaded or initialised."""
        return _blank(self.config.space, self.config.network, self.task, device=self.place)

    def supernet(self, job: Job) -> Supernet:
        """The trained supernet of (protocol, seed), kept by the process; not to be changed."""
        return self._read(self.weights(job))

    def initial_supernet(self, job: Job) -> Supernet:
        """The same before its training."""
        return self._read(self.folder(*job) / "initial.pt")

    def _read(self, path: Path) -> Supernet:
        return _supernet(self, path, path.stat().st_mtime_ns if path.exists() else 0)

    def require_supernets(self, jobs: Sequence[Job]) -> None:
        """`BuildError` where one is not trained yet, or was trained under other options than the configuration's."""
        missing = [path for job in jobs if not (path := self.weights(job)).exists()]
        if missing and self.epoch is not None and (missing[0].parent / "weights.pt").exists():
            raise BuildError(
                f"{missing[0]}: expected the weights of epoch {self.epoch}, found none; the training kept no such "
                "snapshot: add the epoch to `snapshots` of [train] and train into another --out"
            )
        if missing:
            raise BuildError(
                f"{missing[0]}: expected a trained supernet, found none ({len(missing)} of {len(jobs)} are missing); "
                "run `nasanalysis supernet train` with the same --config and --out first"
            )
        for job in jobs:
            self._require_same_training(job)

    def _require_same_training(self, job: Job) -> None:
        protocol, seed = job
        trained = training_of(self.weights(job))
        train = self.config.train
        expected = {
            "protocol": train.protocol(protocol).described(),
            "settings": train.settings.model_dump(),
            "seed": seed,
            **{key: self.skeleton[key] for key in ("network", "data")},
        }
        if other := differences(json.loads(json.dumps(expected)), trained):
            raise BuildError(
                f"{self.weights(job)}: expected a supernet trained as the configuration says, got one trained under "
                f"other options: {'; '.join(other)}. Use the configuration it was trained with, or train into another "
                "--out"
            )

    def fingerprint(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """What the numbers of a unit depend on, the settings of its part excepted. `jobs`: supernets it reads."""
        return {
            "space": self.config.space,
            "network": self.config.network.model_dump(),
            "data": {**self.config.data.model_dump(), "inputs": dict(self.on_cpu.task.inputs_sha256)},
            "supernets": {f"{p}-{s}": sha256(self.weights((p, s))) for p, s in jobs},
            "threads": self.config.threads,
            "device": self.device,
            "packages": package_versions(("torch", "numpy")),
        }

    def record(self, part: str, seeds: Mapping[str, int]) -> dict[str, Any]:
        """Provenance of the results of a part."""
        config = {**self.config.model_dump(mode="json"), "part": part, "device": self.device}
        return {**provenance(seeds=seeds, config=config), "inputs": dict(self.on_cpu.task.inputs_sha256)}


@kept_for_one_run
@lru_cache(maxsize=2)
def _task(config: DataConfig, data: Path | None, device: str, stand_in: bool) -> Task:
    return load_task(config, data=data, device=device, stand_in=stand_in)


@kept_for_one_run
@lru_cache(maxsize=64)
def _supernet(run: Run, path: Path, written: int) -> Supernet:
    """`written`: when the file was; one that is made anew is read anew."""
    net = run.blank()
    load_weights(net, path)
    return net
