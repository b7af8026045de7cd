"""The doors for other people's tables: spellings, labels, units, infinities; each a fault that was seen."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import kendalltau, spearmanr

import nasanalysis as na
from nasanalysis.core.errors import FrameError, MissingCapabilityError, StudyError, UnknownNameError
from nasanalysis.loaders.tables.units import all_fractions, some_fractions
from nasanalysis.search import TableFitness
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.studies.files import compare
from nasanalysis.studies.study import Study

sys.path.insert(0, str(Path(__file__).parent))
import door_cases  # beside this file
import door_inputs

NAMES = [SPACE.arch(i).key for i in range(6)]
ACCURACY = [90.0, 80.0, 70.0, 85.0, 60.0, 75.0]
VALUES = [5.0, 3.0, 4.0, 6.0, 1.0, 2.0]
RHO = spearmanr(ACCURACY, VALUES).statistic


def csv(path: Path, **columns: Any) -> str:
    """A CSV file with a column ``arch``, and others that may be one value for all."""
    pl.DataFrame({"arch": columns.pop("arch", NAMES)}).with_columns(
        pl.lit(v).alias(c) if isinstance(v, str | int) else pl.Series(c, v) for c, v in columns.items()
    ).write_csv(path)
    return str(path)


def truth(folder: Path, **columns: Any) -> str:
    return csv(folder / "truth.csv", **{"accuracy": ACCURACY, **columns})


def scores(folder: Path, name: str = "scores.csv", **columns: Any) -> str:
    return csv(folder / name, **{"proxy": "mine", "value": VALUES, **columns})


def rho(first: str, second: str, **how: Any) -> dict[str, Any]:
    """The one row of Spearman's rho."""
    notes: list[str] = []
    frame = compare(first, second, statistics=("spearman_rho",), n_boot=0, warn=notes.append, **how)
    assert len(frame) == 1, frame
    return {**frame.row(0, named=True), "notes": " | ".join(notes)}


# --- spellings ------------------------------------------------------------------------------------------

CASES = [(door, spelling) for spelling in door_cases.spellings() for door in door_cases.DOORS]
REFUSED = {
    ("archs --show", "digits of its own"): "unknown space 'macro'",
    ("plain table as benchmark", "official index"): "kept as texts",
    ("plain table as benchmark", "operation numbers"): "kept as texts",
    ("TableFitness", "official index"): "kept as texts",
    ("TableFitness", "operation numbers"): "kept as texts",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("door", "spelling"), CASES, ids=[f"{d}: {s.space}, {s.name}" for d, s in CASES])
def test_every_door_reads_every_spelling(door: str, spelling: door_cases.Spelling, tmp_path: Path) -> None:
    answer = door_cases.ask(door, spelling, tmp_path)
    refused = REFUSED.get((door, spelling.name))
    if refused is None and spelling.name == "operation numbers":
        assert "got operation numbers" in answer
    else:
        assert answer.startswith(refused or "read")


def test_the_page_shows_what_the_doors_answer() -> None:
    page = door_cases.PAGE.read_text()
    for door in door_cases.DOORS:
        assert f"| {door} |" in page, "run tests/studies/door_cases.py"
    for spelling in door_cases.spellings():
        assert f"| {spelling.space} | {spelling.name} |" in page, "run tests/studies/door_cases.py"


KINDS = door_inputs.kinds()


@pytest.mark.parametrize("kind", KINDS, ids=[k.name for k in KINDS])
def test_every_door_answers_right_or_asks(kind: door_inputs.Kind, tmp_path: Path) -> None:
    page = door_cases.PAGE.read_text()
    for door in door_inputs.DOORS:
        answer = door_inputs.ask(door, kind, tmp_path)
        assert door_inputs.is_right(kind, door, answer), (door, answer)
    assert f"| {kind.name} |" in page, "run tests/studies/door_cases.py"


def test_two_tables_of_an_unknown_space_meet_by_their_texts(tmp_path: Path) -> None:
    names = ["02012100", "02012101", "00", "1e3", "macro:7", "x"]
    row = rho(truth(tmp_path, arch=names), scores(tmp_path, arch=names))
    assert row["estimate"] == pytest.approx(RHO)
    assert "no space of ours has such architectures ('02012100'); they are compared as texts" in row["notes"]
    with pytest.raises(MissingCapabilityError, match="space 'user' cannot count params"):
        rho(str(tmp_path / "truth.csv"), "params")


def test_what_is_guessed_is_said(tmp_path: Path) -> None:
    assert "architectures read as nb201, by their spelling" in rho(truth(tmp_path), scores(tmp_path))["notes"]
    prefixed = [f"nb201:{name}" for name in NAMES]
    assert rho(truth(tmp_path, arch=prefixed), scores(tmp_path))["notes"].count("spelling") == 0


def test_bare_indices_are_texts_until_their_space_is_named(tmp_path: Path) -> None:
    indices = [str(i) for i in range(6)]
    assert rho(truth(tmp_path, arch=indices), scores(tmp_path, arch=indices))["estimate"] == pytest.approx(RHO)
    row = rho(str(tmp_path / "truth.csv"), "params", space="nb201", dataset="cifar10")
    expected = spearmanr([SPACE.params(a, "cifar10") for a in NAMES], ACCURACY).statistic
    assert row["estimate"] == pytest.approx(expected)
    assert rho("digits", scores(tmp_path, arch=[str(i) for i in DIGITS_INDICES]))["n_archs"] == 6


DIGITS_INDICES = [SPACE.index(a) for a in na.load_benchmark("digits").truth(split="test")["arch"].unique().sort()[:6]]


def test_a_row_that_is_no_architecture_is_named(tmp_path: Path) -> None:
    with pytest.raises(na.core.errors.ArchError, match=r"truth.csv, line 4: nb201: expected three nodes"):
        rho(truth(tmp_path, arch=[*NAMES[:2], "|what|", *NAMES[3:]]), scores(tmp_path))


# --- own tables everywhere ------------------------------------------------------------------------------


def describe(folder: Path, **columns: Any) -> Path:
    truth(folder, **columns)
    (folder / "my.toml").write_text(
        'file = "truth.csv"\nbenchmark = "mine"\nspace = "nb201"\ndataset = "cifar10"\nframe = "TRUTH"\n'
        'split = "test"\nschedule = 200\narch_column = "arch"\nvalues = { accuracy = "accuracy" }\nunit = "percent"\n'
    )
    return folder / "my.toml"


def test_a_description_wherever_a_benchmark_is(tmp_path: Path) -> None:
    path = describe(tmp_path)
    for source in (path, str(path), [path], tmp_path):
        benchmark = na.load_benchmark(source)
        assert (benchmark.name, benchmark.datasets) == ("mine", ("cifar10",))
        assert {"truth.csv", "my.toml"} == {Path(str(p)).name for p in benchmark.inputs}
    params = spearmanr([SPACE.params(a, "cifar10") for a in NAMES], ACCURACY).statistic
    assert rho(str(path), "params")["estimate"] == pytest.approx(params)
    assert rho(str(path), scores(tmp_path))["estimate"] == pytest.approx(RHO)


def test_scores_may_be_described_too(tmp_path: Path) -> None:
    describe(tmp_path)
    scores(tmp_path)
    (tmp_path / "scores.toml").write_text(
        'file = "scores.csv"\nbenchmark = "mine"\nspace = "nb201"\ndataset = "cifar10"\nframe = "SCORES"\n'
        'arch_column = "arch"\nvalues = { other = "value" }\n'
    )
    row = rho(str(tmp_path / "my.toml"), str(tmp_path / "scores.toml"))
    assert (row["proxy"], row["estimate"]) == ("other", pytest.approx(RHO))
    assert set(na.load_benchmark(tmp_path).read) == {"TRUTH", "SCORES"}


def test_a_plain_table_is_a_benchmark(tmp_path: Path) -> None:
    benchmark = na.load_benchmark(truth(tmp_path, dataset="cifar10"))
    assert (benchmark.name, benchmark.space, benchmark.datasets) == ("truth", "nb201", ("cifar10",))
    assert benchmark.archs()["params"].to_list() == [SPACE.params(a, "cifar10") for a in NAMES]
    both = na.load_benchmark([truth(tmp_path, dataset="cifar10"), scores(tmp_path)])
    assert na.score(both, "mine")["value"].to_list() == VALUES
    frame = na.correlate(both.truth(), na.score(both, ["mine", "params"]), n_boot=0, statistics=["spearman_rho"])
    assert frame["estimate"][0] == pytest.approx(RHO)


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Path(scores(tmp_path)).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert rho(truth(tmp_path), "-")["estimate"] == pytest.approx(RHO)
    with pytest.raises(StudyError, match="one of truth and scores on standard input"):
        rho("-", "-")


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_library_calls_take_plain_tables(frame: Any) -> None:
    facts = frame({"arch": NAMES, "accuracy": ACCURACY})
    rows = frame({"arch": NAMES * 2, "proxy": ["a"] * 6 + ["b"] * 6, "value": VALUES + ACCURACY})
    table = na.correlate(facts, rows, statistics=["kendall_tau"], n_boot=0)
    assert list(table["proxy"]) == ["a", "b"]
    assert list(table["estimate"]) == pytest.approx([kendalltau(VALUES, ACCURACY).statistic, 1.0])
    pairs = na.compare_proxies(facts, rows, n_boot=0, n_permutations=0)
    assert float(pairs["first"][0]) == pytest.approx(RHO)
    fitness = TableFitness.from_scores(rows, "a")
    assert fitness([f"nb201:{NAMES[0]}"]).values.tolist() == [5.0]
    assert TableFitness.from_truth(facts)([f"nb201:{NAMES[1]}"]).values.tolist() == [80.0]


def test_a_plain_table_beside_a_frame_takes_its_labels() -> None:
    digits = na.load_benchmark("digits")
    whole = na.score(digits, "params")
    facts = digits.truth(split="test")
    plain = whole.select(pl.col("arch").str.strip_prefix("nb201:"), "proxy", "value")
    ours, theirs = (na.correlate(facts, s, n_boot=0, statistics=["spearman_rho"]) for s in (whole, plain))
    assert ours["estimate"].to_list() == theirs["estimate"].to_list()
    assert theirs["benchmark"][0] == "digits"


STUDY = """
title = "mine"
bootstrap = 5
[[compare]]
name = "own"
title = "own"
benchmark = "{benchmark}"
scores = "scores.csv"
{more}
[[search]]
name = "found"
title = "found"
benchmark = "{benchmark}"
scores = "scores.csv"
queries = 4
at = [2, 4]
seeds = 3
algorithms = ["random_search"]
fitnesses = [{{ label = "mine", proxy = "mine" }}]
"""


@pytest.mark.parametrize("benchmark", ["my.toml", "truth.csv"])
@pytest.mark.parametrize("more", ["", 'proxies = ["params", "mine"]\nscatter = ["mine"]\n'])
def test_a_study_of_ones_own_files(tmp_path: Path, benchmark: str, more: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths begin at the study file, wherever the command runs."""
    describe(tmp_path, dataset="cifar10")
    scores(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY.format(benchmark=benchmark, more=more))
    monkeypatch.chdir(tmp_path.parent)
    result = Study.load(tmp_path / "study.toml").run()
    tables = {table.name: table for section in result.sections for table in section.tables}
    assert result.skipped == ()
    own = tables["own"].data.filter(proxy="mine", statistic="spearman_rho")
    assert own["estimate"][0] == pytest.approx(RHO)
    assert "found" in tables
    assert {"scores.csv", "truth.csv"} <= {Path(name).name for name in result.provenance["inputs"]}


# --- labels ---------------------------------------------------------------------------------------------


def test_scores_of_another_data_set_are_no_scores_of_this_one(tmp_path: Path) -> None:
    """They were relabelled in silence."""
    pair = truth(tmp_path, dataset="cifar10"), scores(tmp_path, dataset="cifar100")
    with pytest.raises(
        StudyError, match="scores of dataset cifar100, and a truth of cifar10: .* say --transfer cifar100"
    ):
        rho(*pair)
    row = rho(*pair, transfer="cifar100")
    assert (row["estimate"], row["dataset"], row["setting"]) == (pytest.approx(RHO), "cifar10", "scored on cifar100;")


def test_each_data_set_is_compared_with_its_own(tmp_path: Path) -> None:
    """Two data sets in both files gave one row and a false note."""
    labels = ["cifar10"] * 6 + ["cifar100"] * 6
    pair = (
        truth(tmp_path, arch=NAMES * 2, accuracy=ACCURACY + ACCURACY[::-1], dataset=labels),
        scores(tmp_path, arch=NAMES * 2, value=VALUES * 2, dataset=labels),
    )
    notes: list[str] = []
    frame = compare(*pair, statistics=("spearman_rho",), n_boot=0, warn=notes.append)
    reverse = spearmanr(ACCURACY[::-1], VALUES).statistic
    assert frame.select("dataset", "estimate").rows() == [
        ("cifar10", pytest.approx(RHO)),
        ("cifar100", pytest.approx(reverse)),
    ]
    assert not any("left out" in note for note in notes)
    row = rho(*pair, dataset="cifar100")
    assert row["estimate"] == pytest.approx(reverse)
    assert "6 rows of dataset cifar10 are left out: the truth is of cifar100" in row["notes"]


def test_a_side_that_names_no_data_set_takes_the_others(tmp_path: Path) -> None:
    assert rho(truth(tmp_path), scores(tmp_path, dataset="svhn"))["dataset"] == "svhn"
    assert rho(truth(tmp_path, dataset="svhn"), scores(tmp_path))["dataset"] == "svhn"
    assert rho(truth(tmp_path), scores(tmp_path), dataset="svhn")["dataset"] == "svhn"
    several = scores(tmp_path, arch=NAMES * 2, value=VALUES * 2, dataset=["a"] * 6 + ["b"] * 6)
    with pytest.raises(StudyError, match="the scores have several datasets"):
        rho(truth(tmp_path), several)
    assert rho(truth(tmp_path), several, dataset="b")["dataset"] == "b"


def test_scores_of_another_benchmark(tmp_path: Path) -> None:
    digits = na.load_benchmark("digits")
    frame = na.score(digits, "params").with_columns(benchmark=pl.lit("nb201"))
    frame.write_csv(tmp_path / "s.csv")
    with pytest.raises(StudyError, match="scores of benchmark nb201, and a truth of digits"):
        rho("digits", str(tmp_path / "s.csv"))
    assert rho("digits", str(tmp_path / "s.csv"), transfer="nb201/digits")["setting"].startswith(
        "scored on nb201/digits;"
    )


def test_a_transfer_that_does_not_exist(tmp_path: Path) -> None:
    pair = truth(tmp_path, dataset="cifar10"), scores(tmp_path, dataset="cifar100")
    with pytest.raises(UnknownNameError, match="unknown dataset of these scores 'cifar1000'. Did you mean 'cifar100'"):
        rho(*pair, transfer="cifar1000")


def test_the_split_of_a_truth_file_is_the_documented_default(tmp_path: Path) -> None:
    """Both splits were averaged, or refused as duplicates."""
    both = truth(tmp_path, arch=NAMES * 2, accuracy=ACCURACY + ACCURACY[::-1], split=["test"] * 6 + ["valid"] * 6)
    assert rho(both, scores(tmp_path))["truth_split"] == "test"
    assert rho(both, scores(tmp_path), split="valid")["truth_split"] == "valid"
    only = truth(tmp_path, split="valid")
    with pytest.raises(StudyError, match="no row with split 'test'; it has valid: choose one with --split"):
        rho(only, scores(tmp_path))


def test_a_truth_that_is_no_accuracy(tmp_path: Path) -> None:
    pl.DataFrame(
        {"arch": NAMES, "value": ACCURACY, "quantity": "latency", "quantity_unit": "ms", "quantity_direction": -1}
    ).write_csv(tmp_path / "t.csv")
    assert rho(str(tmp_path / "t.csv"), scores(tmp_path))["estimate"] == pytest.approx(-RHO)


# --- units ----------------------------------------------------------------------------------------------

FRACTIONS = [a / 100 for a in ACCURACY]


def test_fractions_in_a_percent_column_are_asked_about_at_every_door(tmp_path: Path) -> None:
    ask = "6 numbers all within 0 and 1; are they fractions\\?"
    with pytest.raises(FrameError, match=ask):
        rho(truth(tmp_path, accuracy=FRACTIONS), scores(tmp_path))
    with pytest.raises(FrameError, match=ask):
        na.load_benchmark(tmp_path / "truth.csv")
    rows = pl.DataFrame({"arch": NAMES, "proxy": "mine", "value": VALUES})
    plain = pl.DataFrame({"arch": NAMES, "accuracy": FRACTIONS})
    with pytest.raises(FrameError, match=ask):
        na.correlate(plain, rows)
    with pytest.raises(FrameError, match=ask):
        TableFitness.from_truth(plain)
    whole = (
        na.load_benchmark("digits").truth(split="test").drop("quantity", "quantity_unit", "quantity_direction", "value")
    )
    with pytest.raises(FrameError, match="are they fractions"):
        na.correlate(whole.with_columns(pl.col("accuracy") / 100), na.score(na.load_benchmark("digits"), "params"))
    said = plain.with_columns(quantity_unit=pl.lit("percent"))
    assert na.correlate(said, rows, n_boot=0)["n_archs"][0] == 6


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("percent", FRACTIONS),
        ("fraction", FRACTIONS),
        ("error-percent", [100 - a for a in ACCURACY]),
        ("error-fraction", [1 - a / 100 for a in ACCURACY]),
    ],
)
def test_the_unit_answers(tmp_path: Path, unit: str, written: list[float]) -> None:
    first = truth(tmp_path, accuracy=written)
    frame = compare(first, scores(tmp_path), statistics=("topk_mean@1",), n_boot=0, unit=unit, warn=str)  # type: ignore[arg-type]
    best = ACCURACY[int(np.argmax(VALUES))]
    assert frame["estimate"][0] == pytest.approx(best / 100 if unit == "percent" else best)


def test_a_unit_that_the_numbers_contradict(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="expected fraction, 0 to 1, got 90"):
        rho(truth(tmp_path), scores(tmp_path), unit="fraction")
    with pytest.raises(UnknownNameError, match="unknown unit 'fractions'. Did you mean 'fraction'"):
        rho(truth(tmp_path), scores(tmp_path), unit="fractions")


def test_a_mixture_of_units(tmp_path: Path) -> None:
    mixed = [0.9, 0.8, 70.0, 85.0, 60.0, 95.0]
    with pytest.raises(FrameError, match="some numbers below 1, such as 0.9 and 0.8, that look like fractions"):
        rho(truth(tmp_path, accuracy=mixed), scores(tmp_path))
    assert rho(truth(tmp_path, accuracy=mixed), scores(tmp_path), unit="percent")["n_archs"] == 6


@pytest.mark.parametrize(
    ("values", "everything", "some"),
    [
        ([0.0, 0.0], False, False),
        ([0.5], False, False),
        ([0.5, 1.0], True, False),
        ([0.5, None, 0.7], True, False),
        ([0.5, 60.0, 90.0], False, False),
        ([0.7, 0.8, 60.0, 90.0], False, True),
        ([0.1, 0.2, 60.0, 90.0], False, False),
        ([0.83, 0.84, 10.0, 47.0], False, False),
    ],
)
def test_what_looks_like_fractions(values: list[float | None], everything: bool, some: bool) -> None:
    column = pl.Series(values, dtype=pl.Float64)
    assert (all_fractions(column), bool(some_fractions(column))) == (everything, some)


# --- infinite scores ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_infinite_scores_are_missing_or_worst(tmp_path: Path, sign: int) -> None:
    diverged = [*VALUES[:4], sign * math.inf, 2.0]
    pair = truth(tmp_path), scores(tmp_path, value=diverged)
    row = rho(*pair)
    assert (row["n_archs"], row["n_missing"]) == (5, 1)
    assert "1 of 6 scores are infinite (mine): left out as undefined; --infinite worst ranks them last" in row["notes"]
    row = rho(*pair, infinite="worst")
    assert (row["n_archs"], row["n_missing"], row["setting"]) == (6, 0, "infinite scores ranked last")
    assert row["estimate"] == pytest.approx(spearmanr(ACCURACY, [*VALUES[:4], -9, 2.0]).statistic)


def test_the_worst_of_a_score_of_which_less_is_better_is_the_highest() -> None:
    facts = pl.DataFrame({"arch": NAMES, "accuracy": ACCURACY})
    rows = pl.DataFrame({"arch": NAMES, "proxy": "mine", "value": [-v for v in VALUES[:5]] + [math.inf]})
    frame = na.correlate(facts, rows, n_boot=0, statistics=["spearman_rho"], directions={"mine": -1}, infinite="worst")
    assert frame["estimate"][0] == pytest.approx(spearmanr(ACCURACY, [*VALUES[:5], -9]).statistic)


def test_one_seed_that_diverges_is_enough() -> None:
    facts = pl.DataFrame({"arch": NAMES, "accuracy": ACCURACY})
    rows = pl.DataFrame(
        {"arch": NAMES * 2, "proxy": "mine", "value": [math.inf, *VALUES[1:], *VALUES], "seed": [0] * 6 + [1] * 6}
    )
    frame = na.correlate(facts, rows, n_boot=0, statistics=["spearman_rho"], infinite="worst")
    assert frame["estimate"][0] == pytest.approx(spearmanr(ACCURACY, [-9, *VALUES[1:]]).statistic)


def test_distances_have_no_last(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="pearson_r measures distances"):
        compare(truth(tmp_path), scores(tmp_path), statistics=("pearson_r",), infinite="worst", n_boot=0)
    with pytest.raises(StudyError, match="infinite: expected missing or worst, got 'best'"):
        compare(truth(tmp_path), scores(tmp_path), infinite="best", n_boot=0)  # type: ignore[arg-type]


# --- cards and the prompt -------------------------------------------------------------------------------


def test_a_card_of_ones_own_files_counts_parameters_as_the_description_says(tmp_path: Path) -> None:
    path = describe(tmp_path)
    path.write_text(path.read_text().replace("cifar10", "svhn") + "classes = 10\nimage_size = 32\n")
    card = na.studies.cards.proxy_card(scores(tmp_path), truth=str(path), n_boot=0)
    assert card.facts["n_archs"] == 6
    facts, expected = na.load_benchmark(path), [SPACE.params(a, "cifar10") for a in NAMES]
    assert facts.archs()["params"].to_list() == expected


def test_a_card_is_of_one_data_set(tmp_path: Path) -> None:
    labels = ["cifar10"] * 6 + ["cifar100"] * 6
    first = truth(tmp_path, arch=NAMES * 2, accuracy=ACCURACY * 2, dataset=labels)
    second = scores(tmp_path, arch=NAMES * 2, value=VALUES * 2, dataset=labels)
    with pytest.raises(StudyError, match="a card is of one dataset; choose it with --dataset: cifar10, cifar100"):
        na.studies.cards.proxy_card(second, truth=first, n_boot=0)
    assert na.studies.cards.proxy_card(second, truth=first, dataset="cifar10", n_boot=0).facts["n_archs"] == 6


@pytest.mark.parametrize("option", ["--unique-count", "--csv"])
def test_a_space_of_1e18_is_not_listed(option: str) -> None:
    """It never returned."""
    from nasanalysis.cli.archs import _refuse_to_list

    with pytest.raises(na.core.errors.ArchError, match=f"darts: {option} goes through all 1,076,746,950,455,072,400"):
        _refuse_to_list(na.get_space("darts"), option)


def test_a_genotype_without_an_index_has_parameters() -> None:
    from nasanalysis.cli.archs import _one

    cell = [("none", 0), ("sep_conv_3x3", 0), *[("skip_connect", 0), ("skip_connect", 1)] * 3]
    text = f"Genotype(normal={cell}, normal_concat=range(2, 6), reduce={cell}, reduce_concat=range(2, 6))"
    row = _one(na.get_space("darts"), text, "cifar10", "published", {})
    assert row["index"] is None
    assert row["params"] > 0


def test_scores_of_live_networks_stand_beside_any_benchmark_of_their_space(tmp_path: Path) -> None:
    """As in the README: a supernet of digits against the truth of `digits`; another data set or space is refused."""
    digits = na.load_benchmark("digits")
    scores = na.score(digits, "sotl", step=3).with_columns(benchmark=pl.lit("live-nb201"), method=pl.lit("spos"))
    scores.write_parquet(tmp_path / "live.parquet")
    table = na.compare("digits", str(tmp_path / "live.parquet"), n_boot=0)
    assert table["benchmark"].unique().to_list() == ["digits"]
    assert table["n_archs"].unique().to_list() == [800]
    scores.with_columns(dataset=pl.lit("cifar10")).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(StudyError, match="scores of dataset cifar10, and a truth of digits"):
        na.compare("digits", str(tmp_path / "other.parquet"), n_boot=0)
    scores.with_columns(benchmark=pl.lit("live-darts")).write_parquet(tmp_path / "space.parquet")
    with pytest.raises(StudyError, match="scores of benchmark live-darts, and a truth of digits"):
        na.compare("digits", str(tmp_path / "space.parquet"), n_boot=0)
