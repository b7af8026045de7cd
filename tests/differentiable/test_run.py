"""A configuration of searches: what it refuses, what it leaves, and that it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import TINY_CONFIG

from nasanalysis.core.errors import BuildError, ParameterError, StudyError, UnknownNameError
from nasanalysis.core.frames import read_frame, read_provenance
from nasanalysis.differentiable import search
from nasanalysis.differentiable.config import DiffSearchConfig
from nasanalysis.differentiable.methods import method
from nasanalysis.differentiable.names import METHODS
from nasanalysis.differentiable.table import methods_markdown, methods_table
from nasanalysis.live.diffsearch import SearchRun, estimate, search_all, summary

pytestmark = pytest.mark.torch


def written(folder: Path, methods: str, head: str = TINY_CONFIG) -> DiffSearchConfig:
    path = folder / "searches.toml"
    path.write_text(head + methods, encoding="utf-8")
    return DiffSearchConfig.load(path)


def test_all_methods_with_all_seeds_leave_two_frames(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        '[[method]]\nname = "darts"\n[[method]]\nname = "sotl_darts"\nsetting = "T=2"\noptions = { T = 2 }\n'
        "seeds = [3]\n",
    )
    run = SearchRun(config, tmp_path / "out", "cpu")
    folders = search_all(run, workers=1)
    assert [folder.name for folder in folders] == ["darts-0", "sotl_darts-T=2-3", "darts-1"]
    trace = read_frame(tmp_path / "out" / "trace.parquet", "TRACE")
    assert trace.select("method", "setting", "seed").unique().height == 3
    assert trace.filter(quantity="selected").height == 3
    alphas = read_frame(tmp_path / "out" / "alphas.parquet", "ALPHAS")
    assert alphas.filter(method="darts", seed=0).height == 2 * 30
    assert alphas.filter(epoch=0, method="darts", seed=0, edge="0-1")["weight"].sum() == pytest.approx(1)
    record = read_provenance(tmp_path / "out" / "trace.parquet")
    assert len(record["inputs"]) == 3
    assert record["config"]["space"] == "nb201"
    before = [(folder / "trace.parquet").stat().st_mtime_ns for folder in folders]
    search_all(run, workers=1)
    assert [(folder / "trace.parquet").stat().st_mtime_ns for folder in folders] == before
    rows = summary(run)
    assert [(row["method"], row["seed"]) for row in rows] == [("darts", 0), ("sotl_darts", 3), ("darts", 1)]
    assert all(row["arch"].startswith("nb201:") for row in rows)


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("", "at least one"),
        ('[[method]]\nname = "drats"\n', "unknown method 'drats'. Did you mean 'drnas'"),
        ('[[method]]\nname = "darts"\n[[method]]\nname = "darts"\n', "two rows are called darts"),
        ('[[method]]\nname = "darts"\nsearch = { epoch = 3 }\n', "epoch"),
        ('[[method]]\nname = "darts"\nnetwork = { partial = 0 }\n', "partial"),
        ('[[method]]\nname = "darts"\ncolour = 3\n', "unknown key .*colour"),
    ],
)
def test_what_a_configuration_refuses(tmp_path: Path, methods: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        written(tmp_path, methods)


def test_what_a_space_does_not_define_is_refused_before_anything_is_searched(tmp_path: Path) -> None:
    config = written(tmp_path, '[[method]]\nname = "darts"\n[[method]]\nname = "pdarts"\n')
    with pytest.raises(ParameterError, match="pdarts: expected a DARTS space"):
        search_all(SearchRun(config, tmp_path / "out", "cpu"))
    assert not (tmp_path / "out" / "searches").exists()


def test_shipped_configurations_read_and_what_a_method_sets_gives_way_to_the_file() -> None:
    config = DiffSearchConfig.load("digits")
    assert DiffSearchConfig.model_validate_json(config.model_dump_json()) == config
    pc = next(row for row in config.method if row.name == "pc_darts")
    published = {"batch_size": 256, "learning_rate": 0.1}
    assert config.settings(pc, published).batch_size == 64
    assert config.settings(pc, published).learning_rate == 0.1
    assert config.settings(config.method[0]).nesterov, "the public code of nb201"
    with pytest.raises(UnknownNameError, match="unknown configuration of searches 'digitz'. Did you mean 'digits'"):
        DiffSearchConfig.load("digitz")


@pytest.mark.parametrize("space", ["nb201", "s2", "nb101-1", "darts"])
def test_the_table_of_methods_has_a_row_for_every_one(space: str) -> None:
    rows = methods_table(space, 50)
    assert [row["method"] for row in rows] == list(METHODS)
    parts = {row["method"]: row["parts"] for row in rows}
    assert "SumOverUnroll" in parts["sotl_darts"]
    assert ("not defined" in parts["pdarts"]) == (space in ("nb201", "nb101-1"))
    assert ("not defined" in parts["sgas"]) == (space == "nb101-1")


def test_the_page_of_methods_is_what_the_code_says() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "diffsearch.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("<!-- methods of darts -->\n")
    table, _, _ = rest.partition("<!-- end of the methods -->")
    assert table.strip() == methods_markdown("darts"), "run: nasanalysis diffsearch methods --space darts --markdown"


SHIPPED = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "reports" / "searches").glob("*.toml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_row_of_a_shipped_configuration_is_defined_on_its_space(name: str) -> None:
    config = DiffSearchConfig.load(name)
    for row in config.method:
        parts = method(row.name, config.space, config.settings(row).epochs, **row.options)
        assert config.settings(row, parts.settings).epochs >= 20  # studies on small images; the papers search for 50


def test_an_estimate_has_hours_for_every_row(tmp_path: Path) -> None:
    config = written(tmp_path, '[[method]]\nname = "darts"\n[[method]]\nname = "sotl_darts"\noptions = { T = 2 }\n')
    rows = estimate(SearchRun(config, tmp_path, "cpu"))
    assert [row["method"] for row in rows] == ["darts", "sotl_darts"]
    assert all(row["seconds a step"] > 0 and row["hours"] >= 0 and row["steps"] == 4 for row in rows)
    assert not (tmp_path / "searches").exists()


def test_a_search_of_other_versions_goes_on_only_where_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = written(tmp_path, '[[method]]\nname = "random_ws"\nseeds = [0]\n')
    run = SearchRun(config, tmp_path / "out", "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(search, "package_versions", lambda names: dict.fromkeys(names, "1.0"))
        search_all(run)
    with pytest.raises(BuildError, match="--other-versions goes on with it"):
        search_all(run)
    assert search_all(replace(run, other_versions=True)) == [run.folder(config.method[0], 0)]
