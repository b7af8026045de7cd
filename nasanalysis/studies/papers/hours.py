"""What the commands that need a GPU take: hours measured by ``benchmarks/published_hours.py``, where they are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import polars as pl

from ...core.errors import MissingDataError, StudyError
from ...core.frames import read_frame
from ...loaders.sources import Sources
from ...report.cells import number
from ...report.model import Section, Table
from ..tables.search_days import KEPT
from .model import Paper

#: Columns of the kept table that are read.
COLUMNS = ("kind", "config", "part", "seconds_each", "count", "hours", "device")
HOURS = "What the rest takes"
#: How a command of `nasanalysis` names a configuration at the published size -> its kind there.
_COMMANDS = (
    (re.compile(r"^nasanalysis supernet (?!estimate)\w+ --config (\w+_full)\b"), "supernet"),
    (re.compile(r"^nasanalysis diffsearch run --config (\w+_full)\b"), "search"),
    (re.compile(r"^nasanalysis diffsearch standalone --config (\w+_full)\b"), "standalone"),
    (re.compile(r"^nasanalysis synthetic run (\w+_full|vgg_cifar10)\b"), "synthetic"),
)
#: Kind -> the command that measures its hours on the machine at hand.
ESTIMATES = {
    "supernet": "nasanalysis supernet estimate --config {} --device cuda",
    "search": "nasanalysis diffsearch estimate --config {} --device cuda",
    "standalone": "nasanalysis diffsearch standalone --config {} --out build/{}_alone --device cuda --estimate",
    "synthetic": "python benchmarks/published_hours.py --device cuda --only synthetic/{}",
}


def configurations(commands: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(kind, name) of every configuration at the published size that `commands` name, each once.

    >>> list(configurations(["nasanalysis supernet train --config nb201_full --out x", "nasanalysis papers genas"]))
    [('supernet', 'nb201_full')]
    """
    found = ((kind, match[1]) for text in commands for how, kind in _COMMANDS if (match := how.match(text)))
    yield from dict.fromkeys(found)


def hours(paper: Paper, sources: Sources) -> list[Section]:
    """A section with a row for each configuration; none where the work names none."""
    named = list(configurations(paper.commands.values()))
    if not named:
        return []
    measured = measured_hours(sources)
    rows, cells = [], []
    for kind, config in named:
        parts = measured.filter(kind=kind, config=config)
        estimate = ESTIMATES[kind].format(config, config)
        whole = float(parts["hours"].sum()) if len(parts) else None
        device = ", ".join(parts["device"].unique(maintain_order=True)) or None
        rows.append((kind, config, whole, len(parts), device, estimate))
        shown = "not measured yet" if whole is None else number(whole, 1)
        cells.append([f"reports/{FOLDERS[kind]}/{config}.toml", kind, shown, device or "–", estimate])
    schema = {"kind": pl.String, "config": pl.String, "hours": pl.Float64, "parts": pl.Int64, "device": pl.String,
              "estimate": pl.String}  # fmt: skip
    data = pl.DataFrame(rows, schema=schema, orient="row")
    note = (
        "Hours of one process that does one part after another, from short runs of each part; seeds, methods and "
        "architectures may run side by side. Searches by evolution are left out of supernets."
    )
    header = ["configuration at the published size", "kind", "hours", "measured on", "command that measures"]
    table = Table("hours", HOURS, header, cells, data, [False, False, True, False, False], note)
    return [Section(HOURS, "", (table,))]


def hours_of(command: str, known: pl.DataFrame) -> str | None:
    """Hours of the configuration that a command names, in words; None where it names none.

    known: of `measured_hours`.
    """
    for kind, config in configurations([command]):
        parts = known.filter(kind=kind, config=config)
        return f"{number(float(parts['hours'].sum()), 1)} hours" if len(parts) else "hours not measured yet"
    return None


FOLDERS = {"supernet": "configs", "search": "searches", "standalone": "standalone", "synthetic": "synthetic"}


def measured_hours(sources: Sources) -> pl.DataFrame:
    """The kept hours, or a table without rows where none are kept; `StudyError` for one that lacks a column."""
    schema = dict.fromkeys(COLUMNS, pl.String()) | {"hours": pl.Float64()}
    try:
        frame = read_frame(sources.kept(KEPT))
    except MissingDataError:
        return pl.DataFrame(schema=schema)
    if lost := [name for name in COLUMNS if name not in frame.columns]:
        raise StudyError(f"{KEPT}: expected columns {', '.join(COLUMNS)}, found no {lost[0]}; make it again")
    return frame
