"""What a proxy is: parameters plus a call. It reads frames or weights and returns a SCORES frame."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import polars as pl


@runtime_checkable
class Proxy(Protocol):
    """A cheap stand-in for accuracy.

    Attributes
    ----------
    name: as it stands in the SCORES frame, parameters included (``sotl_e@5``).
    direction: +1 where a higher score promises higher accuracy, -1 where a lower one does. Scores are
        stored raw; whoever compares multiplies by this.
    needs: ``curves``, ``archs``, ``weights`` or ``supernet``.
    reference: paper and equation.
    """

    @property
    def name(self) -> str: ...
    @property
    def direction(self) -> int: ...
    @property
    def needs(self) -> str: ...
    @property
    def reference(self) -> str: ...
    def __call__(self, frame: pl.DataFrame, /) -> pl.DataFrame: ...
