"""Files that the package ships: studies, the data registry, descriptors, the digits tables.

They live at the top of the repository and, in a wheel, inside the package: one function finds both.
"""

from __future__ import annotations

from pathlib import Path

from .errors import MissingDataError

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(relative: str) -> Path:
    """The path of a shipped file or folder, such as ``data/digits.parquet``."""
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (root / relative).exists():
            return root / relative
    raise MissingDataError(f"{relative}: expected it beside the package in {_PACKAGE}; is the installation complete?")
