"""Results -> one folder: ``index.html``, tables in four formats, figures in two, ``provenance.json``."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import polars as pl

from ..atomic import explain, write_atomically, write_text
from ..errors import OutputError
from .model import Figure, Result
from .tables import to_latex, to_markdown


def write_report(results: Sequence[Result], out: Path) -> Path:
    """Write `results` into folder `out` and return ``out/index.html``.

    ``tables/*.md, *.tex, *.csv``; ``figures/*.png, *.svg`` with the numbers each shows as CSV;
    ``provenance.json``. The page holds its figures itself: it can be mailed or moved alone.
    """
    try:
        for name in ("tables", "figures"):
            (out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(explain(out, error)) from error
    images: dict[str, str] = {}
    for result in results:
        for section in result.sections:
            for table in section.tables:
                stem = out / "tables" / f"{result.name}-{table.name}"
                write_text(stem.with_name(stem.name + ".md"), to_markdown(table))
                write_text(stem.with_name(stem.name + ".tex"), to_latex(table))
                write_csv(table.data, stem.with_name(stem.name + ".csv"))
            for figure in section.figures:
                stem = out / "figures" / f"{result.name}-{figure.name}"
                images[f"{result.name}-{figure.name}"] = _draw(figure, stem)
                write_csv(figure.data, stem.with_name(stem.name + ".csv"))
    provenance = {result.name: result.provenance for result in results}
    write_text(out / "provenance.json", json.dumps(provenance, indent=2, sort_keys=True, default=str) + "\n")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nasanalysis.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("index.html").render(
        results=results,
        images=images,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        provenance=json.dumps(provenance, indent=2, sort_keys=True, default=str),
    )
    return write_text(out / "index.html", page)


def write_csv(frame: pl.DataFrame, path: Path) -> Path:
    """Write a frame as CSV, atomically; null is an empty cell."""
    return write_atomically(path, lambda temp: frame.write_csv(temp))


def _draw(figure: Figure, stem: Path) -> str:
    """Write PNG and SVG; return the PNG as base64 for the page."""
    from ..plots.style import look

    with look():
        drawn = figure.draw().get_figure(root=True)
        assert drawn is not None
        png = io.BytesIO()
        drawn.savefig(png, format="png")
        svg = io.BytesIO()
        drawn.savefig(svg, format="svg", metadata={"Date": None})
    write_atomically(stem.with_name(stem.name + ".png"), lambda temp: temp.write_bytes(png.getvalue()))
    write_atomically(stem.with_name(stem.name + ".svg"), lambda temp: temp.write_bytes(svg.getvalue()))
    return base64.b64encode(png.getvalue()).decode("ascii")
