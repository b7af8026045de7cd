"""What the one page of a report is rendered from: its contents, its headings, its tables, what it was made from."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jinja2
from markupsafe import Markup, escape

from .markup import environment
from .model import Board, Mark, Result, Section
from .prose import addresses, beyond, prose
from .view import BAD, GOOD, Cell, view

#: Colours of an image on a page: those of a figure with its shades. Files keep every one.
_COLOURS = 64
#: Characters of a packed file that a page still holds; longer ones lie beside it alone.
_HELD = 16_000
#: Rows of a longer one that the page holds and shows.
_HEAD = 200
#: Characters of a text from which on it may stand on several lines.
_LONG = 22


@dataclass(frozen=True)
class Part:
    """A section with the address of its heading."""

    address: str
    section: Section


@dataclass(frozen=True)
class Chapter:
    """A study with the addresses of its sections."""

    result: Result
    parts: list[Part]

    @property
    def address(self) -> str:
        return self.result.name


def chapters(results: Sequence[Result]) -> list[Chapter]:
    """Every study and section with an address of its own: what the contents link to."""
    return [Chapter(result, list(_parts(result))) for result in results]


def _parts(result: Result) -> Iterator[Part]:
    titles = [section.title for section in result.sections]
    for address, section in zip(addresses(titles, result.name), result.sections, strict=True):
        yield Part(address, section)


def boards(chapters: Sequence[Chapter]) -> list[tuple[str, Board]]:
    """(address of its section, board) of every board of a report, in order."""
    return [(part.address, board) for chapter in chapters for part in chapter.parts for board in part.section.boards]


def page_environment() -> jinja2.Environment:
    """Templates with what pages need beside tables: ``prose``, ``beyond``, ``view``."""
    templates = environment()
    templates.filters |= {"prose": prose, "beyond": beyond, "view": view, "record": record_lines}
    templates.filters |= {"shown": _shown, "classes": _classes}
    return templates


def _shown(cell: Cell) -> Markup:
    """A cell with its emphasis; its interval apart, so that it can stand below."""
    text = escape(cell.text)
    if Mark.BEST in cell.mark:
        text = Markup("<strong>{}</strong>").format(text)
    if Mark.SECOND in cell.mark:
        text = Markup("<u>{}</u>").format(text)
    if Mark.TIE in cell.mark:
        text += Markup("<sup>†</sup>")
    return text + Markup(' <span class="ci">{}</span>').format(cell.interval) if cell.interval else text


def _classes(cell: Cell) -> str:
    """Of a cell: on the right, long text that may wrap, shown on a telephone, good or bad news."""
    names = {
        "r": cell.column.numeric,
        "t": not cell.column.numeric and len(cell.text) > _LONG,
        cell.column.lead: bool(cell.column.lead),
        "good": cell.text in GOOD,
        "bad": cell.text in BAD,
    }
    return " ".join(name for name, holds in names.items() if holds)


def render(template: str, **context: Any) -> str:
    """A page from its template; the time it was made is said there."""
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return page_environment().get_template(template).render(made=made, **context)


def record_lines(record: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """A nested record as lines of path and value, which can be searched; what holds nothing is left out.

    >>> list(record_lines({"git": {"commit": "abc"}, "steps": [1, 2]}))
    [('git › commit', 'abc'), ('steps', '1, 2')]
    """
    if isinstance(record, Mapping):
        inner: Iterator[tuple[str, Any]] = ((str(key), value) for key, value in sorted(record.items(), key=str))
    elif isinstance(record, list | tuple) and any(isinstance(value, Mapping | list | tuple) for value in record):
        inner = ((str(value["name"]) if isinstance(value, Mapping) and "name" in value else str(i), value)
                 for i, value in enumerate(record, start=1))  # fmt: skip
    else:
        value = ", ".join(map(str, record)) if isinstance(record, list | tuple) else str(record)
        if value not in ("", "None", "{}"):
            yield path, value
        return
    for key, value in inner:
        yield from record_lines(value, f"{path} › {key}" if path else key)


def light_image(png: bytes, scale: float = 1) -> str:
    """A PNG as lossless WebP of at most `_COLOURS` colours, in base64: a third of the size, alike to the eye.

    scale: of its sides; smaller than 1 costs a hundredth of drawing the figure once more.
    """
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        small = io.BytesIO()
        picture = image.convert("RGB")
        if scale != 1:
            picture = picture.resize(
                (round(scale * image.width), round(scale * image.height)), Image.Resampling.LANCZOS
            )
        few = picture.quantize(_COLOURS, dither=Image.Dither.NONE)
        few.convert("RGB").save(small, format="webp", lossless=True)
    return base64.b64encode(small.getvalue()).decode("ascii")


def is_held(text: str) -> bool:
    """Whether a page holds a file of this text, rather than leading to it."""
    return len(packed(text)) <= _HELD


def held_files(paths: Mapping[str, str]) -> dict[str, str]:
    """Path -> packed text, for files that a page holds so that it can be moved alone.

    `paths`: path under the page's folder -> text. Of a table that is too long the first rows are held, as
    ``PATH#head``; a page shows them, and its link leads to the file.
    """
    held = {}
    for path, text in paths.items():
        whole = packed(text)
        if len(whole) <= _HELD:
            held[path] = whole
        elif path.endswith(".csv"):
            lines = text.splitlines(keepends=True)
            held[f"{path}#head"] = packed("".join(lines[: _HEAD + 1]))
    return held


def packed(text: str) -> str:
    """Text for a script to unpack: gzip in base64; the same text gives the same characters."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")
