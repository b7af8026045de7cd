"""Where raw files are looked for: the folder given, then ``$NASANALYSIS_DATA``, then the user's cache."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import platformdirs

from ..core.errors import MissingDataError
from .data_sets import data_sets_of


def cache_dir() -> Path:
    """``$NASANALYSIS_CACHE``, or the platform's own cache folder for this package (it may not exist yet)."""
    chosen = os.environ.get("NASANALYSIS_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("nasanalysis"))


def data_folders(data: Path | str | None = None) -> list[Path]:
    """The folders that are searched, in order, whether they exist or not."""
    named = [folder for folder in (data, os.environ.get("NASANALYSIS_DATA")) if folder]
    return list(dict.fromkeys([*(Path(folder).expanduser() for folder in named), cache_dir()]))


def candidates(relative: str | Path, data: Path | str | None = None) -> list[Path]:
    """Every place where `relative` may lie: in each folder as written, then by its last part alone."""
    parts = dict.fromkeys([Path(relative), Path(Path(relative).name)])
    return [folder / part for folder in data_folders(data) for part in parts]


def find(relative: str | Path, data: Path | str | None = None) -> Path:
    """The first place where a file or folder `relative` lies; `MissingDataError` lists where it was looked for."""
    for path in candidates(relative, data):
        if path.exists():
            return path
    raise missing(str(relative), candidates(relative, data), [str(relative)])


def missing(what: str, looked: Iterable[Path], files: Sequence[str] = ()) -> MissingDataError:
    """The error for a file that is nowhere.

    `files`: files, or names of data sets, that would do; the message says how to get the first that can be had.
    """
    places = "\n".join(f"  {path}" for path in looked)
    known = sorted(data_sets_of(files), key=lambda entry: not entry.urls)
    if not known:
        how, short = (
            "`nasanalysis data list` says where to get it",
            f"needs {what}: --data FOLDER (`nasanalysis data list` says where to get it)",
        )
    else:
        how = f"get it: {' or '.join(entry.to_get for entry in known[:2])}"
        short = f"needs the data set {known[0].name}: {known[0].to_get}, or --data FOLDER"
    return MissingDataError(
        f"{what}: not on this machine. Looked for\n{places}\n"
        f"Give its folder with --data or $NASANALYSIS_DATA, or {how}.",
        data_set=known[0].name if known else None,
        short=short,
    )
