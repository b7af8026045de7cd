"""A claim in every defensible setting: each specification is the paired comparison that one would make by itself."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr
from small_frames import scores_frame, truth_frame

from nasanalysis import compare_proxies, multiverse, summarise_multiverse
from nasanalysis.core.errors import NasAnalysisError, StudyError, UnknownNameError
from nasanalysis.core.frames import to_pandas
from nasanalysis.stats.many_ranks import spearman_of_all
from nasanalysis.stats.multiverse import CHOICES
from nasanalysis.stats.resamples import Resamples

N = 60
RNG = np.random.default_rng(3)
CELLS = [
    f"nb201:|{a}~0|+|{b}~0|{c}~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    for a in ("nor_conv_3x3", "nor_conv_1x1", "skip_connect", "none")
    for b in ("nor_conv_3x3", "nor_conv_1x1", "skip_connect", "none", "avg_pool_3x3")
    for c in ("nor_conv_3x3", "none", "avg_pool_3x3")
]
ABILITY = dict(zip(CELLS, RNG.normal(size=N).tolist(), strict=True))


def noisy(spread: float, seed: int) -> dict[str, float]:
    draws = np.random.default_rng(seed).normal(scale=spread, size=N)
    return {arch: 50 + ABILITY[arch] + float(d) for arch, d in zip(CELLS, draws, strict=True)}


def truth(split: str, seed: int | None, spread: float, draw: int) -> pl.DataFrame:
    frame = truth_frame(noisy(spread, draw))
    return frame.with_columns(split=pl.lit(split), seed=pl.lit(seed, pl.Int64))


TRUTH = pl.concat([truth("test", 0, 0.5, 1), truth("test", 1, 0.5, 2), truth("valid", None, 1.0, 3)])
SCORES = scores_frame({"good": noisy(0.3, 4), "poor": noisy(2.0, 5)})
QUICK = {"n_boot": 100, "directions": {"good": "higher", "poor": "higher"}}


def test_every_specification_is_the_comparison_one_would_make_by_itself() -> None:
    samples = {"all": None, "half": CELLS[: N // 2]}
    frame = multiverse(TRUTH, SCORES, "good", "poor", samples=samples, **QUICK)
    assert len(frame) == 4 * 2 * 2 * 2  # truths (test: mean and two runs; valid), samples, statistics, units
    for row in frame.to_dicts():
        target = TRUTH.filter(split=row["split"])
        if row["truth_seed"] != "mean":
            target = target.filter(seed=int(row["truth_seed"]))
        only = samples[row["sample"]]
        target = target if only is None else target.filter(pl.col("arch").is_in(only))
        scores = SCORES if only is None else SCORES.filter(pl.col("arch").is_in(only))
        alone = compare_proxies(
            target,
            scores,
            baseline="poor",
            statistic=row["statistic"],
            unit=row["resampled"],
            n_permutations=0,
            **QUICK,
        ).row(0, named=True)
        for column in ("first", "second", "difference", "ci_low", "ci_high", "n_archs", "resampled", "verdict"):
            assert row[column] == alone[column], (row, column)


def test_estimates_are_scipys() -> None:
    frame = multiverse(TRUTH, SCORES, "good", "poor", statistics=["spearman_rho"], units=["arch"], **QUICK)
    row = frame.filter(split="valid").row(0, named=True)
    target = TRUTH.filter(split="valid")["accuracy"].to_numpy()
    first, second = (spearmanr(SCORES.filter(proxy=p)["value"].to_numpy(), target)[0] for p in ("good", "poor"))
    assert (row["first"], row["second"]) == pytest.approx((first, second))


def test_all_pairs_on_shared_ranks_equal_one_by_one() -> None:
    scores = RNG.integers(0, 9, size=(3, 40)).astype(float)
    truths = RNG.integers(0, 15, size=(2, 40)).astype(float)
    truths[1] = 7.0  # a truth that does not vary
    counts = RNG.multinomial(40, np.ones(40) / 40, size=25)
    table = spearman_of_all(scores, truths, counts)
    for s, t in np.ndindex(3, 2):
        np.testing.assert_array_equal(table[s, t], Resamples(truths[t], counts).spearman_rho(scores[s]))
    assert np.isnan(table[:, 1]).all()


def test_steps_seeds_and_costs() -> None:
    stepped = pl.concat(
        [
            SCORES.filter(proxy="good").with_columns(
                step=pl.lit(step, pl.Int64),
                unit=pl.lit("epoch"),
                seed=pl.lit(seed, pl.Int64),
                value=pl.col("value") + seed,
            )
            for step in (1, 2)
            for seed in (0, 1)
        ]
    )
    both = pl.concat([stepped, SCORES.filter(proxy="poor")])
    frame = multiverse(
        TRUTH, both, "good", "poor", score_seeds=True, statistics=["spearman_rho"], units=["arch"], **QUICK
    )
    assert sorted(set(frame.select("step", "score_seed").rows())) == [
        (step, seed) for step in (1, 2) for seed in ("0", "1", "mean")
    ]
    apart = multiverse(
        TRUTH.filter(split="test"),
        both,
        "good",
        "poor",
        score_seeds=True,
        other_runs_only=True,
        statistics=["spearman_rho"],
        units=["arch"],
        **QUICK,
    )
    assert set(apart.select("truth_seed", "score_seed").rows()) == {("0", "1"), ("1", "0")}


def test_scores_of_another_data_set_are_set_against_a_truth_only_where_asked() -> None:
    other = pl.concat([TRUTH, TRUTH.with_columns(dataset=pl.lit("half"))])
    assert set(multiverse(other, SCORES, "good", "poor", **QUICK)["dataset"]) == {"d"}
    frame = multiverse(other, SCORES, "good", "poor", scores_from={"half": "d"}, **QUICK)
    assert set(frame["dataset"]) == {"d", "half"}


def test_several_claims_at_once_are_each_by_itself() -> None:
    third = SCORES.filter(proxy="good").with_columns(proxy=pl.lit("third"), value=pl.col("value") ** 3)
    scores = pl.concat([SCORES, third])
    how = {"n_boot": 100, "directions": dict.fromkeys(("good", "poor", "third"), "higher")}
    together = multiverse(TRUTH, scores, ["good", "third"], "poor", **how)
    for name in ("good", "third"):
        assert together.filter(proxy=name).equals(multiverse(TRUTH, scores, name, "poor", **how))
    with pytest.raises(StudyError, match="got 'good' twice"):
        multiverse(TRUTH, scores, ["good", "good"], "poor", **how)


def test_the_order_of_rows_changes_nothing_and_a_seed_gives_one_table() -> None:
    frame = multiverse(TRUTH, SCORES, "good", "poor", **QUICK)
    shuffled = multiverse(TRUTH.sample(fraction=1, shuffle=True, seed=1), SCORES.reverse(), "good", "poor", **QUICK)
    assert frame.equals(shuffled)
    assert not frame.equals(multiverse(TRUTH, SCORES, "good", "poor", seed=1, **QUICK))
    pandas = multiverse(to_pandas(TRUTH), to_pandas(SCORES), "good", "poor", **QUICK)
    assert type(pandas).__module__.startswith("pandas")
    turned = multiverse(TRUTH, SCORES, "poor", "good", **QUICK)
    np.testing.assert_allclose(turned["difference"].to_numpy(), -frame["difference"].to_numpy())


def test_a_unit_that_is_no_other_stands_once() -> None:
    opaque = {arch: f"user:{i:02d}" for i, arch in enumerate(CELLS)}
    frames = [f.with_columns(arch=pl.col("arch").replace_strict(opaque)) for f in (TRUTH, SCORES)]
    assert set(multiverse(*frames, "good", "poor", **QUICK)["resampled"]) == {"arch"}
    assert set(multiverse(*frames, "good", "poor", units=["class"], **QUICK)["resampled"]) == {"class"}


# --- what is said ---------------------------------------------------------------------------------------


def answers(verdicts: dict[tuple[str, str], str | None]) -> pl.DataFrame:
    """A multiverse of two choices: (split, statistic) -> verdict."""
    rows = [
        dict.fromkeys(CHOICES, "x")
        | {"split": split, "statistic": statistic, "schedule": 1, "step": None, "proxy": "a", "other": "b"}
        | {"verdict": verdict, "difference": 0.1 if verdict == "ahead" else -0.2}
        for (split, statistic), verdict in verdicts.items()
    ]
    return pl.DataFrame(rows, schema_overrides={"step": pl.Int64, "verdict": pl.String})


def test_the_sentence_counts_and_names_what_turns_the_claim() -> None:
    table = {("test", "rho"): "ahead", ("test", "tau"): "ahead", ("valid", "rho"): "behind", ("valid", "tau"): None}
    summary = summarise_multiverse(answers(table))
    assert (summary.share.holds, summary.share.fails, summary.share.open, summary.share.unasked) == (2, 1, 0, 1)
    assert summary.turn is not None
    assert summary.turn.choice == "split"
    assert summary.sentence == (
        '"a ranks better than b" holds in 2 of 3 specifications, does not in 1, and cannot be told in 0; differences '
        "from -0.200 to +0.100. In 1 more it could not be asked. What turns it is the split (test: 2 of 2; valid: "
        "0 of 1)."
    )


def test_a_choice_turns_a_claim_from_half_of_the_shares_apart_on() -> None:
    table = dict.fromkeys([("test", "rho"), ("test", "tau"), ("valid", "rho"), ("valid", "tau")], "ahead")
    everywhere = summarise_multiverse(answers(table))
    assert everywhere.turn is None
    assert everywhere.sentence.endswith("No single choice turns it.")
    half = summarise_multiverse(answers(table | {("test", "tau"): "not told apart"}))
    assert half.turn is not None  # 1 of 2 against 2 of 2
    assert half.turn.choice == "split"  # as far apart as the statistic, and first in order


def test_counts_are_those_of_the_frame() -> None:
    frame = multiverse(TRUTH, SCORES, "good", "poor", margin=0.02, **QUICK)
    share = summarise_multiverse(frame).share
    assert share.holds == frame.filter(pl.col("ci_low") > 0).filter(pl.col("ci_high") >= 0.02).height
    assert share.n == len(frame)


# --- bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "changes", "error", "message"),
    [
        (("good", "good"), {}, StudyError, "expected two proxies, got 'good' twice"),
        (("good", "val_acc"), {}, UnknownNameError, "unknown proxy in these scores 'val_acc'"),
        (("good", "poor"), {"statistics": ["topk_mean@5"]}, StudyError, "bootstrap of extremes is not valid"),
        (("good", "poor"), {"statistics": ["rho"]}, NasAnalysisError, "rho"),
    ],
)
def test_claims_that_cannot_be_asked(
    arguments: tuple[str, str], changes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        multiverse(TRUTH, SCORES, *arguments, **QUICK, **changes)


def test_one_truth_is_no_multiverse() -> None:
    single = TRUTH.filter(split="valid")
    with pytest.raises(StudyError, match=r"expected at least two specifications, got 1.*use compare_proxies"):
        multiverse(single, SCORES, "good", "poor", statistics=["spearman_rho"], units=["arch"], **QUICK)
    strange = SCORES.with_columns(dataset=pl.lit("elsewhere"))
    with pytest.raises(StudyError, match="truths of d, scores of elsewhere"):
        multiverse(TRUTH, strange, "good", "poor", **QUICK)
    several = pl.concat([SCORES, SCORES.with_columns(setting=pl.lit("again"))])
    with pytest.raises(StudyError, match="'good' stands under several settings"):
        multiverse(TRUTH, several, "good", "poor", **QUICK)


def test_a_specification_that_could_not_be_asked_says_so() -> None:
    samples = {"two": CELLS[:2], "all": None}
    frame = multiverse(TRUTH, SCORES, "good", "poor", samples=samples, **QUICK)
    lost = frame.filter(sample="two")
    assert lost["verdict"].is_null().all()
    assert set(lost["note"]) == {"expected at least 3 architectures with truth and both scores, got 2"}
    tied = SCORES.with_columns(value=pl.when(pl.col("proxy") == "poor").then(1.0).otherwise("value"))
    constant = multiverse(TRUTH, tied, "good", "poor", **QUICK)
    assert constant["difference"].is_null().all()
    assert set(constant["note"]) == {"undefined: the truth or a score does not vary there"}
    assert summarise_multiverse(constant).sentence.startswith(
        "Whether good ranks better than poor could be asked in none"
    )
