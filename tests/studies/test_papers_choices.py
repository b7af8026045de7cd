"""Choices on the page of what we learnt: what their file may say, when one turns a verdict, where its line leads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nasanalysis.core.errors import StudyError
from nasanalysis.core.toml import validated
from nasanalysis.loaders.sources import Sources
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.papers.choices import Choice, Chosen, choices_section, chosen, load_choices, shipped_choices
from nasanalysis.studies.papers.learnt import learnt
from nasanalysis.studies.papers.model import Check
from nasanalysis.studies.papers.ours import Evidence
from nasanalysis.studies.papers.verdicts import Outcome, Reading, Word

FILE = """[[choices]]
name = "the width"
says = "The angle ranks better than accuracy"
tests = [
  { on = "wide", item = "digits-2/weights", level = "same data", claimed = "Angle ranks better than accuracy" },
  { on = "narrow", item = "digits-2/weights", level = "same data", better = "Angle of the cells", than = "Accuracy" },
]
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('says = "The angle ranks better than accuracy"\n', "", "missing key 'choices.0.says'"),
        ('on = "narrow"', 'on = "wide"', "expected a name (on) of each"),
        ('better = "Angle of the cells"', 'better = "Angle of cells"', "expected readings of"),
        ("digits-2/weights", "digits-2/weight", "unknown item of a study"),
        ('than = "Accuracy"', 'than = "Accuracy", near = 0', "near: expected within beside it"),
        ('better = "Angle of the cells", than', 'better = "Angle", than', "judges this order itself"),
        ("tests = [", 'multiverse = "digits/sotl-valacc"\ntests = [', "expected tests or a multiverse, one of them"),
    ],
)
def test_a_file_of_choices_is_refused_when_it_is_loaded(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in FILE
    (tmp_path / "choices.toml").write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(StudyError, match=re.escape(said)):
        load_choices(tmp_path / "choices.toml")


def test_one_setting_is_no_choice() -> None:
    test = {"on": "a", "item": "a/b", "level": "same data", "better": "x", "than": "y"}
    with pytest.raises(StudyError, match="expected two settings or more, got one"):
        validated(Choice, {"name": "n", "says": "s", "tests": [test]}, where="choice")


@pytest.mark.parametrize(
    ("words", "turns"),
    [
        (["holds", "does not hold"], True),
        (["holds", "does not hold", "cannot tell"], True),
        (["holds", "cannot tell"], False),
        (["holds", "holds"], False),
        (["not tested", "does not hold"], False),
    ],
)
def test_a_choice_turns_a_verdict_where_settings_say_the_opposite(words: list[Word], turns: bool) -> None:
    keys = {"item": "a/b", "level": "same data", "better": "x", "than": "y"}
    tests = [validated(Check, {**keys, "on": str(k)}, where="test") for k in range(len(words))]
    choice = Choice(name="the width", says="X ranks better", tests=tuple(tests))
    one = Chosen(choice, tuple(Outcome(t, w, Reading(0.1, 0.0, 0.2)) for t, w in zip(tests, words, strict=True)))
    assert one.turns is turns
    assert one.sentence.startswith("The width: turns the verdict" if turns else "The width: does not turn the verdict")
    assert choices_section([one]).tables[0].data["verdict"].to_list() == words


def test_lines_of_choices_lead_to_their_table(tmp_path: Path) -> None:
    (tmp_path / "choices.toml").write_text(FILE, encoding="utf-8")
    found = chosen(load_choices(tmp_path / "choices.toml"), Evidence(Sources(None), Resampling(50, 0)))
    assert [outcome.word for outcome in found[0].outcomes] != ["not tested", "not tested"]
    page = learnt([], found)
    [section] = [section for section in page.sections if section.title == "What turns on a choice"]
    assert section.answer[0].startswith("The width: ")
    assert section.answer[0].endswith("[table](#learnt--choices-one-comparison-under-each)")
    assert page.sections[-1].title == "Choices, one comparison under each"


def test_the_shipped_choices_load_and_name_what_the_issue_asks_for() -> None:
    names = {choice.name for choice in shipped_choices().choices}
    assert {"torch's zero_grad", "the angle's vector", "compute accounting", "the truth"} <= names
