"""Which GPU a worker process takes, where several processes share the GPUs of one machine. No torch."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from ..core.atomic import explain
from ..core.errors import OutputError, ParameterError

#: (process, folder, count) -> (GPU, its lock): a forked child is another process, and claims its own.
_claims: dict[tuple[int, Path, int], tuple[int, FileLock]] = {}


def worker_gpu(count: int, *, folder: Path | None = None) -> int:
    """The GPU, 0 to ``count - 1``, of this process: the one that the fewest processes of this machine hold.

    The claim is a file lock, held until the process ends, however it ends; the same answer within one process.

    Parameters
    ----------
    count: GPUs that this process can see (``torch.cuda.device_count()``).
    folder: where the locks are, on a local disk; by default one in the temporary folder for this user and this
        value of ``CUDA_VISIBLE_DEVICES`` (numbers count within it).
    """
    if count < 1:
        raise ParameterError(f"worker_gpu: expected at least 1 GPU, got {count}")
    place = (folder or _folder()).resolve()
    mine = (os.getpid(), place, count)
    if mine not in _claims:
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(place / "claim.lock"):
                holders = [_held(place, gpu) for gpu in range(count)]
                gpu = min(range(count), key=lambda g: len(holders[g]))
                slot = next(s for s in range(len(holders[gpu]) + 1) if s not in holders[gpu])
                lock = _lock(place, gpu, slot)
                lock.acquire(timeout=0)
        except OSError as error:
            if isinstance(error, Timeout):
                raise
            raise OutputError(explain(place, error)) from error
        _claims[mine] = (gpu, lock)
    return _claims[mine][0]


def _held(place: Path, gpu: int) -> set[int]:
    """The slots of a GPU that a living process holds."""
    pids = set()
    for path in place.glob(f"gpu{gpu}-*.lock"):
        slot = int(path.stem.rpartition("-")[2])
        lock = _lock(place, gpu, slot)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            pids.add(slot)
        else:
            lock.release()
    return pids


def _lock(place: Path, gpu: int, slot: int) -> FileLock:
    return FileLock(place / f"gpu{gpu}-{slot}.lock", thread_local=False)


def _folder() -> Path:
    seen = hashlib.sha256(os.environ.get("CUDA_VISIBLE_DEVICES", "all").encode()).hexdigest()[:8]
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"nasanalysis-gpus-{user}-{seen}"
