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

import ast
import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import ArchError, UnknownNameError
from ..core.shown import shown
from . import SPACES, get_space
from .base import Arch
from .capabilities import Enumerable, HasReader
from .darts_genotype import CELLS as DARTS_CELLS
from .darts_genotype import OPERATIONS as DARTS_OPERATIONS
from .nats_sss import CHANNELS, format_channels
from .nb201 import OPERATIONS, format_cell

_HASH = re.compile(r"[0-9a-f]{32}")
_LITERAL = re.compile(r"\s*[\[({]")
_MOST_TEXT = 20_000
_MATRIX = ("matrix", "module_adjacency", "adjacency", "adjacency_matrix")
_LABELS = ("ops", "operations", "module_operations", "labels")
_SOURCES = ("0", "0", "1", "0", "1", "2")


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
        key = _hashable(raw)
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
        if self.space == "nb101" and len(names) > 100 and all(isinstance(n, str) and _HASH.fullmatch(n) for n in names):
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
        return str(read_arch(raw, self.space)) if self.known else str(_opaque(raw, self.space))


def read_arch(raw: object, space: str) -> Arch:
    """Any spelling of an architecture of `space` (see the module) -> canonical `Arch`.

    `UnknownNameError` where there is no such space, `ArchError` where `raw` is none of its architectures.
    """
    get_space(space)
    value = _plain(raw)
    if isinstance(value, str):
        value = _without_prefix(value.strip(), space)
        if _LITERAL.match(value):
            value = _literal(value)
    reader = _READERS.get(space, _by_parse)
    return reader(space, value, raw)


def guess_space(names: Iterable[object], *, most: int = 40) -> str | None:
    """The space whose spelling `names` have, judged by at most `most` of them, evenly spread; None if by none.

    Prefixes decide first. Bare numbers and texts of an unknown kind say nothing.
    """
    listed = list(names)
    sample = [listed[i] for i in np.unique(np.linspace(0, len(listed) - 1, min(most, len(listed))).astype(int))]
    texts = [text for text in sample if isinstance(text, str)]
    for text in texts:
        prefix = text.strip().partition(":")[0]
        if prefix in SPACES:
            return prefix
    for name in sample:
        forms = (name, _literal_or_none(name))
        for space, looks in _LOOKS.items():
            if any(looks(form) for form in forms) and _reads(name, space):
                return space
    return None


# --- what a value is -----------------------------------------------------------------------------------


def _plain(raw: object) -> object:
    """numpy scalars and arrays as Python's own."""
    if isinstance(raw, np.generic):
        return raw.item()
    return raw.tolist() if isinstance(raw, np.ndarray) else raw


def _hashable(raw: object) -> object | None:
    if isinstance(raw, str | int) and not isinstance(raw, bool):
        return raw
    return None


def _without_prefix(text: str, space: str) -> str:
    head, colon, key = text.partition(":")
    if colon and head == space:
        return key
    if colon and head in SPACES:
        raise ArchError(f"{space}: expected an architecture of this space, got one of {head!r}: {shown.repr(text)}")
    return text


def _literal(text: str) -> object:
    """Text of nested lists, tuples or dicts -> objects; nothing is run."""
    if len(text) > _MOST_TEXT:
        raise ArchError(f"expected an architecture, got a text of {len(text):,} characters (at most {_MOST_TEXT:,})")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text  # left to the space's own grammar, or to its message


def _items(value: object) -> list[Any]:
    """The entries of a list or tuple; none of anything else."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _opaque(raw: object, space: str) -> Arch:
    if not isinstance(raw, str) or not raw.strip():
        raise ArchError(
            f"{space}: expected text in every row (the space is not one of ours, so names are kept as they are), "
            f"got {shown.repr(raw)}"
        )
    text = raw.strip()
    return Arch(space, text.removeprefix(f"{space}:"))


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return None


def _by_index(space: str, value: object) -> Arch:
    number = _whole_number(value)
    if isinstance(value, str) and len(value) > 1 and value.startswith("0"):
        raise ArchError(
            f"{space}: {value!r} starts with 0, so it is no index: digits of operations mean something only with their "
            "names and the order of the edges (docs/bring-your-own-table.md: arch_code = 'operations')"
        )
    assert number is not None
    return get_space(space, Enumerable).arch(number)


# --- one reader for each space -------------------------------------------------------------------------


def _nb201(space: str, value: object, raw: object) -> Arch:
    if _whole_number(value) is not None:
        return _by_index(space, value)
    if isinstance(value, str):
        if _HASH.fullmatch(value):
            raise ArchError(f"{space}: {value!r} is a module hash, which only nb101 has; is the space nb101?")
        return get_space(space).parse(value)
    if _is_list(value):
        items = _items(value)
        if len(items) == 6 and all(isinstance(item, str) for item in items):
            return Arch(space, format_cell([_operation(space, item, raw) for item in items]))
        if len(items) == 6 and all(_whole_number(item) is not None for item in items):
            raise ArchError(
                f"{space}: got operation numbers {shown.repr(raw)}: public files number operations and order edges in "
                "different ways; write names (none, skip_connect, ...) edge by edge 0-1, 0-2, 1-2, 0-3, 1-3, 2-3, or "
                "describe the file with arch_code = 'operations' (docs/bring-your-own-table.md)"
            )
        if items and all(_is_list(item) for item in items):
            return Arch(space, format_cell(_nested(space, items, raw)))
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
    if sizes != (1, 2, 3) or not all(_is_list(pair) and len(pair) == 2 for pair in pairs):
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
    if _is_list(value):
        items = [_whole_number(item) for item in _items(value)]
        if len(items) == 5 and all(item in CHANNELS for item in items):
            return Arch(space, format_channels([item for item in items if item is not None]))
        raise ArchError(f"{space}: expected five numbers of channels, each of {CHANNELS}, got {shown.repr(raw)}")
    if _whole_number(value) is not None:
        return _by_index(space, value)
    if isinstance(value, str):
        return get_space(space).parse(value)
    raise ArchError(f"{space}: expected '8:16:24:32:40', five numbers or an index, got {shown.repr(raw)}")


def _nb101(space: str, value: object, raw: object) -> Arch:
    home: Any = get_space(space)
    if isinstance(value, str):
        if _HASH.fullmatch(value.lower()):
            if space != "nb101":
                raise ArchError(
                    f"{space}: a module hash names a cell, of which many encodings of {space} may be one; the space "
                    "nb101 reads hashes"
                )
            return home.from_hash(value.lower())  # type: ignore[no-any-return]
        if _whole_number(value) is None:
            return home.parse(value)  # type: ignore[no-any-return]
    if (spec := _spec(value)) is not None:
        matrix, operations = spec
        return _from_matrix(home, space, matrix, operations, raw)
    kinds = "a module hash, " if space == "nb101" else ""
    number = " (indices of this space are our own, no file has them)" if _whole_number(value) is not None else ""
    raise ArchError(
        f"{space}: expected 'conv3x3~0+...+output~1', {kinds}or a matrix with its operations, "
        f"got {shown.repr(raw)}{number}"
    )


def _spec(value: object) -> tuple[Any, Any] | None:
    """(matrix, operations) of a dict that names them, or of a pair; None for anything else."""
    if isinstance(value, Mapping):
        matrix = next((value[name] for name in _MATRIX if name in value), None)
        operations = next((value[name] for name in _LABELS if name in value), None)
        return None if matrix is None or operations is None else (matrix, operations)
    pair = _items(value)
    if len(pair) == 2 and _items(pair[0]) and _is_list(pair[0][0]) and _is_list(pair[1]):
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
        if _whole_number(value) is not None:
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


def _by_parse(space: str, value: object, raw: object) -> Arch:
    """A space registered from outside: its own ``read`` where it has one, else ``parse`` of a text."""
    home = get_space(space)
    if isinstance(home, HasReader):
        return home.read(value)
    if not isinstance(value, str):
        raise ArchError(f"{space}: expected text, got {shown.repr(raw)}")
    return home.parse(value)


_READERS: dict[str, Callable[[str, object, object], Arch]] = {
    "nb201": _nb201,
    "nats-sss": _sss,
    **dict.fromkeys(("nb101", "nb101-1", "nb101-2", "nb101-3"), _nb101),
    **dict.fromkeys(("darts", "s1", "s2", "s3", "s4", "s5"), _darts),
}


def _text_like(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern)
    return lambda name: isinstance(name, str) and compiled.match(name.strip()) is not None


_NB201_TEXT = _text_like(r"\|[a-z0-9_]+~0\|\+|[\[(]\s*[\[(]\s*[\[(]\s*['\"]|[\[(]\s*['\"](none|skip_c|nor_)")
_NB101_TEXT = _text_like(r"[0-9a-f]{32}$|[a-z0-9]+~0\+.*output~")
_SSS_TEXT = _text_like(r"\d{1,2}(:\d{1,2}){4}$")
_DARTS_TEXT = _text_like(r"normal=\||Genotype|\{.*normal|[\[(]\s*[\[(]")


def _literal_or_none(name: object) -> object:
    """The object that a text of a list or dict means; None for any other text."""
    if not isinstance(name, str) or not _LITERAL.match(name) or len(name) > _MOST_TEXT:
        return None
    return _literal(name)


def _channels(name: object) -> bool:
    items = _items(name)
    return len(items) == 5 and all(_whole_number(item) in CHANNELS for item in items)


def _darts_fields(name: object) -> bool:
    return isinstance(name, Mapping) and ("normal" in name or any("inputs_node_" in str(field) for field in name))


#: Space -> whether a name looks like one of its own, cheaply; the first that also reads it is the guess.
_LOOKS: dict[str, Callable[[object], bool]] = {
    "nb201": lambda name: _NB201_TEXT(name) or len(_items(name)) in (3, 6),
    "nats-sss": lambda name: _SSS_TEXT(name) or _channels(name),
    "nb101": lambda name: _NB101_TEXT(name) or _spec(name) is not None,
    "darts": lambda name: _DARTS_TEXT(name) or _darts_fields(name),
}


def _reads(name: object, space: str) -> bool:
    try:
        read_arch(name, space)
    except ArchError:
        return False
    return True
