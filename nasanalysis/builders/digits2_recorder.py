"""One run of the second edition of `digits`: training as in the first, and every measure beside it.

The training is `nasanalysis.builders.digits.train_network`, unchanged: the recorder only looks on, so the curves are
those of the first edition, bit by bit, on one machine. (Two seeds of an architecture side by side in one stacked
network take 1.4 to 1.6 times as long as one, but their evaluation gains nothing and their gradients round differently:
runs are trained one at a time.)
"""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from ..core.seeding import torch_generator
from ..measures.zero_cost import SUITE, zero_cost
from ..networks.nb201 import CellNetwork
from ..spaces.base import Arch
from ..training.digits import load_digits
from .digits import Watcher, train_network
from .digits2_measures import (
    ANGLES,
    Images,
    angles,
    curvature,
    finite,
    measured_images,
    minibatch_accuracy,
    noisy_losses,
)
from .digits2_settings import RecorderSettings

#: Sums of gradients by completed epoch: from the first step on, and (``epoch``) within each epoch.
GRADIENT_SUMS = ("sog_l1", "sog_sum", "sog_l2", "sog_epoch_l1", "sog_epoch_l2", "sogn_l1", "sogn_l2_per_tensor")


class GradientSums:
    """SoG and SoGN of a training, from its own gradients (`nasanalysis.training.finetune` says what they are)."""

    def __init__(self, net: CellNetwork) -> None:
        self._parameters = list(net.parameters())
        size = sum(p.numel() for p in self._parameters)
        self._total = torch.zeros(size, dtype=torch.float64)
        self._before = self._total.clone()
        self._l1 = self._l2_per_tensor = 0.0

    def add(self) -> None:
        """Add the gradients that the parameters hold now; a parameter without one adds nothing."""
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self._parameters]
        flat = torch.cat([g.reshape(-1) for g in gradients]).double()
        self._total += flat
        self._l1 += float(flat.abs().sum())
        self._l2_per_tensor += sum(float(norm) for norm in torch._foreach_norm(gradients))

    def epoch(self) -> dict[str, float | None]:
        """The values of `GRADIENT_SUMS` now; the next epoch begins."""
        within, self._before = self._total - self._before, self._total.clone()
        values = (
            self._total.abs().sum(),
            self._total.sum(),
            self._total.norm(),
            within.abs().sum(),
            within.norm(),
            self._l1,
            self._l2_per_tensor,
        )
        return {name: finite(float(value)) for name, value in zip(GRADIENT_SUMS, values, strict=True)}


class Recorder(Watcher):
    """Collects what one training shows: `series` (name -> values in order), `values` (name -> one), `seconds`.

    Seconds are those of the processor, so a machine that is shared does not lengthen them.
    """

    def __init__(self, arch: Arch, seed: int, settings: RecorderSettings, images: Images) -> None:
        self._settings, self._images = settings, images
        self._names = (seed, "digits-2", str(arch))
        self._losses: list[Tensor] = []
        self.series: dict[str, list[float | None]] = defaultdict(list)
        self.values: dict[str, float | None] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        self._mark = time.process_time()

    def started(self, net: CellNetwork) -> None:
        with self._clock("train", "other"):
            self._initial = copy.deepcopy(net)
            self._sums = GradientSums(net)
        for name in SUITE:  # one by one: then its seconds are its own
            with self._clock("train", f"zero_cost_{name}"):
                scores = zero_cost(net, *self._images.zero_cost, proxies=[name], generator=self._stream("zero-cost"))
                self.values[name] = scores[name]

    def differentiated(self, step: int, loss: Tensor, net: CellNetwork) -> None:
        if step <= self._settings.minibatches:
            self._losses.append(loss)
        with self._clock("train", "gradient_sums"):
            self._sums.add()

    def updated(self, step: int, net: CellNetwork) -> None:
        if step not in self._settings.validated_minibatches:
            return
        with self._clock("train", "valid_minibatches"):
            done = len(self.series["valid_minibatch_accuracy"])
            accuracy = minibatch_accuracy(net, *self._images.valid_minibatches[done])
            self.series["valid_minibatch_accuracy"].append(accuracy)

    def trained(self, epoch: int, net: CellNetwork) -> None:
        with self._clock("train", "gradient_sums"):
            for name, value in self._sums.epoch().items():
                self.series[name].append(value)

    def evaluated(self, epoch: int, net: CellNetwork) -> None:
        settings = self._settings
        with self._clock("evaluate", "angle"):
            if epoch in settings.angle_epochs:
                for name, value in angles(self._initial, net).items():
                    self.series[name].append(value)
        if epoch in settings.noise_epochs:
            with self._clock("train", f"noise_{epoch}"):
                stream = self._stream("noise", epoch)
                self.series[f"noise_{epoch}"] = noisy_losses(net, self._images, settings, stream)
        if epoch == settings.task.epochs:
            with self._clock("train", "hessian"):
                self.values |= curvature(net, self._images, settings, self._stream("hessian"))
            self.series["train_minibatch_loss"] = [finite(float(loss)) for loss in self._losses]

    def _stream(self, *names: object) -> torch.Generator:
        return torch_generator(*self._names, *names)

    @contextmanager
    def _clock(self, before: str, inside: str) -> Iterator[None]:
        """Time since the last measure belongs to `before`, that of the block to `inside`."""
        start = time.process_time()
        self.seconds[before] += start - self._mark
        yield
        self._mark = time.process_time()
        self.seconds[inside] += self._mark - start


@lru_cache(maxsize=1)
def _images(settings: RecorderSettings) -> Images:
    return measured_images(load_digits(settings.task), settings)


def record_run(key: str, seed: int, settings: RecorderSettings) -> pl.DataFrame:
    """One architecture trained with one seed, on one thread; one row, see `columns`."""
    torch.set_num_threads(1)
    images = _images(settings)
    arch = Arch("nb201", key)
    recorder = Recorder(arch, seed, settings, images)
    _, curves = train_network(arch, seed, settings.task, images.data, recorder)
    series = {name: curves[name].to_list() for name in curves.columns if name != "step"} | recorder.series
    schema = columns(settings)
    row: dict[str, Any] = {
        **{name: [[]] if isinstance(dtype, pl.List) else None for name, dtype in schema.items()},
        "arch": str(arch),
        "seed": seed,
        **{name: [[finite(v) for v in values]] for name, values in series.items()},
        **recorder.values,
        **{f"seconds_{name}": value for name, value in recorder.seconds.items()},
        "cpu": processor(),
    }
    return pl.DataFrame(row, schema=schema)


CURVES = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "test_loss", "test_accuracy")
HESSIAN = ("hessian_eigenvalue", "hessian_trace", "hessian_trace_error", "hessian_products")


def columns(settings: RecorderSettings) -> dict[str, pl.DataType]:
    """Column -> type of a row of `record_run`.

    ========================================== ====================================================================
    arch, seed                                 what was trained
    ``CURVES``                                 by completed epoch: nats and percent, as in the first edition
    train_minibatch_loss                       of the first minibatches, each before its update (nats)
    valid_minibatch_accuracy                   after every tenth of them (percent)
    ``GRADIENT_SUMS``                          by completed epoch
    ``ANGLES``                                 after each of ``angle_epochs`` (radians)
    noise_2, noise_12                          loss at each of `noise_levels` (nats), after that epoch
    ``HESSIAN``                                at the end
    epe_nas ... zen                            zero-cost measures at initialisation
    seconds_*                                  of the processor; ``train`` holds the steps, ``evaluate`` the curves'
    cpu                                        whose bits these are
    ========================================== ====================================================================
    """
    series = (
        *CURVES,
        "train_minibatch_loss",
        "valid_minibatch_accuracy",
        *GRADIENT_SUMS,
        *ANGLES,
        *(f"noise_{epoch}" for epoch in settings.noise_epochs),
    )
    seconds = (
        *("train", "evaluate", "gradient_sums", "valid_minibatches", "angle", "hessian", "other"),
        *(f"noise_{epoch}" for epoch in settings.noise_epochs),
        *(f"zero_cost_{name}" for name in SUITE),
    )
    return {
        "arch": pl.String(),
        "seed": pl.Int64(),
        **dict.fromkeys(series, pl.List(pl.Float32())),
        **dict.fromkeys((*HESSIAN, *SUITE), pl.Float32()),
        **dict.fromkeys((f"seconds_{name}" for name in seconds), pl.Float32()),
        "cpu": pl.String(),
    }


@lru_cache(maxsize=1)
def processor() -> str:
    """Model and vector instructions: training rounds differently on another."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    fields = {key.strip(): value.strip() for key, value in named.items()}
    model = " ".join(fields.get(name, "?") for name in ("model name", "cpu family", "model"))
    return f"{model} {torch.backends.cpu.get_cpu_capability()}"
