"""Measuring without touching: a measure works on a copy, so nothing of the caller's network can change."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator

from torch import nn

from ..core.errors import NasAnalysisError


@contextlib.contextmanager
def untouched(net: nn.Module) -> Iterator[nn.Module]:
    """A deep copy of `net` without gradients, all its parameters asking for one; `net` stays byte for byte as it is.

    Parameters, buffers, gradients, modes, ``requires_grad`` flags and hooks of `net` are left alone, whatever
    is done to the copy and whether or not that fails. The copy keeps the modes (training or evaluation), the device,
    the memory layout, ties between parameters, and the hooks that `net` has of its own (they may be part of what it
    computes, as with spectral norm).

    Raises
    ------
    NasAnalysisError: the network cannot be copied (it holds tensors that are results of others).
    """
    try:
        twin = copy.deepcopy(net)
    except (RuntimeError, TypeError) as error:
        raise NasAnalysisError(
            f"expected a network that can be copied, got {type(net).__name__}: {error}. "
            "Measure a network whose weights are all parameters or buffers"
        ) from error
    for parameter in twin.parameters():
        parameter.grad = None
        parameter.requires_grad_(True)
    yield twin
