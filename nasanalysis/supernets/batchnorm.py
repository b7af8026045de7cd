"""Batch-norm statistics of one architecture: re-estimated, and put back when it is only for measuring.

The running statistics of a supernet mix all architectures, so an inherited network is measured with
statistics of its own: the mean over `images` training images, each minibatch weighing the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn


def _layers(net: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in net.modules() if isinstance(m, nn.BatchNorm2d) and m.track_running_stats]


@torch.no_grad()
def recalibrate(net: nn.Module, batches: Sequence[Tensor]) -> None:
    """Replace the running statistics of `net` by the mean over `batches` of images; nothing else changes."""
    layers, training = _layers(net), net.training
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


@contextlib.contextmanager
def own_statistics(net: nn.Module, batches: Sequence[Tensor]) -> Iterator[nn.Module]:
    """`net` in evaluation mode with statistics re-estimated on `batches`; afterwards it is as it was."""
    kept = [{name: buffer.clone() for name, buffer in layer.named_buffers()} for layer in _layers(net)]
    training = net.training
    try:
        recalibrate(net, batches)
        yield net.eval()
    finally:
        net.train(training)
        with torch.no_grad():
            for layer, buffers in zip(_layers(net), kept, strict=True):
                for name, value in buffers.items():
                    layer.get_buffer(name).copy_(value)
