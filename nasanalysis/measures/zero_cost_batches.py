"""ZiCo and SWAP: how gradients vary between batches, and how many activation patterns a batch has."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import ParameterError
from .untouched import untouched
from .zero_cost_gradients import Variant, check_variant
from .zero_cost_subject import Subject, UndefinedMeasureError, check_logits, gradients_in, training_mode, weight_layers


def zico_of(subject: Subject, variant: Variant = "reference", parts: int = 2) -> float:
    """Sum over layers of ``log sum over weights of mean |g| / sd``, over `parts` batches: see `zico`."""
    check_variant(variant)
    if parts < 2:
        raise ParameterError(f"parts: expected 2 or more (a spread needs two), got {parts}")
    if len(subject.images) < 2 * parts:
        raise UndefinedMeasureError(f"fewer than two images in each of {parts} batches")
    logs = []
    for gradients in zip(*_gradients_of_parts(subject, parts), strict=True):
        g = torch.stack(gradients).double()
        spread = (g if variant == "reference" else g.abs()).std(0, correction=0)
        moves = spread > 0
        if bool(moves.any()):
            logs.append(math.log(float((g.abs().mean(0)[moves] / spread[moves]).sum())))
    if not logs:
        raise UndefinedMeasureError("no gradient differs between the batches")
    return math.fsum(logs)


def _gradients_of_parts(subject: Subject, parts: int) -> list[list[Tensor]]:
    """Of each part in turn, the gradient of its mean cross-entropy in every layer's weights."""
    gradients = []
    with untouched(subject.net) as net:
        training_mode(net)
        weights = [layer.weight for layer in weight_layers(net)]
        for images, labels in zip(*(t.tensor_split(parts) for t in (subject.images, subject.labels)), strict=True):
            logits = net(images.clone())
            check_logits(logits, labels)
            gradients.append([g.detach() for g in gradients_in(F.cross_entropy(logits, labels), weights)])
    return gradients


def swap_of(subject: Subject) -> float:
    """How many different patterns over the images the rectifier units have: see `swap`."""
    patterns = subject.train_pass.patterns
    if not patterns:
        raise UndefinedMeasureError("no rectifier ran")
    return float(len(np.unique(np.concatenate(patterns), axis=0)))
