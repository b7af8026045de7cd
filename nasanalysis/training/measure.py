"""What is read from the weights of one architecture as they stand: accuracy, angle, noise, Hessian, zero-cost measures.

===================================== ===================================================================== ======
``val_acc``, ``val_loss``             on the whole validation part, percent and nats                         h / l
``angle``                             between initial and trained weights, path by path (RLNAS), radians      higher
``angle_flat``                        the same with each weight once (GeNAS Eq. 8)                            higher
``angle_cells``, ``angle_flat_cells`` both over the search cells alone                                        higher
``weight_hessian_ev``                 largest eigenvalue of the validation loss's Hessian in the weights      lower
``weight_hessian_trace``              its trace, estimated                                                    lower
``grad_norm``, ``snip``, ... ``zen``  see `nasanalysis.measures.zero_cost`; on one training minibatch
noise                                 rows of a PERTURBED frame, from which any flatness is computed
===================================== ===================================================================== ======

All are read from a copy with inherited weights whose batch-norm statistics are re-estimated for the architecture on
`recalibration` training images, unless `MeasureSettings.statistics` says otherwise.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl
import torch
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, ParameterError
from ..core.seeding import torch_generator
from ..measures.angle import angle, squared_lengths
from ..measures.batchnorm import recalibrate, use_batch_statistics
from ..measures.hessian import weight_hessian
from ..measures.perturb import perturbed_losses
from ..measures.zero_cost import ZERO_COST, zero_cost
from .evaluation import evaluate
from .settings import ANGLE_OF, HESSIAN, ON_VALIDATION, MeasureSettings
from .tasks import Task


@dataclass(frozen=True)
class Probes:
    """The images that every architecture is measured on; pairs of images and labels."""

    noise: tuple[Tensor, Tensor]
    whole: tuple[Tensor, Tensor]
    hessian: tuple[Tensor, Tensor]
    minibatch: tuple[Tensor, Tensor]
    recalibration: list[Tensor]


def draw_probes(task: Task, settings: MeasureSettings, *, seed: int) -> Probes:
    """The images of `seed`; `ParameterError` where there are fewer than asked for."""
    images, labels = task.valid
    for what, count, there in (
        ("images", settings.images, len(labels)),
        ("hessian_images", settings.hessian_images if _wants_hessian(settings) else 0, len(labels)),
        ("batch_size", settings.batch_size, len(task.labels)),
    ):
        if count > there:
            raise ParameterError(f"{what}: expected at most the {there} images there are, got {count}")
    order = torch.randperm(len(labels), generator=torch_generator(seed, "measure", "validation")).to(labels.device)

    def of_validation(count: int) -> tuple[Tensor, Tensor]:
        index = order[: count or len(order)]
        return images[index].contiguous(memory_format=torch.channels_last), labels[index]

    again = torch_generator(seed, "measure", "recalibration")
    drawn = torch.randperm(len(task.labels), generator=again)[: settings.recalibration]
    pieces = [task.batch(piece, again)[0] for piece in drawn.split(128) if len(piece) > 1]
    train = torch_generator(seed, "measure", "minibatch")
    minibatch = task.batch(torch.randperm(len(task.labels), generator=train)[: settings.batch_size], train)
    return Probes(
        of_validation(settings.images), of_validation(0), of_validation(settings.hessian_images), minibatch, pieces
    )


def _wants_hessian(settings: MeasureSettings) -> bool:
    return settings.direction == "hessian" or any(name in HESSIAN for name in settings.measures)


@dataclass(frozen=True)
class Measured:
    """What was read of one architecture.

    Attributes
    ----------
    scores: measure -> value, NaN where undefined.
    noise: columns sigma, draw, loss (nats; null where not finite); empty without noise. Sigma 0: as it stands.
    shares: angle -> share of the vector's squared length that is fixed, before and after training (see
        `nasanalysis.measures.angle.Lengths`).
    seconds: measure, or ``noise`` or ``recalibration`` -> seconds; measures that share their work share the time.
    """

    scores: dict[str, float]
    noise: pl.DataFrame
    seconds: dict[str, float]
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)


def measure(
    net: nn.Module,
    initial: nn.Module | None,
    probes: Probes,
    settings: MeasureSettings,
    draws: Callable[[str], torch.Generator],
) -> Measured:
    """Measure `net`, whose running statistics change in place; weights and gradients stay as they are.

    Parameters
    ----------
    initial: the same network before training; needed by the angles only.
    draws: the generator of ``noise``, ``hessian`` or ``zero-cost``, so that what one draws does not depend on whether
        another is measured.
    """
    clock = _Clock(next(net.parameters()).device)
    if settings.statistics == "recalibrated":
        with clock("recalibration"):
            recalibrate(net, probes.recalibration)
    elif settings.statistics == "batch":
        use_batch_statistics(net)
    net.eval()
    scores: dict[str, float] = {}
    shares: dict[str, tuple[float, float]] = {}
    wanted = settings.measures
    if names := [n for n in wanted if n in ON_VALIDATION]:
        with clock(*names):
            loss, accuracy = evaluate(net, *probes.whole)
            scores |= {n: v for n, v in zip(ON_VALIDATION, (accuracy, loss), strict=True) if n in names}
    for name in (n for n in ANGLE_OF if n in wanted):
        vector, weights = ANGLE_OF[name]
        with clock(name):
            scores[name], shares[name] = _angle(initial, net, vector, weights)
    if names := [n for n in wanted if n in HESSIAN]:
        with clock(*names):
            both = _curvature(net, probes, draws("hessian"), trace=HESSIAN[1] in names)
            scores |= {n: v for n, v in zip(HESSIAN, both, strict=True) if n in names}
    if names := [n for n in wanted if n in ZERO_COST]:
        with clock(*names):
            cheap = zero_cost(net, *probes.minibatch, proxies=names, generator=draws("zero-cost"))
            scores |= {n: math.nan if v is None else v for n, v in cheap.items()}
    noise = pl.DataFrame(schema={"sigma": pl.Float64, "draw": pl.Int64, "loss": pl.Float64})
    if settings.sigmas:
        with clock("noise"):
            noise = perturbed_losses(
                net,
                *probes.noise,
                (0.0, *settings.sigmas),
                generator=draws("noise"),
                draws=settings.draws,
                position=settings.position,
                direction=settings.direction,
                hessian_on=probes.hessian,
                scheme=settings.scheme,
            )
    return Measured(scores, noise, clock.seconds, shares)


def _angle(initial: nn.Module | None, net: nn.Module, vector: str, weights: str) -> tuple[float, tuple[float, float]]:
    """An angle, and the fixed shares of its vector."""
    if initial is None:
        return angle(initial, net), (math.nan, math.nan)  # raises, and says what is missing
    lengths = squared_lengths(initial, net, vector=vector, position=weights)  # type: ignore[arg-type]
    return (math.nan, (math.nan, math.nan)) if lengths is None else (lengths.angle, lengths.shares)


def _curvature(net: nn.Module, probes: Probes, generator: torch.Generator, *, trace: bool) -> tuple[float, float]:
    """(largest eigenvalue, trace) of the Hessian; NaN where it is not defined or not found."""
    try:
        hessian = weight_hessian(net, *probes.hessian, generator=generator, trace_draws=8 if trace else 0)
    except NasAnalysisError:
        return math.nan, math.nan
    return float(hessian.eigenvalues[0]), hessian.trace


class _Clock:
    """Seconds by name, with the device's work done."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    @contextlib.contextmanager
    def __call__(self, *names: str) -> Iterator[None]:
        start = self._now()
        yield
        self.seconds[" + ".join(names)] = self._now() - start
