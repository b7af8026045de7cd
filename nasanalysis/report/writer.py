"""Results -> one folder: ``index.html``, tables in four formats, figures in two, ``provenance.json``."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from ..core.atomic import explain, write_atomically, write_text
from ..core.errors import OutputError
from .markup import environment, to_html, to_latex, to_markdown
from .model import Figure, Result


def make_folders(out: Path) -> None:
    """The folders of a report; `OutputError` where they cannot be made or written."""
    for name in ("tables", "figures"):
        try:
            (out / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(explain(out, error)) from error
        write_text(out / name / ".write-test", "").unlink()


def write_report(results: Sequence[Result], out: Path) -> Path:
    """Write `results` into folder `out` and return ``out/index.html``.

    ``tables/*.md, *.tex, *.html, *.csv``; ``figures/*.png, *.svg`` with the numbers each shows as CSV;
    ``provenance.json``. The page holds its figures itself: it can be mailed or moved alone.
    """
    make_folders(out)
    images: dict[str, str] = {}
    for result in results:
        for section in result.sections:
            for table in section.tables:
                stem = out / "tables" / f"{result.name}-{table.name}"
                write_text(stem.with_name(stem.name + ".md"), to_markdown(table))
                write_text(stem.with_name(stem.name + ".tex"), to_latex(table))
                write_text(stem.with_name(stem.name + ".html"), to_html(table))
                write_csv(table.data, stem.with_name(stem.name + ".csv"))
            for figure in section.figures:
                stem = out / "figures" / f"{result.name}-{figure.name}"
                images[f"{result.name}-{figure.name}"] = _draw(figure, stem)
                write_csv(figure.data, stem.with_name(stem.name + ".csv"))
    provenance = {result.name: result.provenance for result in results}
    write_text(out / "provenance.json", json.dumps(provenance, indent=2, sort_keys=True, default=str) + "\n")
    page = (
        environment()
        .get_template("index.html")
        .render(
            results=results,
            images=images,
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            provenance=json.dumps(provenance, indent=2, sort_keys=True, default=str),
        )
    )
    return write_text(out / "index.html", page)


def write_csv(frame: pl.DataFrame, path: Path) -> Path:
    """Write a frame as CSV, atomically; null is an empty cell."""
    return write_atomically(path, lambda temp: frame.write_csv(temp))


def png_base64(figure: Figure) -> str:
    """A figure as PNG in base64, for a page that holds its figures itself."""
    return base64.b64encode(_render(figure, "png")[0]).decode("ascii")


def _render(figure: Figure, *formats: str) -> list[bytes]:
    from ..plots.style import look

    with look():
        drawn = figure.draw().get_figure(root=True)
        assert drawn is not None
        files = []
        for name in formats:
            buffer = io.BytesIO()
            drawn.savefig(buffer, format=name, metadata={"Date": None} if name == "svg" else None)
            files.append(buffer.getvalue())
    return files


def _draw(figure: Figure, stem: Path) -> str:
    """Write PNG and SVG; return the PNG as base64 for the page."""
    png, svg = _render(figure, "png", "svg")
    write_atomically(stem.with_name(stem.name + ".png"), lambda temp: temp.write_bytes(png))
    write_atomically(stem.with_name(stem.name + ".svg"), lambda temp: temp.write_bytes(svg))
    return base64.b64encode(png).decode("ascii")
