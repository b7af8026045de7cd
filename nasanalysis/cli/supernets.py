"""``nasanalysis supernet ...``: thin, as `cli`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import MissingExtraError
from .options import BackendOption, DataOption, JsonOption, SchedulerOption
from .output import print_json
from .working import needs_torch, working_device

supernet_app = typer.Typer(
    no_args_is_help=True, help="One-shot supernets: train, finetune, measure and search architectures in them."
)

ConfigOption = Annotated[
    str, typer.Option("--config", help="A TOML file, or a shipped configuration by name (reports/configs/): digits ...")
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
RunOption = Annotated[Path, typer.Option("--out", help="Folder of the supernets and of what is measured on them.")]
OtherVersionsOption = Annotated[
    bool,
    typer.Option("--other-versions", help="Go on with what was begun under other versions of torch or numpy."),
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, help="Processes (0: one for each core on the CPU, one on a GPU).")
]

OnlyOption = Annotated[str | None, typer.Option("--only", help="One part of the configuration, by name.")]


@contextlib.contextmanager
def _supernet_run(
    config: str, out: Path, device: str, data: Path | None, workers: int, backend: str, scheduler: str | None
) -> Iterator[Any]:
    """What a command on live supernets starts from, with its backend in force."""
    with needs_torch("supernets"):
        from ..live.config import SupernetConfig
        from ..live.run import Run

    loaded = SupernetConfig.load(config)
    with working_device(device, workers, backend, scheduler, what="supernets") as there:
        yield Run(loaded, out, there, data)


@supernet_app.command("train")
def supernet_train(
    config: ConfigOption,
    out: RunOption,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    backend: BackendOption = "loky",
    scheduler: SchedulerOption = None,
    data: DataOption = None,
    other_versions: OtherVersionsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train every protocol with every seed; after a kill the same command goes on from the last epoch."""
    with _supernet_run(config, out, device, data, workers, backend, scheduler) as run:
        from ..live.train import train_all

        paths = train_all(run, other_versions=other_versions)
    print_json({"weights": [str(p) for p in paths]}) if as_json else print(f"{out}: {len(paths)} supernets trained")


def _on_parts(name: str) -> Callable[[Callable[[Any, str | None, bool], None]], None]:
    """A command that does the parts of a configuration: ``work(run, only, as_json)``."""

    def register(work: Callable[[Any, str | None, bool], None]) -> None:
        @supernet_app.command(name, help=work.__doc__)
        def command(
            config: ConfigOption,
            out: RunOption,
            only: OnlyOption = None,
            device: DeviceOption = "auto",
            workers: WorkersOption = 0,
            backend: BackendOption = "loky",
            scheduler: SchedulerOption = None,
            data: DataOption = None,
            as_json: JsonOption = False,
        ) -> None:
            with _supernet_run(config, out, device, data, workers, backend, scheduler) as run:
                work(run, only, as_json)

    return register


@_on_parts("finetune")
def _finetune(run: Any, only: str | None, as_json: bool) -> None:
    """Finetune architectures from trained supernets: curves.parquet and scores.parquet for each part."""
    from ..live.finetune import finetune_all

    _print_folders(finetune_all(run, only=only), "curves.parquet, scores.parquet", as_json)


@supernet_app.command("measure")
def supernet_measure(
    config: ConfigOption,
    out: RunOption,
    only: OnlyOption = None,
    epoch: Annotated[
        list[int] | None,
        typer.Option("--epoch", help="Measure the snapshot after this epoch of the training; may be repeated."),
    ] = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    backend: BackendOption = "loky",
    scheduler: SchedulerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read angle, flatness, Hessian and zero-cost measures from inherited weights, for each part."""
    with _supernet_run(config, out, device, data, workers, backend, scheduler) as run:
        _measure(run, only, epoch or [], as_json)


def _measure(run: Any, only: str | None, epochs: Sequence[int], as_json: bool) -> None:
    from ..core.frames import read_frame, read_provenance, write_frame
    from ..live.measure import measure_all
    from ..proxies import flatness_of_each_kind

    folders = measure_all(run, only=only, epochs=epochs)
    for folder in folders:
        noise = folder / "perturbed.parquet"
        flat = flatness_of_each_kind(read_frame(noise, "PERTURBED"))
        write_frame(flat, folder / "flatness.parquet", read_provenance(noise))
    _print_folders(folders, "scores.parquet, perturbed.parquet, flatness.parquet, seconds.parquet", as_json)


@_on_parts("search")
def _search(run: Any, only: str | None, as_json: bool) -> None:
    """Search for the architecture with the best fitness, read from inherited weights, for each part."""
    from ..live.search import best_of, search_all

    folders = search_all(run, only=only)
    best = [(folder, row) for folder in folders for row in best_of(folder).to_dicts()]
    if as_json:
        print_json({"folders": [str(f) for f in folders], "found": [{"search": f.name, **row} for f, row in best]})
        return
    for folder, row in best:
        print(f"{folder}: seed {row['seed']}, {row['queries']} queries: {row['arch']} (fitness {row['fitness']:.4g})")


@supernet_app.command("estimate")
def supernet_estimate(
    config: ConfigOption,
    updates: Annotated[int, typer.Option("--updates", min=1, help="Updates of each protocol that are timed.")] = 20,
    archs: Annotated[int, typer.Option("--archs", min=1, help="Architectures of each part that are timed.")] = 3,
    device: DeviceOption = "auto",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hours that a configuration takes on this machine in one process, from a short run of each part; keeps nothing."""
    with _supernet_run(config, Path(), device, data, 1, "loky", None) as run:
        from ..live.estimate import estimate

        table = estimate(run, updates=updates, archs=archs)
    if as_json:
        print_json({"parts": table.to_dicts(), "hours": table["hours"].sum()})
        return
    for row in table.to_dicts():
        print(f"{row['part']}: {row['count']} x {row['seconds_each']:.3g} s ({row['unit']}) = {row['hours']:.2f} h")
    print(f"in all {table['hours'].sum():.1f} h of one process on {device} ({table['images'][0]}), searches left out")


@supernet_app.command("keep")
def supernet_keep(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run: the --out of the other commands.")],
    name: Annotated[str, typer.Argument(help="What the files are called: nb201, nb101-1 ...")],
    losses: Annotated[
        list[str] | None,
        typer.Option("--losses", metavar="PROTOCOL", help="Keep the losses of a protocol too; may be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of kept results.")] = Path("reports/results"),
    as_json: JsonOption = False,
) -> None:
    """Thin what a run measured into the few small files that studies read; weights are not kept."""
    try:
        from ..live.keep import keep_run
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "supernet", "supernets") from error

    files = {str(path): path.stat().st_size for path in keep_run(run, name, out, losses=losses or ())}
    text = "\n".join(f"{path}: {size / 1e6:.2f} MB" for path, size in files.items())
    print_json({"files": list(files)}) if as_json else print(text)


def _print_folders(folders: Sequence[Path], files: str, as_json: bool) -> None:
    if as_json:
        print_json({"folders": [str(f) for f in folders]})
        return
    for folder in folders:
        print(f"{folder}: {files}")
