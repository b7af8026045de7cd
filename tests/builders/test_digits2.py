"""The second edition of digits: what is recorded, the sample and its weights, kills, packs, refused settings."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import BuildError, MissingDataError, ParameterError
from nasanalysis.core.frames import read_frame, read_provenance
from nasanalysis.core.seeding import generator as numpy_generator
from nasanalysis.core.seeding import torch_generator
from nasanalysis.spaces.nb201 import SPACE, format_cell

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from torch import nn

from nasanalysis.builders import build_digits2 as module
from nasanalysis.builders.build_digits2 import build_digits2
from nasanalysis.builders.digits import train_architecture, train_network
from nasanalysis.builders.digits2_measures import measured_images, noise_levels
from nasanalysis.builders.digits2_pack import KEPT_BITS, RAW, SECONDS, TABLE, finish, pack, round_fraction
from nasanalysis.builders.digits2_plan import class_order, class_weights
from nasanalysis.builders.digits2_recorder import CURVES, GRADIENT_SUMS, columns, record_run
from nasanalysis.builders.digits2_settings import RecorderSettings
from nasanalysis.measures.hessian import weight_hessian
from nasanalysis.measures.perturb import perturbed_losses
from nasanalysis.networks.nb201 import build_network
from nasanalysis.spaces.skeletons import SKELETONS
from nasanalysis.training.digits import DigitsConfig, load_digits, place

pytestmark = pytest.mark.torch

TASK = DigitsConfig(epochs=2, train=96, valid=20, test=20, draws=2, batch_size=32)
TINY = RecorderSettings(
    task=TASK,
    minibatches=5,
    valid_every=2,
    valid_batch=8,
    angle_epochs=(1, 2),
    sigmas=(0.01, 0.1),
    noise_draws=2,
    noise_epochs=(1, 2),
    trace_draws=2,
    zero_cost_batch=16,
)
#: Every operation; edge 1-2 is not there.
ARCH = format_cell(["nor_conv_3x3", "skip_connect", "none", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3"])
DEAD = format_cell(["nor_conv_3x3", "none", "none", "none", "none", "nor_conv_1x1"])


@pytest.fixture(autouse=True)
def _same_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checkout may change while the tests run; the commit is not what they are about."""
    monkeypatch.setattr("nasanalysis.core.provenance.git_state", lambda: {"commit": "c", "dirty": False})


@pytest.fixture(scope="module")
def row() -> dict[str, Any]:
    return record_run(ARCH, 1, TINY).to_dicts()[0]


def build(out: Path, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"classes": 3, "seeds": 2, "workers": 1, "settings": TINY, "quiet": True}
    return build_digits2(out, **(arguments | changes))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an unbroken build with one worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nasanalysis.core.provenance.git_state", lambda: {"commit": "c", "dirty": False})
        return build(tmp_path_factory.mktemp("built")).parent


# --- the sample --------------------------------------------------------------------------------------


def test_the_order_is_the_first_appearance_of_each_class_in_the_draw_of_the_first_edition() -> None:
    draw = SPACE.sample(len(SPACE), numpy_generator(0, "digits", "sample"))
    order = class_order(0)
    assert len(order) == len(set(order)) == 5545
    seen: list[object] = []
    for arch in draw[:300]:
        representative = SPACE.unique_arch(arch, "functional")
        if representative not in seen:
            seen.append(representative)
    assert list(order[: len(seen)]) == seen


@pytest.mark.parametrize("n", [1, 50, 1000, 5545])
def test_weights_are_the_cells_drawn_before_the_next_class_appears(n: int) -> None:
    weights = class_weights(n, 0)
    draw = [
        str(SPACE.unique_arch(a, "functional")) for a in SPACE.sample(15_625, numpy_generator(0, "digits", "sample"))
    ]
    counts: Counter[str] = Counter()
    for text in draw:
        if text not in counts and len(counts) == n:
            break
        counts[text] += 1
    assert dict(zip(weights["arch"], weights["drawn"], strict=True)) == counts
    assert (weights["drawn"] <= weights["size"]).all()
    if n == 5545:
        assert (weights["drawn"] == weights["size"]).all()
        assert weights["size"].sum() == 15_625


@pytest.mark.parametrize("n", [0, -1, 5546])
def test_impossible_numbers_of_classes(tmp_path: Path, n: int) -> None:
    with pytest.raises(ParameterError, match=f"--classes: expected 1 to 5545.*got {n}"):
        build(tmp_path / "out", classes=n)
    assert not (tmp_path / "out").exists()


# --- one run -----------------------------------------------------------------------------------------


def test_every_column_is_there_and_defined(row: dict[str, Any]) -> None:
    assert list(row) == list(columns(TINY))
    lengths = {name: len(value) for name, value in row.items() if isinstance(value, list)}
    assert {lengths[name] for name in (*CURVES, *GRADIENT_SUMS)} == {2}
    assert lengths["train_minibatch_loss"] == 5
    assert lengths["valid_minibatch_accuracy"] == 2
    assert lengths["noise_1"] == lengths["noise_2"] == len(noise_levels(TINY)) == 5
    assert {n: v for n, v in row.items() if v is None or (isinstance(v, list) and None in v)} == {}
    assert all(row[name] > 0 for name in row if name.startswith("seconds_") and name != "seconds_zero_cost_l2_norm")


@pytest.mark.parametrize("key", [ARCH, DEAD, format_cell(["skip_connect"] * 6)])
def test_curves_are_the_first_editions_bit_by_bit(key: str) -> None:
    """Here and now: another processor rounds differently, so the shipped file of another machine is only near."""
    torch.set_num_threads(1)
    first = train_architecture(f"nb201:{key}", 1, TASK, load_digits(TASK))
    recorded = record_run(key, 1, TINY)
    for name in CURVES:
        assert recorded[name][0].to_list() == first[name].cast(pl.Float32).to_list(), name


def test_an_epoch_of_the_first_edition_is_near_the_shipped_file() -> None:
    shipped = read_frame(Path(module.__file__).parents[2] / "data/digits.parquet")
    task = DigitsConfig()
    settings = replace(TINY, task=task, angle_epochs=(), noise_epochs=())
    key = shipped["arch"].unique(maintain_order=True)[333]
    old = shipped.filter((pl.col("arch") == key) & (pl.col("seed") == 0)).sort("step")
    new = record_run(key.removeprefix("nb201:"), 0, settings)
    assert new["train_loss"][0][0] == pytest.approx(old["train_loss"][0], abs=1e-3)
    assert new["valid_accuracy"][0][-1] == pytest.approx(old["valid_accuracy"][-1], abs=15)


def test_gradient_sums_and_minibatches_are_those_of_a_loop_written_by_hand(row: dict[str, Any]) -> None:
    """Training written out again, with torch's plain optimiser calls, in numpy float64 sums."""
    torch.set_num_threads(1)
    data, stream = load_digits(TASK), torch_generator(1, "digits", "train", f"nb201:{ARCH}")
    net = build_network(ARCH, SKELETONS["digits"], stream)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 6)
    sizes = sum(p.numel() for p in net.parameters())
    total, within = np.zeros(sizes), np.zeros(sizes)
    l1 = tensors = 0.0
    wanted: dict[str, list[float]] = {name: [] for name in GRADIENT_SUMS}
    losses, accuracies = [], []
    minibatches = iter(measured_images(data, TINY).valid_minibatches)
    for _ in range(2):
        within[:] = 0
        order = torch.randperm(96, generator=stream)
        images, labels = place(data.train_images[order], 0.3, stream), data.train_labels[order]
        for i in range(3):
            net.train()
            loss = nn.functional.cross_entropy(net(images[32 * i : 32 * i + 32]), labels[32 * i : 32 * i + 32])
            optimiser.zero_grad()
            loss.backward()
            losses.append(float(loss.detach()))
            start = 0
            for p in net.parameters():
                g = np.zeros(p.numel()) if p.grad is None else p.grad.double().numpy().ravel()
                total[start : start + len(g)] += g
                within[start : start + len(g)] += g
                l1 += float(np.abs(g).sum())
                tensors += float(np.sqrt((g**2).sum()))
                start += len(g)
            optimiser.step()
            schedule.step()
            if len(losses) in (2, 4):
                x, y = next(minibatches)
                twin = copy.deepcopy(net).eval()
                accuracies.append(100 * float((twin(x).argmax(1) == y).double().mean()))
        norms = (np.abs(total).sum(), total.sum(), np.sqrt((total**2).sum()))
        norms += (np.abs(within).sum(), np.sqrt((within**2).sum()), l1, tensors)
        for name, value in zip(GRADIENT_SUMS, norms, strict=True):
            wanted[name].append(float(value))
    for name in GRADIENT_SUMS:
        assert row[name] == pytest.approx(wanted[name], rel=1e-4, abs=1e-4), name
    assert row["train_minibatch_loss"] == pytest.approx(losses[:5], rel=1e-6)
    assert row["valid_minibatch_accuracy"] == pytest.approx(accuracies)


def test_noise_and_curvature_are_those_of_the_trained_network(row: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    data = load_digits(TASK)
    net, _ = train_network(f"nb201:{ARCH}", 1, TASK, data)
    images, labels = data.valid[0][:20], data.valid[1][:20]
    assert len({tuple(x.flatten().tolist()) for x in images}) == 20
    names = (1, "digits-2", f"nb201:{ARCH}")
    plain = perturbed_losses(
        net, images, labels, [0, 0.01, 0.1], generator=torch_generator(*names, "noise", 2), draws=2, how="vmap"
    )
    assert list(plain.select("sigma", "draw").iter_rows()) == noise_levels(TINY)
    assert row["noise_2"] == pytest.approx(plain["loss"].to_list(), rel=1e-4)
    assert row["noise_1"] != row["noise_2"]
    exact = weight_hessian(net, images, labels, generator=torch.Generator().manual_seed(5), trace_draws=0)
    assert row["hessian_eigenvalue"] == pytest.approx(exact.eigenvalues[0], rel=2e-2)


def test_a_cell_without_a_live_path_has_undefined_angles_and_measures() -> None:
    row = record_run(DEAD, 0, TINY).to_dicts()[0]
    assert row["angle_paths_all"] == row["angle_flat_cells"] == [None, None]
    assert row["jacov"] is None
    assert None not in row["train_loss"]


def test_one_run_does_not_depend_on_the_run_before() -> None:
    random_state = torch.get_rng_state()
    record_run(DEAD, 0, TINY)
    again = record_run(ARCH, 1, TINY)
    torch.manual_seed(99)
    other = record_run(ARCH, 1, TINY)
    drop = [name for name in again.columns if name.startswith("seconds_")]
    assert again.drop(drop).equals(other.drop(drop))
    torch.set_rng_state(random_state)


# --- the build ---------------------------------------------------------------------------------------


def test_two_workers_give_the_same_bytes_and_a_prefix_is_part_of_it(built: Path, tmp_path: Path) -> None:
    build(tmp_path, classes=2)
    assert read_provenance(tmp_path / RAW)["complete_classes"] == 2
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "units").glob("*.parquet")}
    assert len(kept) == 4
    build(tmp_path, workers=2)
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items()), "finished runs are not trained again"
    for name in (RAW, TABLE):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes(), name


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sigmas": (0.01, 0.2)}, r"sigmas: expected \[0.01, 0.2\], got \[0.01, 0.1\]"),
        ({"task": replace(TASK, noise=0.2)}, "task.noise: expected 0.2, got 0.3"),
        ({"trace_draws": 3}, "trace_draws: expected 3, got 2"),
    ],
)
def test_other_settings_are_refused_by_name(built: Path, tmp_path: Path, change: dict[str, Any], named: str) -> None:
    other = replace(TINY, **change)
    with pytest.raises(BuildError, match=named):
        build(built, settings=other)
    with pytest.raises(BuildError, match=named):
        build(tmp_path / "new", settings=other, resume_from=built)


def test_a_pack_is_gone_on_from(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path / "a", classes=2)
    (tmp_path / "a/units/0001-1.parquet").unlink()
    pack(tmp_path / "a", tmp_path / "pack")
    assert read_provenance(tmp_path / "pack" / RAW)["complete_classes"] == 1
    trained = []
    real = module.run_units
    monkeypatch.setattr(
        module, "run_units", lambda work, units, folder, **k: (
            trained.extend(s for s in units if not (folder / f"{s}.parquet").exists()), real(work, units, folder, **k)
        )[1]
    )  # fmt: skip
    build(tmp_path / "b", resume_from=tmp_path / "pack")
    assert trained == ["0001-1", "0002-0", "0002-1"]
    for unit in ("0000-0", "0000-1", "0001-0"):
        name = f"units/{unit}.parquet"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "b" / RAW).read_bytes() == (built / RAW).read_bytes()
    with pytest.raises(MissingDataError, match=f"--resume-from: expected {RAW}"):
        build(tmp_path / "c", resume_from=tmp_path / "nowhere")


def test_the_thin_table_loses_what_it_says_and_no_more(built: Path, tmp_path: Path) -> None:
    raw, table = read_frame(built / RAW), read_frame(finish(built / RAW, tmp_path))
    assert not any(name.startswith("seconds_") for name in (*raw.columns, *table.columns))
    assert table["drawn"].to_list() == [n for n in class_weights(3, 0)["drawn"] for _ in range(2)]
    for name in raw.columns:
        bits = next((b for start, b in KEPT_BITS.items() if name.startswith(start)), None)
        if bits is None:
            assert table[name].equals(raw[name]), name
        else:
            old, new = raw[name].explode(), table[name].explode()
            assert new.is_null().equals(old.is_null())
            assert ((new - old).abs() <= old.abs() * 2.0 ** -(bits + 1)).fill_null(value=True).all(), name
    assert len(read_frame(built / SECONDS)) == len(raw)


def test_fractions_are_rounded_to_nearest() -> None:
    values = np.array([1.0, 1 + 2**-4, 1 + 2**-3, -1.49, 0.0, 3e38, np.inf], dtype=np.float32)
    got = round_fraction(values, 3)
    assert got.tolist()[:3] == [1.0, 1.125, 1.125]
    assert got[3] == -1.5
    assert got[4] == 0.0
    assert got[6] == np.inf
    assert not (got[:5].view(np.uint32) & ((1 << 20) - 1)).any()


DRIVER = """
import sys
import nasanalysis.core.provenance as provenance
provenance.git_state = lambda: {"commit": "c", "dirty": False}
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_digits2 import build
print("ready", flush=True)
build(Path(sys.argv[1]), workers=2)
"""


def start(out: Path) -> subprocess.Popen[str]:
    root = str(Path(module.__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(out), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    process = start(tmp_path / "out")
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out").glob("units/[0-9]*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=120)
    assert start(tmp_path / "out").wait(timeout=600) == 0
    for name in (RAW, TABLE):
        assert (tmp_path / "out" / name).read_bytes() == (built / name).read_bytes()


def test_the_command(tmp_path: Path, built: Path) -> None:
    from typer.testing import CliRunner

    from nasanalysis.cli.app import app

    runner = CliRunner()
    done = runner.invoke(app, ["benchmark", "pack", str(built), "--to", str(tmp_path), "--json"])
    assert json.loads(done.stdout)["runs"] == 6
    done = runner.invoke(app, ["benchmark", "finish", str(tmp_path), "--to", str(tmp_path), "--json"])
    assert json.loads(done.stdout)["complete_classes"] == 3
    assert (tmp_path / TABLE).read_bytes() == (built / TABLE).read_bytes()
    wrong = runner.invoke(app, ["benchmark", "build", "digits-2", "--classes", "0", "--out", str(tmp_path / "x")])
    assert isinstance(wrong.exception, ParameterError)
