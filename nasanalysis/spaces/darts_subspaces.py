"""S1 to S5 (Zela et al. 2020, "Understanding and Robustifying DARTS"): small spaces on which DARTS fails.

===  ================================================================  ==================
S1   two operations of each edge's own, found by pruning DARTS         2,123,366,400
S2   3x3 separable convolution, skip                                   2,123,366,400
S3   the same and ``none``, which no genotype selects                  2,123,366,400
S4   3x3 separable convolution, noise (standard Gaussian, whatever
     the input is)                                                     2,123,366,400
S5   one intermediate node per cell; 3x3 separable convolution, skip,
     max pooling                                                       81: enumerable
===  ================================================================  ==================

The counts are of genotypes: each of four nodes keeps two of its inputs, with two operations each:
(1 * 3 * 6 * 10 * 4^4)^2. S5 is the paper's; the public code also calls the whole DARTS space ``s5``.
"""

from __future__ import annotations

from .darts import CellSpace

_SHORT = {
    "s": "skip_connect",
    "d3": "dil_conv_3x3",
    "d5": "dil_conv_5x5",
    "p3": "sep_conv_3x3",
    "m": "max_pool_3x3",
    "a": "avg_pool_3x3",
}

#: Operations of S1, edge by edge in DARTS's order (0-2, 1-2, 0-3, 1-3, 2-3, 0-4, ...).
_S1 = {
    "normal": "s/d3 s/d5 s/d5 s/p3 s/d3 m/s s/p3 s/p3 s/d3 s/p3 m/s s/d3 d3/d5 d3/d5",
    "reduce": "m/a m/d3 m/a m/a s/d5 m/a m/p3 s/d3 s/d5 m/a m/a s/d5 s/d5 s/d5",
}


def _everywhere(*operations: str, edges: int = 14) -> dict[str, list[tuple[str, ...]]]:
    return {cell: [operations] * edges for cell in ("normal", "reduce")}


S1 = CellSpace(
    "s1", 4, {cell: [[_SHORT[op] for op in edge.split("/")] for edge in text.split()] for cell, text in _S1.items()}
)
S2 = CellSpace("s2", 4, _everywhere("skip_connect", "sep_conv_3x3"))
S3 = CellSpace("s3", 4, _everywhere("skip_connect", "sep_conv_3x3"), unselected=("none",))
S4 = CellSpace("s4", 4, _everywhere("noise", "sep_conv_3x3"))
S5 = CellSpace("s5", 1, _everywhere("max_pool_3x3", "skip_connect", "sep_conv_3x3", edges=2))
