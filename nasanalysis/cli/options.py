"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
