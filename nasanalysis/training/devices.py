"""Which device a run is on, and what is said when it is not there or too small."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from ..core.errors import NasAnalysisError, ParameterError


class DeviceError(NasAnalysisError):
    """A device that is not there, or has too little memory."""


def choose_device(name: str) -> str:
    """``auto`` -> ``cuda`` where there is one, else ``cpu``; `DeviceError` for CUDA that is not there."""
    if name not in ("auto", "cpu", "cuda"):
        raise ParameterError(f"--device: expected auto, cpu or cuda, got {name!r}")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU only"
        raise DeviceError(
            f"--device cuda: no CUDA device here (torch {torch.__version__} is built for {built}); use --device cpu, "
            "or install a CUDA build of torch on a machine with a GPU"
        )
    return name


def settle(threads: int) -> None:
    """Make this process compute as its configuration says: `threads`, and single precision that is single precision.

    On GPUs since Ampere, torch's convolutions take inputs of 10 bits of mantissa (TF32) unless told otherwise, which is
    coarser than the smallest noise that flatness is measured with.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


@contextlib.contextmanager
def explained_memory(what: str, batch_size: int, device: str) -> Iterator[None]:
    """Out of memory becomes a `DeviceError` that says what would fit; the batch is never changed silently."""
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.init()  # a process that has done nothing on the GPU yet has no peak to reset
    before = torch.cuda.memory_allocated(device) if on_gpu else 0
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    try:
        yield
    except torch.OutOfMemoryError as error:
        free, _ = torch.cuda.mem_get_info(device) if on_gpu else (0, 0)
        used = max(1, torch.cuda.max_memory_allocated(device) - before) if on_gpu else 0
        room = free + torch.cuda.memory_reserved(device) - before if on_gpu else 0
        fits = max(0, int(0.8 * batch_size * min(1.0, room / used))) if on_gpu else 0
        hint = f"about {fits} images a batch would fit" if fits > 1 else "no batch of at least 2 images would fit"
        raise DeviceError(f"{what}: out of memory on {device} at batch_size = {batch_size}; {hint}") from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise DeviceError(
            f"{what}: out of memory at batch_size = {batch_size} ({str(error).splitlines()[0][:200]}); memory grows "
            "with batch_size x size x size x channels: make one of them smaller, or use fewer --workers"
        ) from error
