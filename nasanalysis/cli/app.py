"""The command line: parses, calls, prints. Exit code 0: done; 1: a check or a run failed; 2: bad usage.

Errors go to stderr as one message; ``--debug`` (or ``NASANALYSIS_DEBUG=1``) shows the traceback. The commands stand in
the modules beside this one, which import what they call only when they are called: ``--help`` loads nothing heavy.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import (
    ArchError,
    MissingCapabilityError,
    MissingExtraError,
    NasAnalysisError,
    ParameterError,
    StudyError,
    UnknownNameError,
)
from .archs import archs
from .benchmark import benchmark_app
from .catalogue import proxies, statistics
from .compare import compare
from .data import data_app
from .diffsearch import diffsearch_app
from .examples import add_examples
from .measures import measure_app
from .multiverse import multiverse
from .papers import papers
from .report import gallery, report
from .scores import card, correlate, score
from .search import search
from .simulate import simulate_app
from .supernets import supernet_app
from .synthetic import synthetic_app

app = typer.Typer(
    name="nasanalysis",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="How well does a cheap proxy rank neural architectures, and why?",
)

#: Errors in what the user typed (exit code 2); every other error of ours exits with 1.
USAGE_ERRORS = (
    UnknownNameError,
    ArchError,
    StudyError,
    ParameterError,
    MissingExtraError,
    MissingCapabilityError,
)


def _version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit()


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    plugins: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            metavar="MODULE",
            help="A module of yours that adds to the registries (a proxy, a study kind ...); may be repeated.",
        ),
    ] = None,
) -> None:
    if debug:
        os.environ["NASANALYSIS_DEBUG"] = "1"
    for module in plugins or ():
        _import(module)


def _import(module: str) -> None:
    """Load a user's module from the working folder or the environment; what it adds to registries is known then."""
    sys.path.insert(0, str(Path.cwd()))
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ParameterError(
            f"--import {module}: expected a module of this folder or environment, found none of that name "
            "(without .py, with dots between folders)"
        ) from None
    finally:
        sys.path.pop(0)


@app.command()
def version() -> None:
    """Print the version."""
    from ..core.provenance import nasanalysis_version

    print(nasanalysis_version())


for command in (
    report,
    archs,
    score,
    correlate,
    compare,
    multiverse,
    search,
    card,
    proxies,
    statistics,
    papers,
    gallery,
):
    app.command()(command)
app.add_typer(data_app, name="data")
app.add_typer(benchmark_app, name="benchmark")
app.add_typer(supernet_app, name="supernet")
app.add_typer(diffsearch_app, name="diffsearch")
app.add_typer(measure_app, name="measure")
app.add_typer(simulate_app, name="simulate")
app.add_typer(synthetic_app, name="synthetic")
add_examples(app)


#: Exit code after Ctrl-C.
INTERRUPTED = 130
#: What a command leaves behind when it is interrupted, by its first words; the first that fits.
_KEPT = {
    ("supernet", "train"): "finished trainings and the last whole epoch of those begun are kept",
    ("supernet",): "what is finished is kept",
    ("benchmark",): "what is finished is kept",
    ("measure",): "what is finished is kept",
    ("synthetic",): "finished units and the last whole epoch of those begun are kept",
    ("data", "get"): "what was fetched is kept, the partial file too",
    (): "no results were written; data that were converted on the way are kept",
}


def interrupted(arguments: Sequence[str]) -> str:
    """What is said after Ctrl-C: what was kept, and how to go on.

    >>> interrupted(["data", "get", "nb301"])
    'interrupted: what was fetched is kept, the partial file too. To go on: nasanalysis data get nb301'
    """
    words = tuple(arguments)
    kept = next(said for head, said in _KEPT.items() if words[: len(head)] == head)
    again = "To go on" if kept != _KEPT[()] else "To start again"
    return f"interrupted: {kept}. {again}: {shlex.join(['nasanalysis', *arguments])}"


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
        print(interrupted(sys.argv[1:]), file=sys.stderr)
        sys.exit(INTERRUPTED)
    except SystemExit as ending:  # typer catches Ctrl-C and ends with this code
        if ending.code == INTERRUPTED:
            print(interrupted(sys.argv[1:]), file=sys.stderr)
        raise
    except BrokenPipeError:  # the reader of our output closed early
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
