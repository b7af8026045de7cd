"""Raw files are converted once: Parquet in the cache, named by the raw file's SHA-256 and the converter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from ..core.errors import DataFileError, OutputError
from ..core.frames import read_frame, write_frame
from ..core.provenance import sha256
from .files import cache_dir


def converted_path(key: str, converter: str, version: int) -> Path:
    """Where the conversion of raw data with SHA-256 `key` is kept."""
    return cache_dir() / "converted" / f"{key[:16]}-{converter}-v{version}.parquet"


def convert(
    raw: Path | Sequence[Path],
    converter: str,
    version: int,
    work: Callable[[], pl.DataFrame],
    *,
    key: str | None = None,
) -> pl.DataFrame:
    """``work()``, or what it gave last time for the same bytes, converter and version.

    Parameters
    ----------
    raw: the raw file(s), recorded in the Parquet file's metadata.
    converter, version: raise the version whenever `work` would give something else.
    work: reads the raw file; called when nothing usable is cached.
    key: SHA-256 that stands for the raw data; by default that of the one file `raw`.

    A cached file that cannot be read is made again; where the cache cannot be written, `work` is simply
    called each time.
    """
    files = [raw] if isinstance(raw, Path) else list(raw)
    key = key or sha256(files[0])
    path = converted_path(key, converter, version)
    if path.exists():
        try:
            return read_frame(path)
        except DataFileError:
            pass
    frame = work()
    try:
        for older in path.parent.glob(f"{key[:16]}-{converter}-v*.parquet"):
            older.unlink(missing_ok=True)
        record = {"raw": [f.name for f in files[:20]], "sha256": key, "converter": converter, "version": version}
        write_frame(frame, path, record)
    except (OutputError, OSError):
        pass
    return frame


def is_whole(path: Path) -> bool:
    """Whether a Parquet file is there with its footer (a file cut off has none)."""
    try:
        pl.read_parquet_schema(path)
    except (OSError, pl.exceptions.PolarsError):
        return False
    return True
