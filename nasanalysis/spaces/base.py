"""What every search space shares: the identity of an architecture, and the questions a space answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

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
    """A set of architectures with exact identities. Arithmetic only: no torch.

    This much every space has; what else it may be asked for stands in `nasanalysis.spaces.capabilities`.
    """

    @property
    def name(self) -> str: ...
    def parse(self, text: str) -> Arch: ...
