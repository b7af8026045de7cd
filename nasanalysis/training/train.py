"""Training a supernet: one protocol, one seed; a checkpoint after every epoch, the same weights however often killed.

An epoch is as many images forward and backward as the training part holds, whatever the protocol does with
them, so that protocols are compared at equal compute: one epoch of `multipath` makes a quarter of the
updates of `spos`. Every epoch's row of the TRACE says how many images were seen.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from ..core.errors import BuildError, ParameterError
from ..core.frames import check, write_frame
from ..core.provenance import package_versions, provenance
from ..core.seeding import generator, torch_generator
from ..jobs.units import exclusive
from ..networks.base import Supernet, initialise_on_cpu, live_benchmark
from . import checkpoints
from .optimisers import sgd
from .protocols import Protocol, update
from .settings import TrainSettings
from .tasks import Task


class Stream:
    """Minibatches of indices, each image once before any comes again; the last, smaller batch is left out."""

    def __init__(self, count: int, batch_size: int, generator: torch.Generator) -> None:
        if count < batch_size:
            raise ParameterError(
                f"batch_size: expected at most the {count} training images, got {batch_size}; use more images or less"
            )
        self._count, self._size, self._generator = count, batch_size, generator
        self._order = torch.randperm(count, generator=generator)
        self._next = 0

    def __call__(self) -> Tensor:
        if self._next + self._size > self._count:
            self._order, self._next = torch.randperm(self._count, generator=self._generator), 0
        self._next += self._size
        return self._order[self._next - self._size : self._next]

    def state(self) -> dict[str, Any]:
        return {"order": self._order, "next": self._next, "generator": self._generator.get_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._order, self._next = state["order"], state["next"]
        self._generator.set_state(state["generator"])


class Training:
    """A supernet in training: what a checkpoint holds."""

    def __init__(self, net: Supernet, task: Task, protocol: Protocol, settings: TrainSettings, *, seed: int) -> None:
        self.net, self.task, self.protocol, self.settings, self.seed = net, task, protocol, settings, seed
        passes = protocol.passes(net)
        self.images_per_update = passes * settings.batch_size
        self.updates = math.ceil(settings.epochs * len(task.labels) / self.images_per_update)
        self.optimiser = sgd(
            net.parameters(),
            learning_rate=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self.epoch, self.done = 0, 0
        self.rows: list[dict[str, float]] = []
        self._archs = generator(seed, "supernet", "architectures")
        self._stream = Stream(len(task.labels), settings.batch_size, torch_generator(seed, "supernet", "order"))
        self._augment = torch_generator(seed, "supernet", "augmentation")

    def _rate(self) -> float:
        low, high = self.settings.learning_rate_min, self.settings.learning_rate
        return low + 0.5 * (high - low) * (1 + math.cos(math.pi * self.done / self.updates))

    def run_epoch(self) -> dict[str, float]:
        """One more epoch; its row: epoch, train_loss (nats), train_accuracy (percent), images_seen, seconds."""
        started = time.perf_counter()
        self.net.train()
        last = round(self.updates * (self.epoch + 1) / self.settings.epochs)
        sums: list[Tensor] = []
        while self.done < last:
            self.optimiser.param_groups[0]["lr"] = self._rate()
            loss, right = update(self.net, self.optimiser, self.protocol, self._batch, self._archs)
            sums.append(torch.stack((loss, right)))
            self.done += 1
        self.epoch += 1
        loss_mean, right_mean = torch.stack(sums).double().mean(0).tolist() if sums else (math.nan, math.nan)
        if sums and not math.isfinite(loss_mean):
            raise BuildError(
                f"{self.protocol.name}, seed {self.seed}: the training loss is not finite in epoch {self.epoch} "
                f"(learning rate {self._rate():g}); the checkpoint of epoch {self.epoch - 1} is kept. "
                "Use a smaller learning_rate or prox, and another --out"
            )
        row = {
            "epoch": float(self.epoch),
            "train_loss": loss_mean,
            "train_accuracy": 100 * right_mean,
            "images_seen": float(self.done * self.images_per_update),
            "learning_rate": self._rate(),
            "seconds": time.perf_counter() - started,
        }
        self.rows.append(row)
        return row

    def _batch(self) -> tuple[Tensor, Tensor]:
        return self.task.batch(self._stream(), self._augment)

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "done": self.done,
            "rows": self.rows,
            "archs": json.dumps(self._archs.bit_generator.state),
            "stream": self._stream.state(),
            "augment": self._augment.get_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.done, self.rows = state["epoch"], state["done"], state["rows"]
        self._archs.bit_generator.state = json.loads(state["archs"])
        self._stream.restore(state["stream"])
        self._augment.set_state(state["augment"])


def fingerprint(net: Supernet, task: Task, training: Training, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for a run to go on from a checkpoint."""
    return {
        "space": net.space,
        "weights": [[name, list(value.shape)] for name, value in net.state_dict().items()],
        "task": [task.name, task.size, task.classes, len(task.labels)],
        "inputs": dict(task.inputs_sha256),
        "protocol": asdict(training.protocol),
        "settings": training.settings.model_dump(),
        "seed": training.seed,
        "packages": package_versions(("torch", "numpy")),
        **extra,
    }


def train_supernet(
    net: Supernet,
    task: Task,
    protocol: Protocol,
    settings: TrainSettings,
    *,
    seed: int,
    folder: Path,
    config: Mapping[str, Any] | None = None,
    on_epoch: Callable[[int, int], object] = lambda done, of: None,
) -> Path:
    """Train `net` in place and return ``folder/weights.pt``; a run that was killed goes on from its last epoch.

    Files: ``initial.pt`` (weights before training), ``checkpoint.pt`` (after every epoch, removed at the end),
    ``weights.pt``, ``trace.parquet`` (TRACE with provenance). `net` is initialised here from `seed`; its weights
    may lie on any device. On the CPU with one thread a resumed run gives the same bits as an unbroken one.
    `config` joins the fingerprint. Raises `BuildError` where `folder` holds another run or the loss is not finite.
    """
    with exclusive(folder):
        initialise_on_cpu(net, torch_generator(seed, "supernet", "weights"))
        training = Training(net, task, protocol, settings, seed=seed)
        mark = json.dumps(fingerprint(net, task, training, config or {}), sort_keys=True)
        final = folder / "weights.pt"
        if final.exists():
            found = checkpoints.load(final, "weights")
            _same(found["fingerprint"], mark, folder)
            net.load_state_dict(found["net"])
            on_epoch(settings.epochs, settings.epochs)
            return final
        partial = folder / "checkpoint.pt"
        if partial.exists():
            found = checkpoints.load(partial, "training")
            _same(found["fingerprint"], mark, folder)
            training.restore(found)
        else:
            checkpoints.save(folder / "initial.pt", "weights", {"net": net.state_dict(), "fingerprint": mark})
        on_epoch(training.epoch, settings.epochs)
        while training.epoch < settings.epochs:
            training.run_epoch()
            checkpoints.save(partial, "training", {**training.state(), "fingerprint": mark})
            on_epoch(training.epoch, settings.epochs)
        _write_trace(training, folder / "trace.parquet", config or {})
        checkpoints.save(final, "weights", {"net": net.state_dict(), "fingerprint": mark})
        partial.unlink(missing_ok=True)
    return final


def load_weights(net: Supernet, path: Path) -> None:
    """Put the weights of `path` into `net`; `CheckpointError` where they are another space's or size's."""
    found = checkpoints.load(path, "weights", device=str(next(net.parameters()).device))
    made = json.loads(found["fingerprint"])
    shapes = [[name, list(value.shape)] for name, value in net.state_dict().items()]
    if made["space"] != net.space or made["weights"] != shapes:
        raise checkpoints.CheckpointError(
            f"{path}: expected weights of a supernet of {net.space} with this skeleton, got one of {made['space']}"
            + (" with another skeleton" if made["space"] == net.space else "")
            + "; use the configuration it was trained with"
        )
    net.load_state_dict(found["net"])


def _same(found: str, wanted: str, folder: Path) -> None:
    if found == wanted:
        return
    old, new = json.loads(found), json.loads(wanted)
    changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
    raise BuildError(
        f"{folder}: holds a training of other settings ({', '.join(changed)} differ); choose another --out, or "
        "remove the folder to start over"
    )


def _write_trace(training: Training, path: Path, config: Mapping[str, Any]) -> None:
    rows = pl.DataFrame(training.rows).unpivot(index="epoch", variable_name="quantity", value_name="value")
    frame = rows.select(
        benchmark=pl.lit(live_benchmark(training.net.space)),
        dataset=pl.lit(training.task.name),
        method=pl.lit(training.protocol.name),
        setting=pl.lit(""),
        seed=pl.lit(training.seed, pl.Int64),
        epoch=pl.col("epoch").cast(pl.Int64),
        quantity="quantity",
        value="value",
    )
    record = provenance(
        seeds={"training": training.seed},
        config={"protocol": asdict(training.protocol), **training.settings.model_dump(), **config},
    )
    record["inputs"] = dict(training.task.inputs_sha256)
    write_frame(check(frame, "TRACE"), path, record)
