"""What every search space shares: the identity of an architecture, and the questions a space answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np

from ..core.errors import ArchError


@dataclass(frozen=True, order=True, slots=True)
class Arch:
    """One architecture: its space and its canonical text, never an index.

    ``str(arch)`` is the text form ``space:key`` that files, frames and JSON carry.
    """

    space: str
    key: str

    def __str__(self) -> str:
        return f"{self.space}:{self.key}"

    @classmethod
    def from_text(cls, text: str, space: str | None = None) -> Self:
        """Split ``space:key`` at the first colon; a bare key is accepted where `space` is given.

        The key is taken as written: `Space.parse` is what makes it canonical.
        """
        if space is not None and not text.startswith(f"{space}:"):
            return cls(space, text)
        head, colon, key = text.partition(":")
        if not colon or not head:
            raise ArchError(
                f"expected an architecture as 'space:key', got {text!r}; add the prefix, for example 'nb201:{text}'"
            )
        return cls(head, key)


@runtime_checkable
class Space(Protocol):
    """A finite set of architectures with exact identities and costs. Arithmetic only: no torch."""

    name: str
    isomorphism_rules: Sequence[str]

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Arch]: ...
    def parse(self, text: str) -> Arch: ...
    def arch(self, index: int) -> Arch: ...
    def index(self, arch: Arch | str) -> int: ...
    def sample(self, n: int, rng: np.random.Generator) -> list[Arch]: ...
    def unique_archs(self, rule: str = "published") -> Mapping[Arch, Arch]: ...
    def params(
        self, arch: Arch | str, dataset: str, *, channels: int | None = None, cells: int | None = None
    ) -> int: ...
    def flops(
        self, arch: Arch | str, dataset: str, *, channels: int | None = None, cells: int | None = None
    ) -> float: ...
