"""When two NAS-Bench-201 cells are the same: five named rules.

Each rule maps a cell (its six operations) to a canonical form; cells with equal forms are one class.
Counts over the 15,625 cells:

=====================  ======  =================================================================
``published``           6,466  Dong and Yang 2020: skips folded; whatever reads only zeros is zero,
                               a convolution too; a zero term stays in the sum it stands in
``published_no_zeros``  5,390  the same with zero terms dropped from sums
``skips_only``         12,751  skips folded, ``none`` is an operation like any other
``functional``          5,545  skips folded, sums flattened, ``none`` and pooled zeros dropped, a
                               convolution of zero kept (its batch-norm gives it an offset): what
                               one can compute the others can
``trained``              5,875  the same, and as many convolutions of each kind that reach the output:
                               one that is read twice is not two of the same input, which have weights
                               of their own and train to other accuracies; within these classes a
                               trained result may be shared (docs/decisions/shared-results.md)
=====================  ======  =================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from ..core.errors import UnknownNameError

Ops = Sequence[str]

#: (target node, source node) of each edge, in the order of the architecture string.
EDGES: tuple[tuple[int, int], ...] = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))

_ZERO = "#"


def _published(ops: Ops, *, fold_zeros: bool = True, drop_zeros: bool = False) -> str:
    """The public code's form: node texts joined by '+' and sorted, a skipped sum kept as one term."""
    inner = _inner_nodes(tuple(ops[:3]), fold_zeros, drop_zeros)
    return _sum([_term(read, op, fold_zeros) for read, op in zip(inner, ops[3:], strict=True)], drop_zeros)


@cache  # 125 halves of cells under each rule
def _inner_nodes(ops: tuple[str, ...], fold_zeros: bool, drop_zeros: bool) -> tuple[str, str, str]:
    """Texts of nodes 0, 1 and 2, by the operations of edges 0-1, 0-2 and 1-2."""
    first = _sum([_term("0", ops[0], fold_zeros)], drop_zeros)
    second = _sum([_term("0", ops[1], fold_zeros), _term(first, ops[2], fold_zeros)], drop_zeros)
    return "0", first, second


def _term(read: str, op: str, fold_zeros: bool) -> str:
    """What an operation makes of a node's text."""
    if fold_zeros and (op == "none" or read == _ZERO):
        return _ZERO
    return read if op == "skip_connect" else f"({read})@{op}"


def _sum(terms: list[str], drop_zeros: bool) -> str:
    if drop_zeros:
        terms = [term for term in terms if term != _ZERO] or [_ZERO]
    return "+".join(sorted(terms))


def _functional(ops: Ops) -> str:
    """A multiset of terms per node; a term is an operation applied to an earlier multiset."""
    inner = _inner_multisets(tuple(ops[:3]))
    return "+".join(_multiset(zip(inner, ops[3:], strict=True)))


@cache
def _inner_multisets(ops: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Terms of nodes 0, 1 and 2, by the operations of edges 0-1, 0-2 and 1-2."""
    first = _multiset([(("0",), ops[0])])
    return ("0",), first, _multiset([(("0",), ops[1]), (first, ops[2])])


def _multiset(edges: Iterable[tuple[tuple[str, ...], str]]) -> tuple[str, ...]:
    terms: list[str] = []
    for read, op in edges:
        if op == "skip_connect":
            terms.extend(read)
        elif op != "none" and (read or not op.startswith("avg_pool")):
            terms.append(f"{op}({'+'.join(read)})")
    return tuple(sorted(terms))


def _trained(ops: Ops) -> str:
    """The functional form, and the 1x1 and 3x3 convolutions that reach the output."""
    reaches = {3}
    for (target, source), op in zip(reversed(EDGES), reversed(ops), strict=True):
        if target in reaches and op != "none":
            reaches.add(source)
    convs = [op for (target, _), op in zip(EDGES, ops, strict=True) if target in reaches and op.startswith("nor_conv")]
    return f"{_functional(ops)}|{','.join(sorted(convs))}"


RULES: dict[str, Callable[[Ops], str]] = {
    "published": _published,
    "published_no_zeros": lambda ops: _published(ops, drop_zeros=True),
    "skips_only": lambda ops: _published(ops, fold_zeros=False),
    "functional": _functional,
    "trained": _trained,
}


def canonical_form(ops: Ops, rule: str) -> str:
    """The canonical text of a cell under `rule`; `ops` are six operation names in string order."""
    if rule not in RULES:
        raise UnknownNameError("isomorphism rule", rule, RULES)
    return RULES[rule](ops)
