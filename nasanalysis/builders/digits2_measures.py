"""What the second edition of `digits` reads from the weights of one network; undefined is None, never a sentinel."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..core.errors import NasAnalysisError
from ..core.seeding import torch_generator
from ..measures.angle import angle
from ..measures.hessian import weight_hessian
from ..measures.perturb import perturbed_losses
from ..networks.nb201 import CellNetwork
from ..training.digits import DigitsData, place
from .digits2_settings import RecorderSettings

#: Name of a column -> vector and position of the angle.
_Vector = Literal["flat", "paths"]
_Position = Literal["all", "cells"]
ANGLES: dict[str, tuple[_Vector, _Position]] = {
    "angle_paths_all": ("paths", "all"),
    "angle_paths_cells": ("paths", "cells"),
    "angle_flat_all": ("flat", "all"),
    "angle_flat_cells": ("flat", "cells"),
}


@dataclass(frozen=True)
class Images:
    """The images that measures read, equal for every architecture and seed.

    Attributes
    ----------
    data: the task.
    measured: images and labels of noise and Hessian: every validation digit in its first placement.
    valid_minibatches: images and labels of each validation minibatch, in the order in which they are read.
    zero_cost: images and labels of the zero-cost measures, training digits.
    """

    data: DigitsData
    measured: tuple[Tensor, Tensor]
    valid_minibatches: list[tuple[Tensor, Tensor]]
    zero_cost: tuple[Tensor, Tensor]


def measured_images(data: DigitsData, settings: RecorderSettings) -> Images:
    """`Images` of a task, drawn from its own seed."""
    task = settings.task
    images, labels = data.valid
    order = torch.randperm(len(labels), generator=torch_generator(task.data_seed, "digits-2", "valid minibatches"))
    count = len(settings.validated_minibatches)
    order = order.repeat(-(-count * settings.valid_batch // len(labels)))
    parts = order.split(settings.valid_batch)[:count]
    stream = torch_generator(task.data_seed, "digits-2", "zero-cost")
    chosen = torch.randperm(len(data.train_labels), generator=stream)[: settings.zero_cost_batch]
    return Images(
        data,
        (images[: task.valid], labels[: task.valid]),
        [(images[part], labels[part]) for part in parts],
        (place(data.train_images[chosen], task.noise, stream), data.train_labels[chosen]),
    )


def finite(value: float | None) -> float | None:
    """`value`, None where it is not finite."""
    return value if value is not None and math.isfinite(value) else None


@torch.no_grad()
def minibatch_accuracy(net: CellNetwork, images: Tensor, labels: Tensor) -> float:
    """Percent, with running batch-norm statistics; `net` goes on in training mode."""
    net.eval()
    right = (net(images).argmax(1) == labels).double().mean()
    net.train()
    return 100.0 * float(right)


def angles(initial: CellNetwork, net: CellNetwork) -> dict[str, float | None]:
    """Radians under each name of `ANGLES`; None where undefined."""
    return {
        name: finite(angle(initial, net, vector=vector, position=position))
        for name, (vector, position) in ANGLES.items()
    }


def noisy_losses(
    net: CellNetwork, images: Images, settings: RecorderSettings, generator: torch.Generator
) -> list[float | None]:
    """Losses (nats) in the order of `noise_levels`: without noise, then each sigma's draws."""
    levels = (0.0, *settings.sigmas)
    frame = perturbed_losses(net, *images.measured, levels, generator=generator, draws=settings.noise_draws)
    return frame["loss"].to_list()


def noise_levels(settings: RecorderSettings) -> list[tuple[float, int]]:
    """(sigma, draw) of each entry of `noisy_losses`."""
    return [(0.0, 0), *itertools.product(settings.sigmas, range(settings.noise_draws))]


def curvature(
    net: CellNetwork, images: Images, settings: RecorderSettings, generator: torch.Generator
) -> dict[str, float | None]:
    """Largest eigenvalue (the most positive), trace and its standard error, and the products that they took."""
    try:
        hessian = weight_hessian(
            net,
            *images.measured,
            generator=generator,
            trace_draws=settings.trace_draws,
            tolerance=settings.hessian_tolerance,
            batch=len(images.measured[1]),
        )
    except NasAnalysisError:  # a loss that is not finite
        return dict.fromkeys(("hessian_eigenvalue", "hessian_trace", "hessian_trace_error", "hessian_products"))
    return {
        "hessian_eigenvalue": finite(float(hessian.eigenvalues[0])),
        "hessian_trace": finite(hessian.trace),
        "hessian_trace_error": finite(hessian.trace_error),
        "hessian_products": float(hessian.products),
    }
