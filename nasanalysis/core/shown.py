"""A value of somebody else's in a message, whatever it is: cut short, without asking the value to print itself.

A tuple of two equal tuples of two equal tuples ... takes 100 bytes in a pickle and longer than the universe to print,
and so does a YAML file of aliases. `shown.repr` looks at a few items of a few levels, and prints objects by their type.
"""

from __future__ import annotations

import itertools
import reprlib
from collections.abc import Iterable
from typing import Any, Final

_BASES: Final[tuple[Any, ...]] = (dict, list, tuple, set, frozenset, str, bytes, int)
_PRINTABLE: Final = (bool, float, complex, type(None), type(Ellipsis), bytearray)


class Shown(reprlib.Repr):
    """`reprlib.Repr` that keeps its promise for subclasses, arrays, bytes, and integers of thousands of digits."""

    def repr1(self, x: Any, level: int) -> str:
        """`x` in words; `level`: how many levels of what it holds are shown."""
        if isinstance(x, _BASES) and type(x) not in (*_BASES, bool):  # OrderedDict, namedtuple ...
            base = next(base for base in _BASES if isinstance(x, base))
            return f"{type(x).__name__}({self.repr1(base(x), level)})"
        return super().repr1(x, level)

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > 4 * self.maxlong:  # its digits cost the square of their number
            return f"an integer of {x.bit_length():,} bits"
        return super().repr_int(x, level)

    def repr_bytes(self, x: bytes, level: int) -> str:
        return repr(x[: self.maxstring]) + ("..." if len(x) > self.maxstring else "")

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        if level <= 0 and x:
            return "{...}"  # without sorting its keys, which compares them
        pieces = [f"{self.repr1(k, level - 1)}: {self.repr1(x[k], level - 1)}" for k in list(x)[: self.maxdict]]
        return "{" + ", ".join(pieces + ["..."] * (len(x) > self.maxdict)) + "}"

    def _some(self, x: Any, level: int) -> str:
        if level <= 0:
            return "..."
        pieces = [self.repr1(item, level - 1) for _, item in zip(range(self.maxset), x, strict=False)]
        return ", ".join(pieces + ["..."] * (len(x) > self.maxset))

    def repr_set(self, x: set[Any], level: int) -> str:
        return "{" + self._some(x, level) + "}" if x else "set()"

    def repr_frozenset(self, x: frozenset[Any], level: int) -> str:
        return f"frozenset({{{self._some(x, level)}}})" if x else "frozenset()"

    def repr_instance(self, x: Any, level: int) -> str:
        if hasattr(type(x), "dtype") and not getattr(x, "shape", ()):  # a scalar of numpy
            text = repr(x) if x.dtype.kind in "biufc" else f"a {type(x).__name__}"
            return text[: self.maxother]
        if hasattr(type(x), "dtype"):
            return f"an array of {x.dtype} and shape {x.shape}"[: self.maxother]
        return super().repr_instance(x, level) if isinstance(x, _PRINTABLE) else f"a {type(x).__name__}"


shown: Final = Shown()
shown.maxstring = shown.maxother = 80
shown.maxlist = shown.maxtuple = shown.maxdict = shown.maxset = 6
shown.maxlevel = 4


def words(values: Iterable[object], most: int = 20) -> str:
    """The first names of a list for a message, text without its quotes: ``epoch, loss, 3``."""
    return ", ".join(v[:80] if isinstance(v, str) else shown.repr(v) for v in itertools.islice(values, most))
