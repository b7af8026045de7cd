"""Long work as independent units: parallel by joblib, one file for each finished unit, resumable.

A unit is a pure function of its configuration, so the result is the same whatever the number of
workers, the order in which units finish, or how often the run was killed. A `Backend` moves the same
units from the processes of one machine to a Dask cluster.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..core.atomic import explain, write_text
from ..core.errors import BuildError, DataFileError, OutputError
from ..core.frames import read_frame, write_frame
from . import Backend, BackendError, current_backend


def progress_console() -> Console:
    """stderr; in a notebook without ipywidgets no bar moves, it is shown once, at its end."""
    console = Console(stderr=True)
    if console.is_jupyter and find_spec("ipywidgets") is None:
        return Console(stderr=True, force_jupyter=False, force_terminal=False)
    return console


def progress_bar(*, quiet: bool = False) -> Progress:
    """The bar of every long command: done of all, time spent, time left; on stderr."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=progress_console(),
        disable=quiet,
    )


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; a second run in it is refused at once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise BuildError(
            f"{folder}: another run is writing this folder; wait for it, or choose another with --out"
        ) from None
    except OSError as error:
        raise OutputError(explain(folder, error)) from error
    try:
        yield
    finally:
        lock.release()


def prepare(folder: Path, fingerprint: Mapping[str, Any], *, resume: bool) -> Path:
    """The folder of unit files for a run with this `fingerprint` (its settings and versions).

    Finished units of the same fingerprint are kept when `resume`; units of another fingerprint are
    refused (they would mix two results); without `resume` they are set aside, not deleted.
    """
    units, record = folder / "units", folder / "build.json"
    wanted = json.dumps(fingerprint, indent=2, sort_keys=True)
    if units.exists() and not resume:
        aside = next(p for i in range(1, 10_000) if not (p := folder / f"units.{i}").exists())
        units.rename(aside)
    elif record.exists() and any(units.glob("*.parquet")) and record.read_text(encoding="utf-8") != wanted:
        old, new = json.loads(record.read_text(encoding="utf-8")), dict(fingerprint)
        changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
        raise BuildError(
            f"{folder}: holds finished units of other settings ({', '.join(changed)} differ); "
            "to start over, set the folder aside (or run with --no-resume, where the command has it); or choose "
            "another name or --out"
        )
    units.mkdir(parents=True, exist_ok=True)
    for leftover in units.glob(".*.partial"):
        leftover.unlink(missing_ok=True)
    write_text(record, wanted)
    return units


def _finish(work: Callable[..., pl.DataFrame], arguments: tuple[Any, ...], path: Path) -> None:
    _write(work(*arguments), path)


def _make(work: Callable[..., pl.DataFrame], arguments: tuple[Any, ...], path: Path) -> tuple[Path, pl.DataFrame]:
    return path, work(*arguments)


def _write(frame: pl.DataFrame, path: Path) -> None:
    write_frame(frame.rechunk(), path)  # the same bytes however the frame was put together, or travelled


def run_units(
    work: Callable[..., pl.DataFrame],
    units: Mapping[str, tuple[Any, ...]],
    folder: Path,
    *,
    workers: int = 1,
    backend: Backend | None = None,
    needs: Iterable[Path] = (),
    description: str = "units",
    quiet: bool = False,
) -> list[Path]:
    """Run ``work(*arguments)`` for each unit that has no file yet; return every unit's file, in order.

    Parameters
    ----------
    units: file stem -> arguments of `work`.
    folder: where unit files go, from `prepare`.
    workers: processes of this machine, where no backend is given.
    backend: where units run; by default the `current_backend`, or else `workers` processes here. On a cluster
        `work` has to stand in a module that the workers can import.
    needs: paths that every worker of a cluster has to see (weights, images), because `work` reads them.

    A failure stops the run with what is finished kept: the same command goes on from there.

    On one machine the process that finished a unit writes its file. From a cluster the (small) frames come back and
    are written here: one process on one machine holds the folder's lock and writes in it, so a file is whole or
    missing on any shared file system, workers need no right to write, and the folder may even be a local one.
    """
    chosen = backend or current_backend() or Backend(workers=workers)
    paths = {stem: folder / f"{stem}.parquet" for stem in units}
    todo = [stem for stem in units if not paths[stem].exists()]
    calls = [(work, units[stem], paths[stem]) for stem in todo]
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task(description, total=len(units), completed=len(units) - len(todo))
        try:
            with contextlib.closing(chosen.run(_make if chosen.remote else _finish, calls, needs=needs)) as finished:
                for result in finished:
                    if chosen.remote:
                        _write(result[1], result[0])
                    bar.advance(task)
        except (OutputError, BackendError) as error:
            done = sum(path.exists() for path in paths.values())
            kept = f"{error} ({done} of {len(units)} units are finished and kept in {folder})"
            raise type(error)(kept) from error
    return list(paths.values())


def gather(paths: Sequence[Path]) -> list[pl.DataFrame]:
    """Read unit files; one that cannot be read is removed, so that the next run makes it again."""
    frames = []
    for path in paths:
        try:
            frames.append(read_frame(path))
        except DataFileError as error:
            path.unlink(missing_ok=True)
            raise BuildError(
                f"{error}; the damaged unit is removed: run the same command again to rebuild it"
            ) from error
    return frames
