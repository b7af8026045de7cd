"""``nasanalysis data ...``: benchmark files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from .options import DataOption, JsonOption
from .output import print_json, print_marked, print_table

data_app = typer.Typer(
    no_args_is_help=True, help="Benchmark files: what is known, what is here, where it is looked for."
)


@data_app.command("list")
def data_list(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Every data set the toolkit knows: what it is, whether it is here, how to get it."""
    from ..loaders.registry import list_data

    frame = list_data(data)
    if as_json:
        print_json(frame.to_dicts())
        return
    print_table(frame.select("name", "title", "present", "size", "licence"), "Benchmark data")
    for name, how in frame.filter(frame["present"] != "yes").select("name", "how").iter_rows():
        print_marked(f"[bold]{escape(name)}[/] (not here): {escape(how)}")


@data_app.command("check")
def data_check(
    name: Annotated[str | None, typer.Argument(help="One data set (default: all that are here).")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Verify every record of NAS-Bench-101's files too: a minute or more each.")
    ] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify benchmark files by their content; exit code 1 if one fails."""
    from ..loaders.registry import check_data

    checks = check_data(name, data, full=full)
    if as_json:
        print_json([asdict(c) for c in checks])
    else:
        for c in checks:
            colour = {"ok": "green", "failed": "red"}.get(c.status, "yellow")
            print_marked(f"[{colour}]{c.status:>7}[/]  {escape(c.name)}: {escape(c.message)}")
    if any(c.status == "failed" for c in checks) or (name is not None and any(c.status == "absent" for c in checks)):
        raise typer.Exit(1)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="Data set, as `data list` names it.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder (default: $NASANALYSIS_DATA, then the user's cache).")
    ] = None,
    hub: Annotated[
        str | None,
        typer.Option(
            "--hub",
            metavar="OWNER/NAME[@REVISION]",
            help="Take it from this data set of the Hugging Face hub (extra `hub`), such as a copy of NATS-Bench.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Download a data set: resumed, verified, from the first mirror that gives it."""
    from ..loaders.registry import check_data, get_data

    paths = get_data(name, to, hub=hub)
    checked = check_data(name, to)[0]
    if as_json:
        print_json({"files": [str(path) for path in paths], **asdict(checked)})
    else:
        print("\n".join(map(str, paths)))
        print(f"{checked.status}  {checked.name}: {checked.message}")
    if checked.status != "ok":
        raise typer.Exit(1)


@data_app.command("export")
def data_export(
    benchmark: Annotated[str, typer.Argument(help="Benchmark, or a TOML description or table of your own.")],
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")],
    licence: Annotated[
        str | None, typer.Option("--licence", help="SPDX name or address (default: that of the files behind it).")
    ] = None,
    cite: Annotated[str | None, typer.Option("--cite", help="Work to cite (default: that of the files).")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where it comes from (default: that of the files).")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a benchmark as Parquet with a Croissant description, for others to host and read."""
    from ..loaders import load_benchmark
    from ..loaders.export import export_benchmark

    paths = export_benchmark(load_benchmark(benchmark, data), to, licence=licence, cite=cite, url=url)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
        return
    print("\n".join(map(str, paths)))


@data_app.command("path")
def data_path(data: DataOption = None, as_json: JsonOption = False) -> None:
    """The folders where benchmark files are looked for, in order."""
    from ..loaders.files import cache_dir, data_folders

    folders = [str(folder) for folder in data_folders(data)]
    if as_json:
        print_json({"search": folders, "cache": str(cache_dir())})
        return
    print("\n".join(folders))
