"""Rules that judge claims about inspected searches: one number for each search, Student's interval over its seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...core.errors import StudyError
from ...plots.selected import method_label
from ...search.inspected import paired, selection_ends, shuffle_losses, skip_agreement, tuned_between
from ..diagnosis.rules import _over_seeds, _part
from ..judged import Part


@dataclass(frozen=True)
class Evidence:
    """What an ``[[inspection]]`` reads; None where the item names no such file."""

    estimates: pl.DataFrame | None = None
    shuffles: pl.DataFrame | None = None
    selections: pl.DataFrame | None = None


#: Percentage points of accuracy that a gain must stay below to be little.
LITTLE = 1.0
#: Those that a supernet may lose and still be said to have changed little.
FEW = 10.0

#: (evidence, level) -> parts, above 0 where the claim holds.
Rule = Callable[[Evidence, float], list[Part]]


def _needed(frame: pl.DataFrame | None, key: str) -> pl.DataFrame:
    if frame is None:
        raise StudyError(f"inspection: expected {key} = [FILE] for this rule, got none")
    return frame


def _of_the_end(evidence: Evidence) -> pl.DataFrame:
    rows = skip_agreement(_needed(evidence.estimates, "estimates"))
    return rows.filter(pl.col("epoch") == pl.col("epoch").max().over("method", "setting", "seed"))


def nearer(evidence: Evidence, level: float) -> list[Part]:
    """Variance of the convolutions' error less that of the skip's, mean over edges, at the end of a search."""
    rows = _of_the_end(evidence)
    groups = list(rows.group_by("method", "setting", maintain_order=True))
    share = 1 - (1 - level) / max(1, len(groups))
    return [
        _part(method_label(str(m), str(s)), each["nearer"].drop_nulls().to_numpy(), share, 3) for (m, s), each in groups
    ]


def follows(evidence: Evidence, level: float) -> list[Part]:
    """Spearman's of the skip's weight and the one of least variance, over edges, at the end of a search."""
    return _over_seeds(_of_the_end(evidence), "rho", level)


def shuffling(evidence: Evidence, level: float) -> list[Part]:
    """Accuracy that shuffled layers cost a VGG, less what shuffled edges (with their rows) cost a supernet."""
    losses = shuffle_losses(_needed(evidence.shuffles, "shuffles"))
    parts = []
    others = losses.filter(pl.col("what") == "edges with alpha").select("method", "setting").unique(maintain_order=True)
    statistics = losses["statistics"].unique().sort().to_list()
    share = 1 - (1 - level) / max(1, len(others) * len(statistics))
    for kind in statistics:
        rows = losses.filter(pl.col("statistics") == kind, pl.col("what").is_in(["edges with alpha", "layers"]))
        for method, setting in others.iter_rows():
            gaps = paired(rows, ("vgg", ""), (method, setting), "lost")
            parts.append(_part(f"{method_label(method, setting)}, {kind} statistics", gaps, share, 1))
    return parts


def shuffled_edges_cost_little(evidence: Evidence, level: float) -> list[Part]:
    """By how much what shuffled edges (with their rows) cost stays below `FEW`."""
    losses = shuffle_losses(_needed(evidence.shuffles, "shuffles")).filter(what="edges with alpha")
    groups = list(losses.group_by("method", "setting", "statistics", maintain_order=True))
    share = 1 - (1 - level) / max(1, len(groups))
    parts = []
    for (method, setting, statistics), each in groups:
        label = f"{method_label(str(method), str(setting))}, {statistics} statistics"
        lost = each["lost"].drop_nulls().to_numpy()
        cost, room = _part(label, lost, share, 1), _part(label, FEW - lost, share, 1)
        parts.append(Part(label, room.low, room.high, f"{cost.text}, lost"))
    return parts


def tuning(evidence: Evidence, level: float) -> list[Part]:
    """Accuracy of the supernet after the last decision: the longest tuning between decisions, less the shortest above
    none.
    """
    groups = _tuned(evidence)
    share = 1 - (1 - level) / len(groups)
    return [_part(label, gaps, share, 1) for label, gaps in groups]


def gains_little(evidence: Evidence, level: float) -> list[Part]:
    """By how much the same gain stays below `LITTLE`."""
    groups = _tuned(evidence)
    share = 1 - (1 - level) / len(groups)
    parts = []
    for label, gaps in groups:
        gain, room = _part(label, gaps, share, 1), _part(label, LITTLE - gaps, share, 1)
        parts.append(Part(label, room.low, room.high, f"{gain.text} gain"))
    return parts


def _tuned(evidence: Evidence) -> list[tuple[str, np.ndarray]]:
    """Of each method and epoch: a label, and by seed what the longest tuning gains on the shortest."""
    ends = selection_ends(_needed(evidence.selections, "selections"))
    ends = ends.with_columns(
        every=pl.col("setting").map_elements(tuned_between, return_dtype=pl.Int64),
        start_at=pl.col("setting").str.extract(r"(from epoch \d+)$", 1).fill_null(""),
    ).filter(pl.col("every") > 0)
    found = []
    for (method, start), each in ends.group_by("method", "start_at", maintain_order=True):
        if each["every"].n_unique() > 1:
            low, high = int(each["every"].min()), int(each["every"].max())  # type: ignore[arg-type]
            settings = {every: each.filter(every=every)["setting"][0] for every in (low, high)}
            gaps = paired(each, (str(method), settings[high]), (str(method), settings[low]), "end")
            words = f"{high} epochs less {low}"
            found.append((f"{method_label(str(method))}, {start}, {words}".replace(", ,", ","), gaps))
    if not found:
        raise StudyError("inspection: expected selections with several numbers of epochs between decisions, got none")
    return found


def above_magnitude(evidence: Evidence, level: float) -> list[Part]:
    """Accuracy of the supernet after the last decision: DARTS-PT less DARTS-PT by magnitude, of shared seeds."""
    ends = selection_ends(_needed(evidence.selections, "selections"))
    known = set(ends.select("method", "setting").iter_rows())
    if not {("darts_pt", ""), ("darts_pt_mag", "")} <= known:
        raise StudyError(
            "inspection: expected selections of darts_pt and darts_pt_mag for this rule, got "
            f"{', '.join(sorted({m for m, _ in known})) or 'none'}"
        )
    gaps: np.ndarray = paired(ends, ("darts_pt", ""), ("darts_pt_mag", ""), "end")
    return [_part("", gaps, level, 1)]


#: Name -> rule.
RULES: dict[str, Rule] = {
    "skip is nearer": nearer,
    "skips follow proposition 1": follows,
    "supernets bear shuffling": shuffling,
    "shuffled edges cost little": shuffled_edges_cost_little,
    "tuning helps": tuning,
    "tuning gains little": gains_little,
    "above magnitude": above_magnitude,
}
