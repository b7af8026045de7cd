"""Which cells the second edition of `digits` trains, in which order, and with which weights.

One cell stands for each of the 5,545 ``functional`` classes of NAS-Bench-201: its member of smallest index. Classes
come in the order in which a uniform draw over the 15,625 cells, without replacement, meets them; the draw is the first
edition's. So the first n classes of the order are a sample for every n, and a smaller build is part of a larger one.

**Weights.** Up to the moment when class n + 1 would appear, the draw is a uniform sample of cells. A class counts as
often as the draw met it by then (``drawn``): these are the weights that make the first n classes speak for all 15,625
cells. Large classes come early, so weights by class size (``size``) would count them twice over; for all classes both
are the same numbers.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import polars as pl

from ..core.errors import ParameterError
from ..core.seeding import generator
from ..spaces.base import Arch
from ..spaces.nb201 import SPACE

#: The rule under which a trained result may be shared.
RULE = "functional"


@cache
def _draw(seed: int) -> tuple[Arch, ...]:
    """The representative of each cell drawn, in the order of the draw; (15,625,)."""
    classes = SPACE.unique_archs(RULE)
    return tuple(classes[arch] for arch in SPACE.sample(len(SPACE), generator(seed, "digits", "sample")))


def class_order(seed: int) -> tuple[Arch, ...]:
    """The representatives of all 5,545 classes, in the order of the module's text."""
    return tuple(dict.fromkeys(_draw(seed)))


def checked_classes(n: int) -> int:
    """`n`; `ParameterError` unless there are so many classes."""
    most = len(class_order(0))
    if not 1 <= n <= most:
        raise ParameterError(f"--classes: expected 1 to {most} (the functional classes), got {n}")
    return n


def class_weights(n: int, seed: int) -> pl.DataFrame:
    """Columns ``arch, position`` (from 0), ``size`` (cells in the class), ``drawn`` of the first `n` classes."""
    order = class_order(seed)[: checked_classes(n)]
    chosen, drawn = set(order), Counter[Arch]()
    for arch in _draw(seed):
        if arch not in chosen:
            break
        drawn[arch] += 1
    sizes = Counter(_draw(seed))
    return pl.DataFrame(
        {
            "arch": [str(arch) for arch in order],
            "position": range(n),
            "size": [sizes[arch] for arch in order],
            "drawn": [drawn[arch] for arch in order],
        },
        schema={"arch": pl.String, "position": pl.Int32, "size": pl.Int32, "drawn": pl.Int32},
    )
