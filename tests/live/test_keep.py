"""What is kept of a run: every value as it was, thinned and in a fixed order, with where it came from."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.torch

from typer.testing import CliRunner

from nasanalysis.cli.app import app
from nasanalysis.core.errors import BuildError
from nasanalysis.core.frames import read_frame, read_provenance
from nasanalysis.live.config import SupernetConfig
from nasanalysis.live.finetune import finetune_all
from nasanalysis.live.keep import keep_run
from nasanalysis.live.measure import measure_all
from nasanalysis.live.run import Run
from nasanalysis.live.search import search_all
from nasanalysis.live.train import train_all
from nasanalysis.training.protocols import get_protocol

SMALL = """
space = "nb201"
network = { channels = 2, cells = 1, reduction = "pool", stem_kernel = 1 }
data = { data = "digits" }
[train]
protocols = ["multipath", "spos"]
seeds = [1, 0]
epochs = 2
[[finetune]]
name = "long"
archs = "random-3@0"
minibatches = 4
valid_batch = 0
val_acc_every = 0
[[finetune]]
name = "short"
archs = "random-2@0"
minibatches = 3
valid_batch = 0
val_acc_every = 0
[[measure]]
name = "noise"
archs = "random-2@0"
measures = ["val_acc"]
sigmas = [0.01]
draws = 1
[[measure]]
name = "angles"
archs = "all"
measures = ["angle", "angle_cells"]
sigmas = []
[[search]]
name = "best"
terms = [{ proxy = "val_acc" }]
algorithm = "random_search"
queries = 2
curvature = [0.01]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("run")
    (home / "small.toml").write_text(SMALL)
    run = Run(SupernetConfig.load(home / "small.toml"), home / "out", "cpu")
    train_all(run)
    for command in (finetune_all, measure_all, search_all):
        command(run)
    return run


@pytest.fixture(scope="module")
def kept(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kept")
    names = [path.name for path in keep_run(run.out, "x", out, losses=["spos"])]
    parts = ("finetune_scores", "finetune_losses", "training", "measured_scores", "perturbed", "shares")
    assert names == [f"x_{part}.parquet" for part in (*parts, "search_traces", "search_perturbed")]
    return out


def parts(run: Run, pattern: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted(run.out.glob(pattern))])


def test_scores_are_thinned_and_the_last_step_stays(run: Run, kept: Path) -> None:
    scores = read_frame(kept / "x_finetune_scores.parquet", "SCORES")
    before = parts(run, "finetune/*/scores.parquet").drop_nulls("value")
    steps = {part: set(rows["step"]) for (part,), rows in scores.group_by("setting")}
    assert steps == {"long": {0, 1, 2, 4}, "short": {0, 1, 2, 3}}
    assert pl.read_parquet_schema(kept / "x_finetune_scores.parquet")["value"] == pl.Float32()
    keys = ["arch", "method", "setting", "proxy", "seed", "step"]
    both = scores.join(before, on=keys, suffix="_before")
    gone = before.join(scores, on=keys, how="anti")
    assert len(both) == len(scores)
    assert set(gone.select("setting", "step").unique().rows()) == {("long", 3)}
    assert (both["value"] - both["value_before"].cast(pl.Float32)).abs().max() == 0
    assert both.sort("method", "setting", "proxy", "step", "seed", "arch")["arch"].to_list() == scores["arch"].to_list()


def test_losses_are_those_of_the_protocols_and_the_largest_parts(run: Run, kept: Path) -> None:
    losses = read_frame(kept / "x_finetune_losses.parquet", "CURVES")
    assert losses.select("method", "setting").unique().rows() == [("spos", "long")]
    assert len(losses) == 2 * 3 * 4, "two seeds, three architectures, four minibatches"
    before = parts(run, "finetune/long/curves.parquet")
    both = losses.join(before, on=["arch", "method", "seed", "step"], suffix="_before")
    assert (both["train_loss"] == both["train_loss_before"]).all()


def test_the_fixed_share_of_an_angle_is_kept_as_a_median(run: Run, kept: Path) -> None:
    trace = read_frame(kept / "x_shares.parquet", "TRACE")
    before = parts(run, "measure/angles/shares.parquet").filter(method="spos", seed=0, proxy="angle")
    one = trace.filter(method="spos", setting="angles", seed=0, quantity="angle:fixed_after")
    assert one["value"].to_list() == [before["fixed_after"].median()]
    assert set(trace["epoch"]) == {2}
    assert set(trace["quantity"]) == {f"{a}:fixed_{w}" for a in ("angle", "angle_cells") for w in ("before", "after")}


def test_a_trace_says_how_many_updates_were_made(run: Run, kept: Path) -> None:
    """As many images as there are an epoch, whatever the protocol does with them: a fourth of the updates."""
    trace = read_frame(kept / "x_training.parquet", "TRACE")
    assert trace["method"].unique(maintain_order=True).to_list() == ["spos", "multipath"], "the order of PROTOCOLS"
    assert trace["seed"].unique(maintain_order=True).to_list() == [0, 1]
    net, batch = run.blank(), run.config.train.batch_size
    for name in ("spos", "multipath"):
        rows = trace.filter(method=name, seed=0).pivot("quantity", index="epoch", values="value").sort("epoch")
        assert (rows["updates"] * batch * get_protocol(name).passes(net) == rows["images_seen"]).all()
        assert rows["updates"].to_list() == sorted(rows["updates"])


def test_measures_and_searches_are_kept_whole(run: Run, kept: Path) -> None:
    for name, pattern, value in (
        ("measured_scores", "measure/*/scores.parquet", "value"),
        ("perturbed", "measure/*/perturbed.parquet", "loss"),
        ("search_traces", "search/*/trace.parquet", "value"),
        ("search_perturbed", "search/*/perturbed.parquet", "loss"),
    ):
        frame, before = pl.read_parquet(kept / f"x_{name}.parquet"), parts(run, pattern)
        before = before.with_columns(pl.col(value).cast(frame.schema[value]))
        assert sorted(map(repr, frame.rows())) == sorted(map(repr, before.select(frame.columns).rows())), name


def test_where_it_came_from_is_kept(run: Run, kept: Path) -> None:
    record = read_provenance(kept / "x_finetune_scores.parquet")
    assert record["made_from"] == {
        name: read_provenance(run.out / "finetune" / name / "scores.parquet") for name in ("long", "short")
    }
    assert set(read_provenance(kept / "x_training.parquet")["made_from"]) == {
        "multipath-0", "multipath-1", "spos-0", "spos-1"
    }  # fmt: skip


def test_the_command_and_an_unfinished_run(run: Run, kept: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["supernet", "keep", str(run.out), "x", "--losses", "spos", "--out", str(tmp_path / "kept")]
    )
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) == 8
    for path in kept.glob("*.parquet"):
        assert (tmp_path / "kept" / path.name).read_bytes() == path.read_bytes()
    with pytest.raises(BuildError, match=r"expected supernets/\*/trace.parquet, found none; is the run finished"):
        keep_run(tmp_path, "x", tmp_path)
    (tmp_path / "begun" / "finetune").mkdir(parents=True)
    with pytest.raises(BuildError, match=r"expected finetune/\*/scores.parquet"):
        keep_run(tmp_path / "begun", "x", tmp_path)
