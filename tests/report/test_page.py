"""The page of a report: contents, tables that fit, nothing said twice, nothing asked for from elsewhere."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from nasanalysis.report import Figure, Mark, Result, Section, Table, write_report
from nasanalysis.report.page import held_files, record_lines
from nasanalysis.report.prose import beyond, prose
from nasanalysis.report.view import view

BOARD = Table(
    "board",
    "Which one?",
    ["proxy", "data", "ρ", "n", "nothing", "beside parameters"],
    [
        ["SoTL", "digits", "0.912 [0.871, 0.940]", "1,200", "–", "better"],
        ["accuracy", "digits", "0.512 [0.471, 0.540]", "800", "–", "not told apart"],
    ],
    pl.DataFrame({"proxy": ["sotl", "val_acc"], "estimate": [0.912, 0.512]}),
    [False, False, True, True, False, False],
    "Read with `care`.",
    [[Mark.NONE] * 2 + [Mark.BEST] + [Mark.NONE] * 3, [Mark.NONE] * 6],
)


def _draw() -> Any:
    from nasanalysis.plots.style import new_axes

    ax = new_axes()
    ax.plot([0, 1], [0, 1])
    return ax


FIGURE = Figure("line", "Which one? A line.", _draw, pl.DataFrame({"x": [0, 1], "y": [0, 1]}))
RESULTS = [
    Result(
        "one",
        "One study",
        "Made by `nasanalysis report`.",
        (Section("Which one?", "", (BOARD,), (FIGURE,), ("It is SoTL.",)), Section("Which one?", "Again.")),
        {"git": {"commit": "abc"}, "inputs": {"digits.parquet": "0123"}},
    ),
    Result("two", "Another", "", (Section("Why?", "Because."),), {}),
]


class Page(HTMLParser):
    """Ids, links and tags of a page, and the text of its headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.links += [value for key, value in attrs if key == "href" and value]
        if tag in ("h2", "h3") and named.get("id"):
            self.headings.append(str(named["id"]))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(RESULTS, tmp_path_factory.mktemp("page") / "out")


def test_contents_lead_to_every_heading_and_every_link_somewhere(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids), "an id stands once"
    contents = Page(text[text.index("<nav") : text.index("</nav>")])
    assert {f"#{name}" for name in page.headings} <= set(contents.links)
    assert {"#one", "#one--which-one", "#one--which-one-2", "#two--why", "#answer", "#provenance"} <= set(
        contents.links
    )
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_code_is_code_and_nothing_is_said_twice(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    body = text[text.index("<main") : text.index("</main>")]
    assert "`" not in body
    assert "<code>care</code>" in body
    assert "<figcaption>A line." in body
    assert 'class="caption"' not in body, "the heading says what the table is"
    assert str(prose("a < `b > c` & d")) == "a &lt; <code>b &gt; c</code> &amp; d"
    assert beyond("Why?: digits.", "Why?") == "Digits."
    assert beyond("Another thing", "Why?") == "Another thing"


def test_the_verdict_stands_beside_the_name_and_what_all_rows_share_in_the_caption() -> None:
    shown = view(BOARD)
    assert [column.label for column in shown.columns] == ["proxy", "beside parameters", "ρ", "n"]
    assert [column.lead for column in shown.columns] == ["name", "value", "value", ""]
    assert shown.caption == "In every row data: digits. No value of nothing."
    first = shown.rows[0]
    assert (first[2].text, first[2].interval, first[2].order) == ("0.912", "[0.871, 0.940]", 0.912)
    assert [row[3].order for row in shown.rows] == [1200.0, 800.0]
    assert first[2].mark == Mark.BEST
    assert not shown.stacked


def test_tables_of_one_row_or_of_nothing_else_keep_their_columns() -> None:
    one = Table("t", "T", ["a", "b"], [["x", "–"]], pl.DataFrame(), [False, False])
    assert [column.label for column in view(one).columns] == ["a", "b"]
    same = Table("t", "T", ["a", "b"], [["x", "–"], ["x", "–"]], pl.DataFrame(), [False, False])
    assert [column.label for column in view(same).columns] == ["a"]
    answers = Table("t", "T", ["a", "b"], [["x", "better"], ["x", "better"]], pl.DataFrame(), [False, False])
    assert [column.label for column in view(answers).columns] == ["a", "b"]


def test_files_that_the_page_holds_are_those_beside_it(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    held = dict(re.findall(r'id="file:([^"]+)">([^<]+)<', text))
    assert set(held) == {"tables/one-board.csv", "figures/one-line.csv", "figures/one-line.svg"}
    for path, packed in held.items():
        assert gzip.decompress(base64.b64decode(packed)).decode() == (written.parent / path).read_text(encoding="utf-8")


def test_of_a_long_file_the_page_holds_the_first_rows() -> None:
    import random

    draw = random.Random(0)
    rows = [f"{i},{draw.random()}" for i in range(20_000)]
    held = held_files({"a.csv": "\n".join(["i,x", *rows, ""])})
    assert list(held) == ["a.csv#head"]
    assert gzip.decompress(base64.b64decode(held["a.csv#head"])).decode() == "\n".join(["i,x", *rows[:200], ""])


def test_provenance_is_folded_and_every_value_has_its_path(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert '<details data-record="one"><summary>one</summary>' in text
    packed = re.search(r'id="held-records">([^<]+)<', text)
    assert packed is not None
    held = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    assert held["one"] == [["git › commit", "abc"], ["inputs › digits.parquet", "0123"]]
    nested = {"items": [{"name": "a", "steps": [1, 2]}, {"steps": []}], "n": None}
    lines = {"items › a › name": "a", "items › a › steps": "1, 2"}
    assert dict(record_lines(nested)) == lines
    assert json.loads((written.parent / "provenance.json").read_text())["one"]["git"] == {"commit": "abc"}


@pytest.mark.parametrize("here", [True, False])
def test_libraries_are_held_where_they_are_installed_and_the_page_stands_without(
    here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nasanalysis.report import libraries, writer

    asked: list[str] = []

    def library(name: str) -> str:
        asked.append(name)
        return "PACKED"

    monkeypatch.setattr(libraries, "library", library)
    for module in (libraries, writer):
        monkeypatch.setattr(module, "is_here", lambda _: here)
    chart = Figure("line", "A line.", _draw, FIGURE.data, lambda: {"mark": "point"}, "Point at it.")
    results = [Result("one", "One", "", (Section("Which?", figures=(chart,)),), {})]
    text = write_report(results, tmp_path).read_text(encoding="utf-8")
    assert asked == (["tables", "charts"] if here else [])
    assert ('id="chart:one-line"' in text) == ("Point at it." in text) == here
    assert "data:image/webp;base64," in text, "the still figure is there in any case"


def test_a_table_may_say_how_many_columns_name_its_rows() -> None:
    """Rows that nothing but their last column tells apart were named by all of them on a telephone."""
    rows = [["part", "holds", "a", "x"], ["part", "holds", "a", "y"], ["whole", "cannot tell", "b", "z"]]
    header = ["claim", "here", "rule", "note"]
    tables = [Table("t", "T", header, rows, pl.DataFrame(), [False] * 4, names=names) for names in (0, 1)]
    leads = [[column.lead for column in view(table).columns] for table in tables]
    assert leads == [["name", "name", "name", "name"], ["name", "value", "", ""]]


def test_a_still_image_is_coarse_where_the_page_holds_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    from nasanalysis.report import writer
    from nasanalysis.report.page import light_image

    def width(image: bytes) -> int:
        return int(Image.open(io.BytesIO(image)).width)

    drawing = writer.draw(FIGURE)
    assert width(base64.b64decode(drawing.image)) < 0.6 * width(drawing.png)
    monkeypatch.setattr(writer, "is_held", lambda _: False)
    whole = writer.draw(FIGURE)
    assert whole.image == light_image(whole.png), "the sharpest there is, where scripts have nothing better"
