"""Own tables in studies, on cards and in paired tests: what a file leaves out is asked for or said."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy.stats import kendalltau, spearmanr

import nasanalysis as na
from nasanalysis.core.errors import MissingFrameError, StudyError
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.studies.cards import proxy_card
from nasanalysis.studies.files import compare
from nasanalysis.studies.study import Study
from nasanalysis.studies.versus import compare_scores

NAMES = [SPACE.arch(i).key for i in range(8)]
ACCURACY = [90.0, 80.0, 70.0, 85.0, 60.0, 75.0, 65.0, 55.0]
VALUES = [5.0, 3.0, 4.0, 6.0, 1.0, 2.0, 0.5, -math.inf]
LAST = [*VALUES[:7], -9.0]


def csv(path: Path, **columns: Any) -> str:
    pl.DataFrame({"arch": NAMES, **columns}).write_csv(path)
    return str(path)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return csv(tmp_path / "truth.csv", accuracy=ACCURACY), csv(tmp_path / "wide.csv", mine=VALUES, other=ACCURACY)


def run(folder: Path, text: str) -> tuple[Any, list[str]]:
    (folder / "study.toml").write_text(f'title = "Mine"\nbootstrap = 0\n{text}')
    said: list[str] = []
    return Study.load(folder / "study.toml").run(say=said.append).sections[0], said


COMPARE = '[[compare]]\nname = "c"\ntitle = "C"\nstatistics = ["spearman_rho"]\n'


# --- infinite scores ------------------------------------------------------------------------------------


def test_a_comparison_ranks_infinite_scores_last_where_asked(pair: tuple[str, str], tmp_path: Path) -> None:
    text = COMPARE + 'benchmark = "truth.csv"\nscores = "wide.csv"\nproxies = ["mine"]\n'
    section, said = run(tmp_path, text)
    row = section.tables[0].data.row(0, named=True)
    assert (row["n_archs"], row["n_missing"]) == (7, 1)
    assert 'left out as undefined; infinite = "worst" ranks them last' in " ".join(said)
    section, said = run(tmp_path, text + 'infinite = "worst"\n')
    row = section.tables[0].data.row(0, named=True)
    assert (row["n_archs"], row["n_missing"], row["setting"]) == (8, 0, "infinite scores ranked last")
    assert row["estimate"] == pytest.approx(spearmanr(ACCURACY, LAST).statistic)
    assert "mine: infinite scores ranked last." in section.tables[0].note
    with pytest.raises(StudyError, match="pearson_r measures distances"):
        run(tmp_path, text.replace("spearman_rho", "pearson_r") + 'infinite = "worst"\n')


def test_a_card_ranks_infinite_scores_last_where_asked(pair: tuple[str, str]) -> None:
    how: dict[str, Any] = {"proxy": "mine", "n_boot": 0, "directions": {"mine": "higher"}}
    card = proxy_card(pair[1], truth=pair[0], infinite="worst", **how)
    assert card.facts["estimate"] == pytest.approx(kendalltau(ACCURACY, LAST).statistic)
    assert "infinite scores ranked last" in card.verdict
    assert "infinite" not in proxy_card(pair[1], truth=pair[0], **how).verdict


def test_a_paired_test_ranks_infinite_scores_last_where_asked(pair: tuple[str, str]) -> None:
    told: list[str] = []
    how: dict[str, Any] = {"n_boot": 0, "n_permutations": 0, "warn": told.append}
    row = compare_scores(*pair, infinite="worst", **how).row(0, named=True)
    assert (row["n_archs"], row["first"]) == (8, pytest.approx(spearmanr(ACCURACY, LAST).statistic))
    assert told.count("1 of 16 scores are infinite (mine): ranked last") == 1
    assert compare_scores(*pair, **how)["n_archs"].to_list() == [7]
    with pytest.raises(StudyError, match="infinite: expected missing or worst, got 'best'"):
        compare_scores(*pair, infinite="best", **how)  # type: ignore[arg-type]


# --- whose images ---------------------------------------------------------------------------------------


def test_parameters_of_an_unnamed_data_set_are_said_to_be_those_of_cifar10(pair: tuple[str, str]) -> None:
    for scores, statistic in (("params", "spearman_rho"), (pair[1], "partial_spearman@params")):
        told: list[str] = []
        how: dict[str, Any] = {"statistics": (statistic,), "n_boot": 0, "warn": told.append}
        compare(pair[0], scores, **how)
        assert sum("no data set is named: parameters and FLOPs are counted as for cifar10" in t for t in told) == 1
        told.clear()
        compare(pair[0], scores, dataset="cifar100", **how)
        assert "no data set is named" not in " ".join(told)


def test_a_card_and_a_study_say_so_too(pair: tuple[str, str], tmp_path: Path) -> None:
    told: list[str] = []
    how: dict[str, Any] = {"truth": pair[0], "proxy": "other", "n_boot": 0, "say": told.append}
    proxy_card(pair[1], **how)
    assert "counted as for cifar10" in " ".join(told)
    text = COMPARE + 'benchmark = "truth.csv"\nproxies = ["params"]\n'
    section, said = run(tmp_path, text)
    assert "counted as for cifar10" in " ".join(said)
    assert "Parameters and FLOPs as for cifar10: the truth names no data set." in section.tables[0].note
    section, said = run(tmp_path, text + 'datasets = ["cifar100"]\n')
    assert section.tables[0].data["dataset"].to_list() == ["cifar100"]
    assert "cifar10:" not in " ".join([*said, section.tables[0].note])


# --- what a study says of a plain table -----------------------------------------------------------------


def test_unit_and_space_are_keys(tmp_path: Path) -> None:
    csv(tmp_path / "truth.csv", accuracy=[value / 100 for value in ACCURACY])
    text = COMPARE + 'benchmark = "truth.csv"\nproxies = ["params"]\n'
    with pytest.raises(Exception, match="in a study it is a key, unit = 'fraction'"):
        run(tmp_path, text)
    section, _ = run(tmp_path, text.replace("spearman_rho", "topk_mean@8") + 'unit = "fraction"\n')
    assert section.tables[0].data["estimate"][0] == pytest.approx(sum(ACCURACY) / 8)
    pl.DataFrame({"arch": list(range(8)), "accuracy": ACCURACY}).write_csv(tmp_path / "truth.csv")
    section, _ = run(tmp_path, text + 'space = "nb201"\n')
    assert section.tables[0].data["n_archs"].to_list() == [8]
    with pytest.raises(StudyError, match=r"digits: unit and space are of plain tables"):
        run(tmp_path, text.replace("truth.csv", "digits") + 'space = "nb201"\n')


def test_several_descriptions_are_one_benchmark(tmp_path: Path) -> None:
    csv(tmp_path / "t.csv", clean=ACCURACY, fog=[100 - value for value in ACCURACY], mine=[*VALUES[:7], 0.0])
    head = 'file = "t.csv"\nbenchmark = "mine"\nspace = "nb201"\narch_column = "arch"\n'
    for name in ("clean", "fog"):
        (tmp_path / f"{name}.toml").write_text(
            f'{head}dataset = "{name}"\nframe = "TRUTH"\nsplit = "test"\nschedule = 200\nunit = "percent"\n'
            f'classes = 10\nimage_size = 32\nvalues = {{ accuracy = "{name}" }}\n'
        )
    section, _ = run(tmp_path, COMPARE + 'benchmark = ["clean.toml", "fog.toml"]\nproxies = ["params"]\n')
    clean, fog = section.tables[0].data.sort("dataset")["estimate"]
    assert clean == pytest.approx(-fog)
    assert clean == pytest.approx(spearmanr([SPACE.params(a, "cifar10") for a in NAMES], ACCURACY).statistic)


def test_a_score_under_two_settings_must_be_chosen(tmp_path: Path) -> None:
    """A table showed the second in silence: each proxy has one row."""
    csv(tmp_path / "truth.csv", accuracy=ACCURACY)
    parts = [
        pl.DataFrame({"arch": NAMES, "proxy": "mine", "value": values, "setting": name})
        for name, values in (("a", ACCURACY), ("b", [-value for value in ACCURACY]))
    ]
    pl.concat(parts).write_csv(tmp_path / "scores.csv")
    text = COMPARE + 'benchmark = "truth.csv"\nscores = "scores.csv"\n'
    with pytest.raises(StudyError, match="'mine' stands under several settings; say one as setting = ..., of 'a', 'b'"):
        run(tmp_path, text)
    for name, rho in (("a", 1), ("b", -1)):
        section, _ = run(tmp_path, text + f'setting = "{name}"\n')
        assert section.tables[0].data["estimate"].to_list() == [pytest.approx(rho)]


def test_a_direction_in_doubt_says_how_a_study_gives_it(pair: tuple[str, str], tmp_path: Path) -> None:
    _, said = run(tmp_path, COMPARE + 'benchmark = "truth.csv"\nscores = "wide.csv"\nproxies = ["mine"]\n')
    assert 'if lower is: directions = { "mine" = "lower" }' in " ".join(said)


# --- searches -------------------------------------------------------------------------------------------

SEARCH = (
    '[[search]]\nname = "s"\ntitle = "S"\nbenchmark = "truth.csv"\nscores = "wide.csv"\nqueries = 8\nseeds = 2\n'
    'at = [8]\nalgorithms = ["random_search"]\n'
)


def test_a_search_by_a_score_of_ones_own_says_its_direction(pair: tuple[str, str], tmp_path: Path) -> None:
    section, said = run(tmp_path, SEARCH + 'fitnesses = [{ label = "a", proxy = "mine" }]\n')
    assert "direction of mine: not known, higher is taken as better" in " ".join(said)
    assert "mine as recorded, higher (assumed) is better" in section.tables[0].note
    lower = SEARCH + 'fitnesses = [{ label = "a", proxy = "mine", direction = "lower" }]\n'
    turned, said = run(tmp_path, lower)
    assert "direction of mine" not in " ".join(said)
    assert "mine as recorded, lower (given) is better" in turned.tables[0].note
    best = {
        name: s.tables[0].data.filter(fitness="a")["mean"][0] for name, s in {"up": section, "down": turned}.items()
    }
    assert best["up"] > best["down"]


def test_a_search_by_a_latency_finds_the_smallest(tmp_path: Path) -> None:
    csv(tmp_path / "wide.csv", mine=LAST)
    rows = {"quantity": ["latency"] * 8, "quantity_unit": ["ms"] * 8, "quantity_direction": [-1] * 8}
    csv(tmp_path / "truth.csv", value=ACCURACY, **rows)
    section, _ = run(tmp_path, SEARCH + 'fitnesses = [{ label = "a", proxy = "mine" }]\n')
    table = section.tables[0]
    bars = {line[0]: line[2] for line in table.rows}
    assert float(bars["best possible"]) == pytest.approx(min(ACCURACY), rel=1e-3)
    assert "True latency (ms) of the best by fitness" in table.note
    assert "of which less is better" in table.note


# --- what is said in vain -------------------------------------------------------------------------------


def test_a_unit_or_a_space_that_nothing_takes_is_refused(pair: tuple[str, str]) -> None:
    for asked, message in (
        ({"unit": "fraction"}, "digits: --unit is of a plain table"),
        ({"space": "darts"}, "digits: --space darts: its architectures are of nb201"),
    ):
        with pytest.raises(StudyError, match=message):
            compare("digits", "sotl", step=3, n_boot=0, **asked)  # type: ignore[arg-type]
    assert len(compare("digits", "sotl", step=3, n_boot=0, space="nb201"))


def test_scores_in_a_file_under_the_name_of_a_computed_proxy_are_pointed_at(tmp_path: Path) -> None:
    csv(tmp_path / "scores.csv", sotl=LAST)
    benchmark = na.load_benchmark(tmp_path / "scores.csv")
    with pytest.raises(MissingFrameError, match="its files hold scores of this name: recorded:sotl reads them"):
        na.score(benchmark, "sotl")
    assert na.score(benchmark, "recorded:sotl")["value"].to_list() == LAST
