"""RobustDARTS's logs: Hessians, errors, genotypes, the results files; and damaged ones."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import DataFileError, MissingDataError, NasAnalysisError
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.darts import robust_darts as rd
from nasanalysis.stats.stopping import early_stopping

SETTING = "0.0_0.0003"


@pytest.fixture(scope="module")
def root(data_dir: Path) -> Path:
    return data_dir / "robust_darts"


@pytest.fixture
def copied(root: Path, tmp_path: Path) -> rd.Run:
    """Run 1 of one setting, in a folder of our own."""
    source = rd.run(root, SETTING, 1).folder
    folder = tmp_path / "s1" / "cifar10" / source.name
    folder.mkdir(parents=True)
    for name in ("errors_1.json", "arch_1", "derivatives_1.json"):
        shutil.copyfile(source / name, folder / name)
    return rd.run(tmp_path, SETTING, 1)


def test_runs(root: Path) -> None:
    found = rd.runs(root)
    assert len(found) == 21
    assert sorted({r.weight_decay for r in found}) == [0.0003, 0.0009, 0.0027, 0.0081, 0.0243, 0.0729, 0.2187]
    assert {r.drop_path for r in found} == {0.0}
    with pytest.raises(NasAnalysisError, match=r"expected a setting of 0.0_0.0003, .*got '0.0', 1"):
        rd.run(root, "0.0", 1)


def test_dominant_eigenvalue_with_and_without_the_decay(root: Path) -> None:
    search = rd.run(root, SETTING, 1)
    logged, plain = rd.dominant_eigenvalues(search), rd.dominant_eigenvalues(search, with_decay=False)
    assert list(logged) == [*range(0, 49, 2), 49]
    assert [round(logged[e], 3) for e in (0, 46, 49)] == [0.179, 1.319, 0.521]
    for epoch, value in logged.items():
        assert plain[epoch] == pytest.approx(value - 0.001, abs=1e-12)
    epochs, matrices = rd.hessians(search)
    assert matrices.shape == (26, 56, 56)
    assert epochs.tolist() == list(logged)
    # Power iteration on one matrix, as an independent route to the largest eigenvalue.
    vector = np.random.default_rng(0).normal(size=56)
    for _ in range(3000):
        vector = matrices[23] @ vector
        vector /= np.linalg.norm(vector)
    assert vector @ matrices[23] @ vector == pytest.approx(logged[46], rel=1e-9)


def test_the_decay_is_on_the_diagonal(root: Path) -> None:
    """The two operations of an edge share a softmax: without the decay their rows of the Hessian sum to zero."""
    _, matrices = rd.hessians(rd.run(root, SETTING, 1), with_decay=False)
    paired = matrices.reshape(26, 56, 28, 2).sum(axis=3)
    assert np.abs(paired).max() < 1e-5
    _, logged = rd.hessians(rd.run(root, SETTING, 1))
    assert np.abs(logged.reshape(26, 56, 28, 2).sum(axis=3)).max() == pytest.approx(0.001, abs=1e-5)


def test_gzip_and_plain_are_one(copied: rd.Run) -> None:
    plain = rd.hessians(copied)
    path = copied.folder / "derivatives_1.json"
    (copied.folder / "derivatives_1.json.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    packed = rd.hessians(copied)
    assert np.array_equal(plain[0], packed[0])
    assert np.array_equal(plain[1], packed[1])


def test_errors_are_errors(root: Path) -> None:
    """The log prints accuracies; the file's ``valid_acc`` is 100 minus that."""
    table = rd.errors(rd.run(root, SETTING, 1))
    assert table.columns == ["epoch", "train_error", "valid_error", "train_loss", "valid_loss"]
    assert table.height == 50
    log = (rd.run(root, SETTING, 1).folder / "log_1.txt").read_text()
    accuracies = [float(line.rpartition(" ")[2]) for line in log.splitlines() if " valid_acc " in line]
    assert np.allclose(100 - table["valid_error"].to_numpy(), accuracies)


def test_genotypes(root: Path) -> None:
    with_log, without = rd.genotypes(rd.run(root, SETTING, 1)), rd.genotypes(rd.run(root, SETTING, 2))
    assert list(with_log) == list(range(50))
    assert list(without) == [49]
    assert with_log[49].startswith("s1:normal=|dil_conv_3x3~0|skip_connect~1|+")


def test_trace_frame(root: Path) -> None:
    frame = load_benchmark("robust-darts", root.parent).lazy("TRACE").collect()
    counts = dict(frame["quantity"].value_counts().rows())
    assert counts["arch_hessian_ev"] == counts["arch_hessian_ev_without_decay"] == 21 * 26
    assert counts["valid_error"] == 21 * 50
    assert counts["genotype"] == 20 + 50
    one = frame.filter(
        (pl.col("setting") == SETTING) & (pl.col("seed") == 1) & (pl.col("quantity") == "arch_hessian_ev")
    )
    assert one.filter(pl.col("epoch") == 46)["value"].item() == pytest.approx(1.319, abs=5e-4)
    genotypes = frame.filter(pl.col("quantity") == "genotype")
    assert genotypes["value"].null_count() == genotypes.height


def test_results_files_agree_with_the_logs(root: Path) -> None:
    pytest.importorskip("yaml")
    table = rd.results(root)
    assert table.filter(quantity="valid_error").group_by("dataset").len().sort("dataset").rows() == [
        ("cifar10", 105),
        ("svhn", 105),
    ]
    for search in rd.runs(root)[::5]:
        rows = table.filter(dataset="cifar10", setting=search.setting, seed=search.seed)
        assert rows.filter(quantity="valid_error")["value"].item() == pytest.approx(
            rd.errors(search)["valid_error"][-1]
        )
        assert rows.filter(quantity="genotype")["text"].item() == rd.genotypes(search)[49]
    svhn = table.filter(dataset="svhn", quantity="genotype")["text"]
    assert svhn.str.starts_with("s3:").all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected one Hessian per line, got an empty file"),
        ("{", "line 1: expected JSON"),
        ('{"epoch": 0}', "line 1: expected an epoch and a square matrix H"),
        ('{"epoch": 0, "H": [[1, 2], [3, 4]]}', r"expected a Hessian of 56 by 56.*got \(2, 2\)"),
        ('{"epoch": 0, "H": [[1], [3, 4]]}', "line 1: expected an epoch and a square matrix H"),
        (json.dumps({"epoch": 0, "H": [[float("nan")] * 56] * 56}), "not finite"),
        ("\n".join([json.dumps({"epoch": 3, "H": [[0.0] * 56] * 56})] * 2), "expected epochs in order, got 3 after 3"),
        ("[" * 100_000, "expected JSON"),
    ],
)
def test_damaged_hessians(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "derivatives_1.json").write_text(content)
    with pytest.raises(DataFileError, match=message):
        rd.hessians(rd.Run(SETTING, 1, tmp_path))


def test_truncated_gzip(copied: rd.Run) -> None:
    path = copied.folder / "derivatives_1.json"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    path.with_suffix(".json.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataFileError, match="expected a whole file"):
        rd.hessians(copied)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train_acc": []}, "expected the keys train_acc, valid_acc"),
        ([], "expected the keys .* got list"),
        ({"train_acc": [1], "valid_acc": [1, 2], "train_loss": [1], "valid_loss": [1]}, "four lists of equal length"),
        ({"train_acc": [1], "valid_acc": ["x"], "train_loss": [1], "valid_loss": [1]}, "expected numbers"),
        ({"train_acc": [1], "valid_acc": [101], "train_loss": [1], "valid_loss": [1]}, "valid_error: expected percent"),
    ],
)
def test_damaged_errors(tmp_path: Path, content: object, message: str) -> None:
    (tmp_path / "errors_1.json").write_text(json.dumps(content))
    with pytest.raises(DataFileError, match=message):
        rd.errors(rd.Run(SETTING, 1, tmp_path))


def test_a_genotype_of_another_space(copied: rd.Run) -> None:
    path = copied.folder / "arch_1"
    path.write_text(path.read_text().replace("dil_conv_3x3", "avg_pool_3x3"))
    with pytest.raises(
        DataFileError, match=r"arch_1: s1: normal, edge from 0 to 2: expected one of skip_connect, dil_conv_3x3"
    ):
        rd.genotypes(copied)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("s1_cifar10: !!python/object/apply:os.system ['false']", "expected YAML"),
        ("s9: {}", "expected groups such as s1_cifar10, s3_svhn, got 's9'"),
        ("[1]", "expected a mapping"),
        ("s1_cifar10: {0.0_0.0003: {1: 300}}", "expected an error in percent, got 300"),
        ("s1_cifar10: {0.0_0.0003: {x: 3}}", "expected a seed, got 'x'"),
    ],
)
def test_damaged_results(tmp_path: Path, content: str, message: str) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "results_perf.yaml").write_text(content)
    with pytest.raises(DataFileError, match=message):
        rd.results(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="robust-darts: s1/cifar10"):
        rd.runs(tmp_path)


def test_its_inputs_are_what_the_trace_is_read_from(root: Path) -> None:
    inputs = load_benchmark("robust-darts", root.parent).inputs
    names = [path.name.partition("_")[0] for path in inputs if isinstance(path, Path)]
    assert {name: names.count(name) for name in names} == {
        "derivatives": 21,
        "errors": 21,
        "arch": 21,
        "log": 1,
        "results": 1,
    }


def test_published_hessians_are_blind_to_a_constant_for_an_edge(root: Path) -> None:
    """A softmax does not change when all of an edge's parameters do alike: 28 edges, 28 null vectors at least."""
    edges = np.kron(np.eye(28), np.ones((1, 2)))
    count = negative = 0
    for search in rd.runs(root):
        _, matrices = rd.hessians(search, with_decay=False)
        for matrix in (matrices + matrices.transpose(0, 2, 1)) / 2:
            values = np.linalg.eigvalsh(matrix)
            scale = np.abs(values).max()
            assert np.abs(matrix @ edges.T).max() < 1e-6 * scale
            assert (np.abs(values) < 1e-6 * scale).sum() >= 28
            negative += bool(-values[0] > values[-1])
            count += 1
    assert (count, negative) == (546, 1), "in one of them the eigenvalue of largest magnitude is negative"


def test_spectra_of_all_published_hessians(root: Path) -> None:
    table = rd.spectra(rd.runs(root))
    each = table.group_by("setting", "seed", "epoch").agg(
        pl.len(),
        low=pl.col("value").min(),
        high=pl.col("value").max(),
        flat=((pl.col("value") - 0.001).abs() < 1e-6).sum(),
    )
    assert each.height == 546
    assert set(each["len"]) == {56}
    assert each["flat"].is_between(28, 30).all(), "28 edges, a null vector each"
    assert each.filter(-pl.col("low") > pl.col("high")).height == 1, "one whose largest in magnitude is negative"
    search = rd.run(root, SETTING, 1)
    mine = table.filter(setting=SETTING, seed=1, part="55")
    assert dict(mine.select("epoch", "value").iter_rows()) == pytest.approx(rd.dominant_eigenvalues(search))


def test_early_stopping_of_the_published_searches(root: Path) -> None:
    stops = early_stopping(rd.trace(root)).filter(setting=SETTING).sort("seed")
    assert stops["stop_epoch"].to_list() == [22, 22, 30]
    assert stops["return_epoch"].to_list() == [10, 10, 18]
