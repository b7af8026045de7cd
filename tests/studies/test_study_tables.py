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
