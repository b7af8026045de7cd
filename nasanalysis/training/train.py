"""Training a supernet: one protocol, one seed; a checkpoint after every epoch, the same weights however often killed.

An epoch is as many images forward and backward as the training part holds, whatever the protocol does with
them, so that protocols are compared at equal compute: one epoch of `multipath` makes a quarter of the
updates of `spos`; with ``compute = "equal-updates"`` it makes as many. Every epoch's row of the
TRACE says how many updates were made and images seen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from ..core.frames import check, write_frame
from ..core.provenance import package_versions, provenance
from ..core.reading import reading
from ..core.seeding import generator, torch_generator
from ..core.shown import words
from ..networks.base import Supernet, initialise_on_cpu, live_benchmark
from ..networks.build import _blank
from ..networks.capabilities import InputShape
from ..networks.config import NetworkConfig
from . import checkpoints
from .loop import Learner, Loop, Reading, run, weights_and_shapes
from .optimisers import optimiser
from .protocols import Protocol, update
from .schedules import Schedule
from .settings import TrainSettings
from .stream import Stream
from .tasks import Task


class SupernetLearner(Learner):
    """Shared weights under a protocol."""

    advice = "Use a smaller learning_rate or prox, and another --out"

    def __init__(self, net: Supernet, task: Task, protocol: Protocol, settings: TrainSettings, *, seed: int) -> None:
        self.net: Supernet = net
        self.task, self.protocol, self.settings, self.seed = task, protocol, settings, seed
        self.name = f"{protocol.name}, seed {seed}"
        self.images_per_update = protocol.passes(net) * settings.batch_size
        self.updates = updates(settings, len(task.labels), self.images_per_update)
        self.optimiser = optimiser(
            "sgd",
            net.parameters(),
            learning_rate=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.nesterov,
            clip=settings.clip,
        )
        self._archs = generator(seed, "supernet", "architectures")
        self._stream = Stream(len(task.labels), settings.batch_size, torch_generator(seed, "supernet", "order"))
        self._augment = torch_generator(seed, "supernet", "augmentation")

    def update(self) -> Reading:
        unsampled = self.settings.unsampled
        loss, correct = update(self.net, self.optimiser, self.protocol, self._batch, self._archs, unsampled=unsampled)
        return Reading(loss, correct, self.images_per_update)

    def read(self, done: int) -> dict[str, float]:
        return {"updates": float(done), "images_seen": float(done * self.images_per_update)}

    def _batch(self) -> tuple[Tensor, Tensor]:
        return self.task.batch(self._stream(), self._augment)

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "archs": json.dumps(self._archs.bit_generator.state),
            "stream": self._stream.state(),
            "augment": self._augment.get_state(),
            **({"used": self._used()} if self.settings.unsampled == "zero_grad" else {}),
        }

    def _used(self) -> list[bool]:
        """Which weights were ever used: those that have a gradient, if only of zeros."""
        return [weight.grad is not None for weight in self.net.parameters()]

    def restore(self, state: Mapping[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._archs.bit_generator.state = json.loads(state["archs"])
        self._stream.restore(state["stream"])
        self._augment.set_state(state["augment"])
        for weight, used in zip(self.net.parameters(), state.get("used", ()), strict=False):
            weight.grad = torch.zeros_like(weight) if used else None


def updates(settings: TrainSettings, images: int, images_per_update: int) -> int:
    """Updates of a whole training on `images` images; see `TrainSettings.compute`."""
    if settings.compute == "equal-updates":
        return math.ceil(settings.epochs * images / settings.batch_size)
    return math.ceil((settings.images or settings.epochs * images) / images_per_update)


def fingerprint(learner: SupernetLearner, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for a run to go on from a checkpoint."""
    net, task = learner.net, learner.task
    return {
        "space": net.space,
        "weights": weights_and_shapes(net),
        "task": [task.name, task.size, task.classes, len(task.labels)],
        "inputs": dict(task.inputs_sha256),
        "protocol": learner.protocol.described(),
        "settings": learner.settings.model_dump(),
        "seed": learner.seed,
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
    snapshots: Sequence[int] = (),
    on_epoch: Callable[[int, int], object] = lambda done, of: None,
    other_versions: bool = False,
) -> Path:
    """Train `net` in place and return ``folder/weights.pt``; a run that was killed goes on from its last epoch.

    Files: those of `nasanalysis.training.loop.run`, and ``trace.parquet`` (TRACE with provenance). `net` is initialised
    here from `seed`; its weights may lie on any device. `config` joins the fingerprint. `snapshots`: epochs after which
    the weights are kept, as ``epoch-N.pt``. `other_versions`: also go on from what other versions of packages began.

    Raises `BuildError` where `folder` holds another run or the loss is not finite.
    """
    initialise_on_cpu(net, torch_generator(seed, "supernet", "weights"))
    learner = SupernetLearner(net, task, protocol, settings, seed=seed)
    schedule = Schedule(settings.learning_rate, settings.learning_rate_min)
    return run(
        Loop(learner, schedule, epochs=settings.epochs),
        folder,
        fingerprint(learner, config or {}),
        finish=lambda loop: _write_trace(learner, loop.rows, folder / "trace.parquet", config or {}),
        snapshots=snapshots,
        on_epoch=on_epoch,
        other_versions=other_versions,
    )


def load_supernet(
    space: str, network: NetworkConfig, shape: InputShape, path: Path | str, *, device: str = "cpu"
) -> Supernet:
    """The supernet whose weights are at `path`; `CheckpointError` where they are another space's or size's."""
    net = _blank(space, network, shape, device=device)
    load_weights(net, Path(path))
    return net


def load_weights(net: Supernet, path: Path) -> None:
    """Put the weights of `path` into `net`; `CheckpointError` where they are another space's or size's."""
    saved = checkpoints.load(path, "weights", device=str(next(net.parameters()).device))
    with reading(path, "weights of a supernet", checkpoints.CheckpointError):
        trained = dict(json.loads(saved["fingerprint"]))
        same = (trained["space"], trained["weights"]) == (net.space, weights_and_shapes(net))
    if not same:
        raise checkpoints.CheckpointError(
            f"{path}: expected weights of a supernet of {net.space} with this skeleton, "
            f"got one of {words([trained['space']])}"
            + (" with another skeleton" if trained["space"] == net.space else "")
            + "; use the configuration it was trained with"
        )
    with reading(path, "weights of a supernet", checkpoints.CheckpointError):
        net.load_state_dict(saved["net"])


def training_of(path: Path) -> dict[str, Any]:
    """The fingerprint of the training that `path` holds weights of; `CheckpointError` where it is no such file."""
    saved = checkpoints.load(path, "weights")
    with reading(path, "weights of a supernet", checkpoints.CheckpointError):
        return dict(json.loads(saved["fingerprint"]))


def differences(expected: Mapping[str, Any], trained: Mapping[str, Any]) -> list[str]:
    """What was trained otherwise than `expected`, key by key, in words; keys that `expected` lacks are not compared."""
    words_of = []
    for part, one in expected.items():
        other = trained.get(part)
        if one == other:
            continue
        if not (isinstance(one, dict) and isinstance(other, dict)):
            words_of.append(f"{part}: expected {one!r}, got {other!r}")
            continue
        for key in sorted({*one, *other}):
            first, second = (repr(each[key]) if key in each else "its default" for each in (one, other))
            if first != second:
                words_of.append(f"{part}.{key}: expected {first}, got {second}")
    return words_of


def _write_trace(
    learner: SupernetLearner, rows: Sequence[Mapping[str, float]], path: Path, config: Mapping[str, Any]
) -> None:
    long = pl.DataFrame(rows).unpivot(index="epoch", variable_name="quantity", value_name="value")
    frame = long.select(
        benchmark=pl.lit(live_benchmark(learner.net.space)),
        dataset=pl.lit(learner.task.name),
        method=pl.lit(learner.protocol.name),
        setting=pl.lit(""),
        seed=pl.lit(learner.seed, pl.Int64),
        epoch=pl.col("epoch").cast(pl.Int64),
        quantity="quantity",
        value="value",
    )
    record = provenance(
        seeds={"training": learner.seed},
        config={"protocol": learner.protocol.described(), **learner.settings.model_dump(), **config},
    )
    record["inputs"] = dict(learner.task.inputs_sha256)
    write_frame(check(frame, "TRACE"), path, record)
