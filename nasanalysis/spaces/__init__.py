"""Search spaces: what an architecture is. Nothing here imports the rest of the package or torch."""

from __future__ import annotations

from typing import overload

from ..core.registry import resolve
from .base import Arch, Space
from .capabilities import C, Drawing, require

#: Space name -> the object that answers for it, as "module:object". Open: add a line for a space of your own.
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


@overload
def get_space(name: str) -> Space: ...
@overload
def get_space(name: str, capability: type[C]) -> C: ...
def get_space(name: str, capability: type | None = None) -> object:
    """The space called `name`, as one that has `capability` (see `nasanalysis.spaces.capabilities`).

    `UnknownNameError` lists the spaces there are; `MissingCapabilityError` says what the space lacks.

    >>> from nasanalysis.spaces.capabilities import Enumerable
    >>> len(get_space("nb201", Enumerable))
    15625
    """
    space: Space = resolve("space", name, SPACES)
    return space if capability is None else require(space, capability)


def offers(name: str, capability: type) -> bool:
    """Whether there is a space called `name` that has `capability`."""
    return name in SPACES and isinstance(get_space(name), capability)


def parse_arch(text: str, space: str | None = None) -> Arch:
    """``space:key``, or a bare key where `space` is given -> a canonical `Arch`."""
    arch = Arch.from_text(text, space)
    return get_space(arch.space).parse(arch.key)


__all__ = ["SPACES", "Arch", "Drawing", "Space", "get_space", "offers", "parse_arch", "require"]
