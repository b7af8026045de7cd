"""Whether the compiled kernels (numba, extra ``fast``) are used: only where they are there and pay.

numba takes most of a second to import and, once for each machine, a few seconds to compile; what it compiled
is kept on disk. ``NASANALYSIS_COMPILED=0`` turns it off. Results are the same either way.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from functools import cache
from typing import Any

from ..core.errors import MissingExtraError

PAYS = 4_000_000  # counts in one table of resamples, from which on the import pays for itself
_MODULE = "nasanalysis.stats._kernels"


def kernels(size: int, compiled: bool | None = None) -> Any:
    """The module of kernels, or None for plain numpy.

    `size`: counts (resamples times architectures) at hand; `compiled`: True or False decides, None looks at
    `size`, and takes the kernels at any size once they are loaded. `MissingExtraError` where True cannot be.
    """
    asked = bool(compiled)
    if compiled is None:
        pays = size >= PAYS or _MODULE in sys.modules
        compiled = pays and is_available()
    elif compiled and not is_available():
        raise MissingExtraError("numba", "fast", "compiled=True")
    if not compiled:
        return None
    try:
        return importlib.import_module(_MODULE)
    except ImportError:  # numba refuses a numpy that is newer than it knows
        if asked:
            raise
        return None


@cache
def _is_installed() -> bool:
    return importlib.util.find_spec("numba") is not None


def is_available() -> bool:
    """Whether numba is installed and not turned off."""
    return os.environ.get("NASANALYSIS_COMPILED", "1") != "0" and _is_installed()
