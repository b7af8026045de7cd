"""Building the digits benchmark: repeatable, resumable, independent of workers and of global generators."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import BuildError, NasAnalysisError, OutputError, ParameterError
from nasanalysis.core.frames import read_frame, read_provenance
from nasanalysis.loaders.digits import from_file
from nasanalysis.spaces.nb201 import OPERATIONS, SPACE, format_cell

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from nasanalysis.builders import build_digits as module
from nasanalysis.builders.build_digits import always_included, build_digits, sample_architectures
from nasanalysis.builders.digits import DigitsLearner, TorchCosine, Watcher, train_architecture, train_network
from nasanalysis.core.seeding import torch_generator
from nasanalysis.networks.nb201 import build_network
from nasanalysis.spaces.skeletons import SKELETONS
from nasanalysis.training.digits import DigitsConfig, load_digits, place
from nasanalysis.training.loop import Loop

pytestmark = pytest.mark.torch

TINY = DigitsConfig(epochs=1, train=64, valid=20, test=20, draws=1, batch_size=32)
FEWEST = len(always_included())
ARCH = format_cell(["nor_conv_3x3", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "none", "nor_conv_3x3"])


@pytest.fixture(autouse=True)
def _same_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout may change while the tests run; the commit is not what they are about."""
    monkeypatch.setattr("nasanalysis.core.provenance.git_state", lambda: {"commit": "c", "dirty": False})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken build with one worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nasanalysis.core.provenance.git_state", lambda: {"commit": "c", "dirty": False})
        out = tmp_path_factory.mktemp("built")
        return build_digits(out, archs=FEWEST + 2, seeds=1, workers=1, config=TINY, quiet=True)


def build(out: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"archs": FEWEST + 2, "seeds": 1, "workers": 1, "config": TINY, "quiet": True}
    return build_digits(out, **(arguments | changes))


# --- the sample --------------------------------------------------------------------------------------


def test_always_included_are_the_single_operation_cells_and_one_of_each_dead_class() -> None:
    always = set(always_included())
    for op in OPERATIONS:
        assert SPACE.parse(format_cell([op] * 6)) in always
    dead = {SPACE.unique_arch(a, "functional") for a in SPACE if not SPACE.has_live_path(a)}
    assert dead <= always
    assert len(always) == len(dead | {SPACE.parse(format_cell([op] * 6)) for op in OPERATIONS})


def test_small_samples_are_part_of_larger_ones() -> None:
    large, large_uniform = sample_architectures(600, 0)
    assert len(set(large)) == 600
    for n in (FEWEST, FEWEST + 1, 100, 599):
        small, uniform = sample_architectures(n, 0)
        assert len(set(small)) == n
        assert set(small) <= set(large)
        assert uniform == large_uniform[: len(uniform)]
        assert set(always_included()) <= set(small)
    assert sample_architectures(600, 1)[1] != large_uniform


def test_the_uniform_list_is_a_prefix_of_one_permutation() -> None:
    """Cells included without being drawn are not in it; an included cell that was drawn is."""
    chosen, uniform = sample_architectures(2000, 0)
    from nasanalysis.core.seeding import generator

    permutation = SPACE.sample(len(SPACE), generator(0, "digits", "sample"))
    assert uniform == permutation[: len(uniform)]
    always = set(always_included())
    assert set(chosen) == always | set(uniform)
    assert set(chosen) - set(uniform) == always - set(uniform)
    i = next(i for i, arch in enumerate(permutation) if i and arch in always)
    drawn = sample_architectures(len(always | set(permutation[:i])), 0)[1]
    assert len(drawn) > i, "an included cell that is drawn next costs nothing, so it belongs to the uniform sample"
    everything, all_uniform = sample_architectures(len(SPACE), 0)
    assert set(everything) == set(SPACE) == set(all_uniform)


@pytest.mark.parametrize("n", [-1, 0, FEWEST - 1, 15_626])
def test_impossible_sample_sizes(n: int) -> None:
    with pytest.raises(ParameterError, match=rf"--archs: expected {FEWEST} .* to 15625, got {n}"):
        sample_architectures(n, 0)


@pytest.mark.parametrize("change", [{"seeds": 0}, {"workers": 0}, {"workers": -3}])
def test_impossible_seeds_and_workers(tmp_path: Path, change: dict[str, int]) -> None:
    ((name, value),) = change.items()
    with pytest.raises(ParameterError, match=f"--{name}: expected at least 1.*got {value}"):
        build(tmp_path / "out", **change)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", [{"epochs": 0}, {"batch_size": 1}, {"draws": 0}, {"train": 1500}])
def test_impossible_configurations(change: dict[str, int]) -> None:
    with pytest.raises(NasAnalysisError, match="digits: expected"):
        DigitsConfig(**change)


# --- one run -----------------------------------------------------------------------------------------


def test_the_split_is_a_partition_and_placing_keeps_the_digit() -> None:
    data = load_digits(TINY)
    assert data.train_images.shape == (64, 8, 8)
    assert data.valid[0].shape == (20, 1, 12, 12)
    assert torch.bincount(data.train_labels, minlength=10).min() >= 5, "stratified"
    images = data.train_images[:16]
    placed = place(images, 0.0, torch.Generator().manual_seed(0))
    assert placed.sum((1, 2, 3)).allclose(images.sum((1, 2)))
    assert placed.shape == (16, 1, 12, 12)
    corners = {tuple(torch.nonzero(p[0])[0].tolist()) for p in placed}
    assert len(corners) > 4, "placed at random"
    noisy = place(images, 0.3, torch.Generator().manual_seed(0)) - placed
    assert noisy.std() == pytest.approx(0.3, abs=0.03)


def test_training_is_repeatable_whatever_the_global_generators_and_leaves_them_alone() -> None:
    data = load_digits(TINY)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    first = train_architecture(ARCH, 0, TINY, data)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert random.getstate() == states[2]
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    again = train_architecture(ARCH, 0, TINY, load_digits(TINY))
    assert again.equals(first)
    assert not train_architecture(ARCH, 1, TINY, data).equals(first), "the seed is honoured"


def by_a_plain_loop(arch: str, seed: int, config: DigitsConfig, data: Any) -> tuple[Any, list[float]]:
    """A training as one would write it down: torch's own schedule, sums of single floats, one stream."""
    stream = torch_generator(seed, "digits", "train", arch)
    net = build_network(arch, SKELETONS["digits"], stream)
    sgd = torch.optim.SGD(
        net.parameters(), config.learning_rate, config.momentum, 0, config.weight_decay, nesterov=True, fused=True
    )
    n = len(data.train_labels)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, config.epochs * -(-n // config.batch_size))
    losses = []
    for _ in range(config.epochs):
        net.train()
        order = torch.randperm(n, generator=stream)
        images, labels = place(data.train_images[order], config.noise, stream), data.train_labels[order]
        total = torch.zeros(())
        for x, y in zip(images.split(config.batch_size), labels.split(config.batch_size), strict=True):
            loss = torch.nn.functional.cross_entropy(net(x), y)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            cosine.step()
            total += loss.detach() * len(y)
        losses.append(float(total) / n)
    return net, losses


def test_the_shared_loop_trains_to_the_bit_what_a_plain_one_does() -> None:
    config = DigitsConfig(epochs=3, train=200, valid=20, test=20, draws=1, batch_size=32)
    data = load_digits(config)
    net, rows = train_network(ARCH, 1, config, data)
    plain, losses = by_a_plain_loop(ARCH, 1, config, data)
    assert rows["train_loss"].to_list() == losses
    for name, value in plain.state_dict().items():
        assert torch.equal(net.state_dict()[name], value), name


def test_a_run_goes_on_from_its_state_to_the_same_bits() -> None:
    config = DigitsConfig(epochs=2, train=64, valid=20, test=20, draws=1, batch_size=32)
    data = load_digits(config)

    def loop() -> Loop:
        learner = DigitsLearner(ARCH, 1, config, data, Watcher())
        return Loop(learner, TorchCosine(config.learning_rate, learner.updates), epochs=config.epochs)

    whole, broken, resumed = loop(), loop(), loop()
    whole.run_epoch()
    broken.run_epoch()
    resumed.restore(copy.deepcopy(broken.state()))
    for one in (whole, resumed):
        one.run_epoch()
    for name, value in whole.learner.net.state_dict().items():
        assert torch.equal(resumed.learner.net.state_dict()[name], value), name


def test_a_dead_network_stays_at_chance_and_a_live_one_learns() -> None:
    config = DigitsConfig(epochs=6, train=1000, valid=50, test=200, draws=1, noise=0.1)
    data = load_digits(config)
    dead = train_architecture(format_cell(["none"] * 6), 0, config, data)
    live = train_architecture(format_cell(["nor_conv_3x3"] * 6), 0, config, data)
    assert dead["test_accuracy"].to_list()[-1] < 20 < 35 < live["test_accuracy"].to_list()[-1]
    assert dead["train_loss"][-1] == pytest.approx(np.log(10), abs=0.15)
    assert live["train_loss"][-1] < live["train_loss"][0]
    assert live["step"].to_list() == [1, 2, 3, 4, 5, 6]


# --- the build ---------------------------------------------------------------------------------------


def test_the_file_is_a_benchmark(built: Path) -> None:
    frame = read_frame(built, "CURVES")
    chosen, uniform = sample_architectures(FEWEST + 2, 0)
    assert frame["arch"].unique(maintain_order=True).to_list() == [str(a) for a in chosen]
    assert len(frame) == (FEWEST + 2) * TINY.epochs
    recorded = [f"{s}_{w}" for s in ("train", "valid", "test") for w in ("loss", "accuracy")]
    assert frame.select(recorded).null_count().sum_horizontal().item() == 0
    record = read_provenance(built)
    assert record["config"] == {**asdict(TINY), "archs": FEWEST + 2, "seeds": 1}
    assert record["seeds"] == {"data": 0, "training 0": 0}
    assert record["uniform_archs"] == len(uniform)
    assert set(record["outside_uniform_sample"]) == {str(a) for a in chosen} - {str(a) for a in uniform}
    assert record["packages"]["torch"] == torch.__version__
    assert "utc" not in record, "the same file whenever it is made"
    benchmark = from_file(built)
    truth = benchmark.truth(split="test")
    assert truth.filter(pl.col("seed").is_null()).height == FEWEST + 2
    assert benchmark.archs().height == FEWEST + 2


def test_two_workers_write_the_same_bytes(built: Path, tmp_path: Path) -> None:
    assert build(tmp_path / "two", workers=2).read_bytes() == built.read_bytes()


def test_a_second_seed_only_adds_rows(built: Path, tmp_path: Path) -> None:
    more = read_frame(build(tmp_path / "out", seeds=2))
    assert more.filter(pl.col("seed") == 0).equals(read_frame(built))
    one, two = (more.filter(pl.col("seed") == s)["train_loss"].to_list() for s in (0, 1))
    assert one != two


def test_another_configuration_in_the_same_folder_is_refused(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(out)
    other = DigitsConfig(**(asdict(TINY) | {"noise": 0.2}))
    with pytest.raises(BuildError, match=r"other settings \(config differ\).*--no-resume"):
        build(out, config=other)
    assert build(out, config=other, resume=False).read_bytes() != built.read_bytes()
    assert len(list((out / "units.1").glob("*.parquet"))) == FEWEST + 2


def test_a_damaged_unit_is_rebuilt(built: Path, tmp_path: Path) -> None:
    build(tmp_path / "out")
    unit = sorted((tmp_path / "out" / "units").glob("*.parquet"))[3]
    unit.write_bytes(unit.read_bytes()[:100])
    with pytest.raises(BuildError, match="damaged unit is removed: run the same command again"):
        build(tmp_path / "out")
    assert build(tmp_path / "out").read_bytes() == built.read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here to play the full disk")
def test_a_full_disk_keeps_what_is_finished(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = tempfile.mkstemp, iter(range(10**6))

    def mkstemp(*args: Any, **kwargs: Any) -> tuple[int, str]:
        handle, name = real(*args, **kwargs)
        if ".parquet." in name and next(count) >= 10:
            Path(name).unlink()
            Path(name).symlink_to("/dev/full")
        return handle, name

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", mkstemp)
        with pytest.raises(
            OutputError, match=r"No space left on device; free some space.*10 of \d+ units are finished"
        ):
            build(tmp_path / "out")
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "units").glob("*.parquet")}
    assert len(kept) == 10
    assert build(tmp_path / "out").read_bytes() == built.read_bytes()
    assert all(p.stat().st_mtime_ns == time_ for p, time_ in kept.items()), "finished units are not trained again"


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write .*file/out.*choose another folder with --out"):
        build(tmp_path / "file" / "out")


DRIVER = """
import json, sys
import nasanalysis.core.provenance as provenance
provenance.git_state = lambda: {"commit": "c", "dirty": False}
from pathlib import Path
from nasanalysis.builders.build_digits import build_digits
from nasanalysis.training.digits import DigitsConfig
print("ready", flush=True)
keys = json.loads(sys.argv[2])
build_digits(Path(sys.argv[1]), config=DigitsConfig(**keys.pop("config")), quiet=True, **keys)
"""


def start(out: Path, **keys: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(out), json.dumps(keys)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )


def kill_and_resume(out: Path, kills: int, spread: float, **keys: Any) -> int:
    """Start the build `kills` times, kill its whole process group, then let it finish; kills that struck."""
    draws, struck = random.Random(1), 0
    for _ in range(kills):
        process = start(out, **keys)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(draws.uniform(0.0, spread))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        struck += process.wait(timeout=120) == -signal.SIGKILL
    assert start(out, **keys).wait(timeout=600) == 0
    return struck


def test_killed_and_resumed_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    keys = {"archs": FEWEST + 2, "seeds": 1, "workers": 1, "config": asdict(TINY)}
    assert kill_and_resume(tmp_path / "out", 2, 0.5, **keys) >= 1
    assert (tmp_path / "out" / "digits.parquet").read_bytes() == built.read_bytes()


@pytest.mark.slow
def test_killed_five_times_with_two_workers_gives_the_same_bytes(tmp_path: Path) -> None:
    config = asdict(DigitsConfig(epochs=2, train=300, valid=50, test=50, draws=1))
    keys = {"archs": FEWEST + 30, "seeds": 2, "workers": 2, "config": config}
    assert start(tmp_path / "whole", **keys).wait(timeout=600) == 0
    assert kill_and_resume(tmp_path / "out", 5, 8.0, **keys) >= 4
    assert (tmp_path / "out/digits.parquet").read_bytes() == (tmp_path / "whole/digits.parquet").read_bytes()
