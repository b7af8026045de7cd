"""All works into one folder: a page for each, and the page of what we learnt, which leads to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...loaders.sources import Sources
from ...report import make_folders, write_report
from .learnt import Page, learnt
from .model import Paper
from .page import paper_result


def write_papers(
    papers: Sequence[Paper], out: Path, data: Path | str | None = None, *, say: Callable[[str], None] = lambda _: None
) -> tuple[Path, list[Page]]:
    """Write ``out/NAME/index.html`` for every work and ``out/index.html``; return the last, and the pages.

    data: folder of raw files; numbers that need what is not there say so. say: told what is being done.
    """
    pages = []
    for paper in papers:
        make_folders(out / paper.name)
        say(f"{paper.name}: {paper.title}")
        result, claims = paper_result(paper, Sources(data))
        write_report([result], out / paper.name, heading=paper.title)
        pages.append(Page(result, claims))
    make_folders(out)
    result = learnt(pages)
    return write_report([result], out, heading=result.title), pages
