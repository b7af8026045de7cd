"""What one read of somebody else's file may cost: a budget of bytes, and regular files only.

A file of 100 bytes can unpack to gigabytes, a link in a folder can lead to a device that never ends. Every reader of
this package asks here how much it may hold at once: `read_budget`, 2 GiB unless ``$NASANALYSIS_READ_BUDGET`` says
otherwise (``500M``, ``8G``, or bytes).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final, NoReturn

from .errors import DataFileError, MissingDataError, ParameterError

VARIABLE: Final = "NASANALYSIS_READ_BUDGET"
DEFAULT: Final = 2 * 2**30
_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def read_budget() -> int:
    """Bytes of memory that reading one file may take; `ParameterError` where the variable is no size."""
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return DEFAULT
    match = re.fullmatch(r"([0-9]{1,18})([KMGT]?)i?B?", given, re.IGNORECASE)
    if match is None or not int(match[1]):
        raise ParameterError(f"${VARIABLE}: expected a size such as 500M or 8G, got {given!r}")
    return int(match[1]) * _UNITS[match[2].upper()]


def over_budget(what: object, size: float, budget: int | None = None) -> NoReturn:
    """The error for a read that would hold `size` bytes (inf: more than was looked at)."""
    allowed = read_budget() if budget is None else budget
    needs = "more" if size == float("inf") else in_words(size)
    raise DataFileError(
        f"{what}: expected at most {in_words(allowed)} of memory when read, got {needs}; "
        f"if you trust the file, set {VARIABLE} (such as 8G) and read it again"
    )


def in_words(size: float) -> str:
    """``1.5 GiB``, ``12 MiB``, ``900 bytes``."""
    for name, unit in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:,.0f} bytes"


def regular(path: Path) -> Path:
    """`path` where it is a regular file, links followed; an error for a folder, a device, a pipe, or nothing."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        raise MissingDataError(f"{path}: expected a file, found nothing there") from None
    except (OSError, ValueError) as error:
        raise DataFileError(f"{path}: expected a file, got {error}") from error
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        raise DataFileError(f"{path}: expected a regular file, got {kinds.get(stat.S_IFMT(mode), 'a device')}")
    return path
