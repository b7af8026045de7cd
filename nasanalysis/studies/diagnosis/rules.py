"""Rules that judge claims about diagnosed searches: one number for each search, Student's interval over its seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...core.errors import StudyError
from ...plots.selected import method_label, row_label
from ...report.cells import number, with_interval
from ...search.decisions import growth
from ...search.diagnosed import along_the_search, at_the_end, strength_agreement
from ...search.selected import t_interval
from ..judged import Part


@dataclass(frozen=True)
class Evidence:
    """What a ``[[diagnosis]]`` reads: TRACE with the gaps, STRENGTHS or None, the control's label."""

    trace: pl.DataFrame
    strengths: pl.DataFrame | None
    control: str | None


#: (evidence, level) -> parts, above 0 where the claim holds.
Rule = Callable[[Evidence, float], list[Part]]


def _over_seeds(
    rows: pl.DataFrame,
    column: str,
    level: float,
    digits: int = 2,
    within: tuple[float, float] | None = (-1.0, 1.0),
) -> list[Part]:
    """A part for each method and setting, of correlations by default; intervals of several are Bonferroni's."""
    parts = []
    groups = list(rows.group_by("method", "setting", maintain_order=True))
    share = 1 - (1 - level) / max(1, len(groups))
    for (method, setting), each in groups:
        values = each[column].drop_nulls().to_numpy()
        parts.append(_part(method_label(str(method), str(setting)), values, share, digits, within or (-np.inf, np.inf)))
    return parts


def _part(
    label: str, values: np.ndarray, level: float, digits: int, within: tuple[float, float] = (-np.inf, np.inf)
) -> Part:
    """`within`: what the number can be; an interval ends there."""
    if not len(values):
        return Part(label, None, None, "undefined in every search")
    low, high = (None if end is None else float(np.clip(end, *within)) for end in t_interval(values, level))
    return Part(label, low, high, f"{with_interval(float(values.mean()), low, high, digits)}, {len(values)} searches")


def _agreement(evidence: Evidence, value: str, level: float) -> list[Part]:
    if evidence.strengths is None:
        raise StudyError("diagnosis: expected strengths = FILE for a rule about operations, got none")
    rows = evidence.strengths.filter(pl.col(value).is_not_null())
    rows = rows.filter(pl.col("epoch") == pl.col("epoch").max().over("method", "setting", "seed"))
    return _over_seeds(strength_agreement(rows, value), "rho", level)


def masking(evidence: Evidence, level: float) -> list[Part]:
    """Spearman's of alpha and what masking costs, within an edge, mean over edges."""
    return _agreement(evidence, "strength", level)


def convergence(evidence: Evidence, level: float) -> list[Part]:
    """The same, of the accuracy at convergence with the edge settled on the operation."""
    return _agreement(evidence, "converged_accuracy", level)


def _along(one: str, other: str) -> Rule:
    def rule(evidence: Evidence, level: float) -> list[Part]:
        return _over_seeds(along_the_search(evidence.trace, one, other), "rho", level)

    return rule


def control(evidence: Evidence, level: float) -> list[Part]:
    """Eigenvalue at the end (mean of the last five readings) less the control's, of shared seeds."""
    ends = at_the_end(evidence.trace, "arch_hessian_ev")
    shown = {row_label(*row): method_label(*row) for row in ends.select("method", "setting").iter_rows()}
    labelled = {
        row_label(method, setting): dict(each.select("seed", "value").iter_rows())
        for (method, setting), each in ends.group_by("method", "setting", maintain_order=True)
    }
    if evidence.control not in labelled:
        raise StudyError(
            f"diagnosis: expected control = one of {', '.join(labelled) or 'none'} (arch_hessian_ev was read), got "
            f"{evidence.control!r}"
        )
    base = labelled.pop(evidence.control)
    share = 1 - (1 - level) / max(1, len(labelled))
    parts = []
    for label, values in labelled.items():
        seeds = sorted(set(values) & set(base))
        part = _part(shown[label], np.array([values[s] - base[s] for s in seeds]), share, 3)
        means = (np.mean(list(values.values())), np.mean(list(base.values())))
        parts.append(
            Part(part.label, part.low, part.high, f"{part.text}; {number(means[0], 3)} and {number(means[1], 3)}")
        )
    return parts


def rises(evidence: Evidence, level: float) -> list[Part]:
    """Logarithm of the eigenvalue at the end (mean of the last five readings) over its first reading."""
    return _over_seeds(growth(evidence.trace), "growth", level, within=None)


def grows_more(evidence: Evidence, level: float) -> list[Part]:
    """The same, less that of the control, of shared seeds."""
    rows = growth(evidence.trace).with_columns(
        label=pl.struct("method", "setting").map_elements(
            lambda row: row_label(row["method"], row["setting"]), return_dtype=pl.String
        )
    )
    base = dict(rows.filter(label=evidence.control).select("seed", "growth").iter_rows())
    if not base:
        known = ", ".join(rows["label"].unique(maintain_order=True)) or "none"
        raise StudyError(
            f"diagnosis: expected control = one of {known}, whose eigenvalue grew, got {evidence.control!r}"
        )
    groups = list(rows.filter(pl.col("label") != evidence.control).group_by("method", "setting", maintain_order=True))
    share = 1 - (1 - level) / max(1, len(groups))
    parts = []
    for (method, setting), each in groups:
        values = dict(each.select("seed", "growth").iter_rows())
        gaps = np.array([values[seed] - base[seed] for seed in sorted(set(values) & set(base))])
        parts.append(_part(method_label(str(method), str(setting)), gaps, share, 2))
    return parts


#: Name -> rule.
RULES: dict[str, Rule] = {
    "masking": masking,
    "convergence": convergence,
    "skips follow accuracy": _along("skip_minus_conv", "supernet_valid_accuracy"),
    "drop follows eigenvalue": _along("arch_hessian_ev", "discretisation_drop"),
    "eigenvalue above control": control,
    "eigenvalue rises": rises,
    "eigenvalue grows more": grows_more,
}
