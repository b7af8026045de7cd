"""Does a score see what one operation changes? And does it vary where the function does not?

`neighbour_concordance` asks the first question of score and truth; `isomorph_spread` the second of the score
alone: architectures of one class compute the same function, so what a score says of them should be one thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import StudyError
from ..core.frames import any_frame
from ..spaces import get_space, parse_arch
from ..spaces.capabilities import HasNeighbours, Isomorphic
from .alignment import aligned_series
from .averages import mean_scores
from .bootstrap import bootstrap_counts, percentile_interval
from .rank import Floats, average_ranks
from .resampling import Resampling, Unit, Units, asked
from .rows import ends
from .series import Series

_SERIES = ("benchmark", "dataset", "method", "setting", "proxy", "unit", "step")
BLOCK = 2_000_000  # numbers in one working array


@any_frame
def neighbour_concordance(
    truth: Any,
    scores: Any,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    level: float = 0.95,
    unit: Unit | None = None,
    resampling: Resampling | None = None,
) -> Any:
    """Share of one-operation changes whose sign of true accuracy the score predicts.

    Parameters
    ----------
    truth, scores, directions, level, resampling: as in `correlate`. The space must know its neighbours (``nb201``,
        ``darts`` ...); only pairs of neighbours of which both have a score and a truth count.
    n_boot, seed, unit: of the percentile bootstrap over architectures, or functional classes, as in `correlate`: a
        pair counts as often as its two architectures were drawn, multiplied.

    Returns columns benchmark, dataset, method, setting, proxy, unit, step, concordance (1 all right, 0.5 by
    chance; a tie of the score counts half, a pair of equal truth does not count), ci_low, ci_high, resampled, n_pairs
    (that count), n_tied (of equal truth), n_archs (in such pairs). Null where no pair counts.
    `MissingCapabilityError` for a space without neighbours.
    """
    chosen = asked(resampling, n_boot, seed, level, unit=unit)
    known: dict[tuple[str, ...], NDArray[np.intp]] = {}
    rows = []
    for one in aligned_series(truth, scores, directions=directions):
        archs = tuple(one.archs())
        if archs not in known:
            known[archs] = neighbour_pairs(archs)
        rows.append(_concordance(one, known[archs], chosen))
    real, whole = pl.Float64(), pl.Int64()
    values: dict[str, pl.DataType] = dict.fromkeys(["concordance", "ci_low", "ci_high"], real)
    values |= {"resampled": pl.String(), **dict.fromkeys(["n_pairs", "n_tied", "n_archs"], whole)}
    return _frame(rows, values)


def neighbour_pairs(archs: Sequence[str]) -> NDArray[np.intp]:
    """(n_pairs, 2): indices of the pairs of `archs` (``space:key``) that differ in one operation, each once."""
    index = {str(parse_arch(arch)): i for i, arch in enumerate(archs)}
    pairs = set()
    for text, i in index.items():
        space = get_space(text.partition(":")[0], HasNeighbours)
        for other in space.neighbours(text):
            j = index.get(str(other))
            if j is not None and j != i:
                pairs.add((min(i, j), max(i, j)))
    return np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)


def _concordance(one: Series, pairs: NDArray[np.intp], resampling: Resampling) -> dict[str, Any]:
    x, y = one.used_score, one.used_truth
    true_sign = np.sign(y[pairs[:, 0]] - y[pairs[:, 1]])
    counted = pairs[true_sign != 0]
    agree = np.sign(x[counted[:, 0]] - x[counted[:, 1]]) * true_sign[true_sign != 0]
    right = (agree + 1) / 2
    interval, units = None, one.units(resampling)
    if resampling.n and len(right) and units.can_be_drawn:
        each = _resampled_concordance(right, counted, units, resampling)
        interval = percentile_interval(each, "", level=resampling.level)
    return {
        "benchmark": one.place[0],
        "dataset": one.place[1],
        **one.key,
        "concordance": float(right.mean()) if len(right) else None,
        **ends(interval),
        "resampled": units.name if interval else None,
        "n_pairs": len(counted),
        "n_tied": len(pairs) - len(counted),
        "n_archs": len(np.unique(counted)),
    }


def _resampled_concordance(right: Floats, pairs: NDArray[np.intp], units: Units, resampling: Resampling) -> Floats:
    """Share of right pairs in every resample, NaN where it holds no pair."""
    from scipy import sparse  # here, not above: few ask for neighbours

    n, where = len(units.labels), (pairs[:, 0], pairs[:, 1])
    won, played = (sparse.csr_array((values, where), shape=(n, n)) for values in (right, np.ones(len(right))))
    rng = resampling.generator("bootstrap")
    shares: list[Floats] = []
    width = max(1, BLOCK // n)
    for first in range(0, resampling.n, width):
        drawn = bootstrap_counts(units.n, min(width, resampling.n - first), rng)
        counts: Any = units.spread(drawn).T.astype(np.float64)  # (n, B)
        top, below = ((counts * (table @ counts)).sum(axis=0) for table in (won, played))
        shares.append(np.divide(top, below, out=np.full_like(top, np.nan), where=below > 0))
    return np.concatenate(shares)


@any_frame
def isomorph_spread(scores: Any, *, rule: str = "functional") -> Any:
    """How far each score varies within classes of architectures that compute the same function.

    Parameters
    ----------
    scores: SCORES frame; seeds are averaged. Undefined values are left out.
    rule: of isomorphism, see the space's ``isomorphism_rules``.

    Returns columns benchmark, dataset, method, setting, proxy, unit, step, within (share of the variance of the
    score's ranks that lies within classes, relative to that of all architectures in these classes: 0 for a
    function of the class, about 1 for noise), largest_gap (widest class, as a share of all ranks), unequal (share of
    the classes whose members differ), n_classes (with two scored members or more), n_archs (in them).
    Null where there is no such class, or all scores are equal. No truth is needed.
    """
    table = mean_scores(scores).drop_nulls("value")
    archs = table["arch"].unique().to_list()
    form = {arch: _class_of(arch, rule) for arch in archs}
    table = table.with_columns(pl.col("arch").replace_strict(form).alias("class")).sort(*_SERIES, "arch")
    rows = [
        {**dict(zip(_SERIES, key, strict=True)), **_spread(part)}
        for key, part in table.partition_by(*_SERIES, as_dict=True, maintain_order=True).items()
    ]
    real, whole = pl.Float64(), pl.Int64()
    values = {"within": real, "largest_gap": real, "unequal": real, "n_classes": whole, "n_archs": whole}
    return _frame(rows, values)


def _class_of(text: str, rule: str) -> str:
    arch = parse_arch(text)
    space = get_space(arch.space, Isomorphic)
    if rule not in space.isomorphism_rules:
        raise StudyError(
            f"isomorph_spread: expected a rule of {space.name!r} ({', '.join(space.isomorphism_rules)}), got {rule!r}"
        )
    return str(space.unique_archs(rule)[arch])


def _spread(part: pl.DataFrame) -> dict[str, Any]:
    value = part["value"].to_numpy()
    ranks = average_ranks(value) / len(value)
    _, group, sizes = np.unique(part["class"].to_numpy(), return_inverse=True, return_counts=True)
    shared = sizes[group] > 1
    row: dict[str, Any] = {"within": None, "largest_gap": None, "unequal": None}
    row |= {"n_classes": int((sizes > 1).sum()), "n_archs": int(shared.sum())}
    ranks, group = ranks[shared], group[shared]
    if not len(ranks) or not ranks.var() > 0:
        return row
    _, group = np.unique(group, return_inverse=True)
    sizes = np.bincount(group)
    means = np.bincount(group, ranks) / sizes
    within = float(((ranks - means[group]) ** 2).sum() / (len(ranks) - len(sizes)))
    low, high = np.full(len(sizes), np.inf), np.full(len(sizes), -np.inf)
    np.minimum.at(low, group, ranks)
    np.maximum.at(high, group, ranks)
    gap = high - low
    row |= {"within": within / float(ranks.var(ddof=1)), "largest_gap": float(gap.max())}
    return row | {"unequal": float((gap > 0).mean())}


def _frame(rows: Sequence[Mapping[str, Any]], values: Mapping[str, pl.DataType]) -> pl.DataFrame:
    keys = {**dict.fromkeys(_SERIES, pl.String()), "step": pl.Int64()}
    return pl.DataFrame(rows, schema={**keys, **values}).with_columns(pl.col(pl.Float64).fill_nan(None))
