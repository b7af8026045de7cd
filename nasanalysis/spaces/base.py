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
                f"expected an architecture as 'space:key', got {text[:200]!r}; "
                f"add the prefix, for example 'nb201:{text[:200]}'"
            )
        return cls(head, key)


@dataclass(frozen=True)
class Images:
    """A data set that is not one of ours, as far as the cost of a network depends on it.

    Spaces take it wherever they take the name of a data set: ``space.params(arch, Images("svhn", 10, 32))``.

    Attributes
    ----------
    name: what tables call it. classes: outputs of the classifier. image_size: height and width in pixels.
    channels: 3 for colour, 1 for grey.
    """

    name: str
    classes: int
    image_size: int
    channels: int = 3

    def __str__(self) -> str:
        return self.name


@runtime_checkable
class Space(Protocol):
    """A set of architectures with exact identities. Arithmetic only: no torch.

    This much every space has; what else it may be asked for stands in `nasanalysis.spaces.capabilities`.
    """

    @property
    def name(self) -> str: ...
    def parse(self, text: str) -> Arch: ...
