"""What runs on a GPU gives what the CPU gives; without a GPU these are skipped.

`NASANALYSIS_TEST_DEVICE=cpu` tries the tests themselves.
The numbers of a GPU differ in the last bits, and a training carries that on, so short runs are compared. The four
architectures are such as keep their scores within `near` when every weight is changed by a millionth on the CPU: of
those of `random-4@0` two do not (cells of pooling and skips whose batch-norm divides by almost nothing), and no device
gives them twice.
"""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

torch = pytest.importorskip("torch")
DEVICE = os.environ.get("NASANALYSIS_TEST_DEVICE", "cuda")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA device here"),
]

from nasanalysis.core.frames import read_frame
from nasanalysis.differentiable.config import DiffSearchConfig
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.diffsearch import SearchRun, search_all
from nasanalysis.live.finetune import finetune_all
from nasanalysis.live.measure import measure_all
from nasanalysis.live.run import Run
from nasanalysis.live.train import train_all

SUPERNET = """
space = "nb201"
[network]
channels = 4
cells = 1
reduction = "pool"
stem_kernel = 1
[data]
data = "digits"
[train]
protocols = ["spos", "fairnas", "reptile"]
seeds = [0]
preset = "as-published"
epochs = 1
batch_size = 256
[[finetune]]
name = "tuned"
archs = "random-4@4"
protocols = ["spos"]
minibatches = 3
batch_size = 32
learning_rate = 0.01
valid_every = 3
recalibration = 64
gradients = true
[[measure]]
name = "noise"
archs = "random-4@4"
protocols = ["spos"]
measures = ["val_acc", "val_loss", "angle", "angle_cells", "weight_hessian_ev", "nwot", "synflow"]
sigmas = [1e-2]
draws = 2
images = 128
hessian_images = 64
recalibration = 64
"""

SEARCH = """
space = "nb201"
seeds = [0]
[network]
channels = 4
cells = 1
reduction = "pool"
stem_kernel = 1
affine = false
[data]
data = "digits"
[search]
epochs = 1
batch_size = 256
[[method]]
name = "darts"
[[method]]
name = "sotl_darts"
[[method]]
name = "drnas"
[[method]]
name = "gdas"
"""


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def scores(frame: pl.DataFrame) -> dict[tuple[str, ...], float]:
    names = ("arch", "proxy", "step")
    rows = frame.with_columns(pl.col("value").fill_null(math.nan)).to_dicts()
    return {tuple(str(row[name]) for name in names): row["value"] for row in rows}


def test_a_supernet_is_trained_finetuned_and_measured_as_on_the_cpu(tmp_path: Path) -> None:
    config = SupernetConfig.load(written(tmp_path / "c.toml", SUPERNET))
    here, there = (Run(config, tmp_path / f"out-{i}", device) for i, device in enumerate(("cpu", DEVICE)))
    losses = []
    for run in (here, there):
        train_all(run)
        traces = [read_frame(run.folder(name, 0) / "trace.parquet") for name in config.train.protocols]
        losses.append(pl.concat(traces).filter(quantity="train_loss")["value"].to_list())
    assert losses[1] == pytest.approx(losses[0], rel=5e-3)
    shutil.rmtree(there.out)
    shutil.copytree(here.out, there.out)  # the same weights: what is left is how they are read
    tuned, noise = ([of(run)[0] for run in (here, there)] for of in (finetune_all, measure_all))
    for each in (tuned, noise):
        expected, got = (scores(read_frame(folder / "scores.parquet")) for folder in each)
        assert [*got] == [*expected]
        far = {key: (value, got[key]) for key, value in expected.items() if not near(key[1], value, got[key])}
        assert not far
    expected, got = (read_frame(folder / "perturbed.parquet")["loss"].fill_null(math.nan).to_list() for folder in noise)
    assert got == pytest.approx(expected, rel=5e-3, nan_ok=True), (
        "the noise is drawn on the CPU: the same on every device"
    )


def near(proxy: str, value: float, other: float) -> bool:
    """Accuracies may turn at two images (of 297, of the 64 of a minibatch), a curvature is found by iteration, the rest
    is rounding.
    """
    if "acc" in proxy:
        return abs(other - value) < 2.1 * 100 / (64 if proxy.endswith("mini") else 297)
    return other == pytest.approx(value, rel=5e-2 if "hessian" in proxy else 5e-3, abs=1e-4, nan_ok=True)


def test_a_search_goes_the_way_that_it_goes_on_the_cpu(tmp_path: Path) -> None:
    config = DiffSearchConfig.load(written(tmp_path / "s.toml", SEARCH))
    alphas = {}
    for device in ("cpu", DEVICE):
        run = SearchRun(config, tmp_path / f"out-{device}", device)
        search_all(run)
        alphas[device] = read_frame(run.out / "alphas.parquet")
    keys = [c for c in alphas["cpu"].columns if not alphas["cpu"][c].dtype.is_float()]
    assert alphas[DEVICE].select(keys).equals(alphas["cpu"].select(keys))
    for column in set(alphas["cpu"].columns) - {*keys, "seconds"}:
        here, there = (alphas[d][column].to_list() for d in ("cpu", DEVICE))
        assert there == pytest.approx(here, abs=2e-3, nan_ok=True), column
