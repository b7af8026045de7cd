"""What the build of the site adds to the pages of this folder (mkdocs calls these functions).

Pages of the repository that lie elsewhere come in (`BROUGHT`), the reference is made from the code, the pages of four
works are those that `nasanalysis papers --out build/papers` wrote, links to files that are no page lead to the
repository, and docstrings become what the tool reads.
"""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))

from reference import PAGES, readable

REPOSITORY = Path(__file__).resolve().parents[2]
#: File of the repository -> its place in the site.
BROUGHT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "data/digits-2.md": "digits-2.md",
}
#: What ``make docs`` lets `nasanalysis papers` write, and its place in the site.
PAPERS = REPOSITORY / "build" / "papers"
_PAPERS_OPENING = """# The four works, page by page

*Written by `nasanalysis papers`: from what is embedded, without `--data`, so claims about other data are counted as not
tested. `nasanalysis papers --data FOLDER` tests more of them.*

"""
_LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in this folder."""
    for source, place in BROUGHT.items():
        text = (REPOSITORY / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=text))
    for place, make in PAGES.items():
        files.append(File.generated(config, place, content=make()))
    for file in papers(config):
        files.append(file)
    return files


def papers(config: MkDocsConfig) -> Iterator[File]:
    """What was learnt of the four works as a page, and their own pages as they are."""
    answer = PAPERS / "answer.md"
    if not answer.exists():
        raise PluginError(f"{answer} is not there. Write it: nasanalysis papers --out {PAPERS}; `make docs` does both")
    # its tables are on the page itself: an anchor there is one of another page here
    text = answer.read_text(encoding="utf-8").replace("](#", "](index.html#").replace("](", "](papers/")
    yield File.generated(config, "papers.md", content=_PAPERS_OPENING + text)
    for path in sorted(PAPERS.rglob("*")):
        if path.is_file() and path.suffix != ".md":  # tables in Markdown would become pages
            place = f"papers/{path.relative_to(PAPERS).as_posix()}"
            yield File.generated(config, place, abs_src_path=str(path))


def on_page_markdown(markdown: str, *, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Links as the site needs them."""
    place = page.file.src_uri
    return _LINK.sub(lambda found: found[1] + where(found[2], place, config["repo_url"]) + found[3], markdown)


def where(link: str, place: str, repository: str) -> str:
    """Where a `link` of the page at `place` leads in the site: a page, an image, or a file in the repository."""
    home = next((source for source, at in BROUGHT.items() if at == place), f"docs/{place}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(home), link))
    inside = BROUGHT.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    if inside is not None:
        return posixpath.relpath(inside, posixpath.dirname(place) or ".")
    if (REPOSITORY / target).exists():
        return f"{repository}/blob/main/{target}"
    return link  # the strict build says that it leads nowhere


class Docstrings(griffe.Extension):
    """Docstrings of this package as Markdown: several names may share a line of a section."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is None:
            return
        names = [p.name for p in getattr(obj, "parameters", [])] if obj.is_function else list(obj.members)
        obj.docstring.value = readable(obj.docstring.value, names)
