"""Genotypes of the DARTS family: two cells of nodes that each read two earlier nodes.

One canonical text, the key of an `Arch`::

    normal=|sep_conv_3x3~0|sep_conv_3x3~1|+|...|;reduce=|max_pool_3x3~0|max_pool_3x3~1|+|...|

node by node, each input as ``operation~predecessor``. Nodes 0 and 1 are the outputs of the two cells
before; intermediate nodes count from 2. The two inputs of a node are summed, so their order means
nothing: they stand sorted by predecessor, then by operation.

Public code spells the same thing in many ways, all read here without running any of it: the text is
parsed by Python's own grammar and only literals, ``range(...)``, numpy integers and one
``Genotype(...)`` call are taken.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..core.errors import ArchError, UnknownNameError

#: The operations of DARTS (Liu et al. 2019) in its own order; NAS-Bench-301 numbers them so.
OPERATIONS: tuple[str, ...] = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
#: Also met in files: no connection, and RobustDARTS's Gaussian noise.
OTHER_OPERATIONS: tuple[str, ...] = ("none", "noise")

CELLS = ("normal", "reduce")
_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
_UNUSED = ("connectN", "connects")  # further fields of one public code base, None for this space
_MAX_TEXT = 20_000

Edge = tuple[str, int]
Cell = tuple[tuple[Edge, Edge], ...]


class Genotype(NamedTuple):
    """Two cells; each is one pair of ``(operation, predecessor)`` for every intermediate node."""

    normal: Cell
    reduce: Cell


def format_key(genotype: Genotype) -> str:
    """The canonical text of a genotype whose inputs are sorted (as `read` and `parse` return them)."""
    return ";".join(
        f"{name}=" + "+".join("|" + "".join(f"{op}~{source}|" for op, source in node) for node in cell)
        for name, cell in zip(CELLS, genotype, strict=True)
    )


def format_python(genotype: Genotype) -> str:
    """``Genotype(normal=[...], normal_concat=range(2, 6), ...)``, as DARTS's own code prints and reads it."""
    concat = f"range(2, {2 + len(genotype.normal)})"
    normal, reduce = ([edge for node in cell for edge in node] for cell in genotype)
    return f"Genotype(normal={normal!r}, normal_concat={concat}, reduce={reduce!r}, reduce_concat={concat})"


def parse(text: str, nodes: int) -> Genotype:
    """Any public spelling, or the canonical text -> a genotype of `nodes` intermediate nodes, inputs sorted.

    `ArchError` says what is wrong: not a genotype, too many or too few edges, an unknown operation, a
    node that reads a node which does not come before it, a concatenation of other nodes.
    """
    if len(text) > _MAX_TEXT:
        raise ArchError(f"expected a genotype, got a text of {len(text):,} characters (at most {_MAX_TEXT:,})")
    if text.lstrip().startswith("normal=|"):
        return _from_key(text.strip(), nodes)
    return read(_literals(text), nodes)


def read(genotype: object, nodes: int) -> Genotype:
    """A genotype held as objects: a namedtuple (or anything with ``normal`` and ``reduce``), a dict, a pair.

    Pairs may be ``(operation, predecessor)``, or ``(predecessor, operation)`` as BANANAS writes them, where
    the operation may also be its number in `OPERATIONS`; flat, or nested node by node.
    """
    fields = _fields(genotype)
    cells = []
    for name in CELLS:
        cells.append(_cell(fields[name], name, nodes))
        concat = fields.get(f"{name}_concat")
        if concat is not None and sorted(_integers(concat, f"{name}_concat")) != list(range(2, nodes + 2)):
            raise ArchError(
                f"{name}_concat: expected the intermediate nodes {list(range(2, nodes + 2))}, got {_short(concat)}; "
                "a cell of this space concatenates all of them"
            )
    return Genotype(*cells)


def _from_key(key: str, nodes: int) -> Genotype:
    match = re.fullmatch(r"normal=([^;]*);reduce=([^;]*)", key)
    if match is None:
        raise ArchError(f"expected 'normal=|op~0|op~1|+...;reduce=|op~0|op~1|+...', got {_short(key)}")
    cells = []
    for name, text in zip(CELLS, match.groups(), strict=True):
        parts = text.split("+")
        if not all(re.fullmatch(r"\|(?:[^|~]+~[0-9]{1,3}\|)+", part) for part in parts):
            raise ArchError(f"{name}: expected nodes as '|op~0|op~1|' joined by '+', got {_short(text)}")
        cells.append(_cell([[edge.split("~") for edge in part.strip("|").split("|")] for part in parts], name, nodes))
    return Genotype(*cells)


def _fields(genotype: object) -> dict[str, Any]:
    """The four fields of whatever carries them."""
    if isinstance(genotype, Mapping):
        fields = {str(k): v for k, v in genotype.items()}
    elif not isinstance(genotype, str) and hasattr(genotype, "normal") and hasattr(genotype, "reduce"):
        fields = {name: getattr(genotype, name) for name in _FIELDS if hasattr(genotype, name)}
    elif isinstance(genotype, Sequence) and not isinstance(genotype, str) and len(genotype) in (2, 4):
        names = CELLS if len(genotype) == 2 else _FIELDS
        fields = dict(zip(names, genotype, strict=True))
    else:
        raise ArchError(
            f"expected a genotype (Genotype(normal=..., reduce=...), a dict or a pair of cells), got {_short(genotype)}"
        )
    for name in fields:
        if name not in (*_FIELDS, *_UNUSED):
            raise ArchError(f"genotype: {UnknownNameError('field', name, _FIELDS)}")
    for name in CELLS:
        if name not in fields:
            raise ArchError(f"genotype: expected the fields normal and reduce, got {', '.join(fields) or 'none'}")
    if any(fields.get(name) is not None for name in _UNUSED):
        raise ArchError(
            "genotype: the fields connectN and connects must be None: other skeletons are not in this space"
        )
    return fields


def _cell(edges: object, name: str, nodes: int) -> Cell:
    items = _items(edges, name)
    if items and all(_is_nested(item) for item in items):
        rows = [_items(item, name) for item in items]
    else:
        if len(items) != 2 * nodes:
            many = "too many" if len(items) > 2 * nodes else "too few"
            raise ArchError(
                f"{name}: {many} edges: expected {2 * nodes} (2 for each of {nodes} nodes), got {len(items)}"
            )
        rows = [items[i : i + 2] for i in range(0, len(items), 2)]
    if len(rows) != nodes:
        raise ArchError(f"{name}: expected {nodes} intermediate nodes, got {len(rows)}")
    cell = []
    for node, row in enumerate(rows, start=2):
        if len(row) != 2:
            many = "too many edges" if len(row) > 2 else "too few edges"
            raise ArchError(f"{name}, node {node}: {many}: expected 2 inputs, got {len(row)}")
        first, second = sorted((_edge(item, name, node) for item in row), key=lambda edge: edge[::-1])
        cell.append((first, second))
    return tuple(cell)


def _edge(item: object, name: str, node: int) -> Edge:
    where = f"{name}, node {node}"
    pair = _items(item, where)
    if len(pair) != 2:
        raise ArchError(f"{where}: expected a pair (operation, predecessor), got {_short(item)}")
    if isinstance(pair[0], str):
        op, source = pair[0], _integer(pair[1], where)
    else:  # BANANAS: (predecessor, operation), the operation by name or by number
        source = _integer(pair[0], where)
        op = pair[1] if isinstance(pair[1], str) else _numbered(_integer(pair[1], where), where)
    known = (*OPERATIONS, *OTHER_OPERATIONS)
    if op not in known:
        raise ArchError(f"{where}: {UnknownNameError('operation', op, known)}")
    if not 0 <= source < node:
        raise ArchError(f"{where}: wrong predecessor {source}: expected one of 0 to {node - 1}, the nodes before it")
    return str(op), source


def _numbered(number: int, where: str) -> str:
    if not 0 <= number < len(OPERATIONS):
        raise ArchError(f"{where}: expected an operation from 0 to {len(OPERATIONS) - 1}, got {number}")
    return OPERATIONS[number]


def _is_nested(item: object) -> bool:
    """Whether an item holds pairs (a node) and is not itself a pair (an edge)."""
    return (
        isinstance(item, Sequence)
        and not isinstance(item, str)
        and len(item) > 0
        and all(isinstance(inner, Sequence) and not isinstance(inner, str) for inner in item)
    )


def _items(value: object, where: str) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ArchError(f"{where}: expected a list of pairs (operation, predecessor), got {_short(value)}")
    return list(value)


def _integer(value: object, where: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, bool):
        raise ArchError(f"{where}: expected a node number, got {value!r}")
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ArchError(f"{where}: expected a node number, got {_short(value)}") from None


def _integers(values: object, where: str) -> list[int]:
    if isinstance(values, str) or not isinstance(values, Sequence | range):
        raise ArchError(f"{where}: expected node numbers such as range(2, 6), got {_short(values)}")
    return [_integer(value, where) for value in values]


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text[:77] + "..." if len(text) > 80 else text)


def _literals(text: str) -> object:
    """Python source of one genotype -> plain objects; nothing is run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ArchError(f"expected a genotype, got {_short(text)} ({getattr(error, 'msg', None) or error})") from None
    if len(body) != 1 or not isinstance(body[0], ast.Expr | ast.Assign):
        raise ArchError(f"expected one genotype, got {_short(text)}")
    try:
        return _literal(body[0].value)
    except RecursionError:
        raise ArchError(f"expected a genotype, got brackets nested too deep: {_short(text)}") from None


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None | str()):
            return node.value
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
            return -number
        case ast.List() | ast.Tuple():
            return [_literal(item) for item in node.elts]
        case ast.Dict() if all(isinstance(key, ast.Constant) and isinstance(key.value, str) for key in node.keys):
            return {key.value: _literal(value) for key, value in zip(node.keys, node.values, strict=True)}  # type: ignore[union-attr]
        case ast.Call():
            return _call(node)
    raise ArchError(
        f"genotype: expected only names of operations, numbers, lists and range(...), got {_short(ast.unparse(node))}"
    )


def _call(node: ast.Call) -> Any:
    name = (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )
    if any(keyword.arg is None for keyword in node.keywords):
        raise ArchError(f"genotype: ** is not read, got {_short(ast.unparse(node))}")
    values = [_literal(value) for value in node.args]
    named = {str(keyword.arg): _literal(keyword.value) for keyword in node.keywords}
    if name.lower().startswith("genotype"):
        if len(values) > len(_FIELDS):
            raise ArchError(
                f"genotype: expected at most the four fields {', '.join(_FIELDS)}, got {len(values)} values"
            )
        given = [*_FIELDS[: len(values)], *(str(keyword.arg) for keyword in node.keywords)]
        twice = sorted({field for field in given if given.count(field) > 1})
        if twice:
            raise ArchError(f"genotype: {', '.join(twice)} given twice")
        return dict(zip(_FIELDS, values, strict=False)) | named
    if (
        not named
        and name == "range"
        and 1 <= len(values) <= 3
        and all(type(v) is int and abs(v) < 1000 for v in values)
    ):
        if len(values) == 3 and values[2] == 0:
            raise ArchError("genotype: range() with a step of 0")
        return list(range(*values))
    if (
        not named
        and len(values) == 1
        and (
            (name in ("list", "tuple") and isinstance(values[0], list))
            or (re.fullmatch(r"u?int(8|16|32|64)?", name) and type(values[0]) is int)
        )
    ):
        return values[0]
    raise ArchError(f"genotype: expected only Genotype(...), range(...) and numbers, got {_short(ast.unparse(node))}")
