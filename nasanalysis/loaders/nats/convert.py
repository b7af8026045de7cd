"""NATS-Bench archives -> columnar cache: once, in parallel, resumable, in little memory.

The cache of an archive is a list of chunks (`CHUNK` architectures each): a Parquet file of curves and one of
trainings, named by what they were made from and written whole or not at all. A conversion that was killed goes
on from the chunks that are there; a second process waits for the first and then finds its work done. Where
the cache cannot be written, the chunks go to a temporary folder for the life of the process.

Each process holds one chunk: about 0.2 GB, and `MOST_WORKERS` of them with the one that started them stay below
1 GB, however many files there are. The single-file form has to be unpickled at once: `memory_needed` says what
that takes.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import joblib
import polars as pl
from filelock import FileLock, Timeout

from ...core.errors import DataFileError, OutputError
from ...core.frames import write_frame
from ...core.means import exact_means
from ...core.shown import shown
from ...jobs.units import progress_bar
from ..cache import is_whole
from ..files import cache_dir
from .files import Archive, Format, Member
from .parse import SPLITS, Rows, read_all

#: Raise it when a change here or in `nats_parse` changes what an archive becomes.
VERSION = 3

#: Architectures that become one pair of Parquet files.
CHUNK = 125

#: Most processes at once.
MOST_WORKERS = 3

#: Bytes of memory for each byte of a single-file archive (measured on real files of both spaces: the
#: decompressed pickle and its objects, 28 for the topology and 17 for the size space).
MEMORY_FACTOR = {"nats-tss": 28, "nats-sss": 18}


class MemoryNeededWarning(UserWarning):
    """Says beforehand how much memory a single-file archive takes."""


@dataclass(frozen=True)
class Chunk:
    """Architectures that are converted together, and where their two Parquet files are or will be."""

    members: tuple[Member, ...]
    curves: Path
    runs: Path

    @property
    def done(self) -> bool:
        return is_whole(self.curves) and is_whole(self.runs)


@dataclass(frozen=True)
class Converted:
    """The cache of one archive. ``chunks``: first index of each chunk -> its file of curves."""

    chunks: dict[int, Path]
    runs: tuple[Path, ...]
    truth: Path
    count: int


def convert_archive(archive: Archive) -> Converted:
    """The archive's cache, made first where it is not there yet.

    Raises `DataFileError` for a damaged or foreign file (what is converted by then is kept), `OutputError`
    where neither the cache nor a temporary folder can be written.
    """
    home = _home(archive.form)
    chunks = _chunks(archive, home)
    if chunks and all(chunk.done for chunk in chunks) and is_whole(_truth_path(chunks)):
        return _converted(chunks)
    try:
        return _converted(_fill(archive, _writable(home)))
    except OutputError as error:  # a disk that fills up on the way
        if home in _INSTEAD.values():
            raise
        return _converted(_fill(archive, _instead(home, error)))


def _fill(archive: Archive, home: Path) -> list[Chunk]:
    """Every chunk of an archive in the folder `home`, those that are not there yet converted."""
    with _alone(home, archive.form.name):
        _remove_older(home)
        chunks = _from_single(archive, home) if archive.kind == "single" else _chunks(archive, home)
        _run(archive, [chunk for chunk in chunks if not chunk.done])
        truth = _truth_path(chunks)
        if not is_whole(truth):
            needed = ["dataset", "arch", "schedule", "seed", *SPLITS]
            runs = pl.concat([pl.read_parquet(chunk.runs, columns=needed) for chunk in chunks])
            write_frame(truth_table(runs), truth)
    return chunks


def truth_table(runs: pl.DataFrame) -> pl.DataFrame:
    """Final accuracies: ``dataset, split, schedule, seed, arch, accuracy``, each training and (seed null) the mean.

    Sorted, so that a query for one dataset, split and schedule reads a part of the file.
    """
    datasets = sorted(runs["dataset"].unique())  # one at a time: a quarter of the memory
    return pl.concat([_truth_of(runs.filter(pl.col("dataset") == dataset)) for dataset in datasets])


def _truth_of(runs: pl.DataFrame) -> pl.DataFrame:
    long = runs.unpivot(
        on=list(SPLITS), index=["dataset", "arch", "schedule", "seed"], variable_name="split", value_name="accuracy"
    ).drop_nulls("accuracy")
    mean = exact_means(long, ["dataset", "split", "schedule", "arch"], "accuracy")
    mean = mean.with_columns(pl.lit(None, pl.Int64).alias("seed"))
    columns = ["dataset", "split", "schedule", "seed", "arch", "accuracy"]
    table = pl.concat([long.select(columns), mean.select(columns)])
    return table.sort("split", "schedule", "seed", maintain_order=True)


def memory_needed(archive: Archive) -> int:
    """Bytes of memory that reading a single-file archive takes, by its size; 0 for the other forms."""
    if archive.kind != "single":
        return 0
    return archive.path.stat().st_size * MEMORY_FACTOR[archive.form.name]


def _chunks(archive: Archive, home: Path) -> list[Chunk]:
    if archive.kind == "single":
        listed = home / f"{_single_key(archive)}-chunks.parquet"
        numbers = pl.read_parquet(listed)["chunk"].to_list() if is_whole(listed) else []
        return [_chunk(home, f"{_single_key(archive)}-{number:03d}", number, ()) for number in numbers]
    grouped: dict[int, list[Member]] = {}
    for member in archive.members:
        grouped.setdefault(member.index // CHUNK, []).append(member)
    parts = []
    for number, members in grouped.items():
        facts = (archive.form.name, archive.modified, [(member.name, member.size) for member in members])
        key = hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
        parts.append(_chunk(home, f"{key}-{number:03d}", number, tuple(members)))
    return parts


def _chunk(home: Path, stem: str, number: int, members: tuple[Member, ...]) -> Chunk:
    return Chunk(members, home / f"{stem}-curves.parquet", home / f"{stem}-runs.parquet")


def _number(path: Path) -> int:
    return int(path.name.split("-")[1])


def _converted(chunks: Sequence[Chunk]) -> Converted:
    runs = tuple(chunk.runs for chunk in chunks)
    count = sum(len(chunk.members) for chunk in chunks)
    if not count:  # the single-file form
        count = pl.scan_parquet(list(runs)).select(pl.col("arch").n_unique()).collect().item()
    return Converted(
        {_number(chunk.curves) * CHUNK: chunk.curves for chunk in chunks}, runs, _truth_path(chunks), count
    )


def _truth_path(chunks: Sequence[Chunk]) -> Path:
    key = hashlib.sha256(repr([chunk.runs.name for chunk in chunks]).encode()).hexdigest()[:16]
    return chunks[0].runs.parent / f"{key}-truth.parquet"


# --- where ----------------------------------------------------------------------------------------------


#: Folder of the cache that could not be written -> the temporary one that this process uses in its place.
_INSTEAD: dict[Path, Path] = {}


def _home(form: Format) -> Path:
    home = cache_dir() / "converted" / f"{form.name}-v{VERSION}"
    return _INSTEAD.get(home, home)


def _writable(home: Path) -> Path:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home):
            return home
    except OSError as error:
        return _instead(home, error)


def _instead(home: Path, error: OSError) -> Path:
    """A temporary folder in place of `home`, which cannot be written; said once."""
    warnings.warn(
        f"{home}: the cache cannot be written ({error.strerror or error}); the conversion is kept in a temporary "
        "folder until this process ends. Set $NASANALYSIS_CACHE to a folder that can be written.",
        stacklevel=3,
    )
    _INSTEAD[home] = _temporary(home.name)
    return _INSTEAD[home]


@cache
def _temporary(name: str) -> Path:
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"nasanalysis-{name}-")
    except OSError as error:
        raise OutputError(f"no folder for the conversion of {name} can be written: {error}") from error
    _ALIVE.append(folder)
    return Path(folder.name)


#: Temporary folders; they are removed when the process ends.
_ALIVE: list[tempfile.TemporaryDirectory[str]] = []


@contextlib.contextmanager
def _alone(home: Path, name: str) -> Iterator[None]:
    """Hold the cache of one benchmark; wait for another process that converts the same."""
    lock = FileLock(home / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with progress_bar() as bar:
            bar.add_task(f"another process is converting {name}; waiting", total=None)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_older(home: Path) -> None:
    """What older converters left: their folders, and the leftovers of a killed run in ours."""
    name = home.name.rpartition("-v")[0]
    older = [home.parent / f"{name}-v{version}" for version in range(1, VERSION)]
    for folder in older:
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in (f"*-{name}-curves-v*.parquet", f"*-{name}-runs-v*.parquet"):
        for file in home.parent.glob(pattern):
            file.unlink(missing_ok=True)
    for leftover in home.glob(".*.partial"):
        leftover.unlink(missing_ok=True)


# --- work -----------------------------------------------------------------------------------------------


def _run(archive: Archive, todo: Sequence[Chunk]) -> None:
    if not todo:
        return
    bare = Archive(archive.form, archive.path, archive.kind)  # without the listing: it would travel with every chunk
    jobs = (joblib.delayed(_convert)(bare, chunk) for chunk in todo)
    workers = min(len(todo), joblib.cpu_count(), MOST_WORKERS)
    with progress_bar(quiet=len(todo) < 4) as bar:
        task = bar.add_task(f"converting {archive.form.name}, once", total=sum(len(chunk.members) for chunk in todo))
        for count in joblib.Parallel(n_jobs=workers, return_as="generator_unordered")(jobs):
            bar.advance(task, count)


def _convert(archive: Archive, chunk: Chunk) -> int:
    contents = ((member.index, archive.where(member), archive.read(member)) for member in chunk.members)
    with _no_collection():
        _write(read_all(contents, archive.form), chunk, archive)
    return len(chunk.members)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """No search for reference cycles: pickles of plain numbers make none, and it costs a tenth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _write(rows: Rows, chunk: Chunk, archive: Archive) -> None:
    runs, curves = rows.frames()
    record = {"raw": archive.path.name, "converter": archive.form.name, "version": VERSION}
    write_frame(curves, chunk.curves, record)
    write_frame(runs, chunk.runs, record)


def _single_key(archive: Archive) -> str:
    return hashlib.sha256(f"{archive.key} {archive.modified}".encode()).hexdigest()[:16]


def _from_single(archive: Archive, home: Path) -> list[Chunk]:
    """Unpickle the single file, write its chunks, and last the list of them."""
    need, have = memory_needed(archive), _physical_memory()
    told = f"{archive.path}: reading the single-file archive takes about {need / 2**30:.1f} GiB of memory"
    if have and need > have:
        raise DataFileError(
            f"{told}; this machine has {have / 2**30:.1f}. Use the folder or the tar "
            f"({', '.join(list(archive.form.patterns.values())[:2])}): either takes less than 1 GiB."
        )
    if need > 2**30:
        warnings.warn(f"{told}, once; the folder and the tar take less than 1", MemoryNeededWarning, stacklevel=3)
    infos = archive.read_single()["arch2infos"]
    if not infos or not all(type(index) is int for index in infos):
        raise DataFileError(
            f"{archive.path}: expected architectures by index in 'arch2infos', got {shown.repr(list(infos)[:3])}"
        )
    key, numbers = _single_key(archive), sorted({index // CHUNK for index in infos})
    chunks = [_chunk(home, f"{key}-{number:03d}", number, ()) for number in numbers]
    with progress_bar(quiet=len(chunks) < 4) as bar:
        task = bar.add_task(f"converting {archive.form.name}, once", total=len(chunks))
        for number, chunk in zip(numbers, chunks, strict=True):
            if not chunk.done:
                indices = [index for index in range(number * CHUNK, (number + 1) * CHUNK) if index in infos]
                contents = ((index, archive.path / f"{index:06d}", infos[index]) for index in indices)
                _write(read_all(contents, archive.form), chunk, archive)
            bar.advance(task)
    write_frame(pl.DataFrame({"chunk": numbers}, schema={"chunk": pl.Int64}), home / f"{key}-chunks.parquet")
    return chunks


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not on every system
        return 0
