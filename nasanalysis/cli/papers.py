"""``nasanalysis papers``: published works, page by page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import DataOption, JsonOption
from .output import print_json
from .progress import Parts


def papers(
    works: Annotated[
        list[str] | None, typer.Argument(help="Works by name, or their TOML files (default: all that are shipped).")
    ] = None,
    data: DataOption = None,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")] = Path("reports/out/papers"),
    as_json: JsonOption = False,
) -> None:
    """Published figures beside ours and a verdict for every claim: a page for each work, and what we learnt."""
    from ..report import make_folders
    from ..studies.papers.choices import shipped_choices
    from ..studies.papers.page import counted
    from ..studies.papers.reading import load_paper, shipped_papers
    from ..studies.papers.run import write_papers

    loaded = [load_paper(name) for name in works or shipped_papers()]
    make_folders(out)  # a place that cannot be written is said before the work, not after it
    with Parts(len(loaded), "work") as say:
        page, pages = write_papers(loaded, out, data, choices=None if works else shipped_choices(), say=say)
    verdicts = {p.result.name: {one.claim.id: one.word for one in p.claims} for p in pages}
    if as_json:
        print_json({"index": str(page), "works": list(verdicts), "verdicts": verdicts})
        return
    for each in pages:
        print(f"{out / each.link}: {each.result.title}. {counted(each.claims)}")
    print(page)
