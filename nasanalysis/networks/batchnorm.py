"""Batch-norm statistics of one architecture: re-estimated, and put back when it is only for measuring.

The running statistics of a supernet mix all architectures, so an inherited network is measured with
statistics of its own: the mean over `images` training images, each minibatch weighing the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..measures.batchnorm import recalibrate, tracking_layers

__all__ = ["own_statistics", "recalibrate"]


@contextlib.contextmanager
def own_statistics(net: nn.Module, batches: Sequence[Tensor]) -> Iterator[nn.Module]:
    """`net` in evaluation mode with statistics re-estimated on `batches`; afterwards it is as it was."""
    kept = [{name: buffer.clone() for name, buffer in layer.named_buffers()} for layer in tracking_layers(net)]
    training = net.training
    try:
        recalibrate(net, batches)
        yield net.eval()
    finally:
        net.train(training)
        with torch.no_grad():
            for layer, buffers in zip(tracking_layers(net), kept, strict=True):
                for name, value in buffers.items():
                    layer.get_buffer(name).copy_(value)
