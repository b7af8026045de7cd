"""Where independent units of work run: processes of this machine, or a Dask cluster."""

from .base import NAMES, Backend, backend_from_options, current_backend, unordered
from .calls import BackendError, kept_for_one_run

__all__ = [
    "NAMES",
    "Backend",
    "BackendError",
    "backend_from_options",
    "current_backend",
    "kept_for_one_run",
    "unordered",
]
