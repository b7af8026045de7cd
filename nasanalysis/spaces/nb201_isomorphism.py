"""When two NAS-Bench-201 cells are the same: four named rules.

Each rule maps a cell (its six operations) to a canonical form; cells with equal forms are one class.
Counts over the 15,625 cells:

=====================  ======  =================================================================
``published``           6,466  Dong and Yang 2020: skips folded; whatever reads only zeros is zero,
                               a convolution too; a zero term stays in the sum it stands in
``published_no_zeros``  5,390  the same with zero terms dropped from sums
``skips_only``         12,751  skips folded, ``none`` is an operation like any other
``functional``          5,545  skips folded, sums flattened, ``none`` and pooled zeros dropped, a
                               convolution of zero kept (its batch-norm gives it an offset): only
                               within these classes may a trained result be shared
=====================  ======  =================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.errors import UnknownNameError

Ops = Sequence[str]

#: (target node, source node) of each edge, in the order of the architecture string.
EDGES: tuple[tuple[int, int], ...] = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))

_ZERO = "#"


def _published(ops: Ops, *, fold_zeros: bool = True, drop_zeros: bool = False) -> str:
    """The public code's form: node texts joined by '+' and sorted, a skipped sum kept as one term."""
    nodes = {0: "0"}
    for node in (1, 2, 3):
        terms = []
        for op, (target, source) in zip(ops, EDGES, strict=True):
            if target != node:
                continue
            if fold_zeros and (op == "none" or nodes[source] == _ZERO):
                terms.append(_ZERO)
            elif op == "skip_connect":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{op}")
        if drop_zeros:
            terms = [t for t in terms if t != _ZERO] or [_ZERO]
        nodes[node] = "+".join(sorted(terms))
    return nodes[3]


def _functional(ops: Ops) -> str:
    """A multiset of terms per node; a term is an operation applied to an earlier multiset."""
    nodes: dict[int, tuple[str, ...]] = {0: ("0",)}
    for node in (1, 2, 3):
        terms: list[str] = []
        for op, (target, source) in zip(ops, EDGES, strict=True):
            if target != node or op == "none":
                continue
            read = nodes[source]
            if op == "skip_connect":
                terms.extend(read)
            elif read or not op.startswith("avg_pool"):
                terms.append(f"{op}({'+'.join(read)})")
        nodes[node] = tuple(sorted(terms))
    return "+".join(nodes[3])


RULES: dict[str, Callable[[Ops], str]] = {
    "published": _published,
    "published_no_zeros": lambda ops: _published(ops, drop_zeros=True),
    "skips_only": lambda ops: _published(ops, fold_zeros=False),
    "functional": _functional,
}


def canonical_form(ops: Ops, rule: str) -> str:
    """The canonical text of a cell under `rule`; `ops` are six operation names in string order."""
    if rule not in RULES:
        raise UnknownNameError("isomorphism rule", rule, RULES)
    return RULES[rule](ops)
