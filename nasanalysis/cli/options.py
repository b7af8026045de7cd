"""Options that several commands share, and JSON on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of benchmark files (default: $NASANALYSIS_DATA, then the user's cache)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON with stable fields on stdout.")]
BackendOption = Annotated[
    str, typer.Option("--backend", help="Where the work is done: loky, sequential, dask or ray (docs/cluster.md).")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", help="Address of a running Dask or Ray cluster; without it one is started here."),
]


def print_json(value: Any) -> None:
    """JSON on stdout; undefined numbers are null."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and value != value else value
