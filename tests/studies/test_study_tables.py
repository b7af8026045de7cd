"""Tables of ``[[table]]`` items on the real files."""

from __future__ import annotations

from pathlib import Path

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
