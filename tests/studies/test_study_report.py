"""Studies from TOML and the folder a report is."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import FrameError, NasAnalysisError, OutputError, StudyError, UnknownNameError
from nasanalysis.core.provenance import sha256
from nasanalysis.core.resources import shipped
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.samples import read_sample, space_archs, take_sample
from nasanalysis.report import Result, write_report
from nasanalysis.report.cells import number, with_interval
from nasanalysis.report.markup import latex_text
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.studies.reading import shipped_studies
from nasanalysis.studies.study import Study

SMALL = """
title = "A small study & <b>more</b> of it, 100 %"
seed = 3
bootstrap = 20
[[compare]]
name = "small"
title = "Small_one"
benchmark = "digits"
schedule = 12
sample = "live"
proxies = ["params", "sotl"]
statistics = ["spearman_rho", "topk_mean@5"]
by_step = true
rival = ["sotl", "val_acc"]
scatter = ["params"]
reliability = true
"""


PRINTED = """reliability = true
published = [{{ row = ["digits", "{}"], column = "{}", value = "0.5", where = "a paper" }}]"""


def study_file(folder: Path, text: str = SMALL, name: str = "small.toml") -> Path:
    path = folder / name
    path.write_text(text.replace('["params", "sotl"]', '["params", "sotl", "val_acc"]'), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Result]]:
    """A small study, run and written."""
    folder = tmp_path_factory.mktemp("report")
    results = [Study.load(study_file(folder)).run()]
    write_report(results, folder / "out")
    return folder / "out", results


# --- shipped studies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_studies())
def test_shipped_studies_load_and_name_what_exists(name: str) -> None:
    study = Study.load(name)
    assert study.name == name
    assert study == Study.load(shipped(f"reports/{name}.toml"))
    assert study.bootstrap >= 1000


def test_the_shipped_digits_study_runs(tmp_path: Path) -> None:
    study = Study.load("digits").model_copy(update={"bootstrap": 10})
    result = study.run()
    lacks = 0 if find_spec("sklearn") else 1  # the light install explains nothing, and says how to get it
    assert len(result.skipped) == lacks
    assert all("nasanalysis[predict]" in said for said in result.skipped)
    assert len(result.sections) == len(study.items) - lacks
    page = write_report([result], tmp_path / "out")
    for section in result.sections:
        for table in section.tables:
            assert table.rows, table.name
            assert all(len(row) == len(table.header) == len(table.numeric) for row in table.rows)
    assert page.stat().st_size > 10_000


# --- the folder --------------------------------------------------------------------------------------


def test_every_table_and_figure_is_there_in_every_format(report: tuple[Path, list[Result]]) -> None:
    out, (result,) = report
    (section,) = result.sections
    names = [t.name for t in section.tables]
    assert names == ["small", "small-rivals", "small-reliability"]
    assert [f.name for f in section.figures] == ["small-digits-by-step", "small-digits-params-scatter"]
    for table in section.tables:
        stem = f"small-{table.name}"
        markdown = (out / "tables" / f"{stem}.md").read_text(encoding="utf-8")
        latex = (out / "tables" / f"{stem}.tex").read_text(encoding="utf-8")
        rows = list(csv.reader((out / "tables" / f"{stem}.csv").open(encoding="utf-8")))
        assert markdown.count("\n|") == len(table.rows) + 2
        assert latex.count(r"\\") == len(table.rows) + 1
        assert r"\toprule" in latex
        assert r"\end{tabular}" in latex
        assert len(rows) == len(table.data) + 1
        assert rows[0] == table.data.columns
    for figure in section.figures:
        stem = f"small-{figure.name}"
        assert (out / "figures" / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (out / "figures" / f"{stem}.svg").read_text(encoding="utf-8")
        assert len(pl.read_csv(out / "figures" / f"{stem}.csv")) == len(figure.data) > 0
    left = [p for p in out.rglob("*") if p.name.startswith(".") or p.suffix == ".partial"]
    assert left == []


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for key, value in attrs if key in ("src", "href", "srcset", "data", "action")]


def test_the_page_holds_itself(report: tuple[Path, list[Result]]) -> None:
    out, _ = report
    text = (out / "index.html").read_text(encoding="utf-8")
    page = Links()
    page.feed(text)
    images = [link for link in page.links if link.startswith("data:image/webp;base64,")]
    assert len(images) == 2
    for link in page.links:
        assert not re.match(r"(?:[a-z]+:)?//", link), f"{link} is fetched from elsewhere"
        if not link.startswith(("data:", "#")):
            assert (out / link).is_file(), f"{link} leads nowhere"
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"@import|url\((?!data:)|\bimport\((?!asUrl)|\bfetch\(", text), (
        "nothing is asked for from elsewhere"
    )
    assert 'name="viewport"' in text
    assert "A small study &amp; &lt;b&gt;more&lt;/b&gt; of it, 100 %" in text, "titles are text, not markup"


def test_provenance_is_complete_and_true(report: tuple[Path, list[Result]]) -> None:
    out, _ = report
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))["small"]
    assert {"git", "python", "packages", "seeds", "inputs", "config", "utc", "machine"} <= set(record)
    assert set(record["git"]) == {"commit", "dirty"}
    assert record["seeds"] == {"bootstrap": 3}
    assert record["inputs"] == {"digits.parquet": sha256(shipped("data/digits.parquet"))}
    assert {"numpy", "polars", "scipy"} <= set(record["packages"])
    assert record["config"]["items"][0]["benchmark"] == "digits"


def test_the_same_seed_gives_the_same_numbers(report: tuple[Path, list[Result]], tmp_path: Path) -> None:
    out, (first,) = report
    again = [Study.load(study_file(tmp_path)).run()]
    write_report(again, tmp_path / "again")
    tables = sorted(p.relative_to(out) for p in out.rglob("*.csv"))
    assert len(tables) == 5
    for path in tables:
        assert (out / path).read_bytes() == (tmp_path / "again" / path).read_bytes(), path
    other = Study.load(study_file(tmp_path)).model_copy(update={"seed": 4}).run()
    mine, theirs = (r.sections[0].tables[0].data for r in (first, other))
    assert mine["estimate"].equals(theirs["estimate"])
    assert not mine["ci_low"].equals(theirs["ci_low"]), "the seed is used"


def test_numbers_in_the_table_are_those_of_scipy(report: tuple[Path, list[Result]]) -> None:
    stats = pytest.importorskip("scipy.stats")
    _, (result,) = report
    data = result.sections[0].tables[0].data
    digits = load_benchmark("digits")
    truth = digits.truth("digits", split="test").filter(pl.col("seed").is_null())
    truth = take_sample(truth, "live", benchmark=digits).sort("arch")
    params = [SPACE.params(a, "digits") for a in truth["arch"]]
    expected = stats.spearmanr(params, truth["accuracy"].to_list()).statistic
    ours = data.filter(pl.col("proxy") == "params", pl.col("statistic") == "spearman_rho")["estimate"].item()
    assert ours == pytest.approx(expected, abs=1e-12)


def test_figures_published_elsewhere_stand_beside_ours(tmp_path: Path) -> None:
    text = (
        SMALL.replace("by_step = true\n", "")
        .replace("reliability = true\n", "")
        .replace('rival = ["sotl", "val_acc"]\n', "")
    )
    text += '[[compare.published]]\nrow = ["digits", "params"]\ncolumn = "spearman_rho"\n'
    text += 'value = "0.50"\nwhere = "a paper, Table 1"\n'
    table = Study.load(study_file(tmp_path, text)).run().sections[0].tables[0]
    assert [h for h in table.header if h in ("published", "difference")] == ["published", "difference"]
    row = next(r for r in table.rows if r[table.header.index("proxy")] == "parameters")
    assert row[table.header.index("published")] == "0.50"
    ours = table.data.filter(pl.col("proxy") == "params", pl.col("statistic") == "spearman_rho")["estimate"].item()
    assert row[table.header.index("difference")] == f"{ours - 0.5:+.3f}"
    other = next(r for r in table.rows if "SoTL" in " ".join(r))
    assert other[table.header.index("published")] == "–"
    assert "a paper, Table 1" in table.note


def test_an_undefined_statistic_is_a_dash_and_not_a_zero() -> None:
    assert number(None, 3) == number(float("nan"), 3) == with_interval(None, None, None, 3) == "–"
    assert with_interval(0.7934, 0.7, 0.85, 3) == "0.793 [0.700, 0.850]"
    assert latex_text("a_b & 5 % ~ {x} ρ\\") == r"a\_b \& 5 \% \textasciitilde{} \{x\} $\rho$\textbackslash{}"


# --- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bootstrap = 20", "boostrap = 20", r"small\.toml: unknown key 'boostrap'. Did you mean 'bootstrap'"),
        ("bootstrap = 20", "bootstrap = -1", "bootstrap: Input should be greater than or equal to 0"),
        ("bootstrap = 20", 'bootstrap = "many"', "bootstrap: Input should be a valid integer.*got 'many'"),
        ("seed = 3", "seed = -3", "seed: Input should be greater"),
        ('name = "small"', 'name = "a b"', r"compare\.0\.name: String should match"),
        ('name = "small"', 'name = "../../etc"', r"compare\.0\.name: String should match"),
        ('title = "Small_one"', "", r"missing key 'compare\.0\.title'"),
        ("[[compare]]", "[[compar]]", "unknown key 'compar'. Did you mean 'compare'"),
        ("by_step = true", "by_step = maybe", "expected TOML, got"),
        ('benchmark = "digits"', 'benchmark = "digit"', "unknown benchmark 'digit'. Did you mean 'digits'"),
        ('"params", "sotl"]', '"parms", "sotl"]', "unknown proxy 'parms'. Did you mean 'params'"),
        ('sample = "live"', 'sample = "lve"', "unknown sample 'lve'. Did you mean 'live'"),
        ('sample = "live"', 'sample = "random-x@0"', "expected random-N@SEED, got 'random-x@0'"),
        ('sample = "live"', 'sample = "random-99999@0"', "architectures to draw from"),
        ('sample = "live"', 'sample = "nothing.csv"', r"nothing\.csv: expected a file that lists architectures"),
        ("schedule = 12", "schedule = 13", r"digits/digits has no test accuracy of schedule 13; it has .*12"),
        ("schedule = 12", 'split = "tset"', "has no tset accuracy"),
        ("schedule = 12", 'datasets = ["cifar10"]', "unknown dataset of benchmark digits 'cifar10'"),
        ('"spearman_rho", ', '"spearman", ', "unknown statistic 'spearman'. Did you mean 'spearman_rho'"),
    ],
)
def test_what_is_wrong_in_a_study_file_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    path = tmp_path / "small.toml"
    text = SMALL.replace(old, new, 1).replace('rival = ["sotl", "val_acc"]\n', "").replace('scatter = ["params"]\n', "")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NasAnalysisError, match=message):
        Study.load(path).run()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('scatter = ["params"]', 'scatter = ["flops"]', r"scatter: 'flops' is not among the proxies \(params, sotl"),
        ('["sotl", "val_acc"]', '["sotl", "val_loss"]', "rival: 'val_loss' is not among the proxies"),
        ('["spearman_rho", "topk_mean@5"]', "[]", r"compare\.0\.statistics: .*at least 1 item"),
        ('"params", "sotl"]', '"params", "sotl_e@0"]', "'sotl_e': expected a number of steps such as sotl_e@5"),
        ("reliability = true", 'reliability = true\n[[compare.published]]\nvalue = "n/a"', r"published\.0\.value"),
        ("reliability = true", PRINTED.format("flops", "spearman_rho"), r"published: 'flops' is not among the proxies"),
        ("reliability = true", PRINTED.format("params", "rho"), r"published: 'rho' is not among the statistics"),
        ("reliability = true", PRINTED.format('params", "x', "rho"), r"expected row = \[dataset, proxy\], got"),
    ],
)
def test_comparisons_that_contradict_themselves(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(StudyError, match=message):
        Study.load(study_file(tmp_path, SMALL.replace(old, new, 1)))


def test_aliases_and_defaults_have_one_name_in_a_study(tmp_path: Path) -> None:
    text = SMALL.replace('["params", "sotl"]', '["params", "tse", "sotl_e", "val_acc"]').replace(
        '["sotl", "v', '["tse", "v'
    )
    study = Study.load(study_file(tmp_path, text))
    assert study.items[0].proxies == ("params", "sotl", "sotl_e@1", "val_acc")
    assert study.items[0].rival == ("sotl", "val_acc")
    names = study.run().sections[0].tables[0].data["proxy"].unique(maintain_order=True).to_list()
    assert names == ["params", "sotl", "sotl_e@1", "val_acc"]


def test_study_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"nothing\.toml: expected a study file, found nothing there"):
        Study.load(tmp_path / "nothing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="expected TOML, got"):
        Study.load(tmp_path / "binary.toml")
    with pytest.raises(UnknownNameError, match="unknown study 'digit'. Did you mean 'digits'"):
        Study.load("digit")
    twice = SMALL + SMALL[SMALL.index("[[compare]]") :]
    with pytest.raises(StudyError, match="two items share a name; got small, small"):
        Study.load(study_file(tmp_path, twice))
    (tmp_path / "empty.toml").write_text('title = "x"')
    with pytest.raises(StudyError, match=r"at least one item \(\[\[compare\]\], .*\[\[search\]\]\), got none"):
        Study.load(tmp_path / "empty.toml")


def test_unwritable_out_folder(report: tuple[Path, list[Result]], tmp_path: Path) -> None:
    _, results = report
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutputError, match="cannot write .*file.*; choose another folder with --out"):
            write_report(results, out)


def test_a_comparison_without_its_data_is_skipped_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))
    result = Study.load("nb201").run(tmp_path)
    assert result.sections == ()
    assert len(result.skipped) == len(Study.load("nb201").items)
    for line in result.skipped:
        assert "not run here. needs the data set " in line
        assert "`nasanalysis data get " in line or "by hand from https" in line
        assert line.endswith(", or --data FOLDER")
        assert "\n" not in line
    page = write_report([result], tmp_path / "out").read_text(encoding="utf-8")
    assert "not run here" in page


def test_a_broken_result_is_not_written_half(report: tuple[Path, list[Result]], tmp_path: Path) -> None:
    _, (result,) = report

    def broken() -> None:
        raise RuntimeError("cannot draw")

    section = result.sections[0]
    bad = dataclasses.replace(section, figures=(dataclasses.replace(section.figures[0], draw=broken),))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="cannot draw"):
        write_report([dataclasses.replace(result, sections=(bad,))], tmp_path / "out")
    assert not (tmp_path / "out" / "index.html").exists(), "no page that looks finished"


# --- samples -----------------------------------------------------------------------------------------


def test_samples_of_digits() -> None:
    digits = load_benchmark("digits")
    truth = digits.truth(split="test")
    archs = set(truth["arch"])
    held = {name: set(take_sample(truth, name, benchmark=digits)["arch"]) for name in ("all", "live", "uniform")}
    held["uniform-live"] = set(take_sample(truth, "uniform-live", benchmark=digits)["arch"])
    assert held["all"] == archs
    assert held["live"] == {a for a in archs if SPACE.has_live_path(a)} < archs
    assert held["uniform"] == archs - set(digits.metadata["outside_uniform_sample"]) < archs
    assert held["uniform-live"] == held["live"] & held["uniform"]
    assert take_sample(truth, "with-curves", benchmark=digits).equals(truth)
    drawn = take_sample(truth, "random-5@1", benchmark=digits)
    assert drawn["arch"].n_unique() == 5
    assert drawn.equals(take_sample(truth, "random-5@1", benchmark=digits))
    assert set(drawn["arch"]) != set(take_sample(truth, "random-5@2", benchmark=digits)["arch"])


def test_sample_files(tmp_path: Path) -> None:
    archs = [str(a) for a in list(SPACE)[:3]]
    bare = [a.partition(":")[2] for a in archs]
    folder = tmp_path / "with [brackets]"
    folder.mkdir()
    pl.DataFrame({"arch": bare}).write_csv(folder / "a.csv")
    pl.DataFrame({"arch": archs}).write_parquet(folder / "a.parquet")
    (folder / "a.txt").write_text("\n".join(bare) + "\n\n", encoding="utf-8")
    for name in ("a.csv", "a.parquet", "a.txt"):
        assert read_sample(folder / name, "nb201") == archs, name
    pl.DataFrame({"architecture": bare}).write_csv(folder / "b.csv")
    with pytest.raises(FrameError, match=r"b\.csv: missing column\(s\) arch; got architecture"):
        read_sample(folder / "b.csv", "nb201")
    (folder / "c.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(FrameError, match=r"c\.parquet: expected a whole Parquet table"):
        read_sample(folder / "c.parquet", "nb201")
    (folder / "d.txt").write_text("|none~0|\n")
    with pytest.raises(NasAnalysisError, match="expected three nodes"):
        read_sample(folder / "d.txt", "nb201")


# --- real data ---------------------------------------------------------------------------------------


def test_the_thesis_correlations_from_the_real_files(data_dir: Path, tmp_path: Path) -> None:
    """SoTL thesis, Table 4.5: 0.79, 0.77, 0.74; with its own published files 0.793, 0.762, 0.733."""
    study = Study.load("nb201")
    chosen = tuple(c for c in study.items if c.name == "thesis-sample")
    result = study.model_copy(update={"items": chosen, "bootstrap": 50}).run(data_dir)
    assert result.skipped == ()
    table = result.sections[0].tables[0]
    rows = table.data.filter(pl.col("proxy") == "params", pl.col("statistic") == "spearman_rho")
    found = dict(rows.select("dataset", "estimate").iter_rows())
    assert {k: round(v, 3) for k, v in found.items()} == {"cifar10": 0.793, "cifar100": 0.762, "ImageNet16-120": 0.733}
    assert set(rows["n_archs"]) == {200}
    assert set(rows["n_missing"]) == {0}
    assert all(low < e < high for low, e, high in rows.select("ci_low", "estimate", "ci_high").iter_rows())
    assert rows["published"].to_list() == [0.79, 0.77, 0.74]
    write_report([result], tmp_path / "out")
    inputs = result.provenance["inputs"]
    assert "thesis_test_accuracy_cifar10.pkl" in " ".join(inputs)


@pytest.mark.slow
def test_the_shipped_nb201_study_runs_on_the_real_files(data_dir: Path, tmp_path: Path) -> None:
    study = Study.load("nb201").model_copy(update={"bootstrap": 20})
    result = study.run(data_dir)
    assert result.skipped == ()
    everything = next(t for s in result.sections for t in s.tables if t.name == "all")
    assert set(everything.data["n_archs"]) == {15_625}
    write_report([result], tmp_path / "out")


def test_a_sample_of_a_benchmark_has_a_truth() -> None:
    archs = space_archs("digits:random-20@3", "nb201")
    assert len(set(archs)) == 20
    assert archs == space_archs("digits:random-20@3", "nb201")
    assert set(archs) <= set(load_benchmark("digits").truth(split="test")["arch"])
    with pytest.raises(StudyError, match="only 800 architectures to draw from"):
        space_archs("digits:random-900@0", "nb201")
