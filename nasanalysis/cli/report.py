"""``nasanalysis report`` and ``gallery``: pages of tables and figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .options import DataOption, JsonOption, ProcessesOption
from .output import print_json, progress, warn
from .progress import Parts


def report(
    studies: Annotated[
        list[str] | None,
        typer.Argument(help="Study names or TOML files (default: digits, and those whose files are there)."),
    ] = None,
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("reports/out"),
    fill: Annotated[
        list[Path] | None,
        typer.Option(
            "--fill",
            metavar="PAGE.md",
            help="Write tables and answers between the marks of this page anew (docs/studies.md); repeat it.",
        ),
    ] = None,
    workers: ProcessesOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Run studies and write index.html, tables, figures and provenance.json into one folder."""
    from ..report import make_folders, write_report
    from ..report.blocks import fill_page
    from ..studies.reading import default_studies, load_study
    from ..studies.running import run_studies

    loaded = [load_study(name) for name in studies or default_studies(data)]
    make_folders(out)  # a place that cannot be written is said before the work, not after it
    processes = workers or os.cpu_count() or 1
    with Parts(sum(len(study.items) for study in loaded), "item") as say:
        results = run_studies(loaded, data, workers=processes, say=say)
    with Parts(sum(len(section.figures) for result in results for section in result.sections), "figure") as say:
        page = write_report(results, out, workers=processes, say=say)
        for filled in fill or ():
            fill_page(filled, results)
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
        warn("skipped", line)
    studied = f"{len(results)} {'study' if len(results) == 1 else 'studies'}"
    print(f"{page}: {studied}, {_many(tables, 'table')}, {_many(figures, 'figure')}")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def gallery(
    out: Annotated[Path, typer.Option("--out", help="Folder to write gallery.md and images/gallery into.")] = Path(
        "reports/out/gallery"
    ),
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw every plot on real data: one Markdown page with its images."""
    from ..report.gallery import write_gallery

    page, drawn, skipped = write_gallery(out, data=data, say=progress)
    if as_json:
        print_json({"page": str(page), "plots": drawn, "skipped": skipped})
        return
    for line in skipped:
        warn("skipped", line)
    print(f"{page}: {len(drawn)} plots")
