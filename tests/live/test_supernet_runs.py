"""Supernet runs: killed and gone on with, refused, failed, shared between processes; and what the CLI says."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nasanalysis.cli import app as cli
from nasanalysis.core.errors import BuildError, DataFileError, ParameterError, UnknownNameError
from nasanalysis.core.frames import check, read_frame, read_provenance
from nasanalysis.jobs.units import exclusive
from nasanalysis.loaders.images.types import image_set
from nasanalysis.loaders.samples import space_archs
from nasanalysis.proxies import get_proxy

torch = pytest.importorskip("torch")

from nasanalysis.live import finetune as finetune_run
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.finetune import finetune_all
from nasanalysis.live.run import Run
from nasanalysis.live.train import train_all
from nasanalysis.networks.base import UndefinedProtocolError
from nasanalysis.training import checkpoints, tasks
from nasanalysis.training.checkpoints import CheckpointError
from nasanalysis.training.devices import DeviceError, choose_device, explained_memory
from nasanalysis.training.loop import Loop
from nasanalysis.training.protocols import PROTOCOLS
from nasanalysis.training.settings import DataConfig, TrainSettings
from nasanalysis.training.tasks import load_task
from nasanalysis.training.train import load_weights

pytestmark = pytest.mark.torch

CLASSES, PER_CLASS = 3, 24
DEAD = "nb201:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"

CONFIG = """
space = "{space}"
[network]
channels = 2
cells = 1
{network}
[data]
data = "{data}"
train = 40
valid = 20
crop = 1
{images}
[train]
protocols = {protocols}
seeds = {seeds}
epochs = {epochs}
batch_size = 8
{train}
[[finetune]]
name = "part"
archs = "{archs}"
minibatches = 4
batch_size = 8
valid_batch = 10
val_acc_every = 2
recalibration = 16
{finetune}
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of 8 x 8 images, each class of its own brightness."""
    image = pytest.importorskip("PIL.Image")
    home, rng = tmp_path_factory.mktemp("pictures") / "tiny", np.random.default_rng(0)
    for label in range(CLASSES):
        folder = home / f"class{label}"
        folder.mkdir(parents=True)
        for i in range(PER_CLASS):
            pixels = rng.integers(60 * label, 60 * label + 120, size=(8, 8, 3), dtype=np.uint8)
            image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return home


Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A configuration file; keyword arguments replace parts of it, ``add`` comes last."""

    def write(*, add: str = "", **given: Any) -> Path:
        parts = {
            "space": "nb201", "data": pictures, "protocols": '["spos"]', "seeds": "[0]", "epochs": 2,
            "archs": "random-3@0", "network": 'reduction = "pool"', "images": "", "train": "", "finetune": "",
        }  # fmt: skip
        path = tmp_path_factory.mktemp("config") / "config.toml"
        path.write_text(CONFIG.format(**{**parts, **given}) + add, encoding="utf-8")
        return path

    return write


def load(make: Make, **given: Any) -> SupernetConfig:
    return SupernetConfig.load(make(**given))


def train(config: SupernetConfig, out: Path, **how: Any) -> list[Path]:
    return train_all(Run(config, out, "cpu"), **how)


def finetune(config: SupernetConfig, out: Path, **how: Any) -> list[Path]:
    return finetune_all(Run(config, out, "cpu"), **how)


def outcome(folder: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """Weights and statistics of a finished training, and its trace without seconds."""
    trace = read_frame(folder / "trace.parquet", "TRACE")
    return torch.load(folder / "weights.pt", weights_only=True)["net"], trace.filter(pl.col("quantity") != "seconds")


def assert_same_training(a: Path, b: Path) -> None:
    (net_a, trace_a), (net_b, trace_b) = outcome(a), outcome(b)
    assert net_a.keys() == net_b.keys()
    assert all(torch.equal(net_a[name], net_b[name]) for name in net_a)
    assert_frame_equal(trace_a, trace_b, check_exact=True)


def results(folder: Path) -> list[pl.DataFrame]:
    """What a finetuning wrote, without seconds."""
    names = ("curves", "scores", "failed")
    return [read_frame(folder / f"{name}.parquet").drop("seconds", strict=False) for name in names]


def assert_same_results(a: Path, b: Path) -> None:
    for one, other in zip(results(a), results(b), strict=True):
        assert len(one) or one.columns == ["method", "seed", "arch", "error"]
        assert_frame_equal(one, other, check_exact=True)


# --- training, and going on with it -----------------------------------------------------------------------------------

OTHERS = {
    "spos": "",
    "fairnas": "",
    "multipath+metaprox": 'inner_batch = "fresh"',
    "reptile": 'genotype = "per_cell"',
}


@pytest.mark.parametrize("protocol", OTHERS)
def test_interrupted_training_gives_the_same_bits(
    protocol: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(make, protocols=f'["{protocol}"]', epochs=8, train=OTHERS[protocol], images="cutout = 2")
    train(config, tmp_path / "whole")
    run_epoch, stops = Loop.run_epoch, iter((False, True, False, False, True))

    def interrupted(self: Loop) -> Any:
        row = run_epoch(self)
        if next(stops, False):
            raise KeyboardInterrupt  # the epoch is computed and not yet saved
        return row

    monkeypatch.setattr(Loop, "run_epoch", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "broken")
    folder = tmp_path / "broken" / "supernets" / f"{protocol}-0"
    assert (folder / "checkpoint.pt").exists()
    train(config, tmp_path / "broken")
    assert_same_training(folder, tmp_path / "whole" / "supernets" / f"{protocol}-0")
    assert not (folder / "checkpoint.pt").exists()
    before = (folder / "weights.pt").read_bytes()
    train(config, tmp_path / "broken")
    assert (folder / "weights.pt").read_bytes() == before, "what is finished is left alone"


def command(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "nasanalysis", "supernet", *map(str, arguments)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def kill_when(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """SIGKILL to the process and all it started, as soon as `ready`."""
    deadline = time.monotonic() + 120
    while not ready():
        assert process.poll() is None, f"ended by itself with {process.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_killed_training_gives_the_same_bits(make: Make, tmp_path: Path) -> None:
    path = make(epochs=60)
    folder = tmp_path / "killed" / "supernets" / "spos-0"
    for least in (1, 8):

        def ready(least: int = least) -> bool:
            epoch = folder / "epoch"
            return epoch.exists() and int(epoch.read_text()) >= least

        kill_when(command("train", "--config", path, "--out", tmp_path / "killed", "--workers", 1), ready)
    at = torch.load(folder / "checkpoint.pt", weights_only=True)["epoch"]
    assert 8 <= at < 60
    for name in ("killed", "whole"):
        train(SupernetConfig.load(path), tmp_path / name)
    assert_same_training(folder, tmp_path / "whole" / "supernets" / "spos-0")


@pytest.mark.slow
def test_after_a_kill_of_the_parent_alone_the_same_command_goes_on_at_once(make: Make, tmp_path: Path) -> None:
    """Workers end with the process that started them: nobody holds the lock, and nobody trains on."""
    path, out = make(data="digits", seeds="[0, 1]", epochs=8), tmp_path / "killed"
    again = ("train", "--config", path, "--out", out, "--workers", 2)
    epochs = [out / "supernets" / f"spos-{seed}" / "epoch" for seed in (0, 1)]
    process = command(*again)
    deadline = time.monotonic() + 120
    while not all(epoch.exists() and int(epoch.read_text() or 0) >= 1 for epoch in epochs):
        assert process.poll() is None, f"ended by itself with {process.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    initial = [(epoch.parent / "initial.pt").stat().st_mtime_ns for epoch in epochs]
    assert not any((epoch.parent / "weights.pt").exists() for epoch in epochs)
    assert command(*again).wait(timeout=300) == 0
    assert [(epoch.parent / "initial.pt").stat().st_mtime_ns for epoch in epochs] == initial, "gone on, not begun anew"
    train(SupernetConfig.load(path), tmp_path / "whole")
    for seed in (0, 1):
        assert_same_training(out / "supernets" / f"spos-{seed}", tmp_path / "whole" / "supernets" / f"spos-{seed}")


@pytest.mark.slow
def test_a_killed_finetuning_gives_the_same_frames(make: Make, trained: Path, tmp_path: Path) -> None:
    path = make(archs="random-60@1", finetune="gradients = true")
    config = SupernetConfig.load(path)
    (whole,) = finetune(config, linked(trained, tmp_path / "whole"))
    killed = linked(trained, tmp_path / "killed")
    units = killed / "finetune" / "part" / "units"
    kill_when(
        command("finetune", "--config", path, "--out", killed, "--workers", 1),
        lambda: len(list(units.glob("*.parquet"))) >= 3,
    )
    assert 3 <= len(list(units.glob("*.parquet"))) < 60
    assert not (killed / "finetune" / "part" / "scores.parquet").exists()
    (again,) = finetune(config, killed)
    assert_same_results(again, whole)
    assert not list(units.glob(".*.partial"))


@pytest.fixture(scope="module")
def trained(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one trained supernet."""
    out = tmp_path_factory.mktemp("trained")
    train(load(make), out)
    return out


def linked(trained: Path, out: Path) -> Path:
    """A new folder of results around the supernets of another."""
    out.mkdir()
    (out / "supernets").symlink_to(trained / "supernets")
    return out


@pytest.mark.slow
def test_workers_do_not_change_anything(make: Make, tmp_path: Path) -> None:
    config = load(make, seeds="[0, 1]", epochs=3, archs="random-4@0")
    for name, workers in (("one", 1), ("two", 2)):
        train(config, tmp_path / name, workers=workers)
        finetune(config, tmp_path / name, workers=workers)
    for seed in (0, 1):
        assert_same_training(*(tmp_path / name / "supernets" / f"spos-{seed}" for name in ("one", "two")))
    assert_same_results(*(tmp_path / name / "finetune" / "part" for name in ("one", "two")))
    (net, _), (other, _) = (outcome(tmp_path / "one" / "supernets" / f"spos-{seed}") for seed in (0, 1))
    assert not torch.equal(net["classifier.weight"], other["classifier.weight"])


def test_protocols_see_equally_many_images(make: Make, tmp_path: Path) -> None:
    epochs = 5
    config = load(make, protocols=str(list(PROTOCOLS)).replace("'", '"'), epochs=epochs)
    paths = train(config, tmp_path)
    for protocol, path in zip(PROTOCOLS, paths, strict=True):
        trace = read_frame(path.parent / "trace.parquet", "TRACE")
        assert trace["method"].unique().to_list() == [protocol]
        seen = trace.filter(pl.col("quantity") == "images_seen").sort("epoch")
        update = 8 * {"spos": 1, "fairnas": 5, "multipath+metaprox": 16}.get(protocol, 4)
        for epoch, count in zip(seen["epoch"], seen["value"], strict=True):
            assert count % update == 0
            assert abs(count - 40 * epoch) <= update, "to one update"
        assert 40 * epochs <= seen["value"][-1] < 40 * epochs + update
        rates = trace.filter(pl.col("quantity") == "learning_rate").sort("epoch")["value"]
        assert rates[-1] == pytest.approx(0.001)
        assert rates.is_sorted(descending=True)
        assert read_provenance(path.parent / "trace.parquet")["config"]["protocol"]["name"] == protocol


def test_spos_is_the_plain_loop(make: Make, tmp_path: Path) -> None:
    """Order, augmentation, architectures and rate are drawn as promised: torch's SGD gives the weights."""
    config = load(make, epochs=3)
    (path,) = train(config, tmp_path)
    initial = torch.load(path.parent / "initial.pt", weights_only=True)["net"]
    task = load_task(config.data)
    net = Run(config, tmp_path, "cpu").blank()
    net.load_state_dict(initial)
    from nasanalysis.core.seeding import generator, torch_generator

    archs = generator(0, "supernet", "architectures")
    order, augment = (torch_generator(0, "supernet", name) for name in ("order", "augmentation"))
    optimiser = torch.optim.SGD(
        net.parameters(), lr=0.025, momentum=0.9, weight_decay=5e-4, nesterov=True, foreach=False
    )
    losses = []
    net.train()
    for number in range(15):  # 40 images, batches of 8: five an epoch
        if number % 5 == 0:
            index = torch.randperm(40, generator=order).split(8)
        images, labels = task.batch(index[number % 5], augment)
        loss = torch.nn.functional.cross_entropy(net(images, net.sample(archs)), labels)
        optimiser.param_groups[0]["lr"] = 0.001 + 0.5 * 0.024 * (1 + np.cos(np.pi * number / 15))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    got, trace = outcome(path.parent)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-6)
        if name.endswith("weight"):
            assert value.isfinite().all()
    assert not torch.equal(got["classifier.weight"], initial["classifier.weight"])
    written = trace.filter(pl.col("quantity") == "train_loss").sort("epoch")["value"].to_list()
    np.testing.assert_allclose(written, np.reshape(losses, (3, 5)).mean(1), rtol=1e-5)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_second_run_in_one_folder_is_refused(make: Make, trained: Path, tmp_path: Path) -> None:
    config, out = load(make), linked(trained, tmp_path / "out")
    with exclusive(out), pytest.raises(BuildError, match="another run is writing this folder; wait for it"):
        train(config, out)
    with exclusive(out / "finetune" / "part"), pytest.raises(BuildError, match="another run is writing this folder"):
        finetune(config, out)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"epochs": 3}, "settings"),
        ({"train": "weight_decay = 0.1"}, "settings"),
        ({"train": 'genotype = "per_cell"'}, "protocol"),
        ({"network": 'reduction = "pool"\nstem_kernel = 5'}, "network, weights"),
        ({"images": "split_seed = 1"}, "data"),
        ({"images": "cutout = 2"}, "data"),
        ({"space": "nb101-1", "network": ""}, "network, space, weights"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused(
    change: dict[str, Any], named: str, make: Make, trained: Path
) -> None:
    before = (trained / "supernets" / "spos-0" / "weights.pt").read_bytes()
    with pytest.raises(BuildError) as caught:
        train(load(make, **change), trained)
    assert f"holds a training of other settings ({named} differ); choose another --out" in str(caught.value)
    assert (trained / "supernets" / "spos-0" / "weights.pt").read_bytes() == before


def test_other_finetuning_settings_are_refused(make: Make, trained: Path, tmp_path: Path) -> None:
    out = linked(trained, tmp_path / "out")
    finetune(load(make, archs="random-2@0"), out)
    for change in ("learning_rate = 0.5", "valid_every = 2"):
        with pytest.raises(BuildError, match=r"holds finished units of other settings \(finetune differ\)"):
            finetune(load(make, archs="random-2@0", finetune=change), out)


def test_other_architectures_join_those_that_are_finished(make: Make, trained: Path, tmp_path: Path) -> None:
    out = linked(trained, tmp_path / "out")
    (folder,) = finetune(load(make, archs="random-2@0"), out)
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "units").glob("*.parquet")}
    names = [*space_archs("random-2@7", "nb201"), *space_archs("random-2@0", "nb201")]
    (tmp_path / "four.txt").write_text("\n".join(names))
    finetune(load(make, archs=str(tmp_path / "four.txt")), out)
    frame = read_frame(folder / "scores.parquet", "SCORES")
    assert frame["arch"].unique(maintain_order=True).to_list() == names
    assert all((folder / "units" / name).stat().st_mtime_ns == at for name, at in before.items())


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_foreign_and_damaged_checkpoints_are_refused(make: Make, trained: Path, tmp_path: Path) -> None:
    good = trained / "supernets" / "spos-0" / "weights.pt"
    bad, mark = tmp_path / "weights.pt", tmp_path / "called"
    net = Run(load(make), tmp_path, "cpu").blank()
    load_weights(net, good)

    def refused(message: str, other: Any = net) -> None:
        with pytest.raises(CheckpointError) as caught:
            load_weights(other, bad)
        assert str(bad) in str(caught.value)
        assert message in str(caught.value)

    refused("expected a checkpoint, found nothing there")
    whole = good.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not a checkpoint", whole[:-30]):
        bad.write_bytes(damaged)
        refused("expected a whole checkpoint of this package, got a file that does not load")
    for trap in (lambda: torch.save(Evil(mark), bad), lambda: bad.write_bytes(pickle.dumps(Evil(mark), protocol=2))):
        trap()
        refused("got a file that does not load")
    assert not mark.exists(), "nothing in a file is executed"
    torch.save({"nasanalysis": "training", "version": checkpoints.VERSION}, bad)
    refused("expected a checkpoint of kind 'weights', got 'training'")
    torch.save([1, 2], bad)
    refused("expected a checkpoint of kind 'weights', got 'list'")
    content = torch.load(good, weights_only=True)
    torch.save({**content, "version": 99}, bad)
    refused("expected a checkpoint of version 1, got 99; use the release of nasanalysis that wrote it, or train again")
    bad.write_bytes(whole)
    wider = Run(load(make, network='reduction = "pool"\nstem_kernel = 5'), tmp_path, "cpu").blank()
    refused("supernet of nb201 with this skeleton, got one of nb201 with another skeleton; use the config", wider)
    other = Run(load(make, space="nb101-1", network=""), tmp_path, "cpu").blank()
    refused("expected weights of a supernet of nb101-1 with this skeleton, got one of nb201; use the config", other)


def test_a_damaged_checkpoint_stops_the_training(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "supernets" / "spos-0"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match=r"checkpoint.pt: expected a whole checkpoint of this package"):
        train(load(make), tmp_path)


def test_cuda_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="--device cuda: no CUDA device here .*use --device cpu"):
        choose_device("cuda")
    assert choose_device("auto") == "cpu"
    with pytest.raises(ParameterError, match="--device: expected auto, cpu or cuda, got 'tpu'"):
        choose_device("tpu")


def test_finetuning_before_training_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"expected a trained supernet, found none \(1 of 1 are missing\)"):
        finetune(load(make), tmp_path)
    with pytest.raises(ParameterError, match=r"expected a part of the configuration \(part\), got 'prt'"):
        finetune(load(make), tmp_path, only="prt")


def test_fairnas_where_it_is_undefined_is_refused_before_anything_is_trained(make: Make, tmp_path: Path) -> None:
    config = load(make, space="nb101-1", network="", protocols='["spos", "fairnas"]')
    with pytest.raises(UndefinedProtocolError, match="fairnas: not defined on nb101-1"):
        train(config, tmp_path)
    assert not (tmp_path / "supernets").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_size": 1}, "batches of at least 2 images (batch-norm needs two)"),
        ({"epochs": 0}, "at least 1 epoch"),
        ({"learning_rate_min": 0.1}, "0 <= learning_rate_min <= learning_rate, got 0.1 and 0.025"),
        ({"momentum": 1.5}, "expected 0 <= momentum < 1"),
        ({"weight_decay": -1.0}, "weight_decay >= 0, got 0.9 and -1.0"),
    ],
)
def test_training_settings_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        TrainSettings(**given)
    assert message in str(caught.value)


def test_a_training_that_diverges_keeps_its_last_checkpoint(make: Make, tmp_path: Path) -> None:
    config = load(make, epochs=4, train="learning_rate = 1e30")
    with pytest.raises(BuildError, match="spos, seed 0: the training loss is not finite in epoch 1 .*Use a smaller"):
        train(config, tmp_path)
    assert not (tmp_path / "supernets" / "spos-0" / "weights.pt").exists()


# --- finetuning -------------------------------------------------------------------------------------------------------


def test_curves_and_scores_agree(make: Make, trained: Path, tmp_path: Path) -> None:
    out = linked(trained, tmp_path / "out")
    names = tmp_path / "archs.txt"
    names.write_text(DEAD + "\n" + "\n".join(space_archs("random-3@5", "nb201")))
    (folder,) = finetune(load(make, archs=str(names)), out)
    curves, scores = read_frame(folder / "curves.parquet", "CURVES"), read_frame(folder / "scores.parquet", "SCORES")
    assert_frame_equal(check(curves, "CURVES"), curves)
    assert read_frame(folder / "failed.parquet").is_empty()
    assert curves["arch"].n_unique() == 4
    assert curves["arch"][0] == DEAD
    assert curves.select("benchmark", "method", "setting", "seed", "schedule", "unit").unique().rows() == [
        ("live-nb201", "spos", "part", 0, 4, "minibatch")
    ]
    keys = ["arch", "step"]
    for name, column in (("sotl", None), ("tl_mini", "train_loss"), ("val_acc_mini", "valid_accuracy")):
        mine = scores.filter(pl.col("proxy") == name).select(*keys, "value").sort(keys)
        if column is None:
            table = get_proxy(name)(curves).select(*keys, "value")
        else:
            table = curves.select(*keys, value=pl.col(column).cast(pl.Float64)).drop_nulls()
        assert_frame_equal(mine, table.sort(keys), rel_tol=1e-5, check_row_order=True)
    steps = {name: set(part["step"]) for (name,), part in scores.group_by("proxy")}
    assert steps["val_acc"] == steps["val_loss"] == {0, 2, 4}
    assert steps["val_acc_mini"] == {0, 1, 2, 3, 4}
    assert steps["sovl"] == steps["sotl"] == steps["sogn"] == steps["sog"] == {1, 2, 3, 4}
    record = read_provenance(folder / "scores.parquet")
    assert record["config"]["part"] == "part"
    assert record["inputs"]


def test_an_architecture_that_diverges_is_recorded_and_the_rest_go_on(
    make: Make, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, real = load(make), finetune_run.finetune_together
    archs = space_archs("random-3@0", "nb201")
    done: list[int] = []

    def second_diverges(nets: Any, batches: Any, settings: Any) -> Any:
        done.append(1)
        if len(done) == 2:
            settings = settings.changed(learning_rate=1e30)
        return real(nets, batches, settings)

    monkeypatch.setattr(finetune_run, "finetune_together", second_diverges)
    (folder,) = finetune(config, linked(trained, tmp_path / "out"))
    failed = read_frame(folder / "failed.parquet")
    assert failed.select("method", "seed", "arch").rows() == [("spos", 0, archs[1])]
    assert "at minibatch" in failed["error"][0]
    assert read_frame(folder / "scores.parquet", "SCORES")["arch"].unique(maintain_order=True).to_list() == [
        archs[0],
        archs[2],
    ]


def test_all_architectures_fail(make: Make, trained: Path, tmp_path: Path) -> None:
    out = linked(trained, tmp_path / "out")
    (folder,) = finetune(load(make, finetune="learning_rate = 1e30"), out)
    assert len(read_frame(folder / "failed.parquet")) == 3
    assert read_frame(folder / "scores.parquet", "SCORES").is_empty()
    assert read_frame(folder / "curves.parquet", "CURVES").is_empty()


def test_from_scratch_needs_no_supernet_and_is_done_once_for_each_seed(make: Make, tmp_path: Path) -> None:
    config = load(make, protocols='["spos", "reptile"]', seeds="[0, 1]", finetune="from_scratch = true")
    (folder,) = finetune(config, tmp_path / "a")
    scores = read_frame(folder / "scores.parquet", "SCORES")
    assert scores.select("method", "seed").unique().sort("seed").rows() == [("scratch", 0), ("scratch", 1)]
    first = scores.filter((pl.col("proxy") == "sotl") & (pl.col("step") == 4))
    assert first["value"].n_unique() == 6
    turned = tmp_path / "turned.txt"
    turned.write_text("\n".join(reversed(space_archs("random-3@0", "nb201"))))
    again = load(make, archs=str(turned), finetune="from_scratch = true")
    (other,) = finetune(again, tmp_path / "b")
    want = first.filter(pl.col("seed") == 0).sort("arch")
    got = read_frame(other / "scores.parquet").filter((pl.col("proxy") == "sotl") & (pl.col("step") == 4)).sort("arch")
    assert got["value"].to_list() == pytest.approx(want["value"].to_list(), rel=1e-5), (
        "weights belong to the architecture, not to its place"
    )


@pytest.mark.parametrize(
    ("space", "network", "images"),
    [("nb101-1", "", ""), ("nb101-3", "", "cutout = 2"), ("s5", "layers = 3", ""), ("darts", "layers = 3", "")],
)
def test_every_kind_of_space(space: str, network: str, images: str, make: Make, tmp_path: Path) -> None:
    config = load(
        make, space=space, network=network, images=images, protocols='["multipath+metaprox"]', archs="random-2@0"
    )
    train(config, tmp_path)
    (folder,) = finetune(config, tmp_path)
    assert read_frame(folder / "failed.parquet").is_empty()
    scores = read_frame(folder / "scores.parquet", "SCORES")
    assert scores["arch"].unique(maintain_order=True).to_list() == space_archs("random-2@0", space)
    assert scores["value"].is_finite().all()


# --- memory -----------------------------------------------------------------------------------------------------------

CPU_MESSAGE = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 9 bytes. Error code 12 (Cannot allocate memory)"
)


def test_out_of_memory_says_what_to_do_and_changes_nothing(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def full(error: Exception) -> Any:
        def forward(self: Any, x: Any, *_: Any) -> Any:
            sizes.append(len(x))
            raise error

        return forward

    supernet = type(Run(load(make), tmp_path, "cpu").blank())
    monkeypatch.setattr(supernet, "forward", full(RuntimeError(CPU_MESSAGE)))
    with pytest.raises(DeviceError) as caught:
        train(load(make), tmp_path)
    assert "training spos, seed 0: out of memory at batch_size = 8" in str(caught.value)
    assert "make one of them smaller, or use fewer --workers" in str(caught.value)
    monkeypatch.setattr(supernet, "forward", full(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(DeviceError, match="out of memory on cpu at batch_size = 8"):
        train(load(make), tmp_path)
    assert sizes == [8, 8], "asked for once, with the batch of the configuration"
    monkeypatch.setattr(supernet, "forward", full(RuntimeError("another fault")))
    with pytest.raises(RuntimeError, match="^another fault$"):
        train(load(make), tmp_path)


@pytest.mark.parametrize(
    ("free", "batch_size", "hint"),
    [
        (300, 100, "about 80 images a batch would fit"),  # never as many as did not fit
        (0, 100, "about 64 images a batch would fit"),  # 400 bytes are left of the 500 that 100 images took
        (300, 2, "no batch of at least 2 images would fit"),
    ],
)
def test_memory_on_a_device_is_told_in_images(
    free: int, batch_size: int, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch took 500 bytes, 200 were in use before."""
    reserved = 700 if free else 600
    given = {"memory_allocated": 200, "max_memory_allocated": 700, "memory_reserved": reserved}
    for name, value in {**given, "mem_get_info": (free, 1000)}.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
    begun: list[str] = []  # torch refuses to reset the peak of a process that has not begun CUDA
    monkeypatch.setattr(torch.cuda, "init", lambda: begun.append("init"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: begun.append("reset"))
    expected = pytest.raises(DeviceError, match=f"x: out of memory on cuda at batch_size = {batch_size}; {hint}")
    with expected, explained_memory("x", batch_size, "cuda"):
        raise torch.OutOfMemoryError
    assert begun == ["init", "reset"]


def test_units_that_lacked_memory_are_made_again(
    make: Make, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lack of memory is not the architecture's: it is recorded, and the same command tries again."""
    config, out = load(make), linked(trained, tmp_path / "out")
    with monkeypatch.context() as patch:

        def full(*_: Any) -> Any:
            raise RuntimeError(CPU_MESSAGE)

        patch.setattr(finetune_run, "finetune_together", full)
        (folder,) = finetune(config, out)
    assert read_frame(folder / "failed.parquet")["error"].str.contains("out of memory at batch_size = 8").all()
    assert len(read_frame(folder / "failed.parquet")) == 3
    (folder,) = finetune(config, out)
    assert read_frame(folder / "failed.parquet").is_empty()
    assert read_frame(folder / "scores.parquet", "SCORES")["arch"].n_unique() == 3


# --- images and labels ------------------------------------------------------------------------------------------------


def test_the_official_parts_are_used_whole(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DataConfig(data=str(pictures), split="nb201", train=5, valid=5)
    with pytest.raises(UnknownNameError, match="data set with an official NAS-Bench-201 split"):
        load_task(config)

    def halves(data: Any, folder: Path | None) -> Any:
        index = np.arange(len(data.train))
        return data.train.take(index[:30]), data.train.take(index[30:]), None

    monkeypatch.setattr(tasks, "nb201_split", halves)
    task = load_task(config)
    assert (len(task.labels), len(task.valid[1])) == (30, 42)
    with pytest.raises(ParameterError, match="split: Input should be 'stratified' or 'nb201' .got 'half'"):
        DataConfig(split="half")


def test_labels_out_of_range_and_empty_parts_are_refused(pictures: Path) -> None:
    pixels = np.zeros((3, 8, 8, 1), np.uint8)
    with pytest.raises(DataFileError, match=r"expected labels 0 to 1 \(2 classes\), got 2 \(first at image 1\)"):
        image_set(pixels, [0, 2, 1], ("a", "b"), "here")
    for given, message in (
        ({"train": 0}, "train: expected 1 image or more, got 0: the split would be empty"),
        ({"valid": 0, "train": 9}, "valid: expected 1 image or more, got 0"),
        ({"train": 70, "valid": 3}, "expected at most 72 images, which the training part has, got 70 [+] 3 = 73"),
    ):
        with pytest.raises(ParameterError, match=message):
            load_task(DataConfig(data=str(pictures), **given))  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="labels: Input should be 'true' or 'random' .got 'wrong'"):
        DataConfig(labels="wrong")


@pytest.mark.parametrize("data", ["pictures", "digits"])
def test_random_labels_stay_the_same_and_differ_from_the_true_ones(data: str, pictures: Path) -> None:
    where = str(pictures) if data == "pictures" else "digits"
    true, drawn, again, other = (
        load_task(DataConfig(data=where, train=60, valid=12, labels=labels, split_seed=seed))
        for labels, seed in (("true", 0), ("random", 0), ("random", 0), ("random", 1))
    )
    count = len(true.labels)
    index = torch.arange(count)

    def labels(task: Any, seed: int) -> Any:
        images, found = task.batch(index, torch.Generator().manual_seed(seed))
        assert len(images) == count
        return found

    assert torch.equal(labels(true, 0), true.labels)
    assert torch.equal(labels(drawn, 0), labels(drawn, 1))
    assert torch.equal(labels(drawn, 0), labels(again, 0))
    assert not torch.equal(labels(drawn, 0), labels(other, 0))
    share = float((labels(drawn, 0) == true.labels).double().mean())
    assert abs(share - 1 / true.classes) < 4 * (1 / true.classes / count) ** 0.5, "as often right as by chance"
    assert int(labels(drawn, 0).max()) == true.classes - 1
    assert torch.equal(drawn.valid[1], true.valid[1]), "validation labels stay true"
    turned = torch.tensor([3, 1, 2])
    _, found = drawn.batch(turned, torch.Generator().manual_seed(0))
    assert torch.equal(found, labels(drawn, 0)[turned]), "labels go with the images"


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """``nasanalysis supernet ...`` -> exit code and stderr."""
    monkeypatch.delenv("NASANALYSIS_DEBUG", raising=False)

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["nasanalysis", "supernet", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, err if code else out

    return call


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"protocols": '["spso"]'}, "unknown training protocol 'spso'. Did you mean 'spos'?"),
        ({"train": "epoch = 3"}, "unknown key 'train.epoch'. Did you mean 'epochs'?"),
        ({"images": "crops = 3"}, "unknown key 'data.crops'. Did you mean 'crop'?"),
        ({"images": 'labels = "false"'}, "data.labels: Input should be 'true' or 'random' (got 'false')"),
        ({"finetune": "minibatch = 3"}, "unknown key 'finetune.0.minibatch'. Did you mean 'minibatches'?"),
        ({"network": "width = 3"}, "unknown key 'network.width'. Known: channels, cells"),
        ({"add": "[data]"}, "expected TOML, got Cannot declare"),
        ({"network": 'reduction = "max"'}, "network.reduction: String should match pattern"),
        ({"train": 'preset = "thesis"'}, "unknown preset 'thesis'. "),
        ({"train": "outer_rate = 2.0"}, "0 < outer_rate <= 1"),
        ({"train": "learning_rate = 1e-9"}, "expected 0 <= learning_rate_min <= learning_rate, got 0.001 and 1e-09"),
        ({"epochs": 0}, "training: expected at least 1 epoch"),
        ({"seeds": "[-1]"}, "seeds: expected whole numbers from 0, each once, got [-1]"),
        ({"seeds": "[0, 1, 0]"}, "seeds: expected whole numbers from 0, each once, got [0, 1, 0]"),
        ({"seeds": "[]"}, "seeds: expected whole numbers from 0, each once, got []"),
        ({"protocols": "[]"}, "protocols: expected at least one, each once, got []"),
        ({"protocols": '["spos", "spos"]'}, "protocols: expected at least one, each once"),
        ({"finetune": 'protocols = ["reptile"]'}, "finetune 'part': protocols not trained here: reptile"),
        ({"finetune": "seeds = [4]"}, "finetune 'part': seeds not trained here: [4]"),
        ({"finetune": "valid_every = 0"}, "valid_every >= 1, got minibatches = 4, batch_size = 8, valid_every = 0"),
        ({"add": '[[finetune]]\nname = "part"'}, "finetune: two parts share a name; got part, part"),
        ({"space": "nb202"}, "unknown space 'nb202'. Did you mean 'nb201'"),
        ({"add": "= 3"}, "expected TOML, got"),
    ],
)
def test_a_wrong_configuration_is_told_in_one_line(
    given: dict[str, Any], message: str, make: Make, tmp_path: Path, said: Callable[..., tuple[int, str]]
) -> None:
    path = make(**given)
    for action in ("train", "finetune"):
        code, err = said(action, "--config", path, "--out", tmp_path / "out", "--workers", 1)
        assert code == 2
        assert err.startswith(f"error: {path}: ")
        assert message in err
        assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_commands(make: Make, tmp_path: Path, said: Callable[..., tuple[int, str]]) -> None:
    path = make(epochs=1, archs="random-2@0")
    out = tmp_path / "out"
    common = ("--config", path, "--out", out, "--workers", 1, "--device", "cpu")
    code, err = said("finetune", *common)
    assert (code, "run `nasanalysis supernet train` with the same --config and --out first" in err) == (1, True)
    code, text = said("train", *common)
    assert (code, text) == (0, f"{out}: 1 supernets trained\n")
    code, err = said("finetune", *common, "--only", "prt")
    assert (code, "expected a part of the configuration (part), got 'prt'" in err) == (2, True)
    code, text = said("finetune", *common, "--json")
    assert code == 0
    assert str(out / "finetune" / "part") in text
    assert (out / "finetune" / "part" / "scores.parquet").exists()
    code, err = said("train", "--config", tmp_path / "none.toml", "--out", out)
    assert (code, "none.toml: expected a configuration file, found nothing there" in err) == (2, True)
    if not torch.cuda.is_available():
        code, err = said("train", "--config", path, "--out", out, "--device", "cuda")
        assert (code, err.startswith("error: --device cuda: no CUDA device here")) == (1, True)
    code, err = said("train", "--config", path, "--out", out, "--device", "gpu")
    assert (code, err) == (2, "error: --device: expected auto, cpu or cuda, got 'gpu'\n")
