"""Search spaces: what an architecture is. Nothing here imports the rest of the package or torch."""

from __future__ import annotations

from ..registry import resolve
from .base import Arch, Space

#: Space name -> the object that answers for it.
SPACES: dict[str, str] = {
    "nb201": "nasanalysis.spaces.nb201:SPACE",
}


def get_space(name: str) -> Space:
    """The space called `name`; `UnknownNameError` lists the spaces there are."""
    space: Space = resolve("space", name, SPACES)
    return space


def parse_arch(text: str, space: str | None = None) -> Arch:
    """``space:key``, or a bare key where `space` is given -> a canonical `Arch`."""
    arch = Arch.from_text(text, space)
    return get_space(arch.space).parse(arch.key)


__all__ = ["SPACES", "Arch", "Space", "get_space", "parse_arch"]
