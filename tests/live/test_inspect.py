"""``diffsearch inspect``: rows for every search and epoch, selections that go on from weights, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import TINY_CONFIG
from typer.testing import CliRunner

from nasanalysis.cli.app import app
from nasanalysis.core.errors import MissingDataError, ParameterError
from nasanalysis.core.frames import read_frame
from nasanalysis.differentiable.config import DiffSearchConfig
from nasanalysis.live.diagnose import at_epoch
from nasanalysis.live.diffsearch import SearchRun, search_all
from nasanalysis.live.inspect import Looks, inspect, selecting

pytestmark = pytest.mark.torch

HEAD = TINY_CONFIG.replace("[0, 1]", "[0]").replace("epochs = 1", "epochs = 2") + "keep_weights_every = 1\n"


def searched(folder: Path, methods: str) -> SearchRun:
    (folder / "searches.toml").write_text(HEAD + "read_images = 128\n" + methods, encoding="utf-8")
    run = SearchRun(DiffSearchConfig.load(folder / "searches.toml"), folder / "out", "cpu")
    search_all(run)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SearchRun:
    return searched(tmp_path_factory.mktemp("searches"), '[[method]]\nname = "darts"\n')


def test_estimates_and_landscapes_of_every_epoch_that_was_kept(run: SearchRun) -> None:
    looks = Looks(steps=3, reach=0.5)
    estimated, drawn = inspect(run, ("estimates", "landscapes"), looks)
    table = read_frame(estimated, "TRACE")
    assert sorted(set(table["epoch"])) == [1, 2]
    assert set(table["part"]) == {f"{i}/cell/{s}-{t}" for i in range(3) for t in (1, 2, 3) for s in range(t)}
    trained = table.filter(quantity="trained_skip", epoch=2, part="0/cell/0-1")["value"].item()
    weights = at_epoch(run, run.config.method[0], 0).table()
    row = next(row for place, row in weights.items() if place.edge == "0-1")
    assert trained == pytest.approx(row["skip_connect"] / (1 - row["none"]), rel=1e-5)
    surfaces = read_frame(drawn)
    assert surfaces.group_by("epoch").len()["len"].to_list() == [9, 9]
    here = surfaces.filter(epoch=2, alpha=0.0, beta=0.0)["loss"].item()
    learner = at_epoch(run, run.config.method[0], 0)
    assert here == pytest.approx(learner.reading(images=learner.settings.batch_size).loss, rel=1e-6)
    before = {p: p.stat().st_mtime_ns for p in (run.out / "inspect" / "units").glob("*.parquet")}
    inspect(run, ("estimates",), looks)
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_selections_go_on_from_the_weights(run: SearchRun) -> None:
    (path,) = inspect(run, ("selections",), Looks(every=(0, 1)))
    table = read_frame(path, "TRACE")
    assert set(table["method"]) == {"darts_pt"}
    assert set(table["setting"]) == {f"every={e}, from epoch {at}" for e in (0, 1) for at in (1, 2)}
    decided = table.filter(quantity="decided", setting="every=1, from epoch 2").sort("epoch")
    assert decided["value"].to_list() == [0, 1, 2, 3, 4, 5, 6]
    assert table.filter(quantity="selected").height == 4
    learner = at_epoch(run, run.config.method[0], 0)
    accuracy = learner.reading(data="valid").accuracy
    first = table.filter(quantity="supernet_valid_accuracy", epoch=0, setting="every=0, from epoch 2")
    assert first["value"].item() == accuracy, "it begins where the search ended"
    still = selecting(learner, 0)
    for (name, one), other in zip(still.net.named_parameters(), learner.net.parameters(), strict=True):
        assert torch.equal(one, other), f"{name}: nothing is tuned"
    assert not learner.alphas.decided, "the search itself is as it was"


def test_what_it_refuses(run: SearchRun, tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="expected finished searches"):
        inspect(SearchRun(run.config, tmp_path, "cpu"))
    with pytest.raises(ParameterError, match="some of estimates, landscapes, shuffles, selections, got colours"):
        inspect(run, ("colours",))  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="every of 0 or more"):
        Looks(every=())
    said = CliRunner().invoke(app, ["diffsearch", "inspect", "--run", str(tmp_path)])
    assert said.exit_code != 0
    sampler = searched(tmp_path, '[[method]]\nname = "gdas"\nsearch = { epochs = 1 }\n')
    with pytest.raises(ParameterError, match="gdas: expected a mixture of operations to mask"):
        inspect(sampler)
    (tmp_path / "noisy").mkdir()
    noisy = searched(tmp_path / "noisy", '[[method]]\nname = "sdarts_rs"\nsearch = { epochs = 1 }\n')
    with pytest.raises(ParameterError, match="sdarts_rs: expected a search without noise"):
        selecting(at_epoch(noisy, noisy.config.method[0], 0), 1)
