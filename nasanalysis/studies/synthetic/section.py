"""What a ``[[synthetic]]`` item shows: numbers and figures of the experiment, and a verdict for each claim."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ...core.errors import StudyError, UnknownNameError
from ...core.frames import read_frame, read_provenance
from ...report.model import Section
from ..items import Resampling, Sources
from ..judged import NOT_TESTED, Judged, PublishedClaim, claims_table
from .items import SyntheticItem
from .numbers import NUMBERS
from .rules import RULES


def synthetic_section(item: SyntheticItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where the results are not here."""
    path = sources.kept(item.results)
    results, kind = read_results(path)
    table, figures = NUMBERS[kind](item.name, results, resampling.level)
    judged = [judge(claim, kind, results, resampling.level) for claim in item.claims]
    tables = (table, *([claims_table(item.name, judged)] if judged else []))
    return Section(item.title, item.text, tables, figures, tuple(one.sentence for one in judged))


def read_results(path: Path) -> tuple[pl.DataFrame, str]:
    """(results, kind) of a file of `nasanalysis synthetic run`; the configuration says what the frame does not."""
    config = (read_provenance(path) or {}).get("config", {})
    kind = config.get("kind")
    if kind not in NUMBERS:
        raise StudyError(
            f"{path}: expected results of `nasanalysis synthetic run`, whose configuration has a kind, one of "
            f"{', '.join(NUMBERS)}; got {kind!r}"
        )
    frame = read_frame(path)
    if kind == "fourier":
        frame = frame.with_columns(true_degree=pl.lit(config["true_degree"]))
    return frame, kind


def judge(claim: PublishedClaim, kind: str, results: pl.DataFrame, level: float) -> Judged:
    """`UnknownNameError` for a rule that this kind of experiment does not have."""
    if claim.rule == NOT_TESTED:
        return Judged(claim, [])
    if claim.rule not in RULES[kind]:
        raise UnknownNameError(f"rule of {kind}", claim.rule, [*RULES[kind], NOT_TESTED])
    return Judged(claim, RULES[kind][claim.rule](results, level))
