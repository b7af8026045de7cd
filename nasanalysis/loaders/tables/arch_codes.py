"""How files write an architecture: a spelling that `nasanalysis.spaces.names` reads, or operation numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np

from ...core.errors import ArchError, UnknownNameError
from ...core.shown import shown
from ...spaces import get_space
from ...spaces.capabilities import Enumerable
from ...spaces.names import ArchReader
from ...spaces.nb201 import OPERATIONS, format_cell
from .descriptor import TableDescriptor

#: Where each edge of the architecture string (0-1, 0-2, 1-2, 0-3, 1-3, 2-3) stands in another order.
EDGE_ORDERS = {"target": (0, 1, 2, 3, 4, 5), "source": (0, 1, 3, 2, 4, 5)}

#: Spaces up to this size may be given as a bare list in index order.
LISTABLE = 1_000_000


@cache
def index_order(space: str) -> tuple[str, ...]:
    """Every architecture of a space as text, in index order; `ArchError` where it is too large to list."""
    home = get_space(space, Enumerable)
    if len(home) > LISTABLE:
        raise ArchError(
            f"{space}: a list in index order needs all {len(home):,} architectures (at most {LISTABLE:,} are listed); "
            "name the architectures in a column"
        )
    return tuple(str(arch) for arch in home)


def read_archs(table: TableDescriptor, names: Sequence[object], label: Callable[[int], str]) -> list[str]:
    """What the file writes for each architecture -> text ``space:key``; an error starts with `label` of its place."""
    if table.arch_code != "operations":
        return ArchReader(table.space).all(names, label)
    read = _operations(table)
    known: dict[object, str] = {}
    archs = []
    for place, raw in enumerate(names):
        key = tuple(raw) if isinstance(raw, list) else raw
        try:
            if key not in known:
                known[key] = read(raw)
        except (ArchError, TypeError) as error:
            raise ArchError(f"{label(place)}: {error}") from error
        archs.append(known[key])
    return archs


def _operations(table: TableDescriptor) -> Callable[[object], str]:
    if table.space != "nb201":
        raise ArchError(f"arch_code 'operations': only for the space nb201, got {table.space!r}")
    for name in table.operations:
        if name not in OPERATIONS:
            raise ArchError(f"operations: {UnknownNameError('operation', name, OPERATIONS)}")
    operations, order = tuple(table.operations), EDGE_ORDERS[table.edge_order or "target"]
    return lambda raw: _from_operations(raw, operations, order)


def _from_operations(raw: object, names: tuple[str, ...], order: tuple[int, ...]) -> str:
    if isinstance(raw, str):
        if not re.fullmatch(r"\s*[\[(][\d\s,]*[\])]\s*", raw):
            raise ArchError(f"expected operation indices such as (0, 1, 2, 3, 4, 0), got {shown.repr(raw)}")
        raw = [int(number) for number in re.findall(r"\d{1,9}", raw)]
    if not isinstance(raw, Iterable):
        raise ArchError(f"expected six operation indices, got {shown.repr(raw)}")
    numbers = list(raw)
    if len(numbers) != len(order):
        raise ArchError(f"expected six operation indices, got {len(numbers)}: {shown.repr(raw)}")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < len(names):
            what = f"expected an index from 0 to {len(names) - 1}"
            raise ArchError(f"unknown operation {shown.repr(number)}: {what} in {shown.repr(raw)}")
    return "nb201:" + format_cell([names[numbers[place]] for place in order])
