"""Parts of a Markdown page that a report fills: results stand there as they were computed, and are never typed.

A part lies between two comments, and everything between them is written anew::

    <!-- answer of digits: nasanalysis report digits -->
    <!-- end of the answer -->

    <!-- short answer of digits: nasanalysis report digits -->
    <!-- end of the answer -->

    <!-- table nb201-all: nasanalysis report nb201 --data FOLDER -->
    <!-- end of the table -->

What follows the colon is for readers: how to get there. A short answer is three lines: without training, at the lowest
cost, at the highest. A table is named as its files are, by study and table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..core.atomic import write_text
from ..core.errors import StudyError, UnknownNameError
from .markup import to_markdown
from .model import Result
from .writer import answer_markdown

_KINDS = "answer of|short answer of|table"
_PART = re.compile(
    rf"(?P<head><!-- (?P<kind>{_KINDS}) (?P<name>[\w.-]+)(?::[^\n]*)? -->\n)"
    rf"(?:(?!<!-- (?:{_KINDS}) ).)*?"  # a part that does not end is no part
    r"(?P<end><!-- end of [^\n]* -->)",
    re.DOTALL,
)


def parts(text: str) -> list[str]:
    """Names of the parts of a page: ``digits`` for an answer, ``nb201-all`` for a table."""
    return [match["name"] for match in _PART.finditer(text)]


def filled(text: str, results: Sequence[Result]) -> str:
    """The page with the parts of these studies written anew; those of other studies stay as they are.

    A table of an item that was skipped stays too. `UnknownNameError` for a table that its study does not have,
    `StudyError` for a part that does not end.
    """
    begun = len(re.findall(rf"<!-- (?:{_KINDS}) ", text))
    if begun != len(_PART.findall(text)):
        raise StudyError(
            f"page: expected {begun} parts that begin with '<!-- table NAME -->' or '<!-- answer of STUDY -->' and end "
            f"with '<!-- end of ... -->', got {len(_PART.findall(text))} whole ones"
        )
    return _PART.sub(lambda part: _part(part, results), text)


def fill_page(path: Path, results: Sequence[Result]) -> Path:
    """Write the parts of the page at `path` anew; `StudyError` where there is none, or no page."""
    if not path.is_file():
        raise StudyError(f"{path}: expected a Markdown page to fill, found no such file")
    text = path.read_text(encoding="utf-8")
    if not parts(text):
        raise StudyError(f"{path}: expected parts to fill, such as '<!-- table digits-board -->', got none")
    return write_text(path, filled(text, results))


def _part(part: re.Match[str], results: Sequence[Result]) -> str:
    body = {"answer of": _answer, "short answer of": _short_answer, "table": _table}[part["kind"]](
        part["name"], results
    )
    return part[0] if body is None else f"{part['head']}\n{body.strip()}\n\n{part['end']}"


def _answer(study: str, results: Sequence[Result]) -> str | None:
    of = [result for result in results if result.name == study]
    return answer_markdown(of) if of else None


def _short_answer(study: str, results: Sequence[Result]) -> str | None:
    of = [result for result in results if result.name == study and result.answers]
    return "\n".join(f"- {line}" for line in short_answer(of[0])) if of else None


def short_answer(result: Result) -> list[str]:
    """The first sentence of three lines of a study's first answer: the first, the second and the last that has a cost.

    >>> from nasanalysis.report.model import Result, Section
    >>> lines = ("Free: a. More.", "For 1: b. More.", "For 2: c. More.", "For 3: d. More.", "It stays.")
    >>> short_answer(Result("x", "X", "", (Section("S", answer=lines),), {}))
    ['Free: a.', 'For 1: b.', 'For 3: d.']
    """
    [(_, sentences), *_] = result.answers
    costs = [sentence for sentence in sentences[1:] if sentence.startswith("For ")]
    chosen = dict.fromkeys([sentences[0], *costs[:1], *costs[-1:]])
    return [sentence.partition(". ")[0].rstrip(".") + "." for sentence in chosen]


def _table(name: str, results: Sequence[Result]) -> str | None:
    of = [result for result in results if name.startswith(f"{result.name}-")]
    tables = {f"{r.name}-{t.name}": t for r in of for section in r.sections for t in section.tables}
    if name in tables:
        return to_markdown(tables[name])
    if of and not any(result.skipped for result in of):
        raise UnknownNameError("table of these studies", name, tables)
    return None
