"""How much memory an unroll takes at its peak: forward mode beside the graph of all its steps (torch)."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from ..core.errors import BuildError
from ..training.devices import settle
from .config import MemoryConfig
from .images import load_parts
from .rates import loss_of, network
from .unroll import Loss, Weights, unroll

MIB = 1024 * 1024
#: Steps before what is measured.
WARM = 4


def measure(config: MemoryConfig, mode: str, T: int, seed: int, data: Path | None, device: str) -> pl.DataFrame:
    """One row: data, network, parameters, mode (``forward``, ``reverse``), T, seed, mebibytes, seconds, slope.

    mebibytes: by how much the peak of the unroll lies above what the process held with images and weights alone; what
    torch's libraries take once is part of it. Measured in a fresh process, since a system gets little of it back.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure, config, mode, T, seed, data, device).result()


def _measure(config: MemoryConfig, mode: str, T: int, seed: int, data: Path | None, device: str) -> pl.DataFrame:
    settle(config.threads)
    _give_back_at_once()
    parts = load_parts(config, data, device)
    net = network(config, parts, seed).to(device)
    weights = {k: w.detach() for k, w in net.named_parameters()}
    batches, eta = parts.epoch(config, seed, 0)[:T], torch.tensor(config.rate, device=device)
    if len(batches) < T:
        raise BuildError(f"memory: expected {T} minibatches in an epoch, got {len(batches)}; choose smaller Ts")
    function = reverse if mode == "reverse" else forward
    before = _now(device)
    function(loss_of(net), weights, eta, batches[:WARM])  # what torch and its libraries take once
    _forget_peak(device)
    started = time.perf_counter()
    slope = float(function(loss_of(net), weights, eta, batches))
    row = {"data": config.data, "network": config.network, "parameters": sum(w.numel() for w in weights.values())}
    row |= {"mode": mode, "T": T, "seed": seed, "mebibytes": (_peak(device) - before) / MIB}
    return pl.DataFrame([{**row, "seconds": time.perf_counter() - started, "slope": slope}])


def forward(loss: Loss, weights: Weights, eta: Tensor, batches: object) -> Tensor:
    """dSoTL / drate as `unroll` has it."""
    return unroll(loss, weights, eta, batches).slope  # type: ignore[arg-type]


def reverse(loss: Loss, weights: Weights, eta: Tensor, batches: object) -> Tensor:
    """The same through the graph of all steps, which is kept until its end."""
    eta = eta.clone().requires_grad_()
    points = {k: w.clone().requires_grad_() for k, w in weights.items()}
    losses = []
    for batch in batches:  # type: ignore[attr-defined]
        value = loss(points, eta, batch)
        losses.append(value)
        slopes = torch.autograd.grad(value, list(points.values()), create_graph=True)
        points = {k: w - eta * g for (k, w), g in zip(points.items(), slopes, strict=True)}
    return torch.autograd.grad(torch.stack(losses).sum(), [eta])[0]


def _now(device: str) -> int:
    """Bytes held now."""
    return torch.cuda.memory_allocated(device) if device.startswith("cuda") else _status("VmRSS")


def _give_back_at_once() -> None:
    """glibc hands freed arrays back to the system, so that a peak is what was held and not what lay in pieces.

    By default it learns to keep larger and larger blocks, and a process that frees and asks again grows for a while.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 64 * 1024)


#: M_MMAP_THRESHOLD of malloc.h: blocks of this size or more are maps of their own.
_MMAP_THRESHOLD = -3


def _forget_peak(device: str) -> None:
    """Set the peak back to what is held now, where that can be done."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak(device: str) -> int:
    return torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else _status("VmHWM")


def _status(name: str) -> int:
    """Bytes of a line of /proc/self/status; elsewhere than on Linux the peak that the system tells."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024
