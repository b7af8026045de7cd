"""Data sets from repositories of the Hugging Face hub, by its own library (extra ``hub``).

`huggingface_hub` goes on where a download broke off, takes parts of a large file side by side, knows private
repositories by the reader's token, and mirrors by ``HF_ENDPOINT``. Files are looked for by the names that the registry
knows, wherever they lie in the repository, so that whoever copies a benchmark there need not keep its folders.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.atomic import explain
from ..core.errors import DownloadError, MissingExtraError, OutputError, ParameterError
from ..core.provenance import sha256
from .data_sets import DataSet

_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
#: Data sets of which one of several forms is enough: the first that a repository has is taken.
_ONE_FORM = ("nats-tss", "nats-sss")


@dataclass(frozen=True)
class Repository:
    """A data set's repository on the hub; `revision`: a branch, tag or whole commit, by default its main branch."""

    name: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Repository:
        """``OWNER/NAME`` or ``OWNER/NAME@REVISION``; `ParameterError` for anything else."""
        match = _REPOSITORY.fullmatch(text)
        if match is None or ".." in text:
            raise ParameterError(f"--hub: expected OWNER/NAME or OWNER/NAME@REVISION, got {text!r}")
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.name}@{self.revision}" if self.revision else self.name


def is_installed() -> bool:
    """Whether the hub's library is here."""
    try:
        import huggingface_hub  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def get_from_hub(entry: DataSet, repository: Repository, folder: Path) -> None:
    """Download the files of `entry` that `repository` has into `folder`.

    What is there already is not fetched again. A file whose SHA-256 the registry knows is compared with it, and removed
    where it differs. Raises `DownloadError` where the repository does not give a file or has none of them,
    `MissingExtraError` without the library, `OutputError` where nothing can be written.
    """
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "huggingface_hub", "hub", "--hub") from error
    hub: Any = huggingface_hub
    try:
        listed = hub.HfApi().list_repo_files(repository.name, revision=repository.revision, repo_type="dataset")
    except Exception as error:  # of many kinds: no such repository, no right to read it, no network
        raise DownloadError(f"{repository}: the hub does not list its files: {_brief(error)}") from error
    wanted = places(entry, listed)
    if not wanted:
        raise DownloadError(
            f"{repository}: expected {' or '.join(entry.files)} among its files, got "
            f"{', '.join(sorted(listed)[:5]) or 'none'}{' ...' if len(listed) > 5 else ''}"
        )
    staging = folder / f".hub-{repository.name.replace('/', '--')}"
    for there, here in wanted.items():
        _fetch(hub, repository, there, folder / here, staging, entry.sha256(str(here)))
    shutil.rmtree(staging, ignore_errors=True)


def places(entry: DataSet, listed: Sequence[str]) -> dict[str, PurePosixPath]:
    """File of the repository -> where it goes in a data folder, for those that `entry` knows by their names.

    >>> from .data_sets import data_sets
    >>> places(data_sets()["nats-tss"], ["README.md", "files/NATS-tss-v1_0-3ffb9-simple.tar"])
    {'files/NATS-tss-v1_0-3ffb9-simple.tar': PurePosixPath('NATS-tss-v1_0-3ffb9-simple.tar')}
    """
    found: dict[str, PurePosixPath] = {}
    for pattern in entry.files:
        matching = _matching(pattern, [PurePosixPath(there) for there in listed])
        found |= {there: here for there, here in matching.items() if there not in found}
        if matching and entry.check in _ONE_FORM:
            break
    return found


def _matching(pattern: str, listed: Sequence[PurePosixPath]) -> dict[str, PurePosixPath]:
    """File -> where it goes, for what `pattern` names and what lies in a folder that it names.

    A file that was copied without its folder is known by its name, where no other has that name.
    """
    names = pattern.split("/")
    inside = [there for there in listed if not there.is_absolute() and ".." not in there.parts]
    exact = {str(there): here for there in inside if (here := _from(names, there)) is not None}
    alike = [there for there in inside if fnmatch(there.name, names[-1])]
    if exact or len(alike) != 1:
        return exact
    return {str(alike[0]): PurePosixPath(*names[:-1], alike[0].name)}


def _from(names: Sequence[str], there: PurePosixPath) -> PurePosixPath | None:
    """The end of a path that begins with these names; None where there is none."""
    for start in range(len(there.parts) - len(names) + 1):
        end = there.parts[start:]
        if all(map(fnmatch, end, names)):
            return PurePosixPath(*end)
    return None


def _fetch(hub: Any, repository: Repository, there: str, path: Path, staging: Path, expected: str | None) -> None:
    if path.exists() and (expected is None or sha256(path) == expected):
        return
    try:
        staging.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(explain(path, error)) from error
    try:
        got = hub.hf_hub_download(
            repository.name, there, repo_type="dataset", revision=repository.revision, local_dir=staging
        )
    except Exception as error:  # as above, and a full disk
        raise DownloadError(
            f"{repository}: the hub did not give {there}: {_brief(error)}; the same command goes on from what is here"
        ) from error
    if expected is not None and (digest := sha256(Path(got))) != expected:
        Path(got).unlink()
        raise DownloadError(f"{repository}: {there}: expected SHA-256 {expected}, got {digest}")
    os.replace(got, path)


def _brief(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]
