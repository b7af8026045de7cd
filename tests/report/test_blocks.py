"""Parts of a page that a report fills."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.report import Result
from nasanalysis.report.blocks import fill_page, filled, parts
from nasanalysis.report.model import Section, Table
from nasanalysis.studies.study import Study

TABLE = Table("one", "One", ["a"], [["1"]], pl.DataFrame({"a": [1]}), [True])
RESULT = Result("mine", "Mine", "", (Section("S", tables=(TABLE,), answer=("It holds.",)),), {})
PAGE = """Before.

<!-- table mine-one: nasanalysis report mine -->
stale
<!-- end of the table -->

Between.

<!-- answer of mine -->
<!-- end of the answer -->
<!-- table other-two -->
kept
<!-- end of the table -->
"""


def test_parts_of_these_studies_are_written_anew_and_nothing_else() -> None:
    page = filled(PAGE, [RESULT])
    assert parts(page) == ["mine-one", "mine", "other-two"]
    assert "stale" not in page
    assert "| 1 |" in page
    assert "- It holds." in page
    assert "kept" in page
    assert page.startswith("Before.\n\n<!-- table mine-one: nasanalysis report mine -->\n\n**One**")
    assert filled(page, [RESULT]) == page


def test_a_table_of_a_skipped_item_stays_and_an_unknown_one_is_refused() -> None:
    page = PAGE.replace("mine-one", "mine-oen")
    with pytest.raises(UnknownNameError, match="'mine-oen'. Did you mean 'mine-one'"):
        filled(page, [RESULT])
    skipped = Result("mine", "Mine", "", (), {}, ("One: not run here.",))
    assert "stale" in filled(PAGE, [skipped])


def test_a_part_without_an_end_is_refused() -> None:
    with pytest.raises(StudyError, match="expected 3 parts .* got 2 whole ones"):
        filled(PAGE.replace("<!-- end of the table -->", "", 1), [RESULT])


def test_pages(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    with pytest.raises(StudyError, match="found no such file"):
        fill_page(page, [RESULT])
    page.write_text("nothing to fill")
    with pytest.raises(StudyError, match="expected parts to fill"):
        fill_page(page, [RESULT])
    page.write_text(PAGE)
    assert "| 1 |" in fill_page(page, [RESULT]).read_text()


RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results.md"


@pytest.mark.parametrize("name", ["digits"])
def test_the_page_of_results_says_what_a_run_says(name: str) -> None:
    """To write it anew: `nasanalysis report --data FOLDER --fill docs/results.md`."""
    held_against_a_run(name, None, {"other-run", "truth"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "digits",
        "nb201",
        "nb101",
        "darts",
        "across",
        "supernets",
        "weights",
        "search",
        "diffsearch",
        "scratch",
        "synthetic",
    ],
)
def test_all_of_the_page_of_results(name: str, data_dir: Path) -> None:
    held_against_a_run(name, data_dir, set())


def held_against_a_run(name: str, data: Path | None, items: set[str]) -> None:
    """Run these items of a study (all by default): what the page holds of them must not change."""
    if not RESULTS.exists():
        pytest.skip("not in this distribution")
    pytest.importorskip("sklearn")
    study = Study.load(name)
    chosen = tuple(item for item in study.items if item.name in items or not items)
    result = study.model_copy(update={"items": chosen}).run(data)
    some = dataclasses.replace(result, skipped=("the other items",))  # whose tables stay
    text = RESULTS.read_text(encoding="utf-8")
    assert [part for part in parts(text) if part.startswith(name)]
    assert filled(text, [some]) == text


def test_every_part_of_the_page_of_results_is_filled() -> None:
    if not RESULTS.exists():
        pytest.skip("not in this distribution")
    text = RESULTS.read_text(encoding="utf-8")
    assert not re.search(r"-->\n<!-- end of", text)
    assert len(set(parts(text))) == len(parts(text)) > 20
