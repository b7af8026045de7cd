"""The official NATS-Bench archives in their three forms: a folder, a ``.tar``, one big ``.pickle.pbz2``.

===========================================  ==========================================================
``NATS-tss-v1_0-3ffb9-simple/``              the unpacked archive: one file for each architecture
``NATS-tss-v1_0-3ffb9-simple.tar``           the archive as downloaded: read in place, nothing is unpacked
``NATS-tss-v1_0-3ffb9.pickle.pbz2``          everything in one pickle, which has to be in memory at once
===========================================  ==========================================================

``sss`` in place of ``tss`` is the size space. Any part of the architectures works.
"""

from __future__ import annotations

import bz2
import fnmatch
import hashlib
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl

from ...core.budget import regular
from ...core.errors import DataFileError, MissingDataError
from ...core.reading import reading
from ...core.shown import shown
from ...spaces import get_space
from ...spaces.capabilities import Enumerable
from .. import safe_pickle
from ..archives import Entry
from ..cache import convert
from ..files import data_folders, missing

#: Most bytes that one architecture's file, or ``meta``, may have after decompression (the real ones: below 1 MiB).
LIMIT = 64 * 2**20

_ARCH_FILE = re.compile(r"(?P<index>\d{6})\.pickle\.pbz2")
_META = "meta.pickle.pbz2"


@dataclass(frozen=True)
class Format:
    """One of the benchmark's two spaces: how its archive is called and what its files hold.

    ``schedules``: the benchmark's hyper-parameter name -> epochs of the whole training.
    """

    name: str
    prefix: str
    space: str
    schedules: tuple[tuple[str, int], ...]

    @property
    def patterns(self) -> dict[Literal["folder", "tar", "single"], str]:
        """Form of the archive -> the names it may have."""
        return {
            "folder": f"{self.prefix}-*-simple",
            "tar": f"{self.prefix}-*-simple.tar",
            "single": f"{self.prefix}-*.pickle.pbz2",
        }


TSS = Format("nats-tss", "NATS-tss-v1_0", "nb201", (("12", 12), ("200", 200)))
SSS = Format("nats-sss", "NATS-sss-v1_0", "nats-sss", (("01", 1), ("12", 12), ("90", 90)))


@dataclass(frozen=True)
class Member:
    """One architecture's file. ``offset``: where its bytes start inside the tar; None for a file of its own."""

    index: int
    name: str
    size: int
    offset: int | None = None


@dataclass(frozen=True)
class Archive:
    """An archive on this machine, in one of its forms."""

    form: Format
    path: Path
    kind: Literal["folder", "tar", "single"]

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The architectures' files in index order; none for a single file.

        Raises `DataFileError` for a damaged tar, and for one with links, files twice, or paths that climb out.
        """
        return self._listing[0]

    @cached_property
    def meta(self) -> Member | None:
        """The index file, if it is there."""
        return self._listing[1]

    @cached_property
    def _listing(self) -> tuple[tuple[Member, ...], Member | None]:
        if self.kind == "single":
            return (), None
        members: dict[str, Member] = {}
        for member in _tar_members(self.path) if self.kind == "tar" else _walk_folder(self.path):
            if member.name in members:
                raise DataFileError(f"{self.path}: expected each file once, got {member.name} twice; download it again")
            members[member.name] = member
        meta = members.pop(_META, None)
        return tuple(members[name] for name in sorted(members)), meta

    def read(self, member: Member, allow: frozenset[str] = safe_pickle.NATS) -> Any:
        """The object in one file."""
        where = self.where(member)
        try:
            with open(self.path if self.kind == "tar" else self.path / member.name, "rb") as file:
                file.seek(member.offset or 0)
                packed = file.read(member.size)
        except FileNotFoundError:
            raise MissingDataError(f"{where}: expected a file, found nothing there") from None
        except OSError as error:
            raise DataFileError(f"{where}: expected a file that can be read, got {error}") from error
        return safe_pickle.loads(unpack(packed, where), allow, path=where, limit=LIMIT)

    def read_single(self) -> dict[str, Any]:
        """The whole content of a single-file archive: takes about `memory` bytes."""
        limit = LIMIT + 8 * self.path.stat().st_size  # real files unpack to less than four times their size
        content = safe_pickle.load(self.path, safe_pickle.NATS, limit=limit)
        if not isinstance(content, dict) or not isinstance(content.get("arch2infos"), dict):
            raise DataFileError(f"{self.path}: expected a dict with 'arch2infos', got {type(content).__name__}")
        self.check_order(content.get("meta_archs"))
        return content

    def where(self, member: Member) -> Path:
        """A path to name in messages: ``archive.tar/000011.pickle.pbz2`` for a member of a tar."""
        return self.path / member.name

    @cached_property
    def modified(self) -> int:
        """When the newest of the files changed, in nanoseconds."""
        folder_time = self.path.stat().st_mtime_ns
        if self.kind != "folder":
            return folder_time
        files = [*self.members, *([self.meta] if self.meta else [])]
        return max([(self.path / member.name).stat().st_mtime_ns for member in files], default=folder_time)

    @cached_property
    def key(self) -> str:
        """Stands for the content without reading all of it: names and sizes of the files, MD5 of ``meta``.

        The same for the folder and the tar of one archive.
        """
        if self.kind == "single":
            facts: tuple[object, ...] = (self.path.name, self.path.stat().st_size)
        else:
            packed = b""
            if self.meta is not None:
                with open(self.path if self.kind == "tar" else self.path / _META, "rb") as file:
                    file.seek(self.meta.offset or 0)
                    packed = file.read(self.meta.size)
            sizes = [(member.name, member.size) for member in self.members]
            facts = (self.form.name, sizes, hashlib.md5(packed, usedforsecurity=False).hexdigest())
        made_of = "name+size" if self.kind == "single" else "names+sizes+meta"
        return f"{made_of}:{hashlib.sha256(repr(facts).encode()).hexdigest()}"

    def order(self) -> list[str]:
        """Every architecture string of the benchmark in index order, as the ``meta`` file has it."""
        if self.meta is None:
            raise MissingDataError(f"{self.path / _META}: expected the archive's index file, found nothing there")
        content = self.read(self.meta)
        if not isinstance(content, dict) or not isinstance(content.get("meta_archs"), list):
            raise DataFileError(
                f"{self.where(self.meta)}: expected a dict with the list 'meta_archs', got {type(content).__name__}"
            )
        return [str(text) for text in content["meta_archs"]]

    def check_order(self, order: Sequence[object] | None = None) -> None:
        """Compare the index file with the official order of this space; `DataFileError` where they differ."""
        got = self.order() if order is None else list(order)
        space = get_space(self.form.space, Enumerable)
        official = [arch.key for arch in space]
        if got != official:
            place = next((i for i, (a, b) in enumerate(zip(official, got, strict=False)) if a != b), None)
            other = (
                "" if place is None else f", number {place} being {shown.repr(got[place])} instead of {official[place]}"
            )
            raise DataFileError(
                f"{self.where(self.meta) if self.meta else self.path}: expected the {len(official):,} architectures of "
                f"{self.form.name} in the order of version 1.0, got {len(got):,}{other}; "
                "is it the index file of another version?"
            )


def find_archive(form: Format, data: Path | str | None = None) -> Archive:
    """The archive in the data folders or ``$TORCH_HOME``, there or one level down (``nats-bench/``).

    A folder is taken before a tar, a tar before the single file. `data` may also be the archive itself.
    """
    torch_home = os.environ.get("TORCH_HOME")
    folders = [*data_folders(data), *([Path(torch_home).expanduser()] if torch_home else [])]
    for folder in folders:
        for kind, pattern in form.patterns.items():
            if fnmatch.fnmatch(folder.name, pattern) and folder.exists() and folder.is_dir() == (kind == "folder"):
                return Archive(form, folder, kind)
        for kind, pattern in form.patterns.items():
            for name in (pattern, f"*/{pattern}"):
                matches = sorted(p for p in folder.glob(name) if p.is_dir() == (kind == "folder"))
                if matches:
                    return Archive(form, matches[0], kind)
    names = " or ".join(form.patterns.values())
    looked = [folder / part for folder in folders for part in ("", "nats-bench")]
    raise missing(f"{form.name} ({names})", looked, [form.name])


def archive_at(form: Format, path: Path | str) -> Archive:
    """The archive at exactly this path, whatever it is called."""
    path = Path(path)
    if path.is_dir():
        return Archive(form, path, "folder")
    if not path.exists():
        raise MissingDataError(f"{path}: expected an archive of {form.name}, found nothing there")
    return Archive(form, path, "tar" if path.suffix == ".tar" else "single")


def unpack(packed: bytes, where: Path, limit: int = LIMIT) -> bytes:
    """What bzip2 data holds, at most `limit` bytes; `DataFileError` if it is cut off, damaged or no bzip2."""
    if not packed.startswith(b"BZh"):
        got = safe_pickle.looks_like(packed[:64])
        raise DataFileError(f"{where}: expected bzip2 data, as the name says, got {got}; download it again")
    machine = bz2.BZ2Decompressor()
    try:
        data = machine.decompress(packed, limit + 1)
    except (OSError, ValueError, EOFError) as error:
        raise DataFileError(f"{where}: the compressed data is damaged ({error}); download it again") from error
    if len(data) > limit:
        raise DataFileError(f"{where}: expected at most {limit / 2**20:,.0f} MiB, got more; download it again")
    if not machine.eof:
        raise DataFileError(
            f"{where}: expected a whole file, got the end after {len(packed):,} bytes; download it again"
        )
    return data


def _walk_folder(path: Path) -> Iterator[Member]:
    with os.scandir(path) as entries:
        for entry in entries:
            match = _ARCH_FILE.fullmatch(entry.name)
            if match or entry.name == _META:
                yield Member(int(match["index"]) if match else -1, entry.name, entry.stat().st_size)


def _tar_members(path: Path) -> Iterator[Member]:
    """`_walk_tar`, which takes seconds for a whole archive, once for a file of this place, size and time."""
    facts = (str(path.resolve()), (stat := path.stat()).st_size, stat.st_mtime_ns)
    key = hashlib.sha256(repr(facts).encode()).hexdigest()
    rows = {"index": pl.Int64(), "name": pl.String(), "size": pl.Int64(), "offset": pl.Int64()}

    def walk() -> pl.DataFrame:
        with reading(path, "an uncompressed tar archive"):
            return pl.DataFrame([asdict(member) for member in _walk_tar(path)], schema=rows)

    return (Member(*row) for row in convert(path, "nats-tar", 1, walk, key=key).select(*rows).rows())


def _walk_tar(path: Path) -> Iterator[Member]:
    """The members' places in the tar: only headers are read, and nothing is ever unpacked to disk."""
    try:
        whole = path.stat().st_size
        with tarfile.open(regular(path), "r:", tarinfo=Entry) as tar:
            while (entry := tar.next()) is not None:
                vars(tar)["members"] = []  # it would keep every header
                parts = Path(entry.name).parts
                if Path(entry.name).is_absolute() or ".." in parts:
                    raise DataFileError(
                        f"{path}: expected files inside one folder, got the path {entry.name!r}, which climbs out; "
                        "it is not the official archive, and nothing of it was read"
                    )
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    raise DataFileError(f"{path}: expected plain files, got a link or device {entry.name!r}")
                if entry.offset_data + entry.size > whole:
                    raise DataFileError(
                        f"{path}: expected {entry.offset_data + entry.size:,} bytes or more ({entry.name} ends there), "
                        f"got {whole:,}: the file is cut off. Download it again."
                    )
                match = _ARCH_FILE.fullmatch(parts[-1]) if parts else None
                if match or (parts and parts[-1] == _META):
                    yield Member(int(match["index"]) if match else -1, parts[-1], entry.size, entry.offset_data)
            end = tar.offset
        with open(path, "rb") as file:
            file.seek(end)
            if file.read(512) != bytes(512):
                raise DataFileError(
                    f"{path}: expected an empty block at the end of the archive, got the end of the file "
                    f"after {whole:,} bytes: it is cut off. Download it again."
                )
    except tarfile.TarError as error:
        with open(path, "rb") as file:
            head = safe_pickle.looks_like(file.read(64))
        got = f"a damaged one ({error})" if head.startswith("bytes") else head
        raise DataFileError(f"{path}: expected an uncompressed tar archive, got {got}; download it again") from error
    except (OSError, ValueError) as error:
        raise DataFileError(f"{path}: expected a tar archive that can be read, got {error}") from error
