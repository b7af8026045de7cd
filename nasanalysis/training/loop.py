"""The one training loop: epochs of updates under a schedule, a checkpoint after each, gone on with after any kill.

What is trained is a `Learner`: shared weights (`nasanalysis.training.train`), one architecture alone
(`nasanalysis.training.alone`), the runs of `digits` (`nasanalysis.builders.digits`), or anything that makes an update
and can say its state. The loop knows of epochs, of the
learning rate, of files, and of losses that are not finite; it draws nothing.
"""

from __future__ import annotations

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..core.errors import BuildError
from ..core.reading import reading
from ..jobs.units import exclusive
from . import checkpoints

#: Keys of a fingerprint: versions of packages, and those of an earlier part of a training.
_VERSIONS, BEGUN_UNDER = "packages", "begun_under"


class Rates(Protocol):
    """Learning rates of a training, such as `nasanalysis.training.schedules.Schedule`."""

    def rate(self, *, update: int, updates: int, epoch: int, epochs: int) -> float:
        """The rate of the next update; `update` and `epoch` count what is done."""


class Reading(NamedTuple):
    """What an update says of itself.

    Attributes
    ----------
    loss, correct: scalars on the device: mean loss in nats, and share of images that were right, before the update.
    images: how many it saw; means over an epoch weigh by them.
    """

    loss: Tensor
    correct: Tensor
    images: int


class Learner(ABC):
    """What is trained, and everything that must come back for its training to go on as if never broken off.

    Attributes
    ----------
    name: how messages call it. net: whose weights are kept.
    optimiser: whose learning rate the loop sets (an attribute that may be another one after `begin`).
    updates: of the whole training. advice: what to do about a loss that is not finite.
    """

    name: str
    net: nn.Module
    optimiser: torch.optim.Optimizer
    updates: int
    advice = "Use a smaller learning_rate, and another folder"

    def begin(self, epoch: int, epochs: int) -> None:  # noqa: B027 (a hook that may be left out)
        """Called before every epoch with the number that are done: what follows a schedule of its own is set here."""

    def updates_of(self, epoch: int, epochs: int) -> int:
        """Updates of the epoch that begins, of `epochs`, with `epoch` done; asked for after `begin`."""
        return round(self.updates * (epoch + 1) / epochs) - round(self.updates * epoch / epochs)

    @abstractmethod
    def update(self) -> Reading:
        """One update, in place."""

    def read(self, done: int) -> dict[str, float]:
        """More columns of an epoch's row, after `done` updates of the whole training: losses on other images ...

        A column of the loop's own name replaces the loop's.
        """
        return {}

    def finished(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of a training that has ended already."""
        self.net.load_state_dict(weights)

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Weights, optimiser, and every stream that is drawn from; tensors, numbers, text, lists, dicts.

        The names ``epoch``, ``done``, ``rows`` and ``fingerprint`` are the loop's.
        """

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`."""


class Loop:
    """A training on its way.

    Attributes
    ----------
    epoch, done: epochs and updates so far. rows: one for each epoch.
    """

    def __init__(self, learner: Learner, schedule: Rates, *, epochs: int) -> None:
        self.learner, self.schedule, self.epochs = learner, schedule, epochs
        self.epoch, self.done = 0, 0
        self.rows: list[dict[str, float]] = []

    def run_epoch(self) -> dict[str, float]:
        """One more epoch; its row.

        Columns: epoch, train_loss (nats), train_accuracy (percent), what the learner reads, learning_rate (of the next
        update), seconds. `BuildError` where the loss or a weight is not finite any more.
        """
        started = time.perf_counter()
        self.learner.begin(self.epoch, self.epochs)
        self.learner.net.train()
        last = self.done + self.learner.updates_of(self.epoch, self.epochs)
        readings: list[Reading] = []
        while self.done < last:
            for group in self.learner.optimiser.param_groups:
                group["lr"] = self._rate()
            readings.append(self.learner.update())
            self.done += 1
        self.epoch += 1
        loss, correct = _means(readings)
        self._require_finite(loss, bool(readings))
        row = {
            "epoch": float(self.epoch),
            "train_loss": loss,
            "train_accuracy": 100 * correct,
            **self.learner.read(self.done),
            "learning_rate": self._rate(),
            "seconds": time.perf_counter() - started,
        }
        self.rows.append(row)
        return row

    def _rate(self) -> float:
        return self.schedule.rate(update=self.done, updates=self.learner.updates, epoch=self.epoch, epochs=self.epochs)

    def _require_finite(self, loss: float, updated: bool) -> None:
        lost = updated and not math.isfinite(loss)
        # the last update of an epoch can break the weights while every loss read before it was finite
        if not lost and all(bool(weight.isfinite().all()) for weight in self.learner.net.parameters()):
            return
        what = "training loss is" if lost else "weights are"
        kept = f"the checkpoint of epoch {self.epoch - 1}" if self.epoch > 1 else "initial.pt, from before it,"
        raise BuildError(
            f"{self.learner.name}: the {what} not finite in epoch {self.epoch} (learning rate {self._rate():g}); "
            f"{kept} is kept. {self.learner.advice}"
        )

    def state(self) -> dict[str, Any]:
        return {**self.learner.state(), "epoch": self.epoch, "done": self.done, "rows": self.rows}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.learner.restore(state)
        self.epoch, self.done, self.rows = state["epoch"], state["done"], state["rows"]


def _means(readings: list[Reading]) -> tuple[float, float]:
    """Loss and share of right images of an epoch, each update weighed by its images; NaN without updates."""
    if not readings:
        return math.nan, math.nan
    values = torch.stack([torch.stack((reading.loss, reading.correct)) for reading in readings]).double().cpu()
    images = [reading.images for reading in readings]
    # where all updates weigh the same, the plain mean: weighing would round
    shares = None if len(set(images)) == 1 else torch.tensor(images, dtype=torch.float64)[:, None] / sum(images)
    loss, correct = (values.mean(0) if shares is None else (values * shares).sum(0)).tolist()
    return loss, correct


def run(
    loop: Loop,
    folder: Path,
    fingerprint: Mapping[str, Any],
    *,
    finish: Callable[[Loop], object],
    snapshots: Sequence[int] = (),
    on_epoch: Callable[[int, int], object] = lambda done, of: None,
    other_versions: bool = False,
) -> Path:
    """Run `loop` to its end and return ``folder/weights.pt``; a run that was killed goes on from its last epoch.

    Files: ``initial.pt`` (weights before training), ``checkpoint.pt`` (after every epoch, removed at the end),
    ``weights.pt`` (written last: where it is, everything else is), ``epoch-N.pt`` after each of `snapshots`.
    ``finish(loop)`` writes what else there is to say of
    a finished training. On the CPU with one thread a resumed run gives the same bits as an unbroken one, unless
    `other_versions` lets it go on from a checkpoint that other versions of packages wrote: then its fingerprint names
    them under ``begun_under``.

    Raises `BuildError` where `folder` holds another run (`fingerprint` differs), another process writes it, or the loss
    is not finite.
    """
    mark = _Mark(dict(fingerprint), other_versions)
    final, partial = folder / "weights.pt", folder / "checkpoint.pt"

    def kept() -> dict[str, Any]:
        return {"net": loop.learner.net.state_dict(), "fingerprint": mark.text}

    with exclusive(folder):
        if final.exists():
            with reading(final, "weights of this training", checkpoints.CheckpointError):
                loop.learner.finished(_load(final, "weights", mark)["net"])
            on_epoch(loop.epochs, loop.epochs)
            return final
        if partial.exists():
            with reading(partial, "a checkpoint of this training", checkpoints.CheckpointError):
                loop.restore(_load(partial, "training", mark))
        else:
            checkpoints.save(folder / "initial.pt", "weights", kept())
        on_epoch(loop.epoch, loop.epochs)
        while loop.epoch < loop.epochs:
            loop.run_epoch()
            if loop.epoch in snapshots:  # before the checkpoint: a kill between them writes it again
                checkpoints.save(folder / f"epoch-{loop.epoch}.pt", "weights", kept())
            checkpoints.save(partial, "training", {**loop.state(), "fingerprint": mark.text})
            on_epoch(loop.epoch, loop.epochs)
        finish(loop)
        checkpoints.save(final, "weights", kept())
        partial.unlink(missing_ok=True)
    return final


class _Mark:
    """The fingerprint of a training, and of what it may go on from."""

    def __init__(self, fingerprint: dict[str, Any], other_versions: bool) -> None:
        self._own = json.loads(json.dumps(fingerprint))
        self._begun_under: list[Any] = []
        self._other_versions = other_versions

    @property
    def text(self) -> str:
        more = {BEGUN_UNDER: self._begun_under} if self._begun_under else {}
        return json.dumps({**self._own, **more}, sort_keys=True)

    def accept(self, text: str) -> list[str]:
        """What differs in another's text and may not; nothing: it is taken over, versions it began under too."""
        other = json.loads(text)
        begun = other.pop(BEGUN_UNDER, [])
        changed = sorted(k for k in {*self._own, *other} if self._own.get(k) != other.get(k))
        if changed == [_VERSIONS] and self._other_versions:
            begun, changed = [*begun, other[_VERSIONS]], []
        if not changed:
            self._begun_under = begun
        return changed


def _load(path: Path, kind: str, mark: _Mark) -> dict[str, Any]:
    saved = checkpoints.load(path, kind)
    changed = mark.accept(saved["fingerprint"])
    if not changed:
        return saved
    more = "; --other-versions goes on with it, where the command has it" if changed == [_VERSIONS] else ""
    raise BuildError(
        f"{path.parent}: holds a training of other settings ({', '.join(changed)} differ); choose another --out, or "
        f"remove the folder to start over{more}"
    )


def weights_and_shapes(net: nn.Module) -> list[list[Any]]:
    """Name and shape of all that a network keeps, for fingerprints."""
    return [[name, list(value.shape)] for name, value in net.state_dict().items()]
