"""Results -> one folder: the page, its answer as Markdown, tables in four formats, figures in two, provenance."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..core.atomic import explain, write_atomically, write_text
from ..core.errors import OutputError
from ..jobs import unordered
from .leaderboard import leaderboard
from .libraries import is_here, libraries
from .markup import to_html, to_latex, to_markdown
from .model import Figure, Result
from .page import boards, chapters, held_files, is_held, light_image, packed, record_lines, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_FORMULA = r"^[=+@\t\r\n-]"
#: Of PNG files, wider than a page shows them; and of images on a page that holds the drawing too: scripts show that.
_DPI, _STILL = 130, 72
_NUMBER = r"^[+-][0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?$"


def make_folders(out: Path) -> None:
    """The folders of a report; `OutputError` where they cannot be made or written."""
    for name in ("tables", "figures"):
        try:
            (out / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(explain(out, error)) from error
        write_text(out / name / ".write-test", "").unlink()


#: Heading of a page of studies.
HEADING = "How well do cheap proxies rank architectures?"


def write_report(
    results: Sequence[Result],
    out: Path,
    *,
    heading: str = HEADING,
    command: str = "nasanalysis report",
    workers: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write `results` into folder `out` and return ``out/index.html``; `say` is called with the name of each figure.

    command: that makes the page, as its head says.
    ``answer.md``: the sentences at the top of the page.
    ``tables/*.md, *.tex, *.html, *.csv``; ``figures/*.png, *.svg`` with the numbers each shows as CSV;
    ``provenance.json``. The page holds its figures itself: it can be mailed or moved alone.
    workers: processes that draw; what is written does not depend on it.
    """
    make_folders(out)
    files: dict[str, str] = {}
    to_draw: list[tuple[Figure, Path]] = []
    for result in results:
        for section in result.sections:
            for table in section.tables:
                stem = out / "tables" / f"{result.name}-{table.name}"
                write_text(stem.with_name(stem.name + ".md"), to_markdown(table))
                write_text(stem.with_name(stem.name + ".tex"), to_latex(table))
                write_text(stem.with_name(stem.name + ".html"), to_html(table))
                csv = write_csv(table.data, stem.with_name(stem.name + ".csv"))
                files[f"tables/{csv.name}"] = csv.read_text(encoding="utf-8")
            to_draw += [(figure, out / "figures" / f"{result.name}-{figure.name}") for figure in section.figures]
    drawn = _draw_all(to_draw, workers, say)
    images = {name: each.image for name, each in drawn.items()}
    charts = {name: each.chart for name, each in drawn.items() if each.chart}
    for name, each in drawn.items():
        files |= {f"figures/{name}.csv": each.csv, f"figures/{name}.svg": each.svg}
    provenance = {result.name: result.provenance for result in results}
    write_text(out / "provenance.json", json.dumps(provenance, indent=2, sort_keys=True, default=str) + "\n")
    write_text(out / "answer.md", answer_markdown(results))
    of = chapters(results)
    page = render(
        "index.html",
        heading=heading,
        command=command,
        chapters=of,
        board=leaderboard(boards(of)),
        libraries=libraries("tables", *(["charts"] if charts else [])),
        charts=charts,
        answered=any(result.answers for result in results),
        images=images,
        records=provenance,
        held_records=packed(json.dumps({name: list(record_lines(record)) for name, record in provenance.items()})),
        files=held_files(files),
    )
    return write_text(out / "index.html", page)


def answer_markdown(results: Sequence[Result]) -> str:
    """The answers of all studies as Markdown: what stands at the top of the page."""
    lines: list[str] = []
    for result in results:
        if not result.answers:
            continue
        lines += [f"**{result.title}**", ""]
        for title, sentences in result.answers:
            lines += [f"*{title}*", "", *(f"- {sentence}" for sentence in sentences), ""]
    return "\n".join(lines)


def write_csv(frame: pl.DataFrame, path: Path) -> Path:
    """Write a frame as CSV, atomically; null is an empty cell, and no text is run by a spreadsheet (`as_text`)."""
    safe = as_text(frame)
    return write_atomically(path, lambda temp: safe.write_csv(temp))


def csv_text(frame: pl.DataFrame) -> str:
    """A frame as `write_csv` writes it."""
    return as_text(frame).write_csv()


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """A quote before text (and names of columns) that a spreadsheet would run as a formula.

    Those are texts that begin with ``=``, ``@``, a tab or a line's end, with ``+`` or ``-`` where no number follows.

    >>> as_text(pl.DataFrame({"name": ["=1+1", "-loss", "-1.5", "loss"]}))["name"].to_list()
    ["'=1+1", "'-loss", '-1.5', 'loss']
    """
    text = pl.col(pl.String)
    runs = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    named = {name: f"'{name}" for name in frame.columns if re.match(_FORMULA, name) and not re.match(_NUMBER, name)}
    return frame.with_columns(pl.when(runs).then(text.str.replace("^", "'")).otherwise(text)).rename(named)


@dataclass(frozen=True)
class Drawing:
    """A figure as it was drawn: the bytes of a PNG file, SVG, and WebP in base64 for a page."""

    png: bytes
    svg: str
    image: str


def draw(figure: Figure) -> Drawing:
    """Draw a figure once. Its image for a page is coarser where the page can hold the SVG, which scripts put there."""
    with _drawn(figure) as drawn:
        png, svg = _saved(drawn, "png"), _saved(drawn, "svg").decode()
        return Drawing(png, svg, light_image(png, _STILL / _DPI if is_held(svg) else 1))


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure in the format of the suffix: ``.png`` or ``.svg``."""
    with _drawn(figure) as drawn:
        return write_atomically(path, _writes(_saved(drawn, path.suffix.removeprefix("."))))


@contextmanager
def _drawn(figure: Figure) -> Iterator[MplFigure]:
    from ..plots.style import look

    with look():
        drawn = figure.draw().get_figure(root=True)
        assert drawn is not None
        yield drawn


def _saved(drawn: MplFigure, kind: str) -> bytes:
    buffer = io.BytesIO()
    drawn.savefig(buffer, format=kind, dpi=_DPI, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def _writes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


class _Held(NamedTuple):
    """What the page holds of a figure (base64, or packed), as text."""

    image: str
    svg: str
    csv: str
    chart: str


def _draw_all(figures: Sequence[tuple[Figure, Path]], workers: int, say: Callable[[str], None]) -> dict[str, _Held]:
    """Stem -> what was drawn, in the order of `figures`."""
    drawn: dict[str, _Held] = {}
    if min(workers, len(figures)) <= 1:
        for figure, stem in figures:
            say(f"drawing {stem.name}")
            drawn |= [_written(figure, stem)]
        return drawn
    for name, each in unordered(_written, figures, workers=workers):
        say(f"drew {name}")
        drawn[name] = each
    return {stem.name: drawn[stem.name] for _, stem in figures}


def _written(figure: Figure, stem: Path) -> tuple[str, _Held]:
    """Write PNG, SVG and CSV; return the stem and what the page holds."""
    drawing = draw(figure)
    write_atomically(stem.with_name(stem.name + ".png"), _writes(drawing.png))
    write_atomically(stem.with_name(stem.name + ".svg"), _writes(drawing.svg.encode()))
    csv = write_csv(figure.data, stem.with_name(stem.name + ".csv")).read_text(encoding="utf-8")
    chart = ""
    if figure.chart is not None and is_here("charts"):
        chart = packed(json.dumps(figure.chart(), separators=(",", ":")))
    return stem.name, _Held(drawing.image, drawing.svg, csv, chart)
