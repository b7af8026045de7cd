"""The command line: parses, calls, prints. Exit code 0: done; 1: a check or a run failed; 2: bad usage.

Errors go to stderr as one message; ``--debug`` (or ``NASANALYSIS_DEBUG=1``) shows the traceback.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ..core.errors import ArchError, MissingExtraError, NasAnalysisError, ParameterError, StudyError, UnknownNameError
from .digits2 import add_digits2, build_digits2_command
from .options import BackendOption, DataOption, JsonOption, SchedulerOption, print_json
from .supernets import supernet_app

app = typer.Typer(
    name="nasanalysis",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="How well does a cheap proxy rank neural architectures, and why?",
)
data_app = typer.Typer(
    no_args_is_help=True, help="Benchmark files: what is known, what is here, where it is looked for."
)
benchmark_app = typer.Typer(no_args_is_help=True, help="Build benchmarks of our own.")
app.add_typer(data_app, name="data")
app.add_typer(benchmark_app, name="benchmark")
add_digits2(benchmark_app)
app.add_typer(supernet_app, name="supernet")

#: Errors in what the user typed (exit code 2); every other error of ours exits with 1.
USAGE_ERRORS = (UnknownNameError, ArchError, StudyError, ParameterError, MissingExtraError)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if debug:
        os.environ["NASANALYSIS_DEBUG"] = "1"


@app.command()
def version() -> None:
    """Print the version."""
    from ..core.provenance import nasanalysis_version

    print(nasanalysis_version())


@app.command()
def report(
    studies: Annotated[
        list[str] | None,
        typer.Argument(help="Study names or TOML files (default: digits, and those whose files are there)."),
    ] = None,
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("reports/out"),
    as_json: JsonOption = False,
) -> None:
    """Run studies and write index.html, tables, figures and provenance.json into one folder."""
    from ..report import make_folders, write_report
    from ..studies.study import Study, default_studies

    console = _stderr()
    loaded = [Study.load(name) for name in studies or default_studies(data)]
    make_folders(out)  # a place that cannot be written is said before the work, not after it
    results = [study.run(data, say=lambda text: console.print(escape(text), highlight=False)) for study in loaded]
    page = write_report(results, out)
    tables = sum(len(s.tables) for r in results for s in r.sections)
    figures = sum(len(s.figures) for r in results for s in r.sections)
    skipped = [line for r in results for line in r.skipped]
    if as_json:
        print_json(
            {
                "index": str(page),
                "studies": [r.name for r in results],
                "tables": tables,
                "figures": figures,
                "skipped": skipped,
            }
        )
        return
    for line in skipped:
        console.print(f"[yellow]skipped[/] {escape(line)}", highlight=False)
    print(f"{page}: {len(results)} {'study' if len(results) == 1 else 'studies'}, {tables} tables, {figures} figures")


@data_app.command("list")
def data_list(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Every data set the toolkit knows: what it is, whether it is here, how to get it."""
    from ..loaders.registry import list_data

    frame = list_data(data)
    if as_json:
        print_json(frame.to_dicts())
        return
    _print_table(frame.select("name", "title", "present", "size", "licence"), "Benchmark data")
    for name, how in frame.filter(frame["present"] != "yes").select("name", "how").iter_rows():
        _stdout().print(f"[bold]{escape(name)}[/] (not here): {escape(how)}", highlight=False, soft_wrap=True)


@data_app.command("check")
def data_check(
    name: Annotated[str | None, typer.Argument(help="One data set (default: all that are here).")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify benchmark files by their content; exit code 1 if one fails."""
    from ..loaders.registry import check_data

    checks = check_data(name, data)
    if as_json:
        print_json([asdict(c) for c in checks])
    else:
        for c in checks:
            colour = {"ok": "green", "failed": "red"}.get(c.status, "yellow")
            Console().print(
                f"[{colour}]{c.status:>7}[/]  {escape(c.name)}: {escape(c.message)}", highlight=False, soft_wrap=True
            )
    if any(c.status == "failed" for c in checks) or (name is not None and any(c.status == "absent" for c in checks)):
        raise typer.Exit(1)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="Data set, as `data list` names it.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder (default: $NASANALYSIS_DATA, then the user's cache).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Download a data set: resumed, verified, from the first mirror that gives it."""
    from ..loaders.registry import check_data, get_data

    paths = get_data(name, to)
    checked = check_data(name, to)[0]
    if as_json:
        print_json({"files": [str(path) for path in paths], **asdict(checked)})
    else:
        print("\n".join(map(str, paths)))
        print(f"{checked.status}  {checked.name}: {checked.message}")
    if checked.status != "ok":
        raise typer.Exit(1)


@data_app.command("path")
def data_path(data: DataOption = None, as_json: JsonOption = False) -> None:
    """The folders where benchmark files are looked for, in order."""
    from ..loaders.files import cache_dir, data_folders

    folders = [str(folder) for folder in data_folders(data)]
    if as_json:
        print_json({"search": folders, "cache": str(cache_dir())})
        return
    print("\n".join(folders))


@app.command()
def archs(
    space: Annotated[str, typer.Argument(help="Search space, such as nb201.")],
    dataset: Annotated[
        str, typer.Option("--dataset", help="Dataset whose input and classes the costs are for.")
    ] = "cifar10",
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, help="C, channels of the first stage (default 16; digits 4).")
    ] = None,
    cells: Annotated[
        int | None, typer.Option("--cells", min=1, help="N, cells of each stage (default 5; digits 1).")
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Print the number of architectures.")] = False,
    unique_count: Annotated[
        bool, typer.Option("--unique-count", help="Print the number of classes under each isomorphism rule.")
    ] = False,
    show: Annotated[
        str | None, typer.Option("--show", metavar="KEY", help="One architecture (text or index) and its costs.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write arch,index,unique_arch,params,flops of all.")
    ] = None,
    rule: Annotated[str, typer.Option("--rule", help="Isomorphism rule of unique_arch.")] = "published",
    as_json: JsonOption = False,
) -> None:
    """Architectures of a search space: how many, which are the same, what they cost."""
    from ..loaders import archs_frame
    from ..report.writer import write_csv
    from ..spaces import get_space
    from ..spaces.skeletons import skeleton

    chosen = get_space(space)
    if sum((count, unique_count, show is not None, csv is not None)) > 1:
        raise typer.BadParameter("choose one of --count, --unique-count, --show and --csv")
    if space == "nb201":
        skeleton(dataset, channels=channels, cells=cells)
    if unique_count:
        counts = {r: len(set(chosen.unique_archs(r).values())) for r in chosen.isomorphism_rules}
        print_json(counts) if as_json else print("\n".join(f"{r:<20}{n:>8,}" for r, n in counts.items()))
    elif show is not None:
        arch = chosen.arch(int(show)) if re.fullmatch(r"-?[0-9]+", show) else chosen.parse(show)
        row = archs_frame(chosen, [str(arch)], dataset, rule=rule, channels=channels, cells=cells).to_dicts()[0]
        row = {"arch": row.pop("arch"), "index": chosen.index(arch), **row, "dataset": dataset}
        print_json(row) if as_json else print("\n".join(f"{key:<12}{value}" for key, value in row.items()))
    elif csv is not None:
        frame = archs_frame(chosen, map(str, chosen), dataset, rule=rule, channels=channels, cells=cells)
        frame = frame.with_row_index("index").select("arch", "index", "unique_arch", "params", "flops")
        write_csv(frame, csv)
        print_json({"csv": str(csv), "architectures": len(frame)}) if as_json else print(
            f"{csv}: {len(frame):,} architectures"
        )
    else:
        print_json({"space": space, "architectures": len(chosen)}) if as_json else print(len(chosen))


@app.command()
def score(
    benchmark: Annotated[str, typer.Option("--benchmark", help="Benchmark, such as digits or nb201.")],
    proxy: Annotated[
        list[str], typer.Option("--proxy", help="Proxy, such as params, sotl, sotl_e@5; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", help="File to write, .parquet or .csv.")],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Dataset (default: all of the benchmark).")] = None,
    step: Annotated[
        int | None, typer.Option("--step", help="Completed epochs or minibatches (default: every step).")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute proxies from a benchmark's curves and costs; raw values, never sign-flipped."""
    from ..core.frames import write_frame
    from ..core.provenance import provenance
    from ..loaders import load_benchmark
    from ..proxies import score as compute
    from ..report.writer import write_csv

    _suffix(out, (".parquet", ".csv"))
    loaded = load_benchmark(benchmark, data)
    frame = compute(loaded, proxy, dataset=dataset, step=step)
    if out.suffix == ".csv":
        write_csv(frame, out)
    else:
        config = {"benchmark": benchmark, "dataset": dataset, "proxies": proxy, "step": step}
        write_frame(frame, out, provenance(inputs=loaded.inputs, config=config))
    undefined = frame["value"].null_count()
    summary = {"out": str(out), "rows": len(frame), "architectures": frame["arch"].n_unique(), "undefined": undefined}
    print_json(summary) if as_json else print(
        f"{out}: {len(frame):,} scores of {summary['architectures']:,} architectures, {undefined:,} undefined"
    )


@app.command()
def correlate(
    truth: Annotated[
        str, typer.Option("--truth", help="A benchmark, or a CSV or Parquet FILE with columns arch,accuracy.")
    ],
    scores: Annotated[
        str, typer.Option("--scores", help="A proxy, or a CSV or Parquet FILE with columns arch,proxy,value[,step].")
    ],
    dataset: Annotated[str | None, typer.Option("--dataset", help="Dataset of the truth.")] = None,
    split: Annotated[str | None, typer.Option("--split", help="valid, test or valtest (default: test).")] = None,
    schedule: Annotated[int | None, typer.Option("--schedule", help="Total epochs of the truth.")] = None,
    sample: Annotated[Path | None, typer.Option("--sample", help="File that lists the architectures to use.")] = None,
    statistic: Annotated[
        list[str] | None,
        typer.Option("--statistic", help="spearman_rho, kendall_tau, pearson_r, topk_mean@K; may be repeated."),
    ] = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Resamples for the interval (0: none).")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the resampling.")] = 0,
    step: Annotated[int | None, typer.Option("--step", help="Only this many completed epochs or minibatches.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank correlation of scores with true accuracy, with intervals."""
    from ..studies.files import compare

    frame = compare(
        truth,
        scores,
        dataset=dataset,
        split=split,
        schedule=schedule,
        sample=sample,
        statistics=tuple(statistic or ("spearman_rho", "kendall_tau")),
        n_boot=bootstrap,
        seed=seed,
        step=step,
        data=data,
        warn=lambda text: _stderr().print(f"[yellow]note:[/] {escape(text)}", highlight=False, soft_wrap=True),
    )
    if as_json:
        print_json(frame.to_dicts())
        return
    shown = frame.select(
        "dataset", "proxy", "step", "statistic", "estimate", "ci_low", "ci_high", "n_archs", "n_missing"
    )
    _print_table(shown, f"{truth}: {scores}", digits=4)


@app.command()
def card(
    scores: Annotated[
        str, typer.Argument(help="A proxy, or a CSV or Parquet FILE with columns arch,proxy,value[,step].")
    ],
    truth: Annotated[
        str | None,
        typer.Option("--truth", help="A benchmark, or a FILE with columns arch,accuracy (default: the scores' own)."),
    ] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", help="Dataset of the truth.")] = None,
    split: Annotated[str | None, typer.Option("--split", help="valid, test or valtest (default: test).")] = None,
    schedule: Annotated[int | None, typer.Option("--schedule", help="Total epochs of the truth.")] = None,
    proxy: Annotated[str | None, typer.Option("--proxy", help="Which proxy, where the file holds several.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="Which method, where there are several.")] = None,
    setting: Annotated[str | None, typer.Option("--setting", help="Which setting, where there are several.")] = None,
    step: Annotated[
        int | None, typer.Option("--step", help="Completed epochs or minibatches (default: the last).")
    ] = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Resamples for the intervals (0: none).")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the resampling.")] = 0,
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("card.html"),
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """One proxy on one page: does it beat the parameter count, where does it fail, how sure?"""
    from ..report.card import write_card
    from ..studies.cards import proxy_card

    _suffix(out, (".html",))
    made = proxy_card(
        scores,
        truth=truth,
        dataset=dataset,
        split=split,
        schedule=schedule,
        proxy=proxy,
        method=method,
        setting=setting,
        step=step,
        n_boot=bootstrap,
        seed=seed,
        data=data,
    )
    write_card(made, out)
    print_json({"out": str(out), **made.facts}) if as_json else print(f"{out}: {made.verdict}")


@app.command()
def gallery(
    out: Annotated[Path, typer.Option("--out", help="Folder to write gallery.md and images/gallery into.")] = Path(
        "reports/out/gallery"
    ),
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw every plot on real data: one Markdown page with its images."""
    from ..report.gallery import write_gallery

    console = _stderr()
    page, drawn, skipped = write_gallery(out, data=data, say=lambda text: console.print(escape(text), highlight=False))
    if as_json:
        print_json({"page": str(page), "plots": drawn, "skipped": skipped})
        return
    for line in skipped:
        console.print(f"[yellow]skipped[/] {escape(line)}", highlight=False)
    print(f"{page}: {len(drawn)} plots")


@benchmark_app.command("build")
def benchmark_build(
    name: Annotated[str, typer.Argument(help="Benchmark to build: digits, or digits-2 (every proxy recorded).")],
    archs: Annotated[int, typer.Option("--archs", help="Architectures (digits).")] = 800,
    classes: Annotated[int, typer.Option("--classes", help="Functional classes, at most 5545 (digits-2).")] = 2500,
    seeds: Annotated[int, typer.Option("--seeds", help="Training seeds of each architecture.")] = 2,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes (0: one for each core).")] = 0,
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
    print_json(summary) if as_json else print(f"{path}: {archs} architectures x {seeds} seeds, {size / 1e6:.2f} MB")


def _suffix(path: Path, allowed: tuple[str, ...]) -> None:
    if path.suffix not in allowed:
        raise typer.BadParameter(f"expected a file ending in {' or '.join(allowed)}, got {path}")


def _print_table(frame: Any, title: str, digits: int = 3) -> None:
    table = RichTable(title=title, title_justify="left")
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(
            *("–" if v is None else f"{v:.{digits}f}" if isinstance(v, float) else escape(str(v)) for v in row)
        )
    _stdout().print(table)


def _stdout() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def _stderr() -> Console:
    return Console(stderr=True)


def main() -> None:
    """Entry point: turns our own errors into one line and an exit code."""
    try:
        app()
    except NasAnalysisError as error:
        if os.environ.get("NASANALYSIS_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, USAGE_ERRORS) else 1)
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output closed early
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
