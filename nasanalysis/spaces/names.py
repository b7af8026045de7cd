"""One reader of architecture names: every spelling that files and people use -> text ``space:key``.

=========================== ============================================================ =====================
spelling                    such as                                                      spaces
=========================== ============================================================ =====================
our text                    ``nb201:|none~0|+...``, with or without the prefix           all
official index              ``123``                                                      nb201, nats-sss
operation names             ``["none", "skip_connect", ...]``, edge by edge              nb201
nested pairs                ``[(('none', 0),), (('none', 0), ('none', 1)), ...]``        nb201
channels                    ``(8, 16, 24, 32, 40)``                                      nats-sss
module hash                 ``00005c142e6f48ac74fdcf73e3439874``                         nb101
matrix and operations       ``{"matrix": [[0, 1], ...], "ops": ["input", ...]}``         nb101, nb101-1 to -3
genotype                    ``Genotype(normal=[...], ...)``, nested lists, a dict        darts, s1 to s5
NAS-Bench-301 configuration ``{"...edge_normal_0": "skip_connect", ...}``                darts
=========================== ============================================================ =====================

Lists, tuples and dicts may come as objects or as their text (JSON or Python literals; nothing is run). Nothing is
listed to look a name up, so a space of 1e18 architectures costs no more than one of 15,625. A space that we do not
know is fine: its architectures are opaque texts (`ArchReader` keeps them as they are).

What is not read is an `ArchError` that names the spelling it found: operation *numbers*, for one, mean nothing
without the names behind them and the order of the edges, which differ between public files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ..core.errors import ArchError
from . import SPACES, get_space
from .base import Arch
from .spellings import HASH, READERS, by_parse, opaque
from .values import LITERAL, hashable, literal, plain, without_prefix


class ArchReader:
    """Reads the names of one space; each different name is worked out once.

    Parameters
    ----------
    space: name of the space. One that is not in `SPACES` is opaque: its names are texts, kept as they are.

    ``reader(raw)`` gives the text ``space:key``; `ArchError` says what is wrong with `raw`.
    """

    def __init__(self, space: str) -> None:
        if not space or ":" in space:
            raise ArchError(f"space: expected a name without a colon, got {space!r}")
        self.space, self.known = space, space in SPACES
        self._read: dict[Any, str] = {}

    def __call__(self, raw: object) -> str:
        key = hashable(raw)
        if key is None:
            return self._one(raw)
        name = self._read.get(key)
        if name is None:
            name = self._read[key] = self._one(raw)
        return name

    def all(self, names: Sequence[object], label: Callable[[int], str] = "row {}".format) -> list[str]:
        """Every name read, in order; an error starts with `label` of the place of the first that cannot be.

        Hashes of ``nb101`` are looked up together, by their first 16 digits (unique in the space).
        """
        if self.space == "nb101" and len(names) > 100 and all(isinstance(n, str) and HASH.fullmatch(n) for n in names):
            home: Any = get_space("nb101")
            return home.texts_of_hashes(names)  # type: ignore[no-any-return]
        read = []
        for place, raw in enumerate(names):
            try:
                read.append(self(raw))
            except (ArchError, TypeError) as error:
                raise ArchError(f"{label(place)}: {error}") from error
        return read

    def _one(self, raw: object) -> str:
        if not self.known:
            return str(opaque(raw, self.space))
        if isinstance(raw, str):
            home: Any = get_space(self.space)
            return _text_of(raw, self.space, home)
        return str(read_arch(raw, self.space))


@lru_cache(maxsize=50_000)
def _text_of(raw: str, space: str, home: object) -> str:
    """`read_arch` of a text, remembered: a benchmark's tables name the same architectures.

    home: the space, so that one registered anew under an old name is asked itself.
    """
    return str(read_arch(raw, space))


def read_arch(raw: object, space: str) -> Arch:
    """Any spelling of an architecture of `space` (see the module) -> canonical `Arch`.

    `UnknownNameError` where there is no such space, `ArchError` where `raw` is none of its architectures.
    """
    get_space(space)
    value = plain(raw)
    if isinstance(value, str):
        value = without_prefix(value.strip(), space)
        if LITERAL.match(value):
            value = literal(value)
    reader = READERS.get(space, by_parse)
    return reader(space, value, raw)
