"""``[[synthetic]]``: numbers, figures and verdicts of small runs, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.core.frames import write_frame
from nasanalysis.loaders.sources import Sources
from nasanalysis.report.model import Section
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.judged import Judged, Part, PublishedClaim, together
from nasanalysis.studies.study import Study
from nasanalysis.studies.synthetic.items import SyntheticItem
from nasanalysis.studies.synthetic.rules import RULES
from nasanalysis.synthetic.config import EvidenceConfig, Experiment, FourierConfig, MaxDegConfig
from nasanalysis.synthetic.run import run_experiment

SMALL: dict[str, Experiment] = {
    "evidence": EvidenceConfig(problems=20, seeds=3, samples=(1, 8), points=5, features=3, repeats=50, checked=200),
    "fourier": FourierConfig(seeds=4, points=2048, max_degree=5, degrees=(0, 1, 3, 5)),
    "maxdeg": MaxDegConfig(
        seeds=3, points=512, batch_size=32, max_degree=5, outer=100, hyper_rate=0.1, starts=(-1.0, 5.0), fixed_T=10,
        Ts=(2, 10), validation_Ts=(2,),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("synthetic")
    paths = {name: run_experiment(name, config, out, quiet=True) for name, config in SMALL.items()}
    rows = [
        (
            "digits",
            "mlp",
            T,
            seed,
            9,
            epoch,
            0.01 * T,
            0.01 * T,
            epoch,
            0,
            0,
            1.0,
            50.0,
            50.0 + T + seed + epoch,
            3,
            1.0,
        )
        for T in (0, 2, 10)
        for seed in range(3)
        for epoch in range(3)
    ]
    rows += [
        ("digits", "mlp", 0, seed, 9, epoch, 0.5, 0.5, 0, 0, 0, 1.0, 50.0, 80.0 + seed + epoch % 2, 3, 1.0)
        for seed in range(3)
        for epoch in range(3)
    ]
    names = ["data", "network", "T", "seed", "parameters", "epoch", "rate", "largest_rate", "outer_steps", "clipped"]
    names += ["halved", "train_loss", "valid_accuracy", "test_accuracy", "n_test", "seconds"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    paths["learning_rate"] = write_frame(frame, out / "r.parquet", {"config": {"kind": "learning_rate"}})
    memory = [("digits", "mlp", 9, "forward", T, 0, 30.0 + 0.001 * (T % 3), 1.0, 1.0) for T in (2, 4, 8, 16)]
    memory += [("digits", "mlp", 9, "reverse", T, 0, 30.0 + 10 * T, 1.0, 1.0) for T in (2, 4, 8)]
    names = ["data", "network", "parameters", "mode", "T", "seed", "mebibytes", "seconds", "slope"]
    frame = pl.DataFrame(memory, schema=names, orient="row")
    paths["memory"] = write_frame(frame, out / "m.parquet", {"config": {"kind": "memory"}})
    return paths


def section(results: dict[str, Path], kind: str, *rules: str) -> Section:
    claims = [{"rule": rule, "claim": rule, "where": "a test"} for rule in rules]
    keys = {"name": "mine", "title": "Mine", "results": str(results[kind]), "claims": claims}
    item = SyntheticItem.model_validate(keys)
    return item.section(Sources(None), Resampling())


@pytest.mark.parametrize("kind", list(RULES))
def test_every_kind_has_numbers_figures_and_verdicts(results: dict[str, Path], kind: str) -> None:
    made = section(results, kind, *RULES[kind])
    numbers, claims = made.tables
    assert numbers.rows
    assert len(made.answer) == len(RULES[kind])
    assert {row["verdict"] for row in claims.data.to_dicts()} <= {"holds", "does not hold", "cannot tell"}
    for figure in made.figures:
        assert figure.draw().get_legend() is not None


def verdicts(results: dict[str, Path], kind: str, rule: str) -> list[tuple[str, str]]:
    return section(results, kind, rule).tables[1].data.select("of", "verdict").rows()


def test_verdicts_of_known_answers(results: dict[str, Path]) -> None:
    assert verdicts(results, "evidence", "bound holds") == [("–", "holds")]
    assert verdicts(results, "evidence", "gap shrinks") == [("1 to 8", "holds")]
    assert verdicts(results, "learning_rate", "rises with T") == [("T = 10 after 2", "holds")]
    assert verdicts(results, "learning_rate", "ten beats two") == [("T = 10 after T = 2", "holds")]
    beside = dict(verdicts(results, "learning_rate", "beats fixed rates"))
    assert beside == {"T = 10 beside fixed at 0.0": "holds", "T = 10 beside fixed at 0.5": "does not hold"}
    assert verdicts(results, "memory", "flat in T") == [("–", "holds")]
    low = dict(verdicts(results, "fourier", "lowest at the truth"))
    assert (low["0"], low["1"]) == ("holds", "holds")


def test_arrivals_that_never_come_count_with_all_their_steps() -> None:
    rows = [("sotl", 2, seed, 50, None) if seed else ("sotl", 2, seed, 50, 40) for seed in range(3)] + [
        ("sotl", 10, seed, 50, 10 + seed) for seed in range(3)
    ]
    frame = pl.DataFrame(rows, schema=["objective", "T", "seed", "outer", "arrived"], orient="row").with_columns(
        start=pl.lit(-1.0), true_degree=pl.lit(3), max_deg=pl.lit(1.0)
    )
    (part,) = RULES["maxdeg"]["faster in steps"](frame, 0.95)
    assert part.text.startswith("36 [")
    assert part.verdict == "holds"
    (near,) = RULES["maxdeg"]["ends near"](frame.filter(T=10), 0.95)
    assert near.verdict == "does not hold"


def test_one_rule_turns_intervals_into_words() -> None:
    parts = [Part("a", 0.1, 0.2, ""), Part("b", -0.1, 0.2, ""), Part("c", -0.2, -0.1, ""), Part("d", None, None, "")]
    assert [part.verdict for part in parts] == ["holds", "cannot tell", "does not hold", "cannot tell"]
    assert together(parts[:1] * 2) == "holds"
    assert together(parts) == "in part (holds: a; cannot tell: b, d; does not hold: c)"
    claim = PublishedClaim(rule="not tested", claim="Far", where="a test", why="no data")
    assert Judged(claim, []).sentence == "Far: not tested."
    assert Judged(claim, []).rows()[0]["ours"] == "no data"


def test_what_is_wrong_is_said(results: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="gap shrinks"):
        section(results, "evidence", "gap shrink")
    with pytest.raises(ValueError, match="expected why with rule"):
        PublishedClaim(rule="not tested", claim="c", where="w")
    other = write_frame(pl.DataFrame({"a": [1]}), tmp_path / "other.parquet", {})
    with pytest.raises(StudyError, match="expected results of `nasanalysis synthetic run`"):
        section({"x": other}, "x")


def test_the_shipped_study_holds_rules_that_there_are() -> None:
    kinds: dict[str, Any] = {"mnist-mlp": "learning_rate", "digits-mlp": "learning_rate"}
    for item in Study.load("synthetic").items:
        assert isinstance(item, SyntheticItem)
        kind = kinds.get(item.name, item.name.removesuffix("-code"))
        assert {claim.rule for claim in item.claims} <= {*RULES[kind], "not tested"}
