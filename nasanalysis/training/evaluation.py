"""Loss and accuracy of a network on images that it does not train on."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


@torch.no_grad()
def evaluate(net: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = 256) -> tuple[float, float]:
    """(mean loss in nats, accuracy in percent) under running statistics; NaN where the loss is not finite.

    `net` is left in evaluation mode. Pieces of `batch_size` keep small networks in the processor's cache.
    """
    net.eval()
    loss = torch.zeros((), dtype=torch.float64, device=labels.device)
    right = torch.zeros((), dtype=torch.int64, device=labels.device)
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        logits = net(x)
        loss += nn.functional.cross_entropy(logits, y, reduction="sum").double()
        right += (logits.argmax(1) == y).sum()
    mean = float(loss) / len(labels)
    return (mean, 100 * int(right) / len(labels)) if math.isfinite(mean) else (math.nan, math.nan)
