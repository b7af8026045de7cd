"""Published works: what their files may say, the rule of verdicts, and pages that repeat to the byte."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from timeless import timeless

from nasanalysis.core.errors import StudyError
from nasanalysis.core.resources import shipped_toml
from nasanalysis.core.toml import validated
from nasanalysis.loaders.sources import Sources
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.diffsearch.items import DiffSearchItem
from nasanalysis.studies.diffsearch.section import selections
from nasanalysis.studies.papers import hours as hours_module
from nasanalysis.studies.papers.judged import judged, words_of
from nasanalysis.studies.papers.model import Cell, Check, Claim, Ours
from nasanalysis.studies.papers.ours import Evidence, NotHere
from nasanalysis.studies.papers.reading import item_of, load_paper, shipped_papers
from nasanalysis.studies.papers.run import write_papers
from nasanalysis.studies.papers.settings import of_ours
from nasanalysis.studies.papers.verdicts import Reading, combine, judge
from nasanalysis.studies.supernet.items import SupernetItem

CELLS = """place,space,data,tested,method,proxy,setting,metric,value,spread,unit,source
Table 1,s2,,,,,,n_edges,14,,count,"Toy, Table 1"
Table 2,,digits,digits,DARTS,,order=1,test_accuracy,70.3,1.0,percent,"Toy, Table 2"
Table 2,,cifar10,cifar10,DARTS,,order=1,test_accuracy,97.0,,percent,"Toy, Table 2"
"""

WORK = """title = "Toy"
cells = "toy.csv"
bootstrap = 100
coming = ["diffsearch/later"]
[commands]
page = "nasanalysis papers toy.toml"
[reasons.setting]
why = "a setting"
level = "setting"
[[tables]]
place = "Table 1"
title = "Sizes"
rest = "not run"
command = "page"
[[tables.ours]]
item = "nb101/facts"
where = { space = "{space}", what = "edges of one supernet cell" }
column = "count"
exact = true
level = "same data"
command = "page"
[[tables]]
place = "Table 2"
title = "Searches"
rest = "needs GPU"
command = "page"
[[tables.ours]]
cells = { data = "digits" }
names = { method = { DARTS = "darts" } }
item = "diffsearch/digits"
where = { method = "{method}", setting = "" }
column = "mean"
n = "n_seeds"
level = "other data (digits)"
command = "page"
[[claims]]
id = "edges"
says = "A cell of S2 has 14 edges"
source = "3, Table 1"
command = "page"
[[claims.tests]]
item = "nb101/facts"
where = { space = "s2", what = "edges of one supernet cell" }
column = "count"
exact = true
level = "same data"
near = 14
within = 0.1
[[claims]]
id = "drnas"
says = "DrNAS selects better than a random draw"
source = "4"
tests = [{ item = "diffsearch/digits", better = "drnas", than = "random_architecture", level = "other data (digits)" }]
command = "page"
[[claims]]
id = "later"
says = "What a study that is not there yet will say"
source = "5"
tests = [{ item = "diffsearch/later", better = "a", than = "b", level = "same data" }]
command = "page"
[[claims]]
id = "rate"
says = "The rate is 0.1"
source = "6"
untested = "setting"
taken = "searches/digits: search.epochs"
command = "page"
"""


RESTS = 'rests = [{ cells = { data = "cifar10" },'
SEARCHES = 'item = "diffsearch/digits", better = "drnas", than = "random_architecture"'
ORDER = 'item = "weights/as-published", better = "Angle", than = "Flatness"'
CLAIMED = 'item = "weights/as-published", claimed = "Angle ranks better than flatness"'


def write(folder: Path, work: str = WORK, cells: str = CELLS) -> Path:
    (folder / "toy.csv").write_text(cells, encoding="utf-8")
    (folder / "toy.toml").write_text(work, encoding="utf-8")
    return folder / "toy.toml"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "3, Table 1"\ncommand = "page"', 'source = "3, Table 1"', "missing key 'claims.0.command'"),
        ('untested = "setting"\n', "", "claim 'rate': expected a rule"),
        ('untested = "setting"\n', 'untested = "why"\n', "claim rate: untested: expected a reason of setting"),
        ("near = 14\nwithin = 0.1\n", "", "expected a rule: better and than, or where with one of above, below, near"),
        ("\nwithin = 0.1", "", "near: expected within beside it"),
        ("near = 14", "above = 3\nnear = 14", "got above, near"),
        ('than = "random_architecture"', 'than = "drnas"', "expected better and than that differ"),
        ('page = "nasanalysis papers toy.toml"', 'page = "make"', "commands.page"),
        ('level = "other data (digits)"\ncommand = "page"', 'level = "other data (digits)"', "tables.1.ours.0.command"),
        ('level = "other data (digits)"\ncommand', 'level = "needs GPU"\ncommand', "number that is there"),
        ('rest = "needs GPU"', 'rest = "soon"', "tables.1.rest"),
        ('rest = "needs GPU"', 'rests = [{ cells = {}, command = "page" }]\nrest = "needs GPU"', "rests.0.cells"),
        ('rest = "needs GPU"', f'{RESTS} command = "all" }}]\nrest = "needs GPU"', "a command of page, got 'all'"),
        (
            'rest = "needs GPU"',
            f'{RESTS} taken = "searches/digits: space", command = "page" }}]\nrest = "needs GPU"',
            "expected a number there, got nb201",
        ),
        ('item = "diffsearch/digits", better', 'item = "diffsearch/digit", better', "unknown item of a study"),
        ("near = 14\nwithin = 0.1", 'better = "a"\nthan = "b"', "no where beside them"),
        ('source = "6"', 'sauce = "6"', "unknown key 'claims.3.sauce'"),
        ('place = "Table 2"', 'place = "Table 3"', "expected one of place 'Table 2'"),
        ('id = "rate"', 'id = "later"', "'later' twice"),
        ('level = "setting"', 'level = "same data"', "reasons.setting.level"),
        ('why = "a setting"', 'why = ""', "reasons.setting.why"),
        ("searches/digits:", "searches/digit:", "expected a file of reports/searches"),
        ("search.epochs", "search.epoch", "expected a key of that file, found no 'epoch'"),
        ("search.epochs", "search epochs", "claims.3.taken"),
        (
            'untested = "setting"\n',
            'tests = [{ item = "diffsearch/digits", better = "a", than = "b", level = "same data" }]\n',
            "taken: expected of a setting",
        ),
        ('than = "random_architecture"', 'than = "darts", above = 1, below = 2', "one side of the difference, got"),
        (SEARCHES, ORDER, "judges this order itself: expected claimed = 'Angle ranks better than flatness'"),
        ('untested = "setting"\n', 'untested = "setting"\nwaits = "setting"\n', "waits: expected tests beside it"),
        ('source = "5"\n', 'source = "5"\nwaits = "why"\n', "claim later: waits: expected a reason of setting"),
        ('than = "random_architecture"', 'than = "darts", statistic = "width"', "expected none, depth, 3x3 conv"),
        ('than = "random_architecture"', 'than = "darts", spread = true, above = 2', "spread: expected better"),
        (SEARCHES, 'item = "weights/as-published", claimed = "Angle is best"', "expected a claim of Flatness ranks"),
        (SEARCHES, f'{CLAIMED}, arms = ["ENAS"]', "expected an arm of it, got 'ENAS'"),
    ],
)  # fmt: skip
def test_a_work_is_refused_when_it_is_loaded(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in WORK
    with pytest.raises(StudyError, match=re.escape(said)):
        load_paper(write(tmp_path, WORK.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"Toy, Table 1"', "", "line 2: source"),
        ("14,,count", "about 14,,count", "line 2: value"),
        ("70.3,1.0", "70.3,±1", "line 3: spread"),
        ("n_edges,14,,count,", "n_edges,14,count,", "line 2: expected 12 columns"),
        ("place,space", "space,place", "expected the columns place, space"),
        ("Table 1,s2", ",s2", "line 2: place"),
    ],
)
def test_a_published_figure_is_refused_with_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in CELLS
    with pytest.raises(StudyError, match=re.escape(said)):
        load_paper(write(tmp_path, cells=CELLS.replace(old, new, 1)))


def test_figures_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "toy.csv").unlink()
    with pytest.raises(StudyError, match="expected published figures as CSV"):
        load_paper(tmp_path / "toy.toml")


def _test(**rule: Any) -> Check:
    keys = {"item": "a/b", "level": "same data", **rule}
    return validated(Check, keys if "better" in rule else {"where": {"x": "y"}, **keys}, where="test")


@pytest.mark.parametrize(
    ("rule", "ends", "word"),
    [
        ({"better": "a", "than": "b"}, (0.1, 0.2), "holds"),
        ({"better": "a", "than": "b"}, (-0.2, -0.1), "does not hold"),
        ({"better": "a", "than": "b"}, (-0.1, 0.1), "cannot tell"),
        ({"better": "a", "than": "b"}, (0.0, 0.1), "cannot tell"),
        ({"better": "a", "than": "b"}, (None, None), "cannot tell"),
        ({"better": "a", "than": "b", "above": -0.02}, (-0.01, 0.3), "holds"),
        ({"better": "a", "than": "b", "near": 0.0, "within": 0.02}, (-0.01, 0.01), "holds"),
        ({"better": "a", "than": "b", "near": 0.0, "within": 0.02}, (0.01, 0.03), "cannot tell"),
        ({"better": "a", "than": "b", "near": 0.0, "within": 0.02}, (0.03, 0.05), "does not hold"),
        ({"better": "a", "than": "b", "spread": True}, (1.1, 40.0), "holds"),
        ({"better": "a", "than": "b", "spread": True}, (0.4, 40.0), "cannot tell"),
        ({"better": "a", "than": "b", "spread": True}, (0.1, 0.9), "does not hold"),
        ({"above": 0.5}, (0.51, 0.9), "holds"),
        ({"above": 0.5}, (0.1, 0.49), "does not hold"),
        ({"below": 0.5}, (0.1, 0.49), "holds"),
        ({"below": 0.5}, (0.51, 0.9), "does not hold"),
        ({"below": 0.5}, (0.49, 0.51), "cannot tell"),
        ({"near": 0.8, "within": 0.1}, (0.71, 0.89), "holds"),
        ({"near": 0.8, "within": 0.1}, (0.69, 0.89), "cannot tell"),
        ({"near": 0.8, "within": 0.1}, (0.1, 0.69), "does not hold"),
        ({"near": 0.8, "within": 0.1}, (0.91, 0.99), "does not hold"),
    ],
)
def test_a_verdict_follows_from_the_interval(rule: dict[str, Any], ends: tuple[Any, Any], word: str) -> None:
    assert judge(_test(**rule), Reading(0.3, *ends)) == word


def test_a_count_needs_no_interval() -> None:
    rule = {"near": 14.0, "within": 0.1, "exact": True}
    assert judge(_test(**rule), Reading(14)) == "holds"
    assert judge(_test(**rule), Reading(15)) == "does not hold"
    assert judge(_test(**rule | {"exact": False}), Reading(14)) == "cannot tell"


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "does not hold"], "in part"),
        (["holds", "does not hold", "cannot tell"], "in part"),
        (["holds", "cannot tell"], "cannot tell"),
        (["does not hold", "cannot tell"], "cannot tell"),
        (["does not hold", "does not hold"], "does not hold"),
        (["holds", "not tested"], "holds"),
        (["not tested", "not tested"], "not tested"),
    ],
)
def test_a_claim_on_several_data_sets(words: list[Any], word: str) -> None:
    assert combine(words) == word


def test_spreads_are_compared_by_their_ratio() -> None:
    """Deviations of 3 and 1 over three supernets; F of (2, 2) degrees of freedom at 97.5 % is 39."""
    from nasanalysis.stats import get_statistic
    from nasanalysis.stats.series import Series, Truth
    from nasanalysis.studies.papers.ours import _spreads

    truth = Truth(["a", "b", "c"], np.array([90.0, 93.0, 96.0]), frozenset(), "test", 200, "mean")

    def best(k: int) -> Series:  # scores that put the k-th architecture first
        return Series(("b", "d"), {}, truth, np.eye(3)[k], 1, np.ones(3, bool), {}, seed=k)

    reading = _spreads(get_statistic("topk_mean@1"), [best(0), best(1), best(2)], [best(0), best(0), best(1)])
    assert reading.estimate == pytest.approx(3 / np.sqrt(3))
    assert (reading.low, reading.high) == pytest.approx((np.sqrt(3 / 39), np.sqrt(3 * 39)))
    assert reading.n == 3
    same = [best(0), best(0), best(0)]
    assert _spreads(get_statistic("topk_mean@1"), [best(0), best(1), best(2)], same).low is None, "a ratio to nothing"


def test_several_tests_need_names() -> None:
    one = {"item": "a/b", "level": "same data", "better": "x", "than": "y"}
    head = {"id": "i", "says": "s", "source": "1", "command": "c"}
    with pytest.raises(StudyError, match="expected a name"):
        validated(Claim, {**head, "tests": [one, one]}, where="claim")
    assert validated(Claim, {**head, "tests": [one | {"on": "a"}, one | {"on": "b"}]}, where="claim").tests[1].on == "b"


def test_which_cells_a_number_of_ours_is_beside() -> None:
    cell = Cell(
        place="1", data="cifar10", proxy="SoG", setting="lr=0.01;seeds=3", metric="rho", value="0.8", source="T1"
    )

    def words(**keys: Any) -> Any:
        return words_of(Ours(item="a/b", level="same data", command="c", **keys), cell)

    assert words(cells={"lr": "0.01", "data": "cifar10"})["seeds"] == "3"
    assert words(cells={"lr": "0.001"}) is None
    assert words(cells={"lr": "0.01"}, names={"proxy": {"SoGN": "b"}}) is None
    assert words(names={"proxy": {"SoG": "sum"}})["proxy"] == "sum"


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence(Sources(None), Resampling(50, 0))


def test_a_number_is_one_row_of_a_table(evidence: Evidence) -> None:
    where = {"space": "s2", "what": "edges of one supernet cell"}
    assert evidence.read(_test(item="nb101/facts", where=where, column="count", above=1.0)).estimate == 14
    row = {"where": {"method": "darts", "setting": "order=2"}, "column": "skips", "n": "n_seeds", "above": 5.9}
    skips = evidence.read(_test(item="diffsearch/digits", exact=True, **row))  # beside the interval of an accuracy
    assert (skips.low, skips.high, skips.sd, skips.n) == (None, None, None, 3)
    with pytest.raises(StudyError, match="expected one row with space = s2, got"):
        evidence.read(_test(item="nb101/facts", where={"space": "s2"}, column="count", above=1.0))
    with pytest.raises(StudyError, match="expected a column of space, what, count, got 'number'"):
        evidence.read(_test(item="nb101/facts", where=where, column="number", above=1.0))
    with pytest.raises(StudyError, match="expected a table of space-facts, got 'facts'"):
        evidence.read(_test(item="nb101/facts", table="facts", where=where, column="count", above=1.0))
    with pytest.raises(NotHere, match="no study has nb101/later yet"):
        evidence.read(_test(item="nb101/later", above=1.0))


def test_a_claim_that_its_item_judges(evidence: Evidence) -> None:
    text = "A Fourier regression of the true degree has a lower SoTL than each of the other degrees"
    keys = {"item": "synthetic/fourier", "level": "same data"}
    words, measured, _ = evidence.claimed(validated(Check, {**keys, "claimed": text}, where="test"))
    assert len(words) > 1
    assert measured == f"{words.count('holds')} of {len(words)} hold"
    with pytest.raises(StudyError, match="expected a claim of A Fourier regression"):
        evidence.claimed(validated(Check, {**keys, "claimed": "no such"}, where="test"))
    drop = "the drop at discretisation grows with the dominant eigenvalue"
    methods = {"item": "diffsearch/diagnosed", "level": "same data", "claimed": drop}
    words, _, _ = evidence.claimed(validated(Check, {**methods, "arms": ["DARTS"]}, where="test"))
    assert len(words) == 1
    with pytest.raises(StudyError, match="expected parts of DARTS, R-DARTS"):
        evidence.claimed(validated(Check, {**methods, "arms": ["ENAS"]}, where="test"))
    with pytest.raises(StudyError, match="no other rule beside it"):
        validated(Check, {**keys, "claimed": text, "above": 1.0}, where="test")


def test_a_claim_of_readings_is_judged_by_its_study_alone(evidence: Evidence) -> None:
    """The same verdict and difference that the study's own table of claims has."""
    item = item_of("digits-2/gradients")
    assert isinstance(item, SupernetItem)
    [own] = [t.data for t in item.section(evidence.sources, evidence.resampling).tables if t.name.endswith("-claims")]
    for row in own.iter_rows(named=True):
        test = validated(
            Check, {"item": "digits-2/gradients", "level": "same data", "claimed": row["claim"]}, where="test"
        )
        words, _, reading = evidence.claimed(test)
        assert words == [row["verdict"]]
        assert reading == Reading(row["difference"], row["ci_low"], row["ci_high"], n=row["n_archs"])


def test_searches_are_paired_by_their_seeds(evidence: Evidence) -> None:
    one = evidence.order(_test(item="diffsearch/digits", better="drnas", than="random_architecture"))
    other = evidence.order(_test(item="diffsearch/digits", better="random_architecture", than="drnas"))
    assert one.n == 3
    assert one.estimate is not None
    assert one.low is not None
    assert one.low > 0
    assert other.estimate == -one.estimate
    assert other.high == -one.low
    with pytest.raises(StudyError, match="expected methods of"):
        evidence.order(_test(item="diffsearch/digits", better="drnass", than="darts"))


def test_a_claim_that_waits_says_for_what_until_its_study_is_there(tmp_path: Path) -> None:
    work = WORK.replace('source = "5"\n', 'source = "5"\nwaits = "gpu"\n').replace(
        "[reasons.setting]", '[reasons.gpu]\nwhy = "needs a search of toys"\nlevel = "needs GPU"\n[reasons.setting]'
    )
    [later] = [one for one in judged(load_paper(write(tmp_path, work)), Evidence(Sources(None), Resampling(20, 0)))
               if one.claim.id == "later"]  # fmt: skip
    assert (later.word, later.level, later.why) == ("not tested", "needs GPU", "needs a search of toys")


def test_searches_are_compared_by_depth_and_by_their_fall(evidence: Evidence) -> None:
    """Against the trace itself: the best cell of each search less the one of its end, seed by seed."""
    item = item_of("diffsearch/digits")
    assert isinstance(item, DiffSearchItem)
    selected = selections(item, evidence.sources).filter(setting="")
    gaps = []
    for seed in (0, 1, 2):
        fall = {}
        for method in ("darts", "sotl_darts"):
            each = selected.filter(method=method, seed=seed)
            fall[method] = each["accuracy"].max() - each.filter("last")["accuracy"].item()  # type: ignore[operator]
        gaps.append(fall["darts"] - fall["sotl_darts"])
    keys = {"item": "diffsearch/digits", "better": "darts", "than": "sotl_darts"}
    assert evidence.order(_test(**keys, statistic="fall at the end")).estimate == pytest.approx(sum(gaps) / 3)
    depth = evidence.order(_test(**keys | {"than": "most_parameters"}, statistic="depth"))
    assert depth.estimate is not None
    assert depth.estimate <= 0  # all convolutions: the longest path that there is


def test_hours_are_read_from_what_was_measured_and_are_never_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paper = load_paper("sotl_thesis")
    monkeypatch.setattr(hours_module, "KEPT", str(tmp_path / "hours.parquet"))
    [section] = hours_module.hours(paper, Sources(None))
    assert section.tables[0].data["hours"].null_count() == len(section.tables[0].data)
    rows = [("supernet", "nb201_full", part, 0.1, 36_000, 1.0, "H100") for part in ("train spos", "finetune rate-0.01")]
    pl.DataFrame(rows, schema=hours_module.COLUMNS, orient="row").write_parquet(tmp_path / "hours.parquet")
    [section] = hours_module.hours(paper, Sources(None))
    known = section.tables[0].data.drop_nulls("hours")
    assert known.select("kind", "config", "hours", "device").rows() == [("supernet", "nb201_full", 2.0, "H100")]
    pl.DataFrame({"kind": ["supernet"]}).write_parquet(tmp_path / "hours.parquet")
    with pytest.raises(StudyError, match="found no config"):
        hours_module.hours(paper, Sources(None))


def test_every_configuration_whose_hours_are_shown_is_shipped() -> None:
    named = {pair for paper in map(load_paper, shipped_papers()) for pair in
             hours_module.configurations(paper.commands.values())}  # fmt: skip
    assert len(named) > 5
    for kind, config in named:
        assert config in shipped_toml(f"reports/{hours_module.FOLDERS[kind]}"), (kind, config)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("papers")
    paper = load_paper(write(folder))
    return [write_papers([paper], folder / name, None)[0].parent for name in ("one", "two")]


def test_two_runs_give_the_same_bytes(pages: list[Path]) -> None:
    one, two = pages
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) > 20
    for file in files:
        if file.name == "provenance.json":  # says when it was made
            continue
        texts = [(root / file).read_bytes() for root in (one, two)]
        if file.suffix == ".html" and file.name == "index.html":
            texts = [timeless(text) for text in texts]
            texts = [re.sub(rb'id="held-records">[^<]+', b"", text) for text in texts]  # packed, with their times
        assert texts[0] == texts[1], file


def test_a_page_says_what_is_ours_and_what_is_not(pages: list[Path]) -> None:
    table = (pages[0] / "toy" / "tables" / "toy-table-2.md").read_text(encoding="utf-8")
    assert "| other data (digits) |" in table
    assert "| needs GPU |" in table
    assert "Needs GPU: `nasanalysis papers toy.toml`" in table
    sizes = (pages[0] / "toy" / "tables" / "toy-table-1.md").read_text(encoding="utf-8")
    assert "| 14 | 14 | +0 |" in sizes
    assert "| same data |" in sizes
    claims = (pages[0] / "toy" / "tables" / "toy-claims.csv").read_text(encoding="utf-8")
    assert re.search(r"^edges,.*,holds,", claims, re.MULTILINE)
    assert re.search(r"^drnas,.*,holds,", claims, re.MULTILINE)
    rest = (pages[0] / "toy" / "tables" / "toy-untested.md").read_text(encoding="utf-8")
    assert "no study has diffsearch/later yet" in rest
    settings = (pages[0] / "toy" / "tables" / "toy-settings.md").read_text(encoding="utf-8")
    assert "| 100 | reports/searches/digits: search.epochs |" in settings


def test_what_we_learnt_leads_to_its_tables(pages: list[Path]) -> None:
    page = (pages[0] / "index.html").read_text(encoding="utf-8")
    links = set(re.findall(r'href="toy/index\.html#([\w-]+)"', page))
    there = set(re.findall(r'id="([\w-]+)"', (pages[0] / "toy" / "index.html").read_text(encoding="utf-8")))
    assert links
    assert links <= there
    assert "toy--table-1-sizes" in links
    elsewhere = page.partition("What repeats on other data than the claim")[2]  # DrNAS was judged on digits
    assert "DrNAS selects better than a random draw" in elsewhere
    assert "DrNAS selects better than a random draw" not in page.partition("What repeats on other data")[0]
    said = "of 4 claims, 1 is a setting or a citation, which is no finding. Of the other 3, 2 hold, 1 was not tested"
    assert said in page


def test_without_data_a_number_says_that_it_needs_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NASANALYSIS_DATA", str(tmp_path))
    ours = 'item = "nb101/facts"\nwhere = { space = "{space}", what = "edges of one supernet cell" }\ncolumn = "count"'
    assert ours in WORK
    logs = 'item = "darts/growth"\nwhere = { searched = "s1, cifar10", setting = "all" }\ncolumn = "times"'
    work = WORK.replace(ours, logs)
    page, _ = write_papers([load_paper(write(tmp_path, work))], tmp_path / "out", tmp_path)
    table = (page.parent / "toy" / "tables" / "toy-table-1.md").read_text(encoding="utf-8")
    assert "| needs data |" in table
    assert "Needs data: `nasanalysis papers toy.toml`" in table


# --- the shipped works ------------------------------------------------------------------------------------


def test_the_shipped_works_load() -> None:
    papers = {name: load_paper(path) for name, path in shipped_papers().items()}
    assert {name: len(paper.figures) for name, paper in papers.items()} == {
        "genas": 296, "sotl_thesis": 486, "robust_darts": 144, "darts_pt": 34,
    }  # fmt: skip
    assert {name: len(paper.claims) for name, paper in papers.items()} == {
        "genas": 40, "sotl_thesis": 151, "robust_darts": 19, "darts_pt": 31,
    }  # fmt: skip


def test_settings_of_ours_are_those_of_the_works() -> None:
    """Where a claim names one number, the file at the published size has it; where it differs, a note says so."""
    number = re.compile(r"[\d.e-]+")
    compared, differ = 0, []
    for claim in (claim for paper in map(load_paper, shipped_papers()) for claim in paper.claims if claim.taken):
        ours = of_ours(claim.taken)
        if number.fullmatch(claim.value) and number.fullmatch(ours):
            compared += 1
            if float(claim.value) != float(ours) and not claim.note:
                differ.append(claim.id)
    assert compared > 20
    assert not differ


def test_every_claim_without_a_test_names_the_command_that_would_judge_it() -> None:
    for paper in map(load_paper, shipped_papers()):
        for claim in paper.claims:
            level = paper.reasons[claim.untested].level if claim.untested else "setting"
            if level not in ("setting", "citation"):
                assert claim.command != "page", claim.id
