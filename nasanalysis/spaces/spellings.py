"""How one space reads its spellings: a function ``(space, value, raw) -> Arch`` for each (`names` has the table).

`value` is plain (`values`), `raw` is what the user wrote, for messages. What is not read is an `ArchError` that names
the spelling it found: operation *numbers*, for one, mean nothing without the names behind them and the order of the
edges, which differ between public files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.errors import ArchError, UnknownNameError
from ..core.shown import shown
from . import get_space
from .base import Arch
from .capabilities import Enumerable, HasReader
from .darts_genotype import CELLS as DARTS_CELLS
from .darts_genotype import OPERATIONS as DARTS_OPERATIONS
from .nats_sss import CHANNELS, format_channels
from .nb201 import OPERATIONS, format_cell
from .values import is_list, items, whole_number

HASH = re.compile(r"[0-9a-f]{32}")
_MATRIX = ("matrix", "module_adjacency", "adjacency", "adjacency_matrix")
_LABELS = ("ops", "operations", "module_operations", "labels")
_SOURCES = ("0", "0", "1", "0", "1", "2")


def opaque(raw: object, space: str) -> Arch:
    if not isinstance(raw, str) or not raw.strip():
        raise ArchError(
            f"{space}: expected text in every row (the space is not one of ours, so names are kept as they are), "
            f"got {shown.repr(raw)}"
        )
    text = raw.strip()
    return Arch(space, text.removeprefix(f"{space}:"))


def _by_index(space: str, value: object) -> Arch:
    number = whole_number(value)
    if isinstance(value, str) and len(value) > 1 and value.startswith("0"):
        raise ArchError(
            f"{space}: {value!r} starts with 0, so it is no index: digits of operations mean something only with their "
            "names and the order of the edges (docs/bring-your-own-table.md: arch_code = 'operations')"
        )
    assert number is not None
    return get_space(space, Enumerable).arch(number)


def _nb201(space: str, value: object, raw: object) -> Arch:
    if whole_number(value) is not None:
        return _by_index(space, value)
    if isinstance(value, str):
        if HASH.fullmatch(value):
            raise ArchError(f"{space}: {value!r} is a module hash, which only nb101 has; is the space nb101?")
        return get_space(space).parse(value)
    if is_list(value):
        entries = items(value)
        if len(entries) == 6 and all(isinstance(item, str) for item in entries):
            return Arch(space, format_cell([_operation(space, item, raw) for item in entries]))
        if len(entries) == 6 and all(whole_number(item) is not None for item in entries):
            raise ArchError(
                f"{space}: got operation numbers {shown.repr(raw)}: public files number operations and order edges in "
                "different ways; write names (none, skip_connect, ...) edge by edge 0-1, 0-2, 1-2, 0-3, 1-3, 2-3, or "
                "describe the file with arch_code = 'operations' (docs/bring-your-own-table.md)"
            )
        if entries and all(is_list(item) for item in entries):
            return Arch(space, format_cell(_nested(space, entries, raw)))
    raise ArchError(
        f"{space}: expected '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', an index, six operation names or nested pairs, "
        f"got {shown.repr(raw)}"
    )


def _operation(space: str, name: object, raw: object) -> str:
    if name not in OPERATIONS:
        raise ArchError(f"{space}: {UnknownNameError('operation', name, OPERATIONS)} in {shown.repr(raw)}")
    return str(name)


def _nested(space: str, nodes: Sequence[Any], raw: object) -> list[str]:
    pairs = [pair for node in nodes for pair in node]
    sizes = tuple(len(node) for node in nodes)
    if sizes != (1, 2, 3) or not all(is_list(pair) and len(pair) == 2 for pair in pairs):
        raise ArchError(
            f"{space}: expected text such as [(('none', 0),), (('none', 0), ('none', 1)), ...] with 1, 2 and 3 pairs, "
            f"got {shown.repr(raw)}"
        )
    sources = tuple(str(source) for _, source in pairs)
    if sources != _SOURCES:
        raise ArchError(
            f"{space}: expected the sources 0, 0 1, 0 1 2 node by node, got {' '.join(sources)} in {shown.repr(raw)}"
        )
    return [_operation(space, name, raw) for name, _ in pairs]


def _sss(space: str, value: object, raw: object) -> Arch:
    if is_list(value):
        entries = [whole_number(item) for item in items(value)]
        if len(entries) == 5 and all(item in CHANNELS for item in entries):
            return Arch(space, format_channels([item for item in entries if item is not None]))
        raise ArchError(f"{space}: expected five numbers of channels, each of {CHANNELS}, got {shown.repr(raw)}")
    if whole_number(value) is not None:
        return _by_index(space, value)
    if isinstance(value, str):
        return get_space(space).parse(value)
    raise ArchError(f"{space}: expected '8:16:24:32:40', five numbers or an index, got {shown.repr(raw)}")


def _nb101(space: str, value: object, raw: object) -> Arch:
    home: Any = get_space(space)
    if isinstance(value, str):
        if HASH.fullmatch(value.lower()):
            if space != "nb101":
                raise ArchError(
                    f"{space}: a module hash names a cell, of which many encodings of {space} may be one; the space "
                    "nb101 reads hashes"
                )
            return home.from_hash(value.lower())  # type: ignore[no-any-return]
        if whole_number(value) is None:
            return home.parse(value)  # type: ignore[no-any-return]
    if (spec := spec_of(value)) is not None:
        matrix, operations = spec
        return _from_matrix(home, space, matrix, operations, raw)
    kinds = "a module hash, " if space == "nb101" else ""
    number = " (indices of this space are our own, no file has them)" if whole_number(value) is not None else ""
    raise ArchError(
        f"{space}: expected 'conv3x3~0+...+output~1', {kinds}or a matrix with its operations, "
        f"got {shown.repr(raw)}{number}"
    )


def spec_of(value: object) -> tuple[Any, Any] | None:
    """(matrix, operations) of a dict that names them, or of a pair; None for anything else."""
    if isinstance(value, Mapping):
        matrix = next((value[name] for name in _MATRIX if name in value), None)
        operations = next((value[name] for name in _LABELS if name in value), None)
        return None if matrix is None or operations is None else (matrix, operations)
    pair = items(value)
    if len(pair) == 2 and items(pair[0]) and is_list(pair[0][0]) and is_list(pair[1]):
        return pair[0], pair[1]
    return None


def _from_matrix(home: Any, space: str, matrix: Any, operations: Any, raw: object) -> Arch:
    if isinstance(operations, str):
        operations = [name.strip() for name in operations.split(",")]
    try:
        names = [str(name) for name in operations]
        if space == "nb101":
            return home.from_spec(matrix, names)  # type: ignore[no-any-return]
        inner = names[1:-1] if names and names[0] == "input" and names[-1] == "output" else names
        return home.from_matrix(matrix, inner)  # type: ignore[no-any-return]
    except (TypeError, ValueError, IndexError) as error:
        if isinstance(error, ArchError):
            raise
        raise ArchError(f"{space}: expected a matrix and its operations, got {shown.repr(raw)} ({error})") from None


def _darts(space: str, value: object, raw: object) -> Arch:
    home: Any = get_space(space)
    if isinstance(value, str):
        if whole_number(value) is not None:
            raise ArchError(f"{space}: expected a genotype, got the number {value!r} (no file has indices here)")
        return home.parse(value)  # type: ignore[no-any-return]
    if isinstance(value, Mapping) and any("inputs_node_" in str(name) for name in value):
        return home.from_genotype(_configured(space, value))  # type: ignore[no-any-return]
    if value is None or isinstance(value, int | float):
        raise ArchError(f"{space}: expected a genotype, got {shown.repr(raw)}")
    return home.from_genotype(value)  # type: ignore[no-any-return]


def _configured(space: str, given: Mapping[Any, Any]) -> dict[str, list[list[tuple[str, int]]]]:
    """A NAS-Bench-301 configuration (ConfigSpace names, with or without their long prefix) -> two cells."""
    settings = {str(name).rpartition(":")[2]: value for name, value in given.items()}
    cells: dict[str, list[list[tuple[str, int]]]] = {}
    for cell in DARTS_CELLS:
        nodes = []
        first_edge = 0
        for node in range(2, 6):
            pair = "0_1" if node == 2 else settings.get(f"inputs_node_{cell}_{node}")
            sources = re.fullmatch(r"([0-9])_([0-9])", str(pair))
            if sources is None:
                raise ArchError(
                    f"{space}: NAS-Bench-301 configuration: inputs_node_{cell}_{node}: expected two predecessors such "
                    f"as '0_2', got {shown.repr(pair)}"
                )
            edges = []
            for source in map(int, sources.groups()):
                name = f"edge_{cell}_{first_edge + source}"
                operation = settings.get(name)
                if operation not in DARTS_OPERATIONS:
                    raise ArchError(
                        f"{space}: NAS-Bench-301 configuration: {name}: "
                        f"{UnknownNameError('operation', shown.repr(operation), DARTS_OPERATIONS)}"
                    )
                edges.append((str(operation), source))
            nodes.append(edges)
            first_edge += node
        cells[cell] = nodes
    return cells


def by_parse(space: str, value: object, raw: object) -> Arch:
    """A space registered from outside: its own ``read`` where it has one, else ``parse`` of a text."""
    home = get_space(space)
    if isinstance(home, HasReader):
        return home.read(value)
    if not isinstance(value, str):
        raise ArchError(f"{space}: expected text, got {shown.repr(raw)}")
    return home.parse(value)


READERS: dict[str, Callable[[str, object, object], Arch]] = {
    "nb201": _nb201,
    "nats-sss": _sss,
    **dict.fromkeys(("nb101", "nb101-1", "nb101-2", "nb101-3"), _nb101),
    **dict.fromkeys(("darts", "s1", "s2", "s3", "s4", "s5"), _darts),
}
