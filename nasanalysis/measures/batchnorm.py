"""Batch-norm statistics of a network, re-estimated in place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def tracking_layers(net: nn.Module) -> list[nn.BatchNorm2d]:
    """The batch-norms of `net` that keep running statistics."""
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d) and m.track_running_stats]


def use_batch_statistics(net: nn.Module) -> None:
    """Drop the running statistics of `net`: in evaluation mode too it normalises by those of the batch it reads."""
    for layer in tracking_layers(net):
        layer.track_running_stats = False
        layer.running_mean = layer.running_var = layer.num_batches_tracked = None


@torch.no_grad()
def recalibrate(net: nn.Module, batches: Sequence[Tensor]) -> None:
    """Replace the running statistics of `net` by the mean over `batches` of images; nothing else changes."""
    layers, training = tracking_layers(net), net.training
    momentum = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean
    net.train()
    try:
        for images in batches:
            net(images)
    finally:
        net.train(training)
        for layer, value in zip(layers, momentum, strict=True):
            layer.momentum = value
