"""Architectures trained alone by a configuration: what it refuses, what it leaves, and that it goes on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")
pytest.importorskip("sklearn")

from nasanalysis.cli.app import app
from nasanalysis.core.errors import BuildError, MissingDataError, ParameterError, StudyError
from nasanalysis.core.frames import read_frame, read_provenance
from nasanalysis.differentiable.config import DiffSearchConfig
from nasanalysis.live.diffsearch import selections
from nasanalysis.live.standalone import StandaloneRun, estimate, gather, summary, train_all
from nasanalysis.networks.build import build_alone
from nasanalysis.spaces.skeletons import SKELETONS
from nasanalysis.training.alone_settings import PUBLISHED
from nasanalysis.training.digits import DigitsConfig
from nasanalysis.training.standalone import StandaloneConfig

pytestmark = pytest.mark.torch

S5 = """
space = "s5"
preset = "robust-darts"
seeds = [0, 1]
archs = [{archs}]
network = {{ channels = 2, layers = 3, auxiliary = false }}
settings = {{ epochs = 2, batch_size = 128, auxiliary_weight = 0.0 }}
data = {{ data = "digits" }}
"""
ARCHS = tuple(StandaloneConfig(space="s5", preset="darts", archs="all").named_archs()[i] for i in (0, 40))


def written(folder: Path, text: str) -> StandaloneConfig:
    path = folder / "alone.toml"
    path.write_text(text, encoding="utf-8")
    return StandaloneConfig.load(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StandaloneRun:
    folder = tmp_path_factory.mktemp("alone")
    config = written(folder, S5.format(archs=", ".join(f'"{arch}"' for arch in ARCHS)))
    run = StandaloneRun.of(config, folder / "out")
    train_all(run)
    return run


def test_every_architecture_with_every_seed_is_truth_of_its_last_epoch(run: StandaloneRun) -> None:
    truth, curves = (read_frame(run.out / f"{name.lower()}.parquet", name) for name in ("TRUTH", "CURVES"))
    assert truth.height == 2 * 2 * 2, "architectures, seeds, valid and test"
    assert set(truth["origin"]) == {"trained"}
    last = curves.filter(step=2).select("arch", "seed", pl.col("test_accuracy").cast(pl.Float64).alias("last"))
    both = truth.filter(split="test").join(last, on=["arch", "seed"])
    assert both["accuracy"].to_list() == pytest.approx(both["last"].to_list(), rel=1e-6)
    record = read_provenance(run.out / "truth.parquet")
    assert len(record["inputs"]) == 4
    assert record["config"]["preset"] == "robust-darts"
    for row in summary(curves):
        assert row["best"] >= row["test accuracy"]


def test_finished_trainings_are_not_trained_again_and_a_lost_one_comes_back_the_same(run: StandaloneRun) -> None:
    folders = [run.folder(*job) for job in run.jobs]
    before = read_frame(run.out / "truth.parquet")
    for file in folders[1].iterdir():
        file.unlink()
    times = [(folder / "truth.parquet").stat().st_mtime_ns for folder in folders if folder != folders[1]]
    train_all(run)
    assert times == [(folder / "truth.parquet").stat().st_mtime_ns for folder in folders if folder != folders[1]]
    assert read_frame(run.out / "truth.parquet").equals(before)


def test_a_folder_of_other_settings_is_refused(run: StandaloneRun) -> None:
    other = run.config.model_copy(update={"settings": {**run.config.settings, "learning_rate": 0.5}})
    with pytest.raises(BuildError):
        train_all(dataclasses.replace(run, config=other))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('preset = "robust-darts"', 'preset = "robust-dart"'), "Did you mean 'robust-darts'"),
        (("epochs = 2", "epoch = 2"), "epoch"),
        (("seeds = [0, 1]", "seeds = [0, 0]"), "each once"),
        (("seeds = [0, 1]", "seeds = []"), "seeds"),
        (('space = "s5"', 'space = "s6"'), "s6"),
        (('archs = ["s5:nothing"]', "archs = []"), "got none"),
        (('archs = ["s5:nothing"]', 'archs = ["s5:nothing"]'), "s5"),
        (('space = "s5"', 'colour = 3\nspace = "s5"'), "unknown key .*colour"),
    ],
)
def test_what_a_configuration_refuses(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        written(tmp_path, S5.format(archs='"s5:nothing"').replace(*change))


def test_a_space_that_nobody_trains_whole_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 20,000, got s1"):
        StandaloneConfig(space="s1", preset="robust-darts", archs="all")


def test_selected_needs_a_finished_search(tmp_path: Path) -> None:
    config = StandaloneConfig(space="s5", preset="robust-darts")
    for search in (None, tmp_path):
        with pytest.raises(MissingDataError, match="finished search"):
            StandaloneRun.of(config, tmp_path, search=search)
    with pytest.raises(MissingDataError, match="got none; run them first"):
        gather(StandaloneRun(config, ARCHS, tmp_path))


def test_a_head_that_the_network_lacks_is_refused_before_any_training(tmp_path: Path) -> None:
    text = S5.format(archs=f'"{ARCHS[0]}"').replace("auxiliary_weight = 0.0", "auxiliary_weight = 0.4")
    with pytest.raises(ParameterError, match="auxiliary head"):
        train_all(StandaloneRun.of(written(tmp_path, text), tmp_path / "out"))
    assert not (tmp_path / "out" / "trainings").exists()


def test_selections_are_those_of_the_end_and_of_every_so_many_epochs() -> None:
    rows = [(2, "genotype", "a"), (4, "genotype", "b"), (5, "genotype", "c"), (5, "selected", "c")]
    trace = pl.DataFrame(rows, schema=["epoch", "quantity", "text"], orient="row")
    assert selections(trace, 0) == ["c"]
    assert selections(trace, 2) == ["a", "b", "c"]


def test_the_preset_of_digits_is_how_the_benchmark_trains() -> None:
    preset, benchmark = PUBLISHED["digits"], DigitsConfig()
    settings = preset.settings
    assert (settings.epochs, settings.batch_size, settings.learning_rate, settings.weight_decay) == (
        benchmark.epochs,
        benchmark.batch_size,
        benchmark.learning_rate,
        benchmark.weight_decay,
    )
    skeleton, network = SKELETONS["digits"], preset.network
    names = ("channels", "cells", "reduction", "stem_kernel")
    assert [getattr(network, name) for name in names] == [getattr(skeleton, name) for name in names]


@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4", "s5"])
def test_shipped_trainings_are_of_the_images_that_their_searches_read(name: str) -> None:
    alone, search = StandaloneConfig.load(name), DiffSearchConfig.load(name)
    assert alone.space == search.space == name
    assert alone.images.changed(cutout=0) == search.data
    assert (alone.size.channels, alone.size.layers) == (search.network.channels, search.network.layers)
    if name == "s5":
        assert len(alone.named_archs()) == 81
    net = build_alone(
        str(next(iter(StandaloneConfig(space="s5", preset="darts", archs="all").named_archs()))),
        alone.size,
        dataclasses.make_dataclass("Shape", ["inputs", "size", "classes"])(3, 16, 10),
        torch.Generator(),
    )
    assert not net.has_auxiliary


def test_the_command_trains_what_a_search_selected_and_says_what_it_would_cost(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        'space = "s5"\nnetwork = { channels = 2, layers = 3 }\ndata = { data = "digits" }\n'
        'search = { epochs = 1, batch_size = 256 }\n[[method]]\nname = "random_architecture"\n'
    )
    (tmp_path / "a.toml").write_text(
        S5.format(archs="").replace("archs = []", 'archs = "selected"').replace("epochs = 2", "epochs = 1")
    )
    search, out = str(tmp_path / "search"), str(tmp_path / "out")

    def call(*words: str) -> str:
        result = CliRunner().invoke(app, ["diffsearch", *words, "--device", "cpu"])
        assert result.exit_code == 0, result.output
        return result.output

    call("run", "--config", str(tmp_path / "s.toml"), "--out", search, "--workers", "1")
    words = ("standalone", "--config", str(tmp_path / "a.toml"), "--out", out, "--search", search)
    assert '"updates": 8' in call(*words, "--estimate", "--json")
    call(*words, "--workers", "1")
    truth = read_frame(Path(out) / "truth.parquet", "TRUTH")
    (chosen,) = selections(read_frame(Path(search) / "trace.parquet", "TRACE"), 0)
    assert set(truth["arch"]) == {chosen}


def test_an_estimate_is_of_all_updates(run: StandaloneRun) -> None:
    (row,) = estimate(run)
    assert row["updates"] == 2 * 8
    assert row["hours"] >= 0
