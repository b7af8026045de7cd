"""``nasanalysis diffsearch ...``: thin, as `cli`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import BackendOption, DataOption, JsonOption, SchedulerOption
from .output import print_json, print_table
from .supernets import DeviceOption, OtherVersionsOption, WorkersOption
from .working import needs_torch, working_device

diffsearch_app = typer.Typer(
    no_args_is_help=True, help="Differentiable search: DARTS, SoTL-DARTS, DrNAS, DARTS-PT and the others, by parts."
)

#: What needs torch, for its message.
_WHAT = "differentiable search"

_Config = Annotated[
    str,
    typer.Option("--config", help="A TOML file, or a shipped configuration by name (reports/searches/): digits ..."),
]


@diffsearch_app.command("run")
def diffsearch_run(
    config: _Config,
    out: Annotated[Path, typer.Option("--out", help="Folder of the searches.")],
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    backend: BackendOption = "loky",
    scheduler: SchedulerOption = None,
    data: DataOption = None,
    other_versions: OtherVersionsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Search by every method with every seed; after a kill the same command goes on from the last epoch."""
    with needs_torch(_WHAT):
        from ..live.diffsearch import SearchRun, search_all, summary
    from ..differentiable.config import DiffSearchConfig

    loaded = DiffSearchConfig.load(config)
    with working_device(device, workers, backend, scheduler, what=_WHAT) as there:
        run = SearchRun(loaded, out, there, data, other_versions=other_versions)
        search_all(run)
    _show(summary(run), "searches", as_json)


@diffsearch_app.command("estimate")
def diffsearch_estimate(
    config: _Config, device: DeviceOption = "auto", data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Hours of a configuration on this machine, from a few steps of every method."""
    with needs_torch(_WHAT):
        from ..live.diffsearch import SearchRun, estimate
        from ..training.devices import choose_device
    from ..differentiable.config import DiffSearchConfig

    rows = estimate(SearchRun(DiffSearchConfig.load(config), Path(), choose_device(device), data))
    _show(rows, f"{sum(row['hours'] for row in rows):.1f} h of one process", as_json)


@diffsearch_app.command("keep")
def diffsearch_keep(
    config: _Config,
    run: Annotated[Path, typer.Argument(help="The --out of `diffsearch run`.")],
    name: Annotated[str, typer.Argument(help="Stem of the files.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of kept results.")] = Path("reports/results"),
    every: Annotated[int, typer.Option("--every", min=1, help="Epochs between selections that are trained.")] = 10,
    seeds: Annotated[
        int, typer.Option("--seeds", min=0, help="Trainings of each selected cell on digits; 0: none.")
    ] = 2,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Keep what a study reads: TRACE, thinned ALPHAS and, on digits, the truth of what was selected."""
    with needs_torch(_WHAT):
        from ..live.diffsearch import SearchRun, keep_searches, train_selections
    from ..core.frames import read_frame, read_provenance, write_frame
    from ..differentiable.config import DiffSearchConfig

    searches = SearchRun(DiffSearchConfig.load(config), run, "cpu")
    paths = keep_searches(searches, name, out)
    if seeds and searches.config.data.data == "digits":
        truth = train_selections(
            searches, run / "alone", every=every, seeds=seeds, workers=workers or os.cpu_count() or 1
        )
        paths.append(write_frame(read_frame(truth), out / f"{name}_truth.parquet", read_provenance(truth)))
    print_json({"files": [str(p) for p in paths]}) if as_json else print("\n".join(map(str, paths)))


@diffsearch_app.command("standalone")
def diffsearch_standalone(
    config: Annotated[
        str, typer.Option("--config", help="A TOML file, or a shipped one by name (reports/standalone/): s5, s1 ...")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the trainings.")],
    search: Annotated[
        Path | None, typer.Option("--search", help="The --out of `diffsearch run` whose architectures are trained.")
    ] = None,
    only_estimate: Annotated[bool, typer.Option("--estimate", help="Hours on this machine; trains nothing.")] = False,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    backend: BackendOption = "loky",
    scheduler: SchedulerOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train architectures alone at a paper's evaluation settings (TRUTH); resumes after a kill."""
    with needs_torch(_WHAT):
        from ..live.standalone import StandaloneRun, estimate, summary, train_all
        from ..training.devices import choose_device
    from ..core.frames import read_frame
    from ..training.standalone import StandaloneConfig

    loaded = StandaloneConfig.load(config)
    if only_estimate:
        rows = estimate(StandaloneRun.of(loaded, out, choose_device(device), data, search))
        _show(rows, f"{rows[0]['hours']:.1f} h of one process", as_json)
        return
    with working_device(device, workers, backend, scheduler, what=_WHAT) as there:
        paths = train_all(StandaloneRun.of(loaded, out, there, data, search), workers or os.cpu_count() or 1)
    _show(summary(read_frame(paths["curves"], "CURVES")), "trained alone: the last epoch counts", as_json)


@diffsearch_app.command("diagnose")
def diffsearch_diagnose(
    run: Annotated[Path, typer.Option("--run", help="The --out of `diffsearch run`; results go to its diagnose/.")],
    config: Annotated[
        str | None, typer.Option("--config", help="Of the searches; default: the one that they were run with.")
    ] = None,
    tune: Annotated[
        int, typer.Option("--tune", min=0, help="Epochs at most in which a discretised supernet is tuned; 0: none is.")
    ] = 20,
    patience: Annotated[int, typer.Option("--patience", min=1, help="Epochs without gain that end a tuning.")] = 5,
    gain: Annotated[float, typer.Option("--gain", min=0, help="Percentage points that count as one.")] = 0.1,
    edges: Annotated[int, typer.Option("--edges", min=0, help="Edges of each search that are tuned; 0: all.")] = 0,
    images: Annotated[int, typer.Option("--images", min=0, help="That masks are judged on; 0: all of alpha's.")] = 0,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Also write FILE_strengths.parquet and FILE_gaps.parquet.")
    ] = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """What operations are worth beside their alpha, from the weights that finished searches left; resumes."""
    with needs_torch(_WHAT):
        from ..differentiable.strengths import Tuning
        from ..live.diagnose import config_of, diagnose
        from ..live.diffsearch import SearchRun
        from ..training.devices import choose_device
    from ..differentiable.config import DiffSearchConfig

    searches = SearchRun(DiffSearchConfig.load(config) if config else config_of(run), run, choose_device(device), data)
    tuning = Tuning(most=tune, patience=patience, gain=gain) if tune else None
    paths = diagnose(searches, tuning, edges=edges, workers=workers or os.cpu_count() or 1, images=images)
    _print_kept(list(paths.values()), keep, as_json)


def _print_kept(files: list[Path], keep: Path | None, as_json: bool) -> None:
    """Say which files were written, and write each as ``KEEP_NAME`` too where that is asked for."""
    from ..core.frames import read_frame, read_provenance, write_frame

    if keep is not None:
        files = [
            *files,
            *(write_frame(read_frame(f), keep.with_name(f"{keep.name}_{f.name}"), read_provenance(f)) for f in files),
        ]
    print_json({"files": [str(p) for p in files]}) if as_json else print("\n".join(map(str, files)))


@diffsearch_app.command("inspect")
def diffsearch_inspect(
    run: Annotated[Path, typer.Option("--run", help="The --out of `diffsearch run`; results go to its inspect/.")],
    what: Annotated[
        list[str] | None, typer.Option("--what", help="estimates, landscapes, shuffles, selections; default: all.")
    ] = None,
    every: Annotated[
        list[int] | None,
        typer.Option("--every", min=0, help="Epochs of tuning between two decisions of a selection; repeat."),
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Of places that are shuffled.")] = 10,
    steps: Annotated[int, typer.Option("--steps", min=3, help="Of a landscape's side, odd.")] = 15,
    reach: Annotated[float, typer.Option("--reach", help="Of a landscape, in alpha.")] = 1.0,
    images: Annotated[int, typer.Option("--images", min=0, help="That edges are read on; 0: a batch.")] = 0,
    keep: Annotated[Path | None, typer.Option("--keep", help="Also write FILE_estimates.parquet and so on.")] = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Proposition 1, shuffled edges, selections and landscapes from the weights of finished searches; resumes."""
    with needs_torch(_WHAT):
        from ..live.diagnose import config_of
        from ..live.diffsearch import SearchRun
        from ..live.inspect import WHAT, Looks, inspect
        from ..training.devices import choose_device

    searches = SearchRun(config_of(run), run, choose_device(device), data)
    looks = Looks(images, draws, steps, reach, tuple(every or Looks.every))
    files = inspect(searches, what or WHAT, looks, workers=workers or os.cpu_count() or 1)  # type: ignore[arg-type]
    _print_kept(files, keep, as_json)


@diffsearch_app.command("methods")
def diffsearch_methods(
    space: Annotated[
        str, typer.Option("--space", help="Space that is searched: nb201, darts, s1 ..., nb101-1 ...")
    ] = "nb201",
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Epochs of the search.")] = 50,
    markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table, as in docs/diffsearch.md.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The methods that a space defines, each with its parts; those that it does not, with the reason."""
    with needs_torch(_WHAT):
        from ..differentiable.table import methods_markdown, methods_table

    if markdown:
        print(methods_markdown(space, epochs))
        return
    rows = methods_table(space, epochs)
    few = rows if as_json else [{k: row[k] for k in ("method", "reference", "parts")} for row in rows]
    _show(few, f"on {space}", as_json)


def _show(rows: list[dict[str, Any]], title: str, as_json: bool) -> None:
    import polars as pl

    print_json(rows) if as_json else print_table(pl.DataFrame(rows), title)
