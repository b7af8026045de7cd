"""Presets of published trainings, snapshots, angles of all architectures; what is refused before hours of work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.core.errors import BuildError, StudyError
from nasanalysis.core.frames import read_frame
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.measure import measure_all
from nasanalysis.live.run import Run
from nasanalysis.live.train import train_all
from nasanalysis.measures.angle import angle

CONFIG = """
space = "nb201"
[network]
channels = 2
cells = 1
reduction = "pool"
stem_kernel = 1
{network}
[data]
data = "digits"
{data}
[train]
epochs = 3
snapshots = [1, 2]
batch_size = 256
{train}
[[measure]]
name = "all"
archs = "all"
measures = ["angle", "angle_cells"]
sigmas = []
"""
SOME = """
[[measure]]
name = "some"
archs = "random-2@0"
measures = ["val_acc", "angle_cells"]
sigmas = []
recalibration = 64
epochs = [1, 3]
"""


def load(folder: Path, *, add: str = "", **given: str) -> SupernetConfig:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(**{"network": "", "data": "", "train": "", **given}) + add)
    return SupernetConfig.load(path)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("published")
    train_all(Run(load(home, train='preset = "as-published"', add=SOME), home, "cpu"))
    return home


def as_published(out: Path, tmp_path: Path, **given: str) -> Run:
    """A new folder of results around the trained supernet."""
    (tmp_path / "supernets").symlink_to(out / "supernets")
    return Run(load(tmp_path, add=SOME, **{"train": 'preset = "as-published"', **given}), tmp_path, "cpu")


def test_presets_say_what_differs_and_a_file_says_more(tmp_path: Path) -> None:
    published, newer = (load(tmp_path, train=f'preset = "{name}"') for name in ("as-published", "torch-2"))
    assert (published.train.unsampled, newer.train.unsampled) == ("zero_grad", "untouched")
    for config in (published, newer):
        assert (config.train.genotype, config.train.empty_nodes, config.network.affine) == (
            "per_cell",
            "redrawn",
            False,
        )
        assert (config.train.compute, config.train.weight_decay, config.train.epochs) == ("equal-updates", 5e-4, 3)
    other = load(tmp_path, train='preset = "as-published"\nunsampled = "untouched"', network="affine = true")
    assert (other.train.unsampled, other.network.affine) == ("untouched", True)
    for config in (published, newer, other):
        assert SupernetConfig.model_validate_json(config.model_dump_json()) == config
    (tmp_path / "darts.toml").write_text('space = "darts"\n[train]\npreset = "as-published"')
    darts = SupernetConfig.load(tmp_path / "darts.toml")
    assert (darts.train.clip, darts.train.nesterov, darts.train.genotype) == (5.0, False, "one")
    assert darts.network.affine is None


def test_as_published_trains(out: Path) -> None:
    trace = read_frame(out / "supernets" / "spos-0" / "trace.parquet", "TRACE")
    loss = trace.filter(quantity="train_loss").sort("epoch")["value"]
    assert loss.is_finite().all()


def test_angles_of_all_are_those_of_each(out: Path, tmp_path: Path) -> None:
    run = as_published(out, tmp_path)
    (folder,) = measure_all(run, only="all")
    scores = read_frame(folder / "scores.parquet", "SCORES")
    assert scores.group_by("proxy").len()["len"].to_list() == [15625, 15625]
    job = ("spos", 0)
    for row in scores.sample(8, seed=0).to_dicts():
        before, after = (net.subnet(row["arch"]) for net in (run.initial_supernet(job), run.supernet(job)))
        position = "cells" if row["proxy"] == "angle_cells" else "all"
        one = angle(before, after, vector="paths", position=position)  # type: ignore[arg-type]
        assert row["value"] == pytest.approx(one) if np.isfinite(one) else row["value"] is None
    shares = read_frame(folder / "shares.parquet")
    assert shares.group_by("proxy").len()["len"].to_list() == [15625, 15625]
    middle = shares.group_by("proxy").agg(pl.col("fixed_after").median())
    by_proxy = dict(middle.iter_rows())
    assert 0 < by_proxy["angle_cells"] < by_proxy["angle"] < 1


def test_snapshots_are_measured_by_epoch(out: Path, tmp_path: Path) -> None:
    run = as_published(out, tmp_path)
    folders = measure_all(run, only="some")
    assert [folder.name for folder in folders] == ["some-epoch-1", "some-epoch-3"]
    frames = [read_frame(folder / "scores.parquet", "SCORES").filter(proxy="angle_cells") for folder in folders]
    assert frames[0]["value"].to_list() != frames[1]["value"].to_list()
    assert frames[0]["setting"].unique().to_list() == ["some-epoch-1"]
    assert len(read_frame(folders[0] / "shares.parquet")) == 2
    (second,) = measure_all(run, only="all", epochs=[2])
    assert second.name == "all-epoch-2"
    with pytest.raises(BuildError, match=r"epoch-9.pt: expected the weights of epoch 9.*kept no such snapshot"):
        measure_all(run, only="all", epochs=[9])


def test_a_supernet_trained_otherwise_is_refused_by_option(out: Path, tmp_path: Path) -> None:
    run = as_published(out, tmp_path, train='preset = "torch-2"')
    with pytest.raises(BuildError) as caught:
        measure_all(run, only="all")
    assert "settings.unsampled: expected its default, got 'zero_grad'" in str(caught.value)
    assert "network" not in str(caught.value).split("other options:")[1]


@pytest.mark.parametrize(
    ("given", "add", "message"),
    [
        ({"data": 'labels = "random"'}, SOME, "'some' reads val_acc on true labels, but labels = 'random'"),
        (
            {"data": 'labels = "random"'},
            '[[search]]\nname = "s"\nterms = [{ proxy = "flatness", rule = "1/sigma_1", sigma_1 = 2e-3 }]\n',
            "'s' reads flatness on true labels",
        ),
        ({"data": 'labels = "random"'}, '[[measure]]\nname = "n"\nmeasures = []\n', "'n' reads noise on true labels"),
        ({"data": 'labels = "random"'}, '[[finetune]]\nname = "f"\n', "'f': finetuning is on the labels of"),
        ({"train": "compute = 'equal-updates'\nimages = 9000"}, "", "counts updates, images = 9000 is a budget"),
        ({}, SOME.replace("[1, 3]", "[1, 7]"),
         "measure 'some': epochs [7] are not among train.snapshots"),
    ],
)  # fmt: skip
def test_contradictions(given: dict[str, str], add: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        load(tmp_path, add=add, **given)
    assert message in str(caught.value)


def test_random_labels_and_angles_go_together(tmp_path: Path) -> None:
    assert load(tmp_path, data='labels = "random"').data.labels == "random"


def test_affine_is_said_of_nb201_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('space = "nb101-1"\n[network]\naffine = false\n')
    with pytest.raises(StudyError, match=r"network.affine: expected it on nb201 alone, got False on nb101-1"):
        SupernetConfig.load(path)
