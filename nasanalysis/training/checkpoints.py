"""Weights on disk: written whole or not at all, read without running what is in them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..core.atomic import write_atomically
from ..core.errors import DataFileError

#: Raise it when what a checkpoint holds changes.
VERSION = 1


class CheckpointError(DataFileError):
    """A file of weights that is damaged, or of another kind, space or version than expected."""


def save(path: Path, kind: str, content: Mapping[str, Any]) -> Path:
    """Write tensors, numbers, text, lists and dicts; `kind` says what they are (``training``, ``weights``)."""
    buffer = io.BytesIO()
    torch.save({"nasanalysis": kind, "version": VERSION, **content}, buffer)
    return write_atomically(path, lambda temp: temp.write_bytes(buffer.getbuffer()))


def load(path: Path, kind: str, *, device: str = "cpu") -> dict[str, Any]:
    """What `save` wrote; `CheckpointError` says what is wrong with anything else. Executes nothing."""
    try:
        found = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected a checkpoint, found nothing there") from None
    except Exception as error:  # torch raises many kinds for a damaged or unsafe file
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: expected a whole checkpoint of this package, got a file that does not load ({reason})"
        ) from error
    if not isinstance(found, dict) or found.get("nasanalysis") != kind:
        got = found.get("nasanalysis") if isinstance(found, dict) else type(found).__name__
        raise CheckpointError(f"{path}: expected a checkpoint of kind {kind!r}, got {got!r}")
    if found.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: expected a checkpoint of version {VERSION}, got {found.get('version')!r}; "
            "use the release of nasanalysis that wrote it, or train again"
        )
    return found
