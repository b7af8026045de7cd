"""Results -> one folder: the page, its answer as Markdown, tables in four formats, figures in two, provenance."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from ..core.atomic import explain, write_atomically, write_text
from ..core.errors import OutputError
from .leaderboard import leaderboard
from .libraries import is_here, libraries
from .markup import to_html, to_latex, to_markdown
from .model import Figure, Result
from .page import boards, chapters, held_files, light_image, packed, render

_FORMULA = r"^[=+@\t\r\n-]"
#: Of images: wider than a page shows them; who needs more has the SVG file.
_DPI = 130
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
    results: Sequence[Result], out: Path, *, heading: str = HEADING, say: Callable[[str], None] = lambda _: None
) -> Path:
    """Write `results` into folder `out` and return ``out/index.html``; `say` is called with each figure to be drawn.

    ``answer.md``: the sentences at the top of the page.
    ``tables/*.md, *.tex, *.html, *.csv``; ``figures/*.png, *.svg`` with the numbers each shows as CSV;
    ``provenance.json``. The page holds its figures itself: it can be mailed or moved alone.
    """
    make_folders(out)
    images: dict[str, str] = {}
    files: dict[str, str] = {}
    charts: dict[str, str] = {}
    for result in results:
        for section in result.sections:
            for table in section.tables:
                stem = out / "tables" / f"{result.name}-{table.name}"
                write_text(stem.with_name(stem.name + ".md"), to_markdown(table))
                write_text(stem.with_name(stem.name + ".tex"), to_latex(table))
                write_text(stem.with_name(stem.name + ".html"), to_html(table))
                csv = write_csv(table.data, stem.with_name(stem.name + ".csv"))
                files[f"tables/{csv.name}"] = csv.read_text(encoding="utf-8")
            for figure in section.figures:
                stem = out / "figures" / f"{result.name}-{figure.name}"
                say(f"drawing {stem.name}")
                images[stem.name], svg = _draw(figure, stem)
                csv = write_csv(figure.data, stem.with_name(stem.name + ".csv"))
                files[f"figures/{csv.name}"] = csv.read_text(encoding="utf-8")
                files[f"figures/{stem.name}.svg"] = svg
                if figure.chart is not None and is_here("charts"):
                    charts[stem.name] = packed(json.dumps(figure.chart(), separators=(",", ":")))
    provenance = {result.name: result.provenance for result in results}
    write_text(out / "provenance.json", json.dumps(provenance, indent=2, sort_keys=True, default=str) + "\n")
    write_text(out / "answer.md", answer_markdown(results))
    of = chapters(results)
    page = render(
        "index.html",
        heading=heading,
        chapters=of,
        board=leaderboard(boards(of)),
        libraries=libraries("tables", *(["charts"] if charts else [])),
        charts=charts,
        answered=any(result.answers for result in results),
        images=images,
        records=provenance,
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


def image_base64(figure: Figure) -> str:
    """A figure as WebP in base64, for a page that holds its figures itself."""
    return light_image(_render(figure, "png")[0])


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure in the format of the suffix: ``.png`` or ``.svg``."""
    [image] = _render(figure, path.suffix.removeprefix("."))
    return write_atomically(path, lambda temp: temp.write_bytes(image))


def _render(figure: Figure, *formats: str) -> list[bytes]:
    from ..plots.style import look

    with look():
        drawn = figure.draw().get_figure(root=True)
        assert drawn is not None
        files = []
        for name in formats:
            buffer = io.BytesIO()
            drawn.savefig(buffer, format=name, dpi=_DPI, metadata={"Date": None} if name == "svg" else None)
            files.append(buffer.getvalue())
    return files


def _draw(figure: Figure, stem: Path) -> tuple[str, str]:
    """Write PNG and SVG; return the image for the page (base64), and the SVG."""
    png, svg = _render(figure, "png", "svg")
    write_atomically(stem.with_name(stem.name + ".png"), lambda temp: temp.write_bytes(png))
    write_atomically(stem.with_name(stem.name + ".svg"), lambda temp: temp.write_bytes(svg))
    return light_image(png), svg.decode()
