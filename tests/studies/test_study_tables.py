"""Tables of ``[[table]]`` items on the real files."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nasanalysis.loaders.sources import Sources
from nasanalysis.studies.tables.nb1shot1 import SPACES, sample_cells


@pytest.mark.parametrize("space", SPACES)
def test_the_cells_stand_in_the_order_in_which_they_were_drawn(space: str, data_dir: Path) -> None:
    """A join leaves its rows in any order: the resamples, and so the interval, of nb101-3 differed from run to run."""
    sources = Sources(data_dir)
    drawn = sources.named_archs("thesis", space)
    assert sample_cells(sources, space)["arch"].to_list() == drawn
    assert len(drawn or ()) == 200


def test_members_of_a_class_train_alike_only_with_as_many_convolutions(data_dir: Path) -> None:
    from nasanalysis.loaders.sources import Sources
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables.shared_results import shared_results

    data = shared_results(Sources(data_dir), Resampling(200), {}).data
    assert set(data["dataset"]) == {"cifar10", "cifar10-valid", "cifar100", "ImageNet16-120"}
    alike, mixed = (data.filter(pl.col("classes").str.starts_with(kind)) for kind in ("trained", "functional"))
    assert (alike["ratio_high"] < 1.2).all()
    assert (mixed["ratio_low"] > 1.5).all()
    assert (mixed["gap_low"] > 0).all()


def test_depths_of_cells_against_paths_that_are_counted_by_hand(data_dir: Path) -> None:
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables.convolution_depths import convolution_depths

    data = convolution_depths(Sources(data_dir), Resampling(0), {}).data
    by_depth = data.filter(pl.col("depth").str.contains(r"^\d+$"))
    assert by_depth["depth"].to_list() == ["2", "3", "4", "5", "6"]  # an operation and the output, to a chain of five
    few = data.filter(depth="at most 3")["cells"].item()
    assert few == by_depth.filter(pl.col("depth").is_in(["2", "3"]))["cells"].sum()
    assert (data["lowest"] <= data["mean"]).all()


def test_skip_connections_of_logged_cells_are_those_in_the_files(data_dir: Path) -> None:
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables.logged_cells import AS_PUBLISHED, logged_cells

    files = sorted((data_dir / "robust_darts" / "s1" / "cifar10").glob(f"{AS_PUBLISHED}-*/arch_*"))
    counts = [file.read_text(encoding="utf-8").count("skip_connect") for file in files]
    data = logged_cells(Sources(data_dir), Resampling(0), {}).data
    row = data.filter(setting=AS_PUBLISHED, what="skip connections").row(0, named=True)
    assert row["runs"] == len(files) == 3
    assert row["mean"] == pytest.approx(sum(counts) / 3)
    assert row["most"] == max(counts)
    assert data.filter(setting="all")["runs"].unique().to_list() == [21]


def test_losses_of_finetuning_by_hand(data_dir: Path) -> None:
    from nasanalysis.core.frames import read_frame
    from nasanalysis.loaders.sources import kept_file
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables.finetune_losses import LOSSES, finetune_losses

    data = finetune_losses(Sources(data_dir), Resampling(0), {}).data
    losses = read_frame(kept_file(LOSSES)).filter(setting="rate-0.01")
    ends = [losses.filter(pl.col("step").is_between(*ends)) for ends in ((1, 20), (81, 100))]
    first, last = (end.group_by("seed").agg(pl.col("train_loss").mean())["train_loss"].mean() for end in ends)
    rise = data.filter(rate="0.01", what="rise")["estimate"].item()
    assert rise == pytest.approx(last - first, abs=1e-4)  # type: ignore[operator]


def test_runs_of_benchmarks_as_their_notes_count_them(data_dir: Path) -> None:
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables.training_runs import training_runs

    data = training_runs(Sources(data_dir), Resampling(0), {}).data
    nb201 = data.filter(benchmark="nb201", dataset="cifar100").row(0, named=True)
    assert (nb201["fewest"], nb201["most"], nb201["architectures"]) == (2, 3, 15_625)
    assert nb201["share"] == pytest.approx(8169 / 15_625)
    assert data.filter(benchmark="nb101")["fewest"].item() == 3


def test_twelve_epochs_against_scipy(data_dir: Path) -> None:
    from scipy.stats import spearmanr

    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables.short_schedules import short_schedules

    sources = Sources(data_dir)
    data = short_schedules(sources, Resampling(0), {}).data
    benchmark = sources.benchmark("nb201")
    means = [
        benchmark.truth(dataset, split=split, schedule=epochs).filter(pl.col("seed").is_null()).sort("arch")
        for dataset, split, epochs in (("cifar10-valid", "valid", 12), ("cifar10", "test", 200))
    ]
    both = means[0].join(means[1], on="arch", suffix="_test")
    right = spearmanr(both["accuracy"], both["accuracy_test"])[0]
    assert data.filter(sample="all")["estimate"].item() == pytest.approx(right, rel=1e-12)


def test_facts_of_cells_and_of_the_first_experiments() -> None:
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables.facts import space_facts

    data = space_facts(Sources(None), Resampling(0), {}).data
    facts = {(space, what): value for space, what, value in data.iter_rows()}
    assert facts["darts", "edges of a cell's longest path, at least"] == 2
    assert facts["darts", "edges of a cell's longest path, at most"] == 5
    assert facts["s5", "edges of a cell's longest path, at most"] == 2
    assert facts["mnist", "parameters with two hidden layers of 1,000 units"] == 1_796_010
    assert facts["mnist", "parameters with one hidden layer of 1,000 units"] == 795_010
    assert facts["vgg-16", "parameters for images of 224 pixels and 1,000 classes"] == 138_357_544


def test_days_of_a_search_are_those_of_one_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from nasanalysis.core.errors import MissingDataError
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables import search_days

    monkeypatch.setattr(search_days, "KEPT", str(tmp_path / "hours.parquet"))
    with pytest.raises(MissingDataError, match="expected a kept result"):
        search_days.search_days(Sources(None), Resampling(0), {})
    rows = [("search", "darts_full", "darts", 72.0, "H100"), ("search", "darts_full", "gone", 1.0, "H100"),
            ("supernet", "darts_full", "train spos", 5.0, "H100")]  # fmt: skip
    columns = ["kind", "config", "part", "hours", "device"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(tmp_path / "hours.parquet")
    data = search_days.search_days(Sources(None), Resampling(0), {}).data
    known = data.drop_nulls("days").select("config", "method", "days", "seeds", "device").rows()
    assert known == [("darts_full", "darts", 1.0, 3, "H100")]
    assert "gone" not in data["method"]
    assert ("s2_full", "darts_pt") in data.select("config", "method").rows()  # not measured, and said so


def test_seconds_of_an_architecture_are_those_of_supernets_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from nasanalysis.stats import Resampling
    from nasanalysis.studies.tables import part_seconds

    monkeypatch.setattr(part_seconds, "KEPT", str(tmp_path / "hours.parquet"))
    each = "architecture of a supernet"
    rows = [("supernet", "nb201_full", "measure accuracy", each, 0.5, 10, "H100"),
            ("supernet", "nb201_full", "train spos", "update", 0.1, 10, "H100"),
            ("search", "nb201_full", "darts", "weight step", 0.2, 10, "H100")]  # fmt: skip
    columns = ["kind", "config", "part", "unit", "seconds_each", "count", "device"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(tmp_path / "hours.parquet")
    table = part_seconds.part_seconds(Sources(None), Resampling(0), {})
    assert table.data.rows() == [("nb201_full", "measure accuracy", 0.5, 10, "H100")]
    assert table.rows == [["nb201_full", "measure accuracy", "0.50", "H100"]]
