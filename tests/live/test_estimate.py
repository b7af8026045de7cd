"""Hours of a configuration: what is counted, and that a short run says about what a long one takes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.core.errors import MissingDataError, ParameterError
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.estimate import COLUMNS, estimate
from nasanalysis.live.run import Run

CONFIG = """
space = "nb201"
[network]
channels = 2
cells = 1
reduction = "pool"
[data]
data = "digits"
[train]
protocols = ["spos", "multipath"]
seeds = [0, 1]
epochs = 4
batch_size = 64
compute = "equal-updates"
snapshots = [2]
[[finetune]]
name = "tuned"
archs = "random-5@0"
minibatches = 2
batch_size = 8
recalibration = 16
[[measure]]
name = "all"
archs = "all"
measures = ["angle"]
sigmas = []
[[measure]]
name = "read"
archs = "random-7@0"
protocols = ["spos"]
epochs = [2, 4]
recalibration = 16
sigmas = [0.01]
draws = 1
images = 32
"""


def test_an_estimate_counts_the_whole_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(CONFIG)
    run = Run(SupernetConfig.load(path), tmp_path, "cpu")
    table = estimate(run, updates=2, archs=1)
    assert table.columns == [*COLUMNS]
    images = len(run.task.labels)
    updates = 2 * -(-4 * images // 64)
    assert dict(zip(table["part"], table["count"], strict=True)) == {
        "train spos": updates, "train multipath": updates, "finetune tuned": 5 * 4, "measure all": 4,
        "measure read": 7 * 2 * 2,
    }  # fmt: skip
    assert (table["seconds_each"] > 0).all()
    assert table["hours"].to_list() == pytest.approx((table["seconds_each"] * table["count"] / 3600).to_list())
    assert table["seconds_each"][1] > 1.5 * table["seconds_each"][0], "four passes against one"
    assert [p.name for p in tmp_path.iterdir()] == ["c.toml"], "nothing is kept"
    with pytest.raises(ParameterError, match="at least one update and one architecture, got 0 and 1"):
        estimate(run, updates=0, archs=1)


def test_an_estimate_needs_no_images_and_says_what_it_was_timed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASANALYSIS_DATA", str(tmp_path))
    text = CONFIG.split("[[finetune]]")[0].replace('"digits"', '"mnist"\nsize = 12\ntrain = 128\nvalid = 32')
    text += '[[finetune]]\nname = "thesis"\narchs = "thesis"\nminibatches = 1\nbatch_size = 4\n'
    text += "recalibration = 8\nvalid_batch = 16\n"
    (path := tmp_path / "c.toml").write_text(text)
    run = Run(SupernetConfig.load(path), tmp_path, "cpu")
    table = estimate(run, updates=1, archs=1)
    assert table["images"].unique().to_list() == ["mnist (drawn pixels)"]
    assert table.filter(part="finetune thesis")["count"].to_list() == [200 * 4], "as many as the thesis drew"
    with pytest.raises(MissingDataError):  # nothing but an estimate takes them
        _ = run.task
