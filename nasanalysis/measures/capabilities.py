"""What a measure may ask of a network, as small protocols; a network of one's own implements those it can."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from torch import nn

from .paths import WeightPaths


@runtime_checkable
class HasSearchCells(Protocol):
    """A network that says which of its modules were searched."""

    def search_cells(self) -> Iterable[nn.Module]:
        """The cells, from the first to the last."""
        ...


@runtime_checkable
class HasFeatureBlocks(Protocol):
    """A network that is a row of blocks, each of which gives a feature map (AZ-NAS's terms)."""

    def feature_blocks(self) -> Iterable[nn.Module]:
        """The modules (n, channels, height, width) -> the same, in the order in which they run, the stem first."""
        ...


@runtime_checkable
class HasUsedParameters(Protocol):
    """A network that holds parameters its output does not depend on."""

    def used_parameters(self) -> Iterable[str]:
        """Names of those that it does depend on, in evaluation mode."""
        ...


@runtime_checkable
class HasWeightPaths(Protocol):
    """A network whose weights are read path by path (RLNAS's angle)."""

    def weight_paths(self) -> WeightPaths:
        """See `nasanalysis.measures.angle`."""
        ...
