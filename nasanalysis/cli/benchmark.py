"""``nasanalysis benchmark ...``: benchmarks of our own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import MissingExtraError, UnknownNameError
from .digits2 import add_digits2, build_digits2_command
from .options import BackendOption, JsonOption, ProcessesOption, SchedulerOption
from .output import show

benchmark_app = typer.Typer(no_args_is_help=True, help="Build benchmarks of our own.")
add_digits2(benchmark_app)


@benchmark_app.command("build")
def benchmark_build(
    name: Annotated[str, typer.Argument(help="Benchmark to build: digits, or digits-2 (every proxy recorded).")],
    archs: Annotated[int, typer.Option("--archs", help="Architectures (digits).")] = 800,
    classes: Annotated[int, typer.Option("--classes", help="Functional classes, at most 5545 (digits-2).")] = 2500,
    seeds: Annotated[int, typer.Option("--seeds", help="Training seeds of each architecture.")] = 2,
    workers: ProcessesOption = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the finished runs and the table (default: build/NAME).")
    ] = None,
    resume_from: Annotated[
        Path | None, typer.Option("--resume-from", help="Folder of packed runs to go on from (digits-2).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on from finished runs, or set them aside and start over.")
    ] = True,
    backend: BackendOption = "loky",
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a benchmark of our own: parallel, resumable after a kill at any moment."""
    if name not in ("digits", "digits-2"):
        raise UnknownNameError("benchmark to build", name, ["digits", "digits-2"])
    out = out or Path("build") / name
    try:
        from ..builders.build_digits import build_digits
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "supernet", "building digits") from error
    from ..jobs import backend_from_options

    with backend_from_options(backend, workers or os.cpu_count() or 1, scheduler) as where:
        if name == "digits-2":
            build_digits2_command(
                out, classes, seeds, workers=where.workers, resume=resume, resume_from=resume_from, as_json=as_json
            )
            return
        path = build_digits(out, archs=archs, seeds=seeds, workers=where.workers, resume=resume)
    size = path.stat().st_size
    summary = {"out": str(path), "architectures": archs, "seeds": seeds, "bytes": size}
    show(as_json, summary, f"{path}: {archs} architectures x {seeds} seeds, {size / 1e6:.2f} MB")
