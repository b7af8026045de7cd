"""``diffsearch diagnose``: searches come back as they ended, work is kept, and what is missing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import TINY_CONFIG
from typer.testing import CliRunner

from nasanalysis.cli.app import app
from nasanalysis.core.errors import BuildError, MissingDataError, ParameterError
from nasanalysis.core.frames import read_frame
from nasanalysis.differentiable.config import DiffSearchConfig
from nasanalysis.differentiable.strengths import Tuning
from nasanalysis.live.diagnose import at_epoch, config_of, diagnose
from nasanalysis.live.diffsearch import SearchRun, search_all

pytestmark = pytest.mark.torch

HEAD = TINY_CONFIG.replace("[0, 1]", "[0]").replace("epochs = 1", "epochs = 2") + "keep_weights_every = 1\n"


def searched(folder: Path, methods: str) -> SearchRun:
    (folder / "searches.toml").write_text(HEAD + methods, encoding="utf-8")
    run = SearchRun(DiffSearchConfig.load(folder / "searches.toml"), folder / "out", "cpu")
    search_all(run)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SearchRun:
    return searched(
        tmp_path_factory.mktemp("searches"),
        '[[method]]\nname = "darts"\n[[method]]\nname = "sgas"\noptions = { first = 1, every = 1 }\n',
    )


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("epoch", [1, None])
def test_a_search_comes_back_as_it_was(run: SearchRun, row: int, epoch: int | None) -> None:
    method = run.config.method[row]
    trace = read_frame(run.folder(method, 0) / "trace.parquet", "TRACE")
    learner = at_epoch(run, method, 0, epoch)
    wanted = trace.filter(quantity="supernet_valid_loss", epoch=epoch or 2)["value"].item()
    assert learner.reading(data="valid").loss == wanted
    assert len(learner.alphas.decided) == trace.filter(quantity="decided", epoch=epoch or 2)["value"].item()
    genotype = trace.filter(quantity="genotype", epoch=epoch or 2)["text"].item()
    assert str(learner.selected()) == genotype


def test_strengths_are_kept_unit_by_unit(run: SearchRun) -> None:
    config = run.config.model_copy(update={"method": run.config.method[:1]})
    small = SearchRun(config, run.out, "cpu")
    tuning = Tuning(most=1)
    paths = diagnose(small, tuning, edges=1, images=128)
    table = read_frame(paths["strengths"], "STRENGTHS")
    assert sorted(set(table["epoch"])) == [1, 2]
    assert table.height == 2 * 30
    tuned = table.drop_nulls("converged_accuracy")
    assert (tuned.height, tuned["edge"].n_unique(), set(tuned["epoch"])) == (5, 1, {2})
    assert set(tuned["tuned_epochs"]) == {1}
    alphas = read_frame(run.folder(config.method[0], 0) / "alphas.parquet", "ALPHAS")
    keys = ["epoch", "cell", "edge", "operation"]
    both = table.join(alphas, on=keys, suffix="_there")
    assert both.height == table.height
    assert both["alpha"].equals(both["alpha_there"])
    assert (both["weight"] - both["weight_there"]).abs().max() < 1e-6  # type: ignore[operator]
    gaps = read_frame(paths["gaps"], "TRACE")
    assert gaps["epoch"].to_list() == [0, 1, 2]
    units = sorted((run.out / "diagnose" / "units").glob("*.parquet"))
    before = {path.name: path.stat().st_mtime_ns for path in units}
    units[0].unlink()
    again = read_frame(diagnose(small, tuning, edges=1, images=128)["strengths"], "STRENGTHS")
    assert again.equals(table), "the unit that was lost is the same again"
    after = {path.name: path.stat().st_mtime_ns for path in units}
    assert {name for name in before if before[name] != after[name]} == {units[0].name}
    with pytest.raises(BuildError, match="tuning differ"):
        diagnose(small, None, edges=1, images=128)


def test_what_is_missing_is_said(run: SearchRun, tmp_path: Path) -> None:
    method = run.config.method[0]
    with pytest.raises(MissingDataError, match=r"weights of epoch 7 \(epoch-7.pt\).*keep_weights_every"):
        at_epoch(run, method, 0, 7)
    with pytest.raises(MissingDataError, match=r"weights of its end \(weights.pt\)"):
        at_epoch(SearchRun(run.config, tmp_path, "cpu"), method, 0)
    with pytest.raises(MissingDataError, match="expected finished searches"):
        diagnose(SearchRun(run.config, tmp_path, "cpu"))
    with pytest.raises(MissingDataError, match="run them first"):
        config_of(tmp_path)
    assert config_of(run.out) == run.config
    said = CliRunner().invoke(app, ["diffsearch", "diagnose", "--run", str(tmp_path)])
    assert said.exit_code != 0
    sampler = searched(tmp_path, '[[method]]\nname = "gdas"\nsearch = { epochs = 1 }\n')
    with pytest.raises(ParameterError, match="gdas: expected a mixture of operations to mask"):
        diagnose(sampler)
