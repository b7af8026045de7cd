"""The shipped figures and claims beside the transcription and the texts that they come from, where these are there."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from timeless import timeless

from nasanalysis.loaders.sources import Sources
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.papers.judged import beside, words_of
from nasanalysis.studies.papers.model import Paper
from nasanalysis.studies.papers.ours import Evidence, NotHere
from nasanalysis.studies.papers.page import _table
from nasanalysis.studies.papers.reading import item_of, load_paper, shipped_papers
from nasanalysis.studies.papers.verdicts import Reading
from nasanalysis.studies.supernet.items import SupernetItem

SHARED = Path(__file__).resolve().parents[3] / "shared"
TEXTS = {"genas": "genas", "sotl_thesis": "sotl_thesis", "robust_darts": "robust_darts_slides", "darts_pt": "darts_pt"}
NAMES = sorted(TEXTS)
#: Their name of a statistic -> ours.
METRICS = {"top10_test_accuracy": "topk_mean@10"}


@pytest.fixture(scope="module")
def reported() -> Path:
    if not (SHARED / "reported").is_dir():
        pytest.skip("no transcription of the works: it lies beside the repository, in shared/reported")
    return SHARED / "reported"


@pytest.fixture(scope="module", params=NAMES)
def paper(request: pytest.FixtureRequest) -> Paper:
    return load_paper(shipped_papers()[request.param])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_figure_is_the_published_one(paper: Paper, reported: Path) -> None:
    ours = Counter(
        (c.space, c.data, c.tested, c.method, c.proxy, c.setting, c.metric, c.value, c.spread, c.unit)
        for c in paper.figures
    )
    keys = ("search_space", "search_dataset", "eval_dataset", "method", "proxy", "setting")
    theirs = Counter(
        (*(r[k] for k in keys), METRICS.get(r["metric"], r["metric"]), r["value"], r["std"], r["unit"])
        for r in rows(reported / f"{paper.name}.csv")
    )
    assert ours == theirs


def test_every_table_has_its_figures(paper: Paper, reported: Path) -> None:
    ours = sorted(Counter(c.place for c in paper.figures).values())
    assert ours == sorted(Counter(r["table"] for r in rows(reported / f"{paper.name}.csv")).values())


def test_all_of_the_960_figures_stand_on_their_pages(reported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has nothing of ours every published figure is on the page of its work, said not to be run."""
    monkeypatch.setattr(Evidence, "read", _nothing)
    total = 0
    for name in NAMES:
        paper = load_paper(shipped_papers()[name])
        evidence = Evidence(Sources(None), Resampling(0, 0))
        tables = [_table(table, beside(paper, table, evidence)).tables[0] for table in paper.tables]
        theirs = rows(reported / f"{name}.csv")
        printed = Counter(f"{r['value']} ({r['std']})" if r["std"] else r["value"] for r in theirs)
        assert Counter(row[6] for table in tables for row in table.rows) == printed
        levels = {row[11] for table in tables for row in table.rows}
        assert levels <= {"needs GPU", "not run", "setting", "needs data"}
        total += sum(len(table.rows) for table in tables)
    assert total == 960


def test_cells_of_supernets_stand_beside_arms_and_readings_that_are_there(paper: Paper) -> None:
    """A figure whose supernet or measure no item has would stop its page when the item comes."""
    for table in paper.tables:
        for cell in paper.of(table):
            matches = ((ours, words_of(ours, cell)) for ours in table.ours)
            ours, words = next(((o, w) for o, w in matches if w is not None), (None, None))
            item = None if ours is None else item_of(ours.item)
            if ours is None or words is None or not isinstance(item, SupernetItem) or "supernet" not in ours.where:
                continue
            assert ours.where["supernet"].format_map(words) in {arm.label for arm in item.arms}, (ours.item, cell)
            assert ours.where["measure"].format_map(words) in {r.label for r in item.readings}, (ours.item, cell)
            assert ours.where["statistic"].format_map(words) in item.statistics, (ours.item, cell)


def _nothing(*_: object) -> Reading:
    raise NotHere("needs data: nothing is here")


def test_every_claim_is_there_in_our_words(paper: Paper, reported: Path) -> None:
    theirs = [r for r in rows(reported / "claims.csv") if r["source"] == paper.name]
    named = Counter((r["quantity"], r["value"]) for r in theirs)
    assert Counter((re.sub(r"-2$", "", c.id), c.value) for c in paper.claims) == named
    sentences = {" ".join(r["claim"].split()).lower().strip(".") for r in theirs}
    assert not [c.says for c in paper.claims if c.says.lower() in sentences]


def test_every_claim_names_its_place(paper: Paper, reported: Path) -> None:
    theirs = [r for r in rows(reported / "claims.csv") if r["source"] == paper.name]
    for claim in paper.claims:
        places = {r["where"].split(",")[0] for r in theirs if r["quantity"] == re.sub(r"-2$", "", claim.id)}
        assert any(claim.source.startswith(place) for place in places), claim.id


def test_every_figure_stands_in_the_text(paper: Paper) -> None:
    path = SHARED / "seeds" / f"{TEXTS[paper.name]}.txt"
    if not path.is_file():
        pytest.skip("the texts of the works are not there: they lie beside the repository, in shared/seeds")
    text = path.read_text(encoding="utf-8").replace(" ", "").replace(",", "")
    printed = {"1e18": "10^", "0.5": "half"}
    lost = [c for c in paper.figures if c.value not in text and printed.get(c.value, "?") not in text]
    lost = [c for c in lost if c.place != "disparity, L2"]  # its last row lost its decimal points
    assert not lost, lost[:3]


@pytest.mark.slow
def test_parameters_of_the_thesis_repeat_within_a_hundredth(data_dir: Path) -> None:
    thesis = load_paper("sotl_thesis")
    [table] = [table for table in thesis.tables if table.place == "Table 4.5"]
    cells = thesis.model_copy(update={"figures": tuple(c for c in thesis.figures if c.proxy == "params")})
    ours = [
        one for one in beside(cells, table, Evidence(Sources(data_dir), Resampling(0, 0))) if one.level == "same data"
    ]
    assert len(ours) == 6  # three data sets of NAS-Bench-201, three spaces of NAS-Bench-1shot1
    for one in ours:
        assert one.reading is not None
        assert one.reading.estimate is not None
        assert abs(one.reading.estimate - one.cell.number) <= 0.01, one.cell


@pytest.mark.slow
def test_two_runs_of_a_shipped_work_give_the_same_bytes(data_dir: Path, tmp_path: Path) -> None:
    from nasanalysis.studies.papers.run import write_papers

    thesis = load_paper("sotl_thesis")
    one, two = (write_papers([thesis], tmp_path / name, data_dir)[0].parent for name in ("one", "two"))
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) > 40
    for file in files:
        if file.name != "provenance.json":  # says when it was made
            texts = [(root / file).read_bytes() for root in (one, two)]
            if file.name == "index.html":
                texts = [timeless(text) for text in texts]
            assert texts[0] == texts[1], file
