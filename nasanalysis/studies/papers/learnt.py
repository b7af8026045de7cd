"""The fifth page, computed from the verdicts: what repeats, what does not, what turns on a choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ...report.model import Result, Section, Table
from ...report.prose import addresses
from .choices import CHOICES, Chosen, choices_section
from .judged import Judged
from .page import VERDICTS, by_word, counted, measured, n_settings, section_address
from .verdicts import RULE, WORDS, Outcome


@dataclass(frozen=True)
class Page:
    """A work's page, where it lies beside this one, and its verdicts."""

    result: Result
    claims: Sequence[Judged]

    @property
    def name(self) -> str:
        """Of the work, short: its title up to the colon."""
        return self.result.title.partition(":")[0].removeprefix("The ")

    @property
    def link(self) -> str:
        return f"{self.result.name}/index.html"


#: Of the page, in addresses on it.
NAME = "learnt"


def learnt(pages: Sequence[Page], choices: Sequence[Chosen] = (), record: Mapping[str, Any] | None = None) -> Result:
    """Sentences by verdict, each with a link to the table it comes from, and how many there are of each.

    choices: of ours, before the claims that turn on one. record: provenance of what the choices read.
    """
    sections = [
        _section("What repeats", pages, lambda one: _repeats(one) and not _counted(one) and not _elsewhere(one)),
        _section("What does not repeat", pages, lambda one: _fails(one) and not _elsewhere(one)),
        _section("What repeats on other data than the claim's", pages, lambda one: _repeats(one) and _elsewhere(one)),
        _section("What does not repeat on other data", pages, lambda one: _fails(one) and _elsewhere(one)),
        _section("What turns on a choice", pages, turns_on_a_choice, [_choice(one) for one in choices]),
        _section("What cannot be told from what we have", pages, _unknown),
        _section("Counts that agree", pages, lambda one: _repeats(one) and _counted(one)),
    ]
    summary = Section("The four works", "", (_counts(pages),), answer=tuple(_said(page) for page in pages))
    kept = [section for section in sections if section.answer]
    seeds = {"seeds": {}, "inputs": {}, **(record or {}), "works": [page.result.name for page in pages]}
    table = [choices_section(choices)] if choices else []
    return Result(NAME, "What we learnt", RULE, (summary, *kept, *table), seeds)


def turns_on_a_choice(one: Judged) -> bool:
    """By data set, space or network (in part), or by one of the recorded choices of a multiverse."""
    return one.word == "in part" or (bool(one.share) and not one.share.endswith("fails in 0"))


def _repeats(one: Judged) -> bool:
    return one.word == "holds" and not turns_on_a_choice(one)


def _fails(one: Judged) -> bool:
    return one.word == "does not hold"


def _elsewhere(one: Judged) -> bool:
    """Whether nothing that was judged is of the data that the claim is about."""
    return all(outcome.test.level.startswith("other data") for outcome in one.outcomes if outcome.word != "not tested")


def _unknown(one: Judged) -> bool:
    return one.word == "cannot tell" and not turns_on_a_choice(one)


def _counted(one: Judged) -> bool:
    """Whether it is about the size of a space, and no finding."""
    return all(outcome.test.exact for outcome in one.outcomes)


def _section(
    title: str, pages: Sequence[Page], wanted: Callable[[Judged], bool], before: Sequence[str] = ()
) -> Section:
    lines = tuple(_line(page, one) for page in pages for one in page.claims if wanted(one))
    return Section(title, "", answer=(*before, *lines))


def _choice(one: Chosen) -> str:
    """A choice of ours, with the link to its table on this page."""
    return f"{one.sentence} [table](#{next(addresses([CHOICES], NAME))})"


def _line(page: Page, one: Judged) -> str:
    """A claim, what was measured, and the link to its table."""
    numbers = "; ".join(_number(outcome) for outcome in one.outcomes if outcome.reading or outcome.text)
    share = f"; holds in {one.share}" if one.share else ""
    doubt = f" ({one.claim.note})" if one.claim.note else ""
    levels = ", ".join(dict.fromkeys(o.test.level for o in one.outcomes if o.reading or o.text))
    place = f"[{page.name}, {one.claim.source}]({page.link}#{_address(page, one)})"
    return f"{one.claim.says}: {one.word} – {numbers}{share}; {levels}{doubt}. {place}"


def _number(outcome: Outcome) -> str:
    """A number; of one of several tests with its name and word."""
    name = outcome.test.on
    return f"{name}: {measured(outcome)} ({outcome.word})" if name else measured(outcome)


def _address(page: Page, one: Judged) -> str:
    """The published table that the claim is about, or that of the verdicts."""
    titles = [section.title for section in page.result.sections]
    of = (title for title in titles if title.partition(":")[0] in one.claim.source.split(", "))
    return section_address(page.result, next(of, VERDICTS))


def _said(page: Page) -> str:
    return f"[{page.result.title}]({page.link}): {_after(counted(page.claims))}"


def _after(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _counts(pages: Sequence[Page]) -> Table:
    rows = [(page.result.title, *_numbers(page.claims)) for page in pages]
    rows.append(("all", *_numbers([one for page in pages for one in page.claims])))
    header = ["work", *WORDS, "settings and citations", "claims"]
    data = pl.DataFrame(rows, schema=header, orient="row")
    cells = [[str(value) for value in row] for row in rows]
    return Table("verdicts", "Claims by verdict", header, cells, data, [False, *[True] * (len(header) - 1)])


def _numbers(claims: Sequence[Judged]) -> list[int]:
    counts = by_word(claims)
    return [*(counts[word] for word in WORDS), n_settings(claims), len(claims)]
