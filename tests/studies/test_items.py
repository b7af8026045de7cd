"""The loop over items: kinds and tables added from outside, warnings, order, settings, what is skipped."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from nasanalysis.core.errors import MissingDataError, StudyError, UnknownNameError
from nasanalysis.report import Section, Table, write_report
from nasanalysis.report.published import Cells
from nasanalysis.report.tables import plain_table
from nasanalysis.stats import MismatchWarning
from nasanalysis.studies.items import KINDS, Item, ItemModel, Many, Resampling, Sources
from nasanalysis.studies.reading import default_studies, load_study, shipped_studies
from nasanalysis.studies.study import Study
from nasanalysis.studies.tables.items import TABLES


class Counts(ItemModel):
    """A kind of somebody else's: how many architectures each benchmark has a truth for."""

    benchmarks: Many[str]

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        counts = [sources.benchmark(name).truth()["arch"].n_unique() for name in self.benchmarks]
        frame = pl.DataFrame({"benchmark": self.benchmarks, "architectures": counts})
        table = plain_table(self.name, self.title, frame, frame.columns, ["s", "d"], f"n = {resampling.n}")
        return Section(self.title, self.text, (table,))


def draws(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """A table of somebody else's."""
    frame = pl.DataFrame({"n": [resampling.n], "seed": [resampling.seed], "published": [len(published)]})
    return plain_table("draws", "Draws", frame, frame.columns, ["d", "d", "d"])


STUDY = """
title = "Mine"
bootstrap = 7
seed = 3
[[counts]]
name = "counts"
title = "How many?"
benchmarks = ["digits"]
[[table]]
name = "draws"
title = "Draws"
table = "draws"
published = [{ row = ["x"], column = "n", value = "1", where = "nowhere" }]
[[counts]]
name = "again"
title = "How many again?"
benchmarks = ["digits"]
"""


@pytest.fixture
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("somebody_elses_package")
    module.Counts, module.draws = Counts, draws  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somebody_elses_package", module)
    monkeypatch.setitem(KINDS, "counts", "somebody_elses_package:Counts")
    monkeypatch.setitem(TABLES, "draws", "somebody_elses_package:draws")


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.usefixtures("_plugin")
def test_a_kind_and_a_table_from_outside_the_package(tmp_path: Path) -> None:
    result = load_study(written(tmp_path, STUDY)).run()
    assert [section.title for section in result.sections] == ["How many?", "How many again?", "Draws"]
    counts, _, of_draws = (section.tables[0] for section in result.sections)
    assert (counts.rows, counts.note) == ([["digits", "800"]], "n = 7")
    assert of_draws.rows == [["7", "3", "1"]]
    assert list(result.provenance["inputs"]) == ["digits.parquet"], "what the kind read is recorded"
    assert result.provenance["config"]["items"][0] == {
        "item": "Counts", "name": "counts", "title": "How many?", "text": "", "benchmarks": ["digits"]
    }  # fmt: skip
    write_report([result], tmp_path / "out")
    assert (tmp_path / "out" / "tables" / "mine-counts.md").exists()


@pytest.mark.usefixtures("_plugin")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[counts]]", "[[cuonts]]", "unknown key 'cuonts'. Did you mean 'counts'"),
        ("benchmarks =", "benchmark =", "unknown key 'counts.0.benchmark'. Did you mean 'benchmarks'"),
        ('table = "draws"', "", "missing key 'table.0.table'"),
        ('value = "1"', "value = 1", "table.0.published.0.value: Input should be a valid string"),
        ("seed = 3", 'seed = "3"', "seed: Input should be a valid integer"),
    ],
)
def test_its_keys_are_checked_like_ours(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(written(tmp_path, STUDY.replace(old, new, 1)))
    assert message in str(caught.value)


@pytest.mark.usefixtures("_plugin")
def test_a_table_that_is_not_registered(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown table 'drawn'. Did you mean 'draws'"):
        load_study(written(tmp_path, STUDY.replace('table = "draws"', 'table = "drawn"'))).run()


def test_tables_inside_compare_are_still_read(tmp_path: Path) -> None:
    text = 'title = "t"\n[[{}]]\nname = "sizes"\ntitle = "Sizes"\ntable = "space-sizes"\n'
    text += 'published = [{{ row = ["nb201"], column = "architectures", value = "15 625", where = "Table 3.1" }}]\n'
    old, new = (load_study(written(tmp_path, text.format(kind))).run() for kind in ("compare", "table"))
    assert old.sections[0].tables[0].rows == new.sections[0].tables[0].rows
    assert old.sections[0].tables[0].header == ["space", "architectures", "Table 3.1", "remark"]
    published = dict(old.sections[0].tables[0].data.select("space", "thesis").iter_rows())
    assert published["nb201"] == "15 625"
    assert ["nb201", "15,625", "15,625"] in [row[:3] for row in old.sections[0].tables[0].rows]
    assert published["nb101"] is None


# --- one loop for all -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Says:
    """The least that an item is: no pydantic, no TOML."""

    name: str
    warn: tuple[str, ...] = ()
    missing: bool = False
    title: str = "Says"

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        for text in self.warn:
            warnings.warn(text, MismatchWarning, stacklevel=1)
        if self.missing:
            raise MissingDataError("x.parquet: not on this machine")
        return Section(self.title)


def test_the_least_that_an_item_is() -> None:
    assert isinstance(Says("a"), Item)
    result = Study(name="s", title="S", items=(Says("a"),)).run()
    assert [section.title for section in result.sections] == ["Says"]
    assert result.provenance["config"]["items"][0]["name"] == "a"
    with pytest.raises(ValueError, match="instance of Item"):
        Study(name="s", title="S", items=("no item",))  # type: ignore[arg-type]


def test_warnings_of_every_item_are_told_once(recwarn: pytest.WarningsRecorder) -> None:
    said: list[str] = []
    items = (Says("a", ("left out",) * 3), Says("b", ("left out", "dropped"), missing=True), Says("c"))
    result = Study(name="s", title="S", items=items).run(say=said.append)
    assert said == ["s: Says", "note: left out", "s: Says", "note: left out", "note: dropped", "s: Says"]
    assert result.skipped == ("Says: not run here. x.parquet: not on this machine",)
    assert len(result.sections) == 2
    assert not recwarn.list, "nothing goes to stderr"


def test_items_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two items share a name; got a, b, a"):
        Study(name="s", title="S", items=(Says("a"), Says("b"), Says("a")))


def test_searches_tell_what_they_left_out(tmp_path: Path) -> None:
    """They had a loop of their own, which let warnings of the statistics pass to stderr."""
    text = """
title = "t"
[[search]]
name = "s"
title = "S"
benchmark = "digits"
dataset = "digits"
schedule = 12
sample = "random-20@0"
queries = 2
at = [2]
seeds = 2
algorithms = ["random_search"]
fitnesses = [{ label = "parameters", proxy = "params" }]
"""
    study, said = load_study(written(tmp_path, text)), list[str]()

    class Loud(type(study.items[0])):  # type: ignore[misc]
        def section(self, sources: Sources, resampling: Resampling) -> Section:
            warnings.warn("one left out", MismatchWarning, stacklevel=1)
            section: Section = super().section(sources, resampling)
            return section

    loud = Loud.model_validate(study.items[0].model_dump())  # type: ignore[attr-defined]
    study.model_copy(update={"items": (loud,)}).run(say=said.append)
    assert said == ["t: S".replace("t", "mine"), "note: one left out"]


# --- the shipped studies ----------------------------------------------------------------------------------------


def test_the_folder_is_the_list_of_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"digits", "nb201", "nb101", "darts", "supernets", "weights", "search"} <= set(shipped_studies())
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path))
    assert default_studies(tmp_path) == [n for n in shipped_studies() if load_study(n).needs is None]
    assert default_studies(tmp_path)[0] == "digits-2"


def test_reading_a_study_loads_no_kind_that_it_does_not_use(tmp_path: Path) -> None:
    text = 'title = "t"\n[[table]]\nname = "a"\ntitle = "A"\ntable = "space-sizes"\n'
    code = (
        f"from nasanalysis.studies.reading import load_study; load_study({str(written(tmp_path, text))!r}); import sys"
    )
    code += "; print([m for m in sys.modules if m.startswith('nasanalysis.studies.search')])"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


# --- the page of docs --------------------------------------------------------------------------------------------

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
def test_every_study_of_the_page_is_one(block: str, tmp_path: Path) -> None:
    assert load_study(written(tmp_path, block)).items


def test_the_kind_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nasanalysis.studies.items.KINDS", dict(KINDS))
    (tmp_path / "page.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[-1], encoding="utf-8")
    item = runpy.run_path(str(tmp_path / "page.py"))["Sizes"](name="sizes", title="Sizes", benchmarks=["digits"])
    (section,) = Study(name="mine", title="Mine", items=(item,)).run().sections
    assert section.tables[0].rows == [["digits", "800"]]


def test_the_page_names_every_kind_and_every_table() -> None:
    for kind in KINDS:
        assert f"## `[[{kind}]]`" in PAGE
    for table in TABLES:
        assert table in PAGE
