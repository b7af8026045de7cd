"""The data registry: which data sets there are, which are on this machine, and whether their content is right.

Nothing here prints: the command line shows what these functions return.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from ..core.errors import DownloadError, MissingDataError, NasAnalysisError, UnknownNameError
from ..core.reading import reading
from ..core.resources import shipped
from .data_sets import DataSet, data_sets
from .download import Patience, check_no_page, download, target_folder, unzip
from .files import data_folders
from .hub import Repository, get_from_hub, is_installed
from .nats import benchmark as nats
from .registry_checks import CHECKS, FULL_CHECKS


@dataclass(frozen=True)
class CheckResult:
    """What `check_data` says of a data set: ``ok``, ``failed``, or ``absent`` (not on this machine)."""

    name: str
    status: Literal["ok", "failed", "absent"]
    message: str


def locate(entry: DataSet, data: Path | str | None = None) -> list[Path]:
    """The files or folders of a data set that are on this machine."""
    if entry.name == "digits":
        return [shipped(file) for file in entry.files]
    if entry.check in ("nats-tss", "nats-sss"):
        try:
            return [nats.find_folder(nats.TSS if entry.check == "nats-tss" else nats.SSS, data)]
        except MissingDataError:
            return []
    places = []
    for pattern in entry.files:
        for folder in data_folders(data):
            matches = sorted(p for name in dict.fromkeys([pattern, Path(pattern).name]) for p in folder.glob(name))
            if matches:
                places.append(matches[0])
                break
    return list(dict.fromkeys(places))


def list_data(data: Path | str | None = None) -> pl.DataFrame:
    """Columns ``name, title, present, where, size, licence, source, citation, how``: one row for each data set.

    ``present`` is ``yes``, ``no`` or ``part`` (some of its files).
    """
    rows = []
    for entry in data_sets().values():
        places = locate(entry, data)
        whole = len(places) >= len(entry.files) or (places and not entry.sha256_seen)
        rows.append(
            {
                "name": entry.name,
                "title": entry.title,
                "present": "yes" if whole else "part" if places else "no",
                "where": str(places[0] if len(places) == 1 else places[0].parent) if places else None,
                **{key: getattr(entry, key) for key in ("size", "licence", "source", "citation", "how")},
            }
        )
    return pl.DataFrame(rows, schema={name: pl.String() for name in rows[0]})


def get_data(
    name: str,
    to: Path | str | None = None,
    *,
    hub: str | None = None,
    patience: Patience | None = None,
    quiet: bool = False,
) -> list[Path]:
    """Download a data set and return its files (folders, where an archive is unpacked).

    Parameters
    ----------
    to: folder; by default ``$NASANALYSIS_DATA``, then the user's cache.
    hub: ``OWNER/NAME`` or ``OWNER/NAME@REVISION`` of a repository on the Hugging Face hub that has the files (extra
        ``hub``). Where the registry names one and the hub's library is installed, it is asked first.

    What is there already and has the right SHA-256 is not fetched again; a partial file is gone on from. Raises
    `DownloadError` where no mirror gives a file, or where the data set has no direct link: the message says how
    to get it by hand. `UnknownNameError` for a name that is not in the registry.
    """
    known = data_sets()
    if name not in known:
        raise UnknownNameError("data set", name, known)
    entry, folder = known[name], target_folder(to)
    if name == "digits":
        return locate(entry)
    if hub is not None:
        get_from_hub(entry, Repository.parse(hub), folder)
        return locate(entry, folder)
    if entry.hub and is_installed():
        with contextlib.suppress(DownloadError):  # the direct links are left
            get_from_hub(entry, Repository.parse(entry.hub), folder)
    if not entry.urls:
        raise DownloadError(f"{name}: has no direct link. {entry.how} Source: {entry.source}")
    paths = []
    for file, urls in entry.urls.items():
        unpacked = folder / entry.unpack[file] if file in entry.unpack else None
        if unpacked is not None and unpacked.is_dir():
            paths.append(unpacked)
            continue
        try:
            path = download(
                urls, folder / file, sha256=entry.sha256(file), most=entry.most, patience=patience, quiet=quiet
            )
        except DownloadError as error:
            raise DownloadError(f"{error}\nBy hand: {entry.how} Source: {entry.source}") from error
        paths.append(path if unpacked is None else unzip(path, unpacked))
    return paths


def check_data(name: str | None = None, data: Path | str | None = None, *, full: bool = False) -> list[CheckResult]:
    """Read a data set (or every one that is here) and compare its content with what is known of it.

    full: verify what the usual check leaves out for its time: every record of NAS-Bench-101's files, each cell's hash.

    A failure is a result, not an exception; `UnknownNameError` for a name that is not in the registry.
    """
    known = data_sets()
    if name is not None and name not in known:
        raise UnknownNameError("data set", name, known)
    results, checks = [], FULL_CHECKS if full else CHECKS
    for entry in [known[name]] if name else known.values():
        places = locate(entry, data)
        if not places:
            results.append(CheckResult(entry.name, "absent", f"not on this machine. {entry.how}"))
            continue
        try:
            for place in places:
                if place.is_file():
                    check_no_page(place)
            with reading(places[0], f"the data of {entry.name}"):
                results.append(CheckResult(entry.name, "ok", checks[entry.check](entry, places, data)))
        except NasAnalysisError as error:
            results.append(CheckResult(entry.name, "failed", str(error)))
    return results
