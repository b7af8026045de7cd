"""The trained DARTS architectures: the real files, the rule for duplicates, and damaged files."""

from __future__ import annotations

import csv
import pickle
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from nasanalysis.core.errors import DataFileError, MissingDataError, UnsafePickleError
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.benchmark import BENCHMARKS
from nasanalysis.loaders.darts import trained as darts
from nasanalysis.loaders.thesis_samples import thesis_sample
from nasanalysis.spaces import get_space

SPACE = get_space("darts")
KEY = SPACE.arch(7).key


@pytest.fixture
def copies(data_dir: Path, tmp_path: Path) -> Path:
    """A data folder of our own, to damage."""
    shutil.copytree(data_dir / "darts", tmp_path / "darts")
    for path in (tmp_path / "darts").iterdir():
        path.chmod(0o644)
    return tmp_path


def test_the_214(data_dir: Path) -> None:
    benchmark = load_benchmark("darts-214", data_dir)
    truth, curves, archs = benchmark.truth(), benchmark.curves(), benchmark.archs()
    assert truth.height == archs.height == 214
    assert curves.height == 214 * 600
    assert truth["split"].unique().to_list() == ["test"]
    assert truth["schedule"].unique().to_list() == [600]
    best = curves.group_by("arch").agg(best=pl.col("test_accuracy").max())
    joined = truth.join(best, on="arch")
    assert (joined["accuracy"] - joined["best"]).abs().max() < 5e-3
    assert truth["accuracy"].min() > 90
    raw = np.load(data_dir / "darts" / "curves_214_architectures.npy")
    first = curves.filter(curves["arch"] == truth["arch"][0]).sort("step")
    assert np.array_equal(first["test_accuracy"].to_numpy(), raw[0].astype(np.float32))
    assert first["step"].to_list() == list(range(1, 601))


def test_rank_correlation_of_size_and_accuracy(data_dir: Path) -> None:
    for name, expected in (("darts-214", 0.2425), ("darts-1000", 0.8045)):
        benchmark = load_benchmark(name, data_dir)
        table = benchmark.truth().join(benchmark.archs(), on="arch")
        assert spearmanr(table["params"], table["accuracy"]).statistic == pytest.approx(expected, abs=5e-5)


def test_the_1000(data_dir: Path) -> None:
    truth = load_benchmark("darts-1000", data_dir).truth()
    genotypes = [SPACE.genotype(arch) for arch in truth["arch"]]
    nodes = [[node for cell in genotype for node in cell] for genotype in genotypes]
    assert truth.height == 1000
    assert truth["split"].unique().to_list() == ["valid"]
    assert (truth["accuracy"].min(), truth["accuracy"].max()) == (
        pytest.approx(10.2, abs=0.05),
        pytest.approx(86.6, abs=0.05),
    )
    assert all(genotype.normal == genotype.reduce for genotype in genotypes)
    assert sum(any(a[1] == b[1] for a, b in row) for row in nodes) == 811
    assert sum(any("none" in (a[0], b[0]) for a, b in row) for row in nodes) == 644


def test_the_thesis_sample(data_dir: Path) -> None:
    sample = [SPACE.parse(text) for text in thesis_sample("darts", data_dir)]
    assert len(set(sample)) == 350
    assert all(SPACE.is_counted(arch) for arch in sample)
    first = "normal=|avg_pool_3x3~0|dil_conv_5x5~1|+|skip_connect~0|sep_conv_3x3~1|+|dil_conv_5x5~1|sep_conv_3x3~2|+"
    assert sample[0].key.startswith(first)


def test_rows_of_one_architecture_are_numbered_runs_or_one() -> None:
    a, b = SPACE.arch(1), SPACE.arch(2)
    frame = darts._truth("x", [a, b, a, b, b], [1.0, 2.0, 1.0, 3.0, 2.0], "test", 5, Path("x"))
    assert frame.select("arch", "seed", "accuracy").rows() == [
        (str(a), None, 1.0),
        (str(b), 0, 2.0),
        (str(b), 1, 3.0),
    ]


def test_duplicates_keep_their_curves(copies: Path) -> None:
    path = copies / "darts" / "genotypes_214.pkl"
    curves = copies / "darts" / "curves_214_architectures.npy"
    rows = pickle.loads(path.read_bytes())
    history = np.load(curves)
    rows[1] = (rows[0][0], rows[1][1])  # another run of the first
    rows[2], history[2] = rows[0], history[0]  # the first, written twice
    path.write_bytes(pickle.dumps(rows))
    np.save(curves, history)
    benchmark = load_benchmark("darts-214", copies)
    truth, frame = benchmark.truth(), benchmark.curves()
    same = truth.filter(truth["arch"] == truth["arch"][0])
    assert (truth.height, same["seed"].to_list()) == (213, [0, 1])
    assert frame.height == 213 * 600
    for seed in (0, 1):
        mine = frame.filter((frame["arch"] == truth["arch"][0]) & (frame["seed"] == seed)).sort("step")["test_accuracy"]
        assert np.array_equal(mine.to_numpy(), history[seed].astype(np.float32))


def test_missing_files_say_where_they_were_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    for name in ("darts-214", "darts-1000", "robust-darts", "nb301", "nb301-v0.9"):
        assert name in BENCHMARKS
        with pytest.raises(MissingDataError, match=f"(?s)not on this machine. Looked for.*{tmp_path.name}"):
            load_benchmark(name, tmp_path)


def _csv(path: Path, rows: list[list[object]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def test_damaged_csv(tmp_path: Path) -> None:
    path = tmp_path / "random_1000_cifar10.csv"
    for rows, message in (
        ([[KEY, 50.0]] * 3, "expected 1000 rows, got 3"),
        ([[KEY]], "line 1: expected a genotype and an accuracy, got 1 fields"),
        ([[KEY, "x"]], "line 1: could not convert"),
        (
            [[KEY, 50], [KEY.replace("max_pool_3x3", "max_pool", 1), 50]],
            "line 2: darts: normal, node 2: unknown operation 'max_pool'",
        ),
    ):
        _csv(path, rows)
        with pytest.raises(DataFileError, match=message):
            darts.truth_1000(path)
    _csv(path, [[SPACE.arch(i).key, 100.5 if i == 9 else 50] for i in range(1000)])
    with pytest.raises(Exception, match=r"'accuracy' outside \[0, 100\]"):
        darts.truth_1000(path)
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataFileError, match="expected CSV of genotypes"):
        darts.truth_1000(path)


def test_damaged_214(copies: Path) -> None:
    genotypes, curves = copies / "darts" / "genotypes_214.pkl", copies / "darts" / "curves_214_architectures.npy"
    rows, history = pickle.loads(genotypes.read_bytes()), np.load(curves)
    whole = curves.read_bytes()

    def refuses(message: str, error: type[Exception] = DataFileError) -> None:
        with pytest.raises(error, match=message):
            darts.truth_214(genotypes, curves)

    curves.write_bytes(whole[:1000])
    refuses("expected a whole numpy file of curves")
    np.save(curves, history[:, :500])
    refuses(r"expected 214 curves of 600 epochs, got an array float64 of shape \(214, 500\)")
    np.save(curves, history.astype(object), allow_pickle=True)
    refuses("expected a whole numpy file of curves")
    np.save(curves, history[::-1])
    refuses("entry 0: expected the best epoch of its curve.*belongs to another list")
    curves.write_bytes(whole)
    genotypes.write_bytes(pickle.dumps(rows[:213]))
    refuses("expected 214 architectures, got 213")
    genotypes.write_bytes(pickle.dumps([1, 2]))
    refuses("expected pairs of genotype text and accuracy")
    genotypes.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    refuses("asks for os.system", UnsafePickleError)


def test_samples_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "sample.pkl"
    for content, message in (
        ([3], "entry 0"),
        ({}, "expected a list of Genotype objects, got dict"),
        ([{"normal": []}], "entry 0: darts: genotype"),
    ):
        path.write_bytes(pickle.dumps(content))
        with pytest.raises(DataFileError, match=message):
            darts.read_genotypes(path)
