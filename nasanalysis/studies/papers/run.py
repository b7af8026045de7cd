"""All works into one folder: a page for each, and the page of what we learnt, which leads to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...core.notes import told
from ...loaders.sources import Sources
from ...report import make_folders, write_report
from ...stats.resampling import Resampling
from .choices import Choices, Chosen, chosen
from .learnt import Page, learnt
from .model import Paper
from .ours import Evidence
from .page import paper_result

#: As the head of every page says.
COMMAND = "nasanalysis papers"


def write_papers(
    papers: Sequence[Paper],
    out: Path,
    data: Path | str | None = None,
    *,
    choices: Choices | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Path, list[Page]]:
    """Write ``out/NAME/index.html`` for every work and ``out/index.html``; return the last, and the pages.

    data: folder of raw files; numbers that need what is not there say so. choices: of ours, on the last page. say: told
    what is being done.
    """
    pages = []
    for paper in papers:
        make_folders(out / paper.name)
        say(f"{paper.name}: {paper.title}")
        result, claims = paper_result(paper, Sources(data))
        write_report([result], out / paper.name, heading=paper.title, command=COMMAND)
        pages.append(Page(result, claims))
    make_folders(out)
    result = learnt(pages, *_chosen(choices, Sources(data))) if choices else learnt(pages)
    return write_report([result], out, heading=result.title, command=COMMAND), pages


def _chosen(choices: Choices, sources: Sources) -> tuple[list[Chosen], dict[str, Any]]:
    """What every choice says, and the provenance of what it read."""
    with told(lambda _: None):  # as on the pages of works: studies say it in their own report
        found = chosen(choices, Evidence(sources, Resampling(1000, 0)))
    return found, sources.provenance(seeds={"bootstrap": 0}, config={"page": "learnt"})
