"""Benchmark nb101 from the files at hand: means, official runs, one-shot scores; conversion in two processes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from nasanalysis.core.errors import DataFileError, MissingDataError, UnsafePickleError
from nasanalysis.core.frames import check
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.nb101.benchmark import _runs, _scan, load, read_means, read_records
from nasanalysis.loaders.nb101.one_shot import oneshot_files, read_oneshot, scores_of_oneshot
from nasanalysis.loaders.nb101.records import curves_of_runs, truth_of_runs
from nasanalysis.loaders.thesis_samples import thesis_sample
from nasanalysis.spaces import get_space
from nasanalysis.spaces.nb101 import SPACE

REPOSITORY = Path(__file__).resolve().parents[2]
METHODS = ("baseline_ft_bn", "baseline_no_ft", "single-k_ft_bn")


def test_the_official_pickle_as_truth_and_curves(data_dir: Path) -> None:
    runs = read_records(data_dir / "nb101/official_records_30.pkl")
    truth = check(truth_of_runs(runs.lazy()).collect(), "TRUTH")
    assert truth.group_by("split", "seed").len()["len"].to_list() == [30] * 8
    arch = next(a for a in truth["arch"].to_list() if SPACE.hash(a) == "ff92c322c5d9d3d587d9c146a63d0807")
    rows = truth.filter(pl.col("arch") == arch, pl.col("split") == "test", pl.col("seed").is_not_null())
    assert rows["accuracy"].to_list() == pytest.approx(
        [92.31770634651184, 91.92708134651184, 92.05729365348816], abs=1e-9
    )
    curves = check(curves_of_runs(runs.lazy()).collect(), "CURVES")
    assert curves["step"].unique().sort().to_list() == [54, 108], (
        "the pickle holds no initial values: no rows of step 0"
    )
    assert curves["train_loss"].null_count() == len(curves)
    first = curves.filter(pl.col("arch") == arch, pl.col("seed") == 0, pl.col("step") == 54)
    assert first["seconds"].item() == 697.9600219726562
    assert first["train_accuracy"].item() == pytest.approx(81.31009, abs=1e-4)


def test_one_shot_scores_of_one_file(data_dir: Path) -> None:
    path = data_dir / "nb101/one_shot/baseline_ft_bn/space1/seed0/eval_results.pkl"
    table, runs = read_oneshot([path])
    assert len(table) == 997
    assert table["draws"].sum() == 1000
    scores = check(scores_of_oneshot(table.lazy()).collect(), "SCORES")
    assert scores.select("method", "setting", "proxy", "seed").unique().rows() == [
        ("baseline_ft_bn", "output_degree=1", "val_acc", 0)
    ]
    assert scores["value"].is_between(5, 100).all()
    assert len(runs) == 3 * 997
    truth = truth_of_runs(runs.lazy()).filter(pl.col("seed").is_null(), pl.col("split") == "test").collect()
    joined = scores.join(truth, on="arch")
    assert spearmanr(joined["value"], joined["accuracy"]).statistic == pytest.approx(0.667, abs=1e-3)
    assert all(SPACE.spec(a)[0][1:-1, -1].sum() == 1 for a in scores["arch"].head(50))


@pytest.mark.slow
def test_one_shot_rank_correlation_with_truth(data_dir: Path) -> None:
    """Spearman of one-shot with true test accuracy, every method, output degree and seed of the files."""
    files = oneshot_files(data_dir / "nb101/one_shot")
    assert len(files) == 18
    table, runs = read_oneshot(files)
    truth = truth_of_runs(runs.lazy()).filter(pl.col("seed").is_null(), pl.col("split") == "test").collect()
    joined = table.join(truth.select("arch", "accuracy"), on="arch")
    assert joined["arch"].n_unique() == 17_568
    found = {
        key: float(spearmanr(group["value"], group["accuracy"]).statistic)
        for key, group in joined.group_by("method", "setting", "seed")
    }
    expected = {
        "baseline_ft_bn": [0.667, 0.643, 0.579, 0.514, 0.635, 0.545],
        "baseline_no_ft": [0.336, 0.360, 0.207, 0.265, 0.131, -0.220],
        "single-k_ft_bn": [0.698, 0.731, 0.658, 0.605, 0.571, 0.643],
    }
    for method in METHODS:
        measured = [found[method, f"output_degree={n}", seed] for n in (1, 2, 3) for seed in (0, 1)]
        assert measured == pytest.approx(expected[method], abs=1e-3)
    repeated = table.filter(pl.col("draws") > 1)
    assert len(repeated) == 18_000 - len(table) == 61


@pytest.mark.slow
def test_the_whole_benchmark(data_dir: Path) -> None:
    benchmark = load_benchmark("nb101", data_dir)
    truth = check(benchmark.truth(), "TRUTH")
    means = truth.filter(pl.col("seed").is_null(), pl.col("split") == "test")
    assert len(means) == means["arch"].n_unique() == 423_624
    runs = truth.filter(pl.col("seed").is_not_null(), pl.col("split") == "test")
    ours = runs.group_by("arch").agg(pl.col("accuracy").mean(), pl.len()).join(means, on="arch")
    assert len(ours) == 17_596
    assert ours["len"].unique().to_list() == [3]
    assert (ours["accuracy"] - ours["accuracy_right"]).abs().max() < 1e-9
    archs = check(benchmark.archs(), "ARCHS")
    assert len(archs) == archs["unique_arch"].n_unique() == 423_624
    check(benchmark.curves(), "CURVES")
    check(benchmark.scores(), "SCORES")
    for name, encodings, cells in (("nb101-1", 14_580, 2_685), ("nb101-2", 29_160, 7_773)):
        space = load_benchmark(name, data_dir)
        table = check(space.archs(), "ARCHS")
        assert (len(table), table["unique_arch"].n_unique()) == (encodings, cells)
        assert table.null_count().sum_horizontal().item() == 0
        sample = thesis_sample(name, data_dir)
        own = space.truth(split="test").filter(pl.col("seed").is_null(), pl.col("arch").is_in(sample))
        for arch, accuracy in own.select("arch", "accuracy").head(20).iter_rows():
            cell = str(get_space(name).cell(arch))  # type: ignore[attr-defined]
            assert means.filter(pl.col("arch") == cell)["accuracy"].item() == accuracy


# ---- bad input --------------------------------------------------------------------------------------


def test_no_files_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="mean_test_accuracy_108_epochs"):
        load(tmp_path)


def test_a_table_that_is_not_the_whole_space(tmp_path: Path, data_dir: Path) -> None:
    source = data_dir / "nb101/mean_test_accuracy_108_epochs.parquet"
    part = tmp_path / "part.parquet"
    pl.read_parquet(source).head(1000).write_parquet(part)
    with pytest.raises(DataFileError, match="expected 423,624 different cells, got 1,000 in 1,000 rows"):
        read_means(part)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(source.read_bytes()[:10_000])
    with pytest.raises(DataFileError, match="expected a Parquet table with module_hash"):
        read_means(cut)
    other = tmp_path / "other.parquet"
    pl.DataFrame({"module_hash": ["a"]}).write_parquet(other)
    with pytest.raises(DataFileError, match="expected a Parquet table with module_hash, trainable_parameters"):
        read_means(other)


SPEC = {
    "module_adjacency": [[0, 1, 0], [0, 0, 1], [0, 0, 0]],
    "module_operations": ["input", "conv3x3-bn-relu", "output"],
    "trainable_parameters": 10_177_674,
}
RUN = {
    f"{stage}_{what}": 0.5
    for stage in ("halfway", "final")
    for what in ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
}
HASH = "b49ac8c578b4561d79ac7087988f1c61"


def pickled(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected a dict of hash -> record, got list"),
        ({}, "expected a dict of hash -> record"),
        ({HASH: (SPEC,)}, "record b49a"),
        ({"f" * 32: (SPEC, {108: [RUN]})}, "expected the hash of its cell, b49a"),
        ({HASH: (SPEC | {"trainable_parameters": 3}, {108: [RUN]})}, "expected 10177674 trainable parameters"),
        ({HASH: (SPEC, {107: [RUN]})}, "got 1 at 107"),
        ({HASH: (SPEC, {108: [RUN] * 4})}, "at most 3 runs"),
        ({HASH: (SPEC, {108: [{}]})}, "KeyError"),
        ({HASH: (SPEC, {108: [RUN | {"final_test_accuracy": 92.3}]})}, "fractions from 0 to 1, got 92.3"),
        ({HASH: (SPEC | {"module_adjacency": [[0, 1], [0, 0]]}, {108: [RUN]})}, "one operation for each of 2"),
    ],
)
def test_a_bad_pickle_of_records(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(DataFileError, match=message):
        read_records(pickled(tmp_path / "records.pkl", content))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    with pytest.raises(UnsafePickleError, match="system"):
        read_records(pickled(tmp_path / "records.pkl", {HASH: Bomb()}))
    path = pickled(tmp_path / "one_shot/m/space1/seed0/eval_results.pkl", [{"architecture": Bomb()}])
    with pytest.raises(UnsafePickleError, match="system"):
        read_oneshot([path])
    assert not (tmp_path / "ran").exists()


ENTRY = {
    "architecture": ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [2.0]),
    "full_metrics": (SPEC, {108: [RUN] * 3}),
    "proxy_metrics": {"final_validation_accuracy": 0.5},
}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "entry 0: KeyError: 'architecture'"),
        (ENTRY | {"architecture": ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [3.0])}, "operations 0, 1 or 2, got 3.0"),
        (ENTRY | {"architecture": ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0.0])}, "is not the cell of the official runs"),
        (ENTRY | {"proxy_metrics": {"final_validation_accuracy": 50.0}}, "an accuracy from 0 to 1, got 50.0"),
    ],
)
def test_a_bad_one_shot_entry(tmp_path: Path, entry: object, message: str) -> None:
    path = pickled(tmp_path / "one_shot/method/space1/seed0/eval_results.pkl", [entry])
    with pytest.raises(DataFileError, match=message):
        read_oneshot([path])


def test_one_shot_duplicates_are_averaged_and_the_degree_is_checked(tmp_path: Path) -> None:
    again = ENTRY | {"proxy_metrics": {"final_validation_accuracy": 0.25}}
    path = pickled(tmp_path / "one_shot/method/space1/seed3/eval_results.pkl", [ENTRY, again])
    table, runs = read_oneshot([path])
    assert table.rows() == [("nb101:conv3x3~0+output~1", "method", "output_degree=1", 3, 37.5, 2)]
    assert len(runs) == 3
    wrong = pickled(tmp_path / "one_shot/method/space2/seed3/eval_results.pkl", [ENTRY])
    with pytest.raises(DataFileError, match="output has 2 inner parents, got 1"):
        read_oneshot([wrong])
    with pytest.raises(DataFileError, match="expected a list of dicts"):
        read_oneshot([pickled(tmp_path / "one_shot/method/space1/seed4/eval_results.pkl", {})])
    with pytest.raises(DataFileError, match="expected a path <method>/space<n>"):
        read_oneshot([tmp_path / "elsewhere.pkl"])
    other = ENTRY | {"full_metrics": (SPEC, {108: [RUN | {"final_test_accuracy": 0.75}] * 3})}
    clash = pickled(tmp_path / "one_shot/method/space1/seed5/eval_results.pkl", [ENTRY, other])
    with pytest.raises(DataFileError, match="entry 1: other official runs"):
        read_oneshot([clash])
    records = pickled(tmp_path / "records.pkl", {HASH: other["full_metrics"]})
    with pytest.raises(DataFileError, match="other official runs of nb101:conv3x3~0"):
        _runs(records, [path])


# ---- conversion -------------------------------------------------------------------------------------


CONVERT = """
import os, sys, time
from pathlib import Path
raw, log, cache, hang = sys.argv[1:]
os.environ["NASANALYSIS_CACHE"] = cache
import polars as pl
from nasanalysis.loaders.nb101.benchmark import _scan

def work():
    with open(log, "a") as file:
        file.write("work\\n")
    time.sleep(600 if hang == "hang" else 0.5)
    return pl.DataFrame({"x": [1, 2, 3]})

assert _scan("test", [Path(raw)], work).collect()["x"].to_list() == [1, 2, 3]
"""


def test_two_processes_convert_once_and_a_kill_does_no_harm(tmp_path: Path) -> None:
    raw, log, cache = tmp_path / "raw", tmp_path / "log", tmp_path / "cache"
    raw.write_bytes(b"raw")

    def start(how: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CONVERT, str(raw), str(log), str(cache), how], cwd=REPOSITORY)

    killed = start("hang")
    for _ in range(600):
        if log.exists() or killed.poll() is not None:
            break
        time.sleep(0.05)
    assert log.read_text() == "work\n", "the process to be killed holds the lock and is at work"
    killed.kill()
    killed.wait(60)
    assert not list(cache.rglob("*.parquet"))

    both = [start("quick"), start("quick")]
    assert [process.wait(60) for process in both] == [0, 0]
    assert log.read_text() == "work\n" * 2, "one conversion for both, after the one that was killed"


def test_a_damaged_conversion_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "cache"))
    raw = tmp_path / "raw"
    raw.write_bytes(b"raw")
    made = []

    def work() -> pl.DataFrame:
        made.append(1)
        return pl.DataFrame({"x": [len(made)]})

    assert _scan("test", [raw], work).collect().item() == _scan("test", [raw], work).collect().item() == 1
    (converted,) = (tmp_path / "cache").rglob("*.parquet")
    converted.write_bytes(converted.read_bytes()[:-10])
    assert _scan("test", [raw], work).collect().item() == 2
    raw.write_bytes(b"other")
    assert _scan("test", [raw], work).collect().item() == 3


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path / "file"))
    raw = tmp_path / "raw"
    raw.write_bytes(b"raw")
    assert _scan("test", [raw], lambda: pl.DataFrame({"x": [7]})).collect().item() == 7


# ---- one-shot results alone, in the authors' folders ------------------------------------------------------


def test_one_shot_results_alone_are_a_benchmark_whatever_lies_beside_them(tmp_path: Path) -> None:
    home = tmp_path / "data" / "nb101" / "one_shot"
    for place in ("avg-3_ft_bn/1/0", "avg-3_ft_bn/full/2", "avg-3_ft_bn/full_0/2", "baseline_ft_bn/space1/seed4"):
        pickled(home / place / "eval_results.pkl", [ENTRY])
    for place in ("notes/backup", "baseline_ft_bn/space1/old seed"):
        pickled(home / place / "eval_results.pkl", ["not what a benchmark reads"])
    benchmark = load(tmp_path / "data")
    scores = benchmark.scores()
    assert scores.select("method", "setting", "seed").rows() == [
        ("avg-3_ft_bn", "output_degree=1", 0),
        ("avg-3_ft_bn", "space=full", 2),
        ("avg-3_ft_bn", "space=full_0", 2),
        ("baseline_ft_bn", "output_degree=1", 4),
    ]
    assert benchmark.truth(split="test").filter(pl.col("seed").is_null())["accuracy"].to_list() == [50.0]
    (note,) = [note for note in benchmark.notes if "not read" in note]
    assert note.endswith(": baseline_ft_bn/space1/old seed/eval_results.pkl, notes/backup/eval_results.pkl")


@pytest.mark.slow
def test_rows_come_in_one_order(data_dir: Path) -> None:
    """A join without an order gave the rows of an encoding space in another order from run to run."""
    space = get_space("nb101-3")
    archs = [str(arch) for arch in space.sample(300, np.random.default_rng(0))]
    benchmark = load_benchmark("nb101-3", data_dir)
    first = benchmark.truth(archs=archs)["arch"].to_list()
    assert all(benchmark.truth(archs=archs)["arch"].to_list() == first for _ in range(3))
    assert set(first) <= set(archs)
    assert list(dict.fromkeys(first)) == [arch for arch in archs if arch in set(first)]
