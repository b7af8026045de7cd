"""A work with numbers of ours beside its figures and a verdict for every claim: what its page is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .model import Cell, Check, Claim, Ours, Paper, PaperTable
from .ours import Evidence, NotHere
from .settings import of_ours
from .verdicts import WORDS, Outcome, Reading, Word, combine, judge

#: Level of a cell whose number needs files that are not on this machine.
NEEDS_DATA = "needs data"


@dataclass(frozen=True)
class Beside:
    """A published figure with ours, its level and the command that runs it; `why`: there is none of ours."""

    cell: Cell
    level: str
    command: str
    reading: Reading | None = None
    why: str = ""


@dataclass(frozen=True)
class Judged:
    """A claim with its verdict, the outcomes behind it, and the share of choices where there is one.

    level: what a claim without a test waits for. taken: of a setting, what ours is.
    """

    claim: Claim
    word: Word
    outcomes: tuple[Outcome, ...]
    why: str
    share: str = ""
    level: str = ""
    taken: str = ""

    @property
    def is_setting(self) -> bool:
        """No finding: a setting, or what others did."""
        return self.level in ("setting", "citation")


def beside(paper: Paper, table: PaperTable, evidence: Evidence) -> list[Beside]:
    """Every published figure of a table, in its order."""
    return [_beside(paper, table, cell, evidence) for cell in paper.of(table)]


def _beside(paper: Paper, table: PaperTable, cell: Cell, evidence: Evidence) -> Beside:
    ours = next((ours for ours in table.ours if words_of(ours, cell) is not None), None)
    if ours is None:
        return _rest(paper, table, cell)
    command = paper.commands[ours.command]
    try:
        return Beside(cell, ours.level, command, evidence.read(ours, words_of(ours, cell)))
    except NotHere as reason:
        level = NEEDS_DATA if str(reason).startswith(NEEDS_DATA) else table.rest
        return Beside(cell, level, command, why=str(reason))


def _rest(paper: Paper, table: PaperTable, cell: Cell) -> Beside:
    """A figure without a number of ours; of a setting with ours, where a file says it."""
    for rest in table.rests:
        if all(cell.words.get(name) == text for name, text in rest.cells.items()):
            ours = Reading(float(of_ours(rest.taken))) if rest.taken else None
            return Beside(cell, rest.level or table.rest, paper.commands[rest.command], ours)
    return Beside(cell, table.rest, paper.commands[table.command])


def words_of(ours: Ours, cell: Cell) -> dict[str, str] | None:
    """The words of a cell, ours in place of theirs; None where `ours` says nothing of it.

    >>> cell = Cell(place="9", proxy="flatness", setting="alpha=0", metric="kendall_tau", value="0.1777", source="T9")
    >>> names = {"proxy": {"flatness": "F"}}
    >>> ours = Ours(item="a/b", level="same data", command="c", cells={"alpha": "0"}, names=names)
    >>> words_of(ours, cell)["proxy"]
    'F'
    """
    words = cell.words
    if any(words.get(name) != text for name, text in ours.cells.items()):
        return None
    for name, known in ours.names.items():
        if words.get(name) not in known:
            return None
        words[name] = known[words[name]]
    return words


def judged(paper: Paper, evidence: Evidence) -> list[Judged]:
    """Every claim of a work, in its order."""
    return [_judged(paper, claim, evidence) for claim in paper.claims]


def _judged(paper: Paper, claim: Claim, evidence: Evidence) -> Judged:
    if claim.untested:
        reason = paper.reasons[claim.untested]
        ours = of_ours(claim.taken) if claim.taken else ""
        return Judged(claim, "not tested", (), reason.why, level=reason.level, taken=ours)
    outcomes = tuple(outcome_of(test, evidence) for test in claim.tests)
    word = combine([outcome.word for outcome in outcomes])
    why = "; ".join(dict.fromkeys(outcome.why for outcome in outcomes if outcome.why))
    level = "" if word != "not tested" else NEEDS_DATA if why.startswith(NEEDS_DATA) else "needs GPU"
    if level and claim.waits:
        why, level = paper.reasons[claim.waits].why, paper.reasons[claim.waits].level
    return Judged(claim, word, outcomes, why, _share(claim, evidence), level)


def outcome_of(test: Check, evidence: Evidence) -> Outcome:
    """What one test says; "not tested" where a file of it is not here."""
    try:
        if test.claimed:
            words, text, reading = evidence.claimed(test)
            return Outcome(test, combine([_word(word) for word in words]), reading, text=text)
        reading = evidence.order(test) if test.is_order else evidence.read(test)
    except NotHere as reason:
        return Outcome(test, "not tested", None, str(reason))
    return Outcome(test, judge(test, reading), reading)


def _word(text: str) -> Word:
    """A verdict of another item by our words."""
    return next((word for word in WORDS if word == text), "cannot tell")


def _share(claim: Claim, evidence: Evidence) -> str:
    if claim.multiverse is None:
        return ""
    try:
        return evidence.share(claim.multiverse)
    except NotHere:
        return ""


def parts(one: Judged) -> Iterator[tuple[str, Word]]:
    """What each named test of a claim says."""
    yield from ((outcome.test.on, outcome.word) for outcome in one.outcomes if outcome.test.on)
