"""Training one architecture alone, from scratch: what its accuracy is worth once a search has chosen it.

``train_alone`` gives a row of TRUTH (origin ``trained``) for each part that is held out, and CURVES of every epoch. The
accuracy of the last epoch is what counts, as the papers report it; the best epoch is named beside it and never in its
place.

What a network can do beyond logits is used where the settings ask for it (`nasanalysis.networks.capabilities`): an
auxiliary head adds its loss in training; paths are dropped with a probability that rises with every epoch, from 0 at
the first towards `drop_path` (`drop_path * epoch / epochs`, as DARTS's code does). Neither touches an evaluation.
``train_loss`` is the cross-entropy of the logits alone, so that it can be compared with runs without a head.

The settings, and the published ones, are in `nasanalysis.training.alone_settings`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from torch import Tensor, nn

from ..core.errors import ParameterError
from ..core.frames import check, read_frame, write_frame
from ..core.provenance import package_versions, provenance
from ..core.seeding import torch_generator
from ..networks.base import live_benchmark
from ..networks.build import build_alone
from ..networks.capabilities import HasAuxiliaryHead, HasDropPath
from ..networks.config import NetworkConfig
from ..spaces.base import Arch
from .alone_settings import AloneSettings
from .evaluation import evaluate
from .loop import Learner, Loop, Reading, run, weights_and_shapes
from .optimisers import optimiser
from .stream import Stream
from .tasks import Task, held_out


@dataclass(frozen=True)
class Alone:
    """What a training alone gives.

    Attributes
    ----------
    truth: TRUTH, a row for each part held out: accuracy of the last epoch. curves: CURVES, a row for each epoch.
    weights: the file of the trained weights.
    """

    truth: pl.DataFrame
    curves: pl.DataFrame
    weights: Path

    @property
    def best(self) -> dict[str, tuple[int, float]]:
        """Part -> (epoch, accuracy) of its best epoch, the first of several: named, never reported as truth."""
        epochs = {}
        for split in self.truth["split"]:
            ranked = self.curves.drop_nulls(f"{split}_accuracy").sort(
                f"{split}_accuracy", "step", descending=[True, False]
            )
            if len(ranked):
                epochs[split] = (int(ranked["step"][0]), float(ranked[f"{split}_accuracy"][0]))
        return epochs


class AloneLearner(Learner):
    """One network and its training; `ParameterError` where the settings ask for what it does not have."""

    def __init__(self, net: nn.Module, task: Task, settings: AloneSettings, *, seed: int, name: str) -> None:
        self.net, self.task, self.settings = net, task, settings
        self.name = f"{name}, seed {seed}"
        self._headed = _headed(net, settings)
        self._paths = _paths(net, settings)
        if self._paths is not None:
            self._paths.generator = torch_generator(seed, "alone", name, "paths")
        self.optimiser = optimiser(settings.optimiser, net.parameters(), **settings.optimiser_options)
        order = torch_generator(seed, "alone", name, "order")
        self._stream = Stream(len(task.labels), settings.batch_size, order, keep_last=True)
        self._augment = torch_generator(seed, "alone", name, "augmentation")
        self.updates = settings.epochs * self._stream.batches

    def begin(self, epoch: int, epochs: int) -> None:
        if self._paths is not None:
            self._paths.drop_path = self.settings.drop_path * epoch / epochs

    def update(self) -> Reading:
        images, labels = self.task.batch(self._stream(), self._augment)
        logits, loss, total = self._losses(images, labels)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.optimiser.step()
        return Reading(loss.detach(), (logits.detach().argmax(1) == labels).float().mean(), len(labels))

    def _losses(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, their loss, and the loss that is descended."""
        if self._headed is None:
            logits = self.net(images)
            loss = nn.functional.cross_entropy(logits, labels)
            return logits, loss, loss
        logits, second = self._headed.with_auxiliary(images)
        loss = nn.functional.cross_entropy(logits, labels)
        return logits, loss, loss + self.settings.auxiliary_weight * nn.functional.cross_entropy(second, labels)

    def read(self, done: int) -> dict[str, float]:
        row = {}
        for split, (images, labels) in held_out(self.task).items():
            row[f"{split}_loss"], row[f"{split}_accuracy"] = evaluate(self.net, images, labels)
        return row

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "stream": self._stream.state(),
            "augment": self._augment.get_state(),
            "paths": None if self._paths is None else self._paths.generator.get_state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._stream.restore(state["stream"])
        self._augment.set_state(state["augment"])
        if self._paths is not None:
            self._paths.generator.set_state(state["paths"])


def train_alone(
    arch: Arch | str,
    network: NetworkConfig | nn.Module,
    task: Task,
    settings: AloneSettings,
    *,
    seed: int,
    folder: Path,
    device: str = "cpu",
    config: Mapping[str, Any] | None = None,
    on_epoch: Callable[[int, int], object] = lambda done, of: None,
) -> Alone:
    """Train one architecture with one seed; a run that was killed goes on from its last epoch.

    Parameters
    ----------
    arch: text with its prefix. network: the size of the network that `nasanalysis.networks.build.ALONE` makes of it,
        with fresh weights from `seed`; or a network of one's own, trained in place from the weights it has.
    task: must be on `device`.
    folder: gets the files of `nasanalysis.training.loop.run`, ``truth.parquet`` and ``curves.parquet``.
    config: joins the fingerprint: say here what else a result depends on, such as the `DataConfig` of `task`.

    Order, augmentation, weights and dropped paths have a stream each, of (seed, architecture).

    Raises
    ------
    UnknownNameError: a space that has no networks. ParameterError: settings that the network cannot follow.
    BuildError: `folder` holds another run, or the loss is not finite (the last checkpoint is kept).
    """
    named = Arch.from_text(arch) if isinstance(arch, str) else arch
    if isinstance(network, nn.Module):
        net = network
    else:
        net = build_alone(named, network, task, torch_generator(seed, "alone", str(named), "weights"), device=device)
    learner = AloneLearner(net, task, settings, seed=seed, name=str(named))
    mark = _fingerprint(named, network, learner, seed, config or {})
    weights = run(
        Loop(learner, settings.rates, epochs=settings.epochs),
        folder,
        mark,
        finish=lambda loop: _write(loop, named, task, seed, mark, folder),
        on_epoch=on_epoch,
    )
    truth, curves = (read_frame(folder / f"{name.lower()}.parquet", name) for name in ("TRUTH", "CURVES"))
    return Alone(truth, curves, weights)


def _headed(net: nn.Module, settings: AloneSettings) -> HasAuxiliaryHead | None:
    if not settings.auxiliary_weight:
        return None
    if isinstance(net, HasAuxiliaryHead) and net.has_auxiliary:
        return net
    raise ParameterError(
        f"auxiliary_weight: expected a network with an auxiliary head, got {type(net).__name__} without one; build it "
        "with auxiliary = true where its space has one (the DARTS spaces), or set auxiliary_weight to 0"
    )


def _paths(net: nn.Module, settings: AloneSettings) -> Any:
    """What the network draws from while it runs; None where it draws nothing."""
    if isinstance(net, HasDropPath):
        return net.randomness
    if settings.drop_path:
        raise ParameterError(
            f"drop_path: expected a network that drops paths, got {type(net).__name__}; those of the DARTS spaces do; "
            "set drop_path to 0"
        )
    return None


def _fingerprint(
    arch: Arch, network: NetworkConfig | nn.Module, learner: AloneLearner, seed: int, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """What must be equal for a run to go on from a checkpoint."""
    task = learner.task
    start = {"start": _digest(network)} if isinstance(network, nn.Module) else {"network": network.model_dump()}
    return {
        "arch": str(arch),
        "weights": weights_and_shapes(learner.net),
        "task": [task.name, task.size, task.classes, len(task.labels)],
        "inputs": dict(task.inputs_sha256),
        "settings": learner.settings.model_dump(),
        "seed": seed,
        "packages": package_versions(("torch", "numpy")),
        **start,
        **extra,
    }


def _digest(net: nn.Module) -> str:
    """SHA-256 of the weights that a network begins with."""
    digest = hashlib.sha256(type(net).__qualname__.encode())
    for value in net.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _write(loop: Loop, arch: Arch, task: Task, seed: int, mark: Mapping[str, Any], folder: Path) -> None:
    where = {"benchmark": live_benchmark(arch.space), "dataset": task.name, "arch": str(arch)}
    splits = list(held_out(task))
    values = ["train_loss", "train_accuracy", *(f"{s}_{what}" for s in splits for what in ("loss", "accuracy"))]
    rows = pl.DataFrame(loop.rows).with_columns(pl.col(values).fill_nan(None))
    curves = rows.select(
        **{name: pl.lit(value) for name, value in where.items()},
        method=pl.lit("scratch"),
        setting=pl.lit(""),
        schedule=pl.lit(loop.epochs, pl.Int64),
        seed=pl.lit(seed, pl.Int64),
        unit=pl.lit("epoch"),
        step=pl.col("epoch").cast(pl.Int64),
        **{name: pl.col(name).cast(pl.Float32) for name in values},
        seconds=pl.col("seconds").cum_sum(),
    )
    truth = pl.DataFrame(
        {
            **{name: [value] * len(splits) for name, value in where.items()},
            "split": splits,
            "schedule": loop.epochs,
            "seed": seed,
            "accuracy": [rows[f"{split}_accuracy"][-1] for split in splits],
            "origin": "trained",
        }
    )
    record = {**provenance(seeds={"training": seed}, config=dict(mark)), "inputs": dict(task.inputs_sha256)}
    write_frame(check(curves, "CURVES"), folder / "curves.parquet", record)
    write_frame(check(truth, "TRUTH"), folder / "truth.parquet", record)
