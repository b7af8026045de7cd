"""Search spaces: what an architecture is. Nothing here imports the rest of the package or torch."""

from __future__ import annotations

from ..core.registry import resolve
from .base import Arch, Space

#: Space name -> the object that answers for it.
SPACES: dict[str, str] = {
    "nb201": "nasanalysis.spaces.nb201:SPACE",
    "nats-sss": "nasanalysis.spaces.nats_sss:SPACE",
    "nb101": "nasanalysis.spaces.nb101:SPACE",
    "nb101-1": "nasanalysis.spaces.nb1shot1:SPACE_1",
    "nb101-2": "nasanalysis.spaces.nb1shot1:SPACE_2",
    "nb101-3": "nasanalysis.spaces.nb1shot1:SPACE_3",
    "darts": "nasanalysis.spaces.darts:SPACE",
    "s1": "nasanalysis.spaces.darts_subspaces:S1",
    "s2": "nasanalysis.spaces.darts_subspaces:S2",
    "s3": "nasanalysis.spaces.darts_subspaces:S3",
    "s4": "nasanalysis.spaces.darts_subspaces:S4",
    "s5": "nasanalysis.spaces.darts_subspaces:S5",
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
