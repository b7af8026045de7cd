"""What a configuration says of the network around the cells."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..core.settings import Settings


class NetworkConfig(Settings):
    """The fixed network around the cells.

    Attributes
    ----------
    channels: C of the first stage. cells: N, cells of each stage (nb201) or modules of each stack (nb101-*).
    reduction: nb201 only: ``residual`` (published) or ``pool``, which leaves the work to the cells.
    stem_kernel: nb201 only: kernel of the stem convolution.
    affine: whether the batch-norms of the cells' operations have weights and offsets. Default: the space's own (nb201
        and NAS-Bench-1shot1 as in the recorded networks, with; the darts spaces as DARTS searches, without). nb201
        alone can be told ``false``, as RLNAS and the public code of NAS-Bench-201 search.
    partial: K where only a K-th of the channels goes through the operations of a relaxed cell and the rest around them
        (Xu et al. 2020; nb201 and the darts spaces, in differentiable search alone); 1: all.
    layers, auxiliary: the darts spaces only: cells in all, and whether there is an auxiliary head.
    """

    later: ClassVar[frozenset[str]] = frozenset({"affine", "partial"})

    channels: int = Field(default=16, ge=1)
    cells: int = Field(default=5, ge=1)
    reduction: str = Field(default="residual", pattern="^(residual|pool)$")
    stem_kernel: int = Field(default=3, ge=1)
    layers: int = Field(default=8, ge=3)
    auxiliary: bool = False
    affine: bool | None = None
    partial: int = Field(default=1, ge=1)
