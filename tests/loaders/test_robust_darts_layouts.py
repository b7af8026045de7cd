"""RobustDARTS's other logs, on files written here as its repository has them: S3, accuracies, random search, gaps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import MissingDataError
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.darts import robust_darts as rd
from nasanalysis.loaders.registry import check_data

SKIPS = "Genotype(normal=[{edges}], normal_concat=range(2, 6), reduce=[{edges}], reduce_concat=range(2, 6))"
PAIRS = [(node, source) for node in range(2, 6) for source in (0, 1)]
#: Last validation error of the first search, as the authors' results file has it; its errors_1.json ends at 85.04.
LAST = 14.96


def genotype(operation: str) -> str:
    return SKIPS.format(edges=", ".join(f"({operation!r}, {source})" for _, source in PAIRS))


def curve(last_error: float, *, accuracies: bool = False, epochs: int = 50) -> dict[str, list[float]]:
    """What errors_k.json holds: errors that fall with the loss, or the accuracies that rise."""
    error = np.linspace(60.0, last_error, epochs)
    values = (100 - error if accuracies else error).tolist()
    loss = (error / 40).tolist()
    return {"train_acc": values, "train_loss": loss, "valid_acc": values, "valid_loss": loss}


def search(
    root: Path,
    place: str,
    seed: int = 1,
    *,
    errors: dict[str, list[float]] | None = None,
    operation: str = "sep_conv_3x3",
    hessian: int = 0,
) -> Path:
    folder = root / place
    folder.mkdir(parents=True, exist_ok=True)
    if errors is not None:
        (folder / f"errors_{seed}.json").write_text(json.dumps(errors))
    (folder / f"arch_{seed}").write_text(genotype(operation))
    if hessian:
        lines = [json.dumps({"epoch": e, "H": (np.eye(hessian) * (1 + e)).tolist()}) for e in (0, 2)]
        (folder / f"derivatives_{seed}.json").write_text("\n".join(lines))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "robust_darts"


def test_accuracies_are_recognised_by_the_results_file(root: Path) -> None:
    pytest.importorskip("yaml")
    search(root, "s2/cifar10/0.2_0.0009-1", errors=curve(LAST, accuracies=True))
    # A course that says nothing: both lists are constant but for the last entry.
    flat = {"train_acc": [50.0] * 3, "train_loss": [1.0] * 3, "valid_acc": [50.0, 50.0, 85.04], "valid_loss": [1.0] * 3}
    search(root, "s2/cifar10/0.4_0.0009-1", errors=flat)
    (root / "results_perf.yaml").write_text(f"s2_cifar10: {{0.2_0.0009: {{1: {LAST}}}, 0.4_0.0009: {{1: {LAST}}}}}")
    for found in rd.runs(root):
        assert rd.holds_accuracies(found)
        assert rd.errors(found)["valid_error"][-1] == pytest.approx(LAST)


def test_accuracies_are_recognised_by_the_course_of_the_training(root: Path) -> None:
    search(root, "s2/cifar10/0.2_0.0009-1", 1, errors=curve(LAST, accuracies=True))
    search(root, "s2/cifar10/0.2_0.0009-1", 2, errors=curve(LAST))
    first, second = rd.runs(root)
    assert (rd.holds_accuracies(first), rd.holds_accuracies(second)) == (True, False)
    for found in (first, second):
        assert rd.errors(found)["valid_error"].to_list() == pytest.approx(np.linspace(60, LAST, 50))
    notes = load_benchmark("robust-darts", root.parent).notes
    assert any("errors_k.json of 1 of 2 searches holds accuracies" in note for note in notes), notes


def test_a_results_file_that_says_errors_wins_over_the_course(root: Path) -> None:
    """A search that got worse and worse: its errors rise as the training loss falls."""
    pytest.importorskip("yaml")
    errors = curve(85.04)
    errors["train_loss"] = errors["train_loss"][::-1]
    search(root, "s2/cifar10/0.2_0.2187-1", errors=errors)
    (root / "results_perf.yaml").write_text("s2_cifar10: {0.2_0.2187: {1: 85.04}}")
    assert not rd.holds_accuracies(rd.runs(root)[0])


def test_s3_on_svhn_has_84_parameters_and_runs_without_hessians_load(root: Path) -> None:
    search(root, "s3/svhn/0.0_0.0009-2516871", 1, errors=curve(9.0), hessian=84)
    search(root, "s3/svhn/0.0_0.0009-2516871", 2, errors=curve(9.0))
    first, second = rd.runs(root)
    assert (first.space, first.dataset, first.has_hessians, second.has_hessians) == ("s3", "svhn", True, False)
    assert rd.hessians(first)[1].shape == (2, 84, 84)
    with pytest.raises(MissingDataError, match=r"derivatives_2\.json"):
        rd.hessians(second)
    trace = load_benchmark("robust-darts", root.parent).lazy("TRACE").collect()
    eigenvalues = trace.filter(pl.col("quantity") == "arch_hessian_ev")
    assert eigenvalues.select("dataset", "setting", "seed", "epoch", "value").rows() == [
        ("svhn", "0.0_0.0009", 1, 0, 1.0),
        ("svhn", "0.0_0.0009", 1, 2, 3.0),
    ]
    assert trace.filter(pl.col("quantity") == "valid_error").height == 100
    assert trace.filter(pl.col("quantity") == "genotype")["text"].str.starts_with("s3:").all()


def test_the_random_search_logs(root: Path) -> None:
    """One folder above the spaces, accuracies, genotypes with ``none``, 49 epochs, seed 4."""
    for space, dataset, operation in (("s1", "cifar10", "skip_connect"), ("s3", "svhn", "none")):
        place = f"search_logs_RandomNAS/{space}/{dataset}/0.2_0.0003-3514258"
        if space == "s1":  # every edge of S1 has its own two operations: this genotype is one of them
            operation = "skip_connect"
        search(root, place, 4, errors=curve(43.0, accuracies=True, epochs=49), operation=operation)
    (root / "search_logs_RandomNAS/s1/cifar10/0.2_0.0003-3514258/arch_4").write_text(S1_GENOTYPE)
    trace = load_benchmark("robust-darts", root.parent).lazy("TRACE").collect()
    assert trace["method"].unique().to_list() == ["random_ws"]
    last = trace.filter(pl.col("quantity") == "valid_error", pl.col("epoch") == 48)
    assert last["value"].to_list() == pytest.approx([43.0, 43.0])
    assert trace.filter(pl.col("quantity") == "genotype", pl.col("dataset") == "svhn")["text"][0].count("none") == 16


S1_GENOTYPE = (
    "Genotype(normal=[('dil_conv_5x5', 1), ('skip_connect', 0), ('dil_conv_5x5', 0), ('sep_conv_3x3', 1), "
    "('skip_connect', 2), ('skip_connect', 1), ('dil_conv_3x3', 4), ('skip_connect', 0)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 3), "
    "('dil_conv_3x3', 2), ('dil_conv_5x5', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])"
)


def test_a_run_that_lacks_a_file_costs_that_run(root: Path) -> None:
    search(root, "s2/cifar10/0.2_0.0009-1", 1, errors=curve(LAST))
    search(root, "s2/cifar10/0.2_0.0009-1", 2)  # a genotype, no errors
    (root / "s2/cifar10/0.2_0.0009-1/log_3.txt").write_text("killed")
    found, notes = rd.survey(root)
    assert [run.seed for run in found] == [1]
    assert notes == [
        "s2/cifar10/0.2_0.0009-1 run 2: not read, its folder lacks errors_2.json",
        "s2/cifar10/0.2_0.0009-1 run 3: not read, its folder lacks errors_3.json and arch_3",
    ]
    assert set(notes) < set(load_benchmark("robust-darts", root.parent).notes)


def test_a_search_that_was_run_again_is_read_once(root: Path) -> None:
    search(root, "s3/svhn/0.0_0.0027-2516872", errors=curve(20.0))
    search(root, "s3/svhn/0.0_0.0027-2614099", errors=curve(10.0))
    found, notes = rd.survey(root)
    assert [run.folder.name for run in found] == ["0.0_0.0027-2614099"]
    assert notes == ["s3/svhn/0.0_0.0027-2516872 run 1: not read, 0.0_0.0027-2614099 is a later job of the same search"]


def test_data_check_reads_every_run(root: Path) -> None:
    search(root, "s2/cifar10/0.2_0.0009-1", 1, errors=curve(LAST, accuracies=True), hessian=56)
    folder = search(root, "s2/cifar10/0.4_0.0009-2", 1, errors=curve(LAST))
    (result,) = check_data("robust-darts", root.parent)
    assert (result.status, result.message) == (
        "ok",
        "2 searches, 2 Hessians; accuracies under the names of errors in 1",
    )
    (folder / "errors_1.json").write_text("{}")
    (result,) = check_data("robust-darts", root.parent)
    assert result.status == "failed"
    assert "0.4_0.0009-2/errors_1.json: expected the keys" in result.message
