"""How files write an architecture: string, index, operation indices, nested tuples -> text ``space:key``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np

from ...core.errors import ArchError, UnknownNameError
from ...spaces import get_space
from ...spaces.nb201 import OPERATIONS, format_cell
from .descriptor import TableDescriptor

#: Where each edge of the architecture string (0-1, 0-2, 1-2, 0-3, 1-3, 2-3) stands in another order.
EDGE_ORDERS = {"target": (0, 1, 2, 3, 4, 5), "source": (0, 1, 3, 2, 4, 5)}

_PAIR = re.compile(r"\(\s*['\"]([a-z0-9_]+)['\"]\s*,\s*(\d)\s*\)")
_NESTED_SHAPE = re.compile(r"[\[(]\(P,\),\(P,P,?\),\(P,P,P,?\),?[\])]")


@cache
def index_order(space: str) -> tuple[str, ...]:
    """Every architecture of a space as text, in index order."""
    return tuple(str(arch) for arch in get_space(space))


@cache
def _known(space: str) -> dict[str, str]:
    return {text.partition(":")[2]: text for text in index_order(space)}


def decoder(table: TableDescriptor) -> Callable[[object], str]:
    """The function that turns what the file writes into text ``space:key``; it raises `ArchError`."""
    space = table.space
    if table.arch_code == "string":
        return lambda raw: _from_text(raw, space)
    if table.arch_code == "index":
        return lambda raw: _from_index(raw, space)
    if space != "nb201":
        raise ArchError(f"arch_code {table.arch_code!r}: only for the space nb201, got {space!r}")
    if table.arch_code == "nested":
        return _from_nested
    for name in table.operations:
        if name not in OPERATIONS:
            raise ArchError(f"operations: {UnknownNameError('operation', name, OPERATIONS)}")
    names, order = tuple(table.operations), EDGE_ORDERS[table.edge_order or "target"]
    return lambda raw: _from_operations(raw, names, order)


def _from_text(raw: object, space: str) -> str:
    if not isinstance(raw, str):
        raise ArchError(f"expected an architecture string, got {raw!r:.80}")
    return _known(space).get(raw) or str(get_space(space).parse(raw))


def _from_index(raw: object, space: str) -> str:
    if isinstance(raw, str) and raw.strip().isdigit():
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | np.integer) or not 0 <= raw < len(index_order(space)):
        raise ArchError(f"expected an index from 0 to {len(index_order(space)) - 1}, got {raw!r:.80}")
    return index_order(space)[int(raw)]


def _from_operations(raw: object, names: tuple[str, ...], order: tuple[int, ...]) -> str:
    if isinstance(raw, str):
        if not re.fullmatch(r"\s*[\[(][\d\s,]*[\])]\s*", raw):
            raise ArchError(f"expected operation indices such as (0, 1, 2, 3, 4, 0), got {raw!r:.80}")
        raw = [int(number) for number in re.findall(r"\d{1,9}", raw)]
    if not isinstance(raw, Iterable):
        raise ArchError(f"expected six operation indices, got {raw!r:.80}")
    numbers = list(raw)
    if len(numbers) != len(order):
        raise ArchError(f"expected six operation indices, got {len(numbers)}: {raw!r:.80}")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < len(names):
            what = f"expected an index from 0 to {len(names) - 1}"
            raise ArchError(f"unknown operation {number!r:.40}: {what} in {raw!r:.80}")
    return "nb201:" + format_cell([names[numbers[place]] for place in order])


def _from_nested(raw: object) -> str:
    text = re.sub(r"\s", "", str(raw))
    if not _NESTED_SHAPE.fullmatch(_PAIR.sub("P", text)):
        raise ArchError(f"expected text such as [(('none', 0),), (('none', 0), ...), ...], got {raw!r:.80}")
    pairs = _PAIR.findall(text)
    sources = "".join(source for _, source in pairs)
    if sources != "001012":
        raise ArchError(f"expected the sources 0, 0 1, 0 1 2 node by node, got {sources} in {raw!r:.80}")
    for name, _ in pairs:
        if name not in OPERATIONS:
            raise ArchError(f"{UnknownNameError('operation', name, OPERATIONS)}")
    return "nb201:" + format_cell([name for name, _ in pairs])
