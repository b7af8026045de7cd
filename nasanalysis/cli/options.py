"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import ParameterError

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of benchmark files (default: $NASANALYSIS_DATA, then the user's cache)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON with stable fields on stdout.")]
ProcessesOption = Annotated[int, typer.Option("--workers", min=0, help="Processes (0: one for each core).")]
DirectionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--direction",
        metavar="NAME=lower",
        help="Whether lower or higher is better in a score, where its name misleads; may be repeated.",
    ),
]
#: The truth of a command that has `digits` where none is named.
TruthOption = Annotated[
    str, typer.Option("--truth", help="A benchmark, a TOML description or a FILE of arch,accuracy.")
]
TruthDataset = Annotated[str | None, typer.Option("--dataset", help="Dataset of the truth.")]
SplitOption = Annotated[str | None, typer.Option("--split", help="valid, test or valtest (default: test).")]
ScheduleOption = Annotated[int | None, typer.Option("--schedule", help="Total epochs of the truth.")]
MethodOption = Annotated[str | None, typer.Option("--method", help="Which method, where there are several.")]
SettingOption = Annotated[str | None, typer.Option("--setting", help="Which setting, where there are several.")]
LastStepOption = Annotated[
    int | None, typer.Option("--step", help="Completed epochs or minibatches (default: the last of each).")
]
BootstrapOption = Annotated[int, typer.Option("--bootstrap", min=0, help="Resamples for the intervals (0: none).")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of the resampling.")]
QuantityOption = Annotated[
    str | None,
    typer.Option("--quantity", help="Which truth, where there are several: accuracy, loss, latency ..."),
]
TransferOption = Annotated[
    str | None,
    typer.Option(
        "--transfer",
        metavar="[BENCHMARK/]DATASET",
        help="Set scores of this data set against a truth of another; the table says so.",
    ),
]
UnitOption = Annotated[
    str | None,
    typer.Option(
        "--unit", help="Of the accuracies of a plain table: percent, fraction, error-percent, error-fraction."
    ),
]
SpaceOption = Annotated[
    str | None,
    typer.Option("--space", help="Of plain tables, where the spelling of their architectures does not tell it."),
]
InfiniteOption = Annotated[
    str, typer.Option("--infinite", help="What an infinite score is: missing, or worst (ranked last).")
]
BackendOption = Annotated[
    str, typer.Option("--backend", help="Where the work is done: loky, sequential or dask (docs/cluster.md).")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", help="Address of a running Dask cluster; without it one is started here."),
]


def read_pairs(given: list[str] | None, option: str, form: str) -> dict[str, str]:
    """``["a=b"]`` -> ``{"a": "b"}``, cut at the last ``=``; `ParameterError` that names `option` for anything else."""
    read = {}
    for text in given or []:
        name, _, word = text.rpartition("=")
        if not name or not word:
            raise ParameterError(f"{option}: expected {form}, got {text!r}")
        read[name] = word
    return read


def read_directions(given: list[str] | None) -> dict[str, str]:
    """``["a=lower", "b=higher"]`` -> ``{"a": "lower", "b": "higher"}``; `ParameterError` for anything else."""
    form = "NAME=lower or NAME=higher"
    read = read_pairs(given, "--direction", form)
    for name, word in read.items():
        if word not in ("higher", "lower"):
            raise ParameterError(f"--direction: expected {form}, got {f'{name}={word}'!r}")
    return read
