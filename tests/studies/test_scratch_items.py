"""``[[scratch]]``: the first usable source, its rules on lines of known shape, and what it refuses."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from nasanalysis.core.errors import MissingDataError, StudyError
from nasanalysis.loaders.sources import Sources
from nasanalysis.stats.arch_draws import DrawsMean, interval_of_draws
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.scratch.items import CurveClaim, ScratchItem
from nasanalysis.studies.scratch.rules import RULES, Lines
from nasanalysis.studies.study import Study

DIGITS: dict[str, Any] = {
    "said": "digits", "benchmark": "digits", "dataset": "digits", "schedule": 12, "scores_seed": 0, "truth_seed": 1,
}  # fmt: skip


def interval(values: object) -> DrawsMean:
    return interval_of_draws(values, 0.1)


def lines() -> Lines:
    """SoTL rises to 0.9 at step 3 and falls at the end; validation accuracy overtakes it after step 4."""
    shape = {"sotl": [0.5, 0.8, 0.9, 0.9, 0.85], "val": [0.3, 0.5, 0.7, 0.88, 0.95]}
    rows = {
        role: pl.DataFrame(
            [(draw, step, value + 0.001 * draw) for draw in range(4) for step, value in enumerate(values, 1)],
            schema=["draw", "step", "estimate"],
            orient="row",
        )
        for role, values in shape.items()
    }
    return rows  # type: ignore[return-value]


def verdict(rule: str, **keys: Any) -> str:
    return RULES[rule](CurveClaim(rule=rule, claim="c", where="w", **keys), lines(), interval).verdict


def test_rules_on_lines_of_known_shape() -> None:
    assert verdict("ahead until", epoch=4) == "holds"
    assert verdict("ahead after", epoch=4) == "does not hold"
    assert verdict("ahead after", of="val", than="sotl", epoch=4) == "holds"
    assert verdict("ahead at", epoch=2, at=0.25) == "holds"
    assert verdict("ahead at", epoch=2, at=0.35) == "does not hold"
    assert verdict("reaches by", at=0.9, epoch=3) == "holds"
    assert verdict("reaches by", at=0.9, epoch=2) == "does not hold"
    assert verdict("reaches by", at=0.99, epoch=5) == "does not hold"
    assert verdict("falls at the end") == "holds"
    assert verdict("stays at the end") == "does not hold"
    assert verdict("falls at the end", of="val") == "does not hold"
    assert verdict("stays at the end", of="val") == "holds"


def test_a_claim_without_what_its_rule_needs_is_refused() -> None:
    for rule, keys, said in (
        ("ahead until", {}, "expects an epoch, got none"),
        ("reaches by", {"epoch": 2}, "expects at, a correlation"),
        ("ahead at", {"epoch": 6}, "expected an epoch up to 5, got 6"),
        ("ahead after", {"epoch": 5}, "expected epochs after 5, got none"),
    ):
        with pytest.raises(StudyError, match=said):
            verdict(rule, **keys)


def test_the_first_source_that_is_here_is_used_and_named(tmp_path: Any) -> None:
    far = {"said": "official", "benchmark": "nats-tss", "dataset": "cifar10", "schedule": 200}
    claims = [{"rule": "ahead until", "epoch": 6, "claim": "First half", "where": "a test"}]
    keys = {"name": "mine", "title": "Mine", "draws": 3, "size": 60, "sources": [far, DIGITS], "claims": claims}
    item = ScratchItem.model_validate(keys)
    made = item.section(Sources(tmp_path), Resampling())
    assert made.answer[0].startswith("Used: digits; 3 draws of 60 of its")
    assert made.answer[0].endswith("; not official: its files are not here.")
    assert made.answer[1] == "First half: holds."
    table = made.tables[0]
    assert table.header[:2] == ["Spearman's ρ", "epoch 1"]
    assert table.data["step"].max() == 12
    assert made.figures[0].draw().get_xlabel() == "completed epochs"
    with pytest.raises(MissingDataError):
        item.model_copy(update={"sources": item.sources[:1]}).section(Sources(tmp_path), Resampling())


def test_the_shipped_study_holds_rules_that_there_are() -> None:
    for item in Study.load("scratch").items:
        assert isinstance(item, ScratchItem)
        assert {claim.rule for claim in item.claims} <= {*RULES, "not tested"}
