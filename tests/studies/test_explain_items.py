"""``[[explain]]`` items and the card show what `explain_proxy` answers, or say what they lack."""

from __future__ import annotations

import sys

import pytest
from small_frames import scores_frame, truth_frame

from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.loaders.sources import Sources
from nasanalysis.report.card import make_card
from nasanalysis.spaces import get_space
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.explain.items import ExplainItem
from nasanalysis.studies.study import Study

ITEM = {
    "name": "why",
    "title": "Why",
    "benchmark": "digits",
    "sample": "uniform-live",
    "proxies": ("sotl", "params"),
    "scores_seed": 0,
    "truth_seed": 1,
    "step": 2,
    "most": 100,
}


def test_what_is_left_what_drives_and_where_it_errs() -> None:
    pytest.importorskip("sklearn")
    section = ExplainItem.model_validate(ITEM).section(Sources(None), Resampling(20))
    left, drives, errs = section.tables
    assert [t.name for t in section.tables] == ["why-given", "why-importance", "why-errors"]
    assert left.data.group_by("proxy", maintain_order=True).len().rows() == [("sotl", 4), ("params", 2)]
    assert left.rows[0][3:5] == ["0.0", "0.0"]  # nothing given explains nothing
    assert drives.header == ["feature", "truth", "SoTL, all steps", "parameters"]
    assert drives.rows[-1][0] == "R² before"
    assert errs.header[:3] == ["feature", "level", "n"]
    assert {row[0] for row in errs.rows} >= {"depth", "parameters", "live count: conv 3×3"}
    assert "depth conv" not in {row[0] for row in errs.rows}
    assert set(errs.data["feature"]) > {"graph_depth_conv", "params"}  # the file holds every feature
    of_size = next(row for row in errs.rows if row[0] == "parameters")
    assert of_size[-1] == "–"  # params is not explained by itself
    assert "SoTL, all steps: the 27 features of the cell explain" in section.text
    panels = section.figures[0].draw().get_figure().axes  # type: ignore[union-attr]
    assert [t.get_text() for t in panels[0].get_legend().get_texts()] == ["truth", "SoTL, all steps", "parameters"]
    assert [t.get_text() for t in panels[1].get_yticklabels()][-1].startswith("parameters ")


def test_without_the_extra_the_item_is_left_out_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    study = Study(name="s", title="S", items=(ExplainItem.model_validate(ITEM),), bootstrap=0)
    result = study.run()
    assert result.sections == ()
    [said] = result.skipped
    assert "pip install -c constraints.txt 'nasanalysis[predict]'" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proxies": ("sotl", "sotl")}, "proxies: expected each once, got sotl, sotl"),
        ({"dataset": "cifar10"}, "cifar10"),
        ({"regressor": "oracle"}, "oracle"),
        ({"most": 3}, "most"),
        ({"step": 99}, "no scores of 'sotl' at step 99; it has steps 1 to 12"),
        ({"sample": "random-20@0"}, "more architectures than features"),
    ],
)
def test_malformed(changes: dict[str, object], message: str) -> None:
    pytest.importorskip("sklearn")
    with pytest.raises((NasAnalysisError, ValueError), match=message):
        ExplainItem.model_validate({**ITEM, **changes}).section(Sources(None), Resampling(0))


SPACE = get_space("nb201")
NAMES = [str(SPACE.arch(i)) for i in range(0, 15000, 150)]  # type: ignore[attr-defined]
SCORE = {arch: float(arch.count("nor_conv_3x3")) + 0.01 * i for i, arch in enumerate(NAMES)}


def test_a_card_says_why() -> None:
    pytest.importorskip("sklearn")
    card = make_card(truth_frame(SCORE), scores_frame({"nwot": SCORE}), None, n_boot=10)
    assert [t.name for t in card.tables][-3:] == ["why-given", "why-importance", "why-errors"]
    assert card.figures[-1].name == "why"
    importance = card.tables[-2].data
    assert importance["feature"][0] == "graph_count@nor_conv_3x3"


def test_a_card_of_few_architectures_says_that_they_are_too_few() -> None:
    pytest.importorskip("sklearn")
    few = dict(list(SCORE.items())[:20])
    card = make_card(truth_frame(few), scores_frame({"nwot": few}), None, n_boot=0)
    assert any("Why it ranks so is left out: " in note and "more architectures" in note for note in card.notes)


def test_a_card_without_the_extra_or_without_cells_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = {f"mine:{i}": float(i) for i in range(30)}
    card = make_card(truth_frame(strange), scores_frame({"nwot": strange}), None, n_boot=0)
    assert not any("Why it ranks" in note for note in card.notes)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    card = make_card(truth_frame(SCORE), scores_frame({"nwot": SCORE}), None, n_boot=0)
    [note] = [note for note in card.notes if "Why it ranks" in note]
    assert "nasanalysis[predict]" in note
    assert card.tables[0].name == "ranking"
