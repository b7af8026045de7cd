"""``nasanalysis measure ...``: what weights say of networks outside a supernet. Thin, as `cli`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import MissingExtraError
from .options import BackendOption, DataOption, JsonOption, ProcessesOption, SchedulerOption
from .output import print_json, print_table, progress, show

measure_app = typer.Typer(no_args_is_help=True, help="Measure networks outside a supernet: untrained, or of digits.")


@measure_app.command("zero-cost")
def zero_cost(
    archs: Annotated[
        list[str] | None, typer.Argument(metavar="[ARCH]...", help="Texts or indices (default: the thesis's sample).")
    ] = None,
    proxy: Annotated[
        list[str] | None, typer.Option("--proxy", help="A measure; may be repeated (default: all).")
    ] = None,
    images: Annotated[
        str, typer.Option("--images", help="Data set of images; 'cifar10': the official archive.")
    ] = "cifar10-jpeg",
    batch: Annotated[int, typer.Option("--batch", min=2, help="Images.")] = 64,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the batch and the initial weights.")] = 0,
    build: Annotated[Path, typer.Option("--build", help="Folder of finished architectures, to go on from.")] = Path(
        "build/nb201_zero_cost"
    ),
    out: Annotated[Path, typer.Option("--out", help="Parquet file to write.")] = Path("nb201_zero_cost.parquet"),
    workers: ProcessesOption = 0,
    backend: BackendOption = "loky",
    scheduler: SchedulerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Zero-cost measures of untrained networks of NAS-Bench-201, set against published ones."""
    try:
        from ..live.zero_cost import ZeroCostSettings, measure_untrained
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "supernet", "measuring networks") from error
    from ..jobs import backend_from_options

    settings = ZeroCostSettings(images=images, batch=batch, seed=seed, **({"proxies": tuple(proxy)} if proxy else {}))
    with backend_from_options(backend, workers or os.cpu_count() or 1, scheduler) as where:
        measured = measure_untrained(archs or (), settings, build=build, out=out, data=data, workers=where.workers)
    count = measured.scores["arch"].n_unique()
    if as_json:
        print_json({"out": str(out), "architectures": count, "agreement": measured.agreement.to_dicts()})
        return
    print_table(measured.agreement, "Ours and NAS-Bench-Suite-Zero's")
    print(f"{out}: {count} architectures, {measured.seconds:.1f} s each")


@measure_app.command("landscapes")
def landscapes(
    out: Annotated[Path, typer.Option("--out", help="Folder of the three files.")] = Path("reports/results"),
    as_json: JsonOption = False,
) -> None:
    """Loss landscapes of digits networks: noise, lines and planes (about 5 minutes)."""
    try:
        from ..builders.landscapes import digits_landscapes
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "supernet", "loss landscapes") from error

    paths = digits_landscapes(out, say=progress)
    show(as_json, {"files": [str(path) for path in paths]}, "\n".join(map(str, paths)))
