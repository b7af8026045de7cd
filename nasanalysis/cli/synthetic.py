"""``nasanalysis synthetic ...``: thin, as `cli`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from .options import BackendOption, DataOption, JsonOption, SchedulerOption
from .output import print_json, print_table
from .supernets import DeviceOption, WorkersOption

synthetic_app = typer.Typer(
    no_args_is_help=True, help="Small experiments whose answer is known: evidence, Fourier terms, learning rates."
)

#: What runs where no name is given: minutes on a laptop, without data.
_QUICK = ("evidence", "fourier", "fourier_code", "maxdeg", "maxdeg_code", "digits_mlp")


@synthetic_app.command("run")
def synthetic_run(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Configurations: shipped ones by name (see `synthetic list`), or TOML files."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of results.")] = Path("build/synthetic"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of every draw.")] = 0,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    backend: BackendOption = "loky",
    scheduler: SchedulerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run experiments; after a kill the same command goes on. Without a name: those that need no data and no GPU."""
    from ..core.errors import MissingDataError
    from ..synthetic.config import RateConfig, load_config
    from ..synthetic.run import run_experiment

    loaded = {Path(name).stem: load_config(name) for name in names or _QUICK}
    rows = []
    networks = any(isinstance(config, RateConfig) for config in loaded.values())
    with _place(networks, device, workers, backend, scheduler) as there:
        for name, config in loaded.items():
            try:
                path = run_experiment(name, config, out, data=data, device=there, seed=seed)
            except MissingDataError as error:
                if len(loaded) == 1:
                    raise
                rows.append({"name": name, "kind": config.kind, "result": f"not run here. {error.short}"})
                continue
            rows.append({"name": name, "kind": config.kind, "result": str(path)})
    _show(rows, "experiments", as_json)


@synthetic_app.command("list")
def synthetic_list(as_json: JsonOption = False) -> None:
    """The shipped configurations."""
    from ..core.resources import shipped_toml
    from ..synthetic.config import CONFIGS, load_config

    loaded = {name: load_config(name) for name in shipped_toml(CONFIGS)}
    rows = [
        {"name": name, "kind": one.kind, "title": one.title, "without a name": name in _QUICK}
        for name, one in loaded.items()
    ]
    _show(rows, "synthetic experiments", as_json)


@contextlib.contextmanager
def _place(networks: bool, device: str, workers: int, backend: str, scheduler: str | None) -> Iterator[str]:
    """The device, with the backend in force; torch is asked for where there are networks alone."""
    if networks:
        from .working import working_device

        with working_device(device, workers, backend, scheduler, what="a synthetic experiment of networks") as there:
            yield there
        return
    from ..jobs import backend_from_options

    with backend_from_options(backend, workers or os.cpu_count() or 1, scheduler):
        yield "cpu"


def _show(rows: Sequence[Mapping[str, object]], title: str, as_json: bool) -> None:
    import polars as pl

    print_json(rows) if as_json else print_table(pl.DataFrame(rows), title)
