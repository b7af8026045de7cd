"""Files appear whole or not at all: write beside the target, flush to disk, rename."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import OutputError


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Call ``write(temporary path)``, then rename it to `path`; on failure nothing is left behind.

    A reader, or a run killed at any moment, sees the old file or the new one. `OutputError` says why a
    place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        os.close(handle)
        temp = Path(name)
        try:
            write(temp)
            with open(temp, "rb+") as file:
                os.fsync(file.fileno())
            temp.chmod(0o644)
            os.replace(temp, path)
        finally:
            temp.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(explain(path, error)) from error
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically."""
    return write_atomically(path, lambda temp: temp.write_text(text, encoding="utf-8"))


def explain(path: Path, error: OSError) -> str:
    """One line for a user: what could not be written, why, and what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    todo = "free some space" if full else "choose another folder with --out"
    return f"cannot write {path}: {error.strerror or error}; {todo} and run the same command again"
