"""Commands of the second edition of `digits`: build, pack, finish."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption
from .output import show


def build_digits2_command(
    out: Path, classes: int, seeds: int, *, workers: int, resume: bool, resume_from: Path | None, as_json: bool
) -> None:
    """Build, and say what lies there."""
    from ..builders.build_digits2 import build_digits2

    path = build_digits2(out, classes=classes, seeds=seeds, workers=workers, resume=resume, resume_from=resume_from)
    _say(path, as_json)


def add_digits2(app: typer.Typer) -> None:
    """Put ``pack`` and ``finish`` under the commands of `app`."""
    app.command("pack")(benchmark_pack)
    app.command("finish")(benchmark_finish)


def benchmark_pack(
    build: Annotated[Path, typer.Argument(help="Folder of a build of digits-2, which may be running.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the packed runs.")],
    as_json: JsonOption = False,
) -> None:
    """Write the finished runs as two files, to keep or to go on from elsewhere (build --resume-from)."""
    from ..builders.digits2_pack import pack

    _say(pack(build, to), as_json)


def benchmark_finish(
    packed: Annotated[Path, typer.Argument(help="Folder of packed runs.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the table.")],
    as_json: JsonOption = False,
) -> None:
    """Write the thin table of packed runs, with class weights."""
    from ..builders.digits2_pack import RAW, finish

    _say(finish(packed / RAW, to), as_json)


def _say(path: Path, as_json: bool) -> None:
    from ..core.frames import read_provenance

    record = read_provenance(path)
    summary = {
        "out": str(path),
        "runs": record["runs"],
        "complete_classes": record["complete_classes"],
        "bytes": path.stat().st_size,
    }
    show(
        as_json,
        summary,
        f"{path}: {summary['runs']} runs, the first {summary['complete_classes']} classes complete, "
        f"{summary['bytes'] / 1e6:.2f} MB",
    )
