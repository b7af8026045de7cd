"""Every feature of a cell's graph as a proxy: ``graph_depth``, ``graph_count@nor_conv_3x3``, ``graph_depth@normal``.

What follows the ``@`` is a cell, where a space has two (``normal``, ``reduce``), and what the feature takes, with a
slash between them. Without a cell the mean over the cells counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...core.errors import ParameterError, UnknownNameError
from ...core.frames import any_frame, check
from ...spaces import Arch
from ...spaces.cell_graphs import kind_of
from ..base import as_scores
from .features import CONTENTS, FEATURES, graph_features, of_cell

_TAKES = {"count": "an operation", "live_count": "an operation", "length": "a number of operations"}
_CELLS = ("normal", "reduce", "cell")


@dataclass(frozen=True)
class GraphFeature:
    """One feature of `nasanalysis.proxies.graph.graph_features`, as scores of an ARCHS frame.

    Attributes
    ----------
    name: ``graph_depth``, ``graph_paths@conv``, ``graph_count@normal/sep_conv_3x3`` ...
    """

    name: str

    needs = "archs"

    @property
    def feature(self) -> str:
        """Its name in `FEATURES`."""
        return self.name.partition("@")[0].removeprefix("graph_")

    @property
    def direction(self) -> int:
        """As `FEATURES` say; of a count, -1 unless it counts convolutions."""
        operation = self.name.rpartition("@")[2].rpartition("/")[2]
        counts_weights = "count" not in self.feature or kind_of(operation) == "conv"
        return FEATURES[self.feature].direction if counts_weights else -1

    @property
    def formula(self) -> str:
        """What it counts, in words."""
        return FEATURES[self.feature].meaning

    @property
    def reference(self) -> str:
        return f"graph of the cell: {FEATURES[self.feature].meaning}"

    def __call__(self, archs: pl.DataFrame) -> pl.DataFrame:
        """ARCHS -> SCORES: one value for each architecture, no seed and no step."""
        return _score(archs, self)


@any_frame
def _score(archs: pl.DataFrame, proxy: GraphFeature) -> pl.DataFrame:
    table = check(archs, "ARCHS").with_columns(pl.col("arch").cast(pl.String))
    spaces = table["arch"].map_elements(lambda text: Arch.from_text(text).space, pl.String)
    parts = [_of_space(table.filter(spaces == space), proxy.name) for space in spaces.unique(maintain_order=True)]
    if not parts:
        return as_scores(table.with_columns(score=pl.lit(None, pl.Float64)), proxy.name, "score")
    return as_scores(pl.concat(parts), proxy.name, "score")


def _of_space(table: pl.DataFrame, name: str) -> pl.DataFrame:
    features = graph_features(table["arch"])
    both = [column for cell in _CELLS if (column := of_cell(name, cell)) in features.columns]
    chosen = [name] if name in features.columns else both
    if not chosen:
        raise UnknownNameError("feature of these cells", name, features.columns[1:])
    values = np.mean([features[column].to_numpy() for column in chosen], axis=0)
    return table.with_columns(score=pl.Series(values, dtype=pl.Float64).fill_nan(None))


def _reader(feature: str) -> Callable[[str | None], GraphFeature]:
    """What stands in the registry of proxies: the text after ``@`` -> the proxy."""

    def read(argument: str | None) -> GraphFeature:
        given = argument.rpartition("/")[2] if argument else None
        if feature in _TAKES and given in (None, "", *_CELLS):
            raise ParameterError(f"graph_{feature}: expected {_TAKES[feature]} after '@', got {argument!r}")
        if feature not in _TAKES and given not in (None, *_CELLS, *(CONTENTS if feature == "paths" else ())):
            raise ParameterError(f"graph_{feature}: expected nothing or a cell after '@', got {argument!r}")
        return GraphFeature(f"graph_{feature}" if argument is None else f"graph_{feature}@{argument}")

    return read


#: Name in the registry of proxies -> reader of what follows the ``@``.
GRAPH_PROXIES = {f"graph_{feature}": _reader(feature) for feature in FEATURES}
