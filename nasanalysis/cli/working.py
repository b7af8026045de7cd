"""How commands on networks begin: torch asked for, a device chosen where the work is done, the backend in force."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ..core.errors import MissingExtraError


@contextlib.contextmanager
def needs_torch(what: str) -> Iterator[None]:
    """Imports that need the extra `supernet`, which `what` is told to need where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "supernet", what) from error


@contextlib.contextmanager
def working_device(device: str, workers: int, backend: str, scheduler: str | None, *, what: str) -> Iterator[str]:
    """The device of the processes that do the work (``cpu`` or ``cuda``), with their backend in force."""
    with needs_torch(what):
        from ..training.devices import choose_device
    from ..jobs import backend_from_options

    local = None if backend == "dask" else choose_device(device)
    processes = workers or (1 if "cuda" in (local, device) else os.cpu_count() or 1)
    with backend_from_options(backend, processes, scheduler) as chosen:
        yield local or next(chosen.run(choose_device, [(device,)]))  # the machine that works has the GPU
