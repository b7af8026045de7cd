"""The page of a work: verdicts first, then every table of theirs with ours beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from ...core.notes import told
from ...loaders.sources import Sources
from ...plots.style import statistic_label
from ...report.cells import count, with_interval, with_spread
from ...report.model import Result, Section, Table
from ...report.prose import addresses
from ...stats.resampling import Resampling
from .hours import hours, hours_of, measured_hours
from .judged import Beside, Judged, beside, judged
from .model import Check, Paper, PaperTable
from .ours import Evidence
from .searched import SEARCHED
from .verdicts import RULE, WORDS, Outcome, Reading

#: Headings of the sections that are no published table.
VERDICTS, UNTESTED, COUNTS = "What was claimed, and what holds", "Findings that were not tested", "In numbers"
SETTINGS = "Settings and citations: no findings, so nothing to test"
_EMPTY = "–"
#: Verdict -> what is said of one claim, and of several.
SAID = {
    "holds": ("holds", "hold"),
    "in part": ("holds in part", "hold in part"),
    "does not hold": ("does not hold", "do not hold"),
    "cannot tell": ("cannot be told", "cannot be told"),
    "not tested": ("was not tested", "were not tested"),
}
#: What the brackets of a table hold.
BRACKETS = (
    "Brackets of ours: 95 % interval, over architectures and supernets (of top-k means and of pairs of measures: "
    "Student's t over supernets); of the published: standard deviation."
)


def paper_result(paper: Paper, sources: Sources) -> tuple[Result, list[Judged]]:
    """The page of `paper` as a result, and its verdicts."""
    evidence = Evidence(sources, Resampling(paper.bootstrap, paper.seed))
    with told(lambda _: None):  # what studies say of their own tables stands in their own report
        cells = [(table, beside(paper, table, evidence)) for table in paper.tables]
        claims = judged(paper, evidence)
    sections = [
        _counts(paper, cells, claims),
        *_verdicts(paper, claims, sources),
        *hours(paper, sources),
        *(_table(table, rows) for table, rows in cells),
    ]
    record = sources.provenance(seeds={"bootstrap": paper.seed}, config={"work": paper.name})
    result = Result(paper.name, paper.title, f"{paper.description} {RULE}".strip(), tuple(sections), record)
    return result, claims


def section_address(result: Result, title: str) -> str:
    """Where a section stands on its page."""
    titles = [section.title for section in result.sections]
    return dict(zip(titles, addresses(titles, result.name), strict=True))[title]


# --- counts ---------------------------------------------------------------------------------------------


def _counts(paper: Paper, cells: Sequence[tuple[PaperTable, list[Beside]]], claims: Sequence[Judged]) -> Section:
    levels = Counter(one.level for _, rows in cells for one in rows)
    words = by_word(claims)
    lines = [("published figures", sum(levels.values()))]
    lines += [(f"published figures, {level}", n) for level, n in sorted(levels.items(), key=lambda pair: -pair[1])]
    lines += [("claims", len(claims))]
    lines += [("claims that are settings or citations", settings)] if (settings := n_settings(claims)) else []
    lines += [(f"findings, {word}", words[word]) for word in WORDS if words[word]]
    data = pl.DataFrame(lines, schema=["what", "number"], orient="row")
    table = Table("counts", COUNTS, ["what", "number"], [[what, str(n)] for what, n in lines], data, [False, True])
    return Section(COUNTS, "", (table,), answer=(counted(claims),) if claims else ())


def counted(claims: Iterable[Judged]) -> str:
    """How many claims came to which verdict, in a sentence; settings and citations are none, and stand apart."""
    claims = list(claims)
    words, settings = by_word(claims), n_settings(claims)
    parts = ", ".join(f"{n} {SAID[word][n > 1]}" for word in WORDS if (n := words[word]))
    if not settings:
        return f"Of {len(claims)} claims, {parts}."
    apart = "are settings or citations, which are" if settings > 1 else "is a setting or a citation, which is"
    head = f"Of {len(claims)} claims, {settings} {apart} no finding{'s' if settings > 1 else ''}."
    return f"{head} Of the other {len(claims) - settings}, {parts}." if parts else head


def by_word(claims: Iterable[Judged]) -> Counter[str]:
    """How many findings came to which verdict; settings and citations are left out."""
    return Counter(one.word for one in claims if not one.is_setting)


def n_settings(claims: Iterable[Judged]) -> int:
    """How many are settings or citations."""
    return sum(one.is_setting for one in claims)


# --- claims ---------------------------------------------------------------------------------------------


def _verdicts(paper: Paper, claims: Sequence[Judged], sources: Sources) -> list[Section]:
    tested = [one for one in claims if one.word != "not tested"]
    rest = [one for one in claims if one.word == "not tested" and not one.is_setting]
    settings = [one for one in claims if one.is_setting]
    return [
        *([Section(VERDICTS, "", (_tested(paper, tested),))] if tested else []),
        *([Section(UNTESTED, "", (_untested(paper, rest, measured_hours(sources)),))] if rest else []),
        *([Section(SETTINGS, "", (_settings(paper, settings),))] if settings else []),
    ]


def _tested(paper: Paper, claims: Sequence[Judged]) -> Table:
    """A row for each claim, and one for each of its tests where it has several."""
    header = ["claim", "here", "measured", "rule", "level", "n", "said in", "note"]
    rows = [row for one in claims for row in _rows(one)]
    commands = dict.fromkeys(paper.commands[one.claim.command] for one in claims)
    note = f"In full: {'; '.join(f'`{command}`' for command in commands)} (the CSV file says which for each claim)."
    return Table("claims", VERDICTS, header, rows, _claims_data(paper, claims), [False] * len(header), note, names=1)


def _rows(one: Judged) -> Iterator[list[str]]:
    place = f"{one.claim.source}: {one.claim.value}" if one.claim.value else one.claim.source
    share = f"; holds in {one.share}" if one.share else ""
    if len(one.outcomes) == 1:
        word, number, *rest = _tested_by(one.outcomes[0])
        yield [one.claim.says, word, number, *rest, place, f"{one.claim.note}{share}".strip("; ") or _EMPTY]
        return
    words = Counter(outcome.word for outcome in one.outcomes)
    parts = "; ".join(f"{words[word]} {word}" for word in WORDS if words[word])
    yield [one.claim.says, one.word, f"{parts}{share}", *[_EMPTY] * 3, place, one.claim.note or _EMPTY]
    for outcome in one.outcomes:
        yield [f"– {outcome.test.on}", *_tested_by(outcome), _EMPTY, outcome.why or _EMPTY]


def _tested_by(outcome: Outcome) -> list[str]:
    """Word, number, rule, level and n of one test; a test that could not be run has no level."""
    n = outcome.reading.n if outcome.reading else None
    level = _EMPTY if outcome.word == "not tested" else outcome.test.level
    return [outcome.word, measured(outcome), rule(outcome.test), level, _EMPTY if n is None else f"{n:,}"]


def _untested(paper: Paper, claims: Sequence[Judged], known: pl.DataFrame) -> Table:
    """What each waits for, hours where they are known (of `measured_hours`), and the command that would judge it."""
    header = ["claim", "they say", "why not", "needs", "command", "said in", "note"]
    rows = [[
            one.claim.says, one.claim.value or _EMPTY, one.why, needed(one, paper, known),
            paper.commands[one.claim.command], one.claim.source, one.claim.note or _EMPTY,
        ] for one in claims]  # fmt: skip
    return Table("untested", UNTESTED, header, rows, _claims_data(paper, claims), [False] * len(header))


def needed(one: Judged, paper: Paper, known: pl.DataFrame) -> str:
    """What a finding waits for; of a GPU with the hours of the configuration that its command names."""
    what = one.level.removeprefix("needs ")
    took = hours_of(paper.commands[one.claim.command], known) if what == "GPU" else None
    return what if took is None else f"{what}, {took}"


def _settings(paper: Paper, claims: Sequence[Judged]) -> Table:
    """What they set beside what our file at the published size sets."""
    header = ["setting", "they say", "ours", "where", "said in", "note"]
    rows = [[
            one.claim.says, one.claim.value or _EMPTY, one.taken or _EMPTY,
            f"reports/{one.claim.taken}" if one.claim.taken else one.why, one.claim.source, one.claim.note or _EMPTY,
        ] for one in claims]  # fmt: skip
    return Table("settings", SETTINGS, header, rows, _claims_data(paper, claims), [False] * len(header))


def measured(outcome: Outcome) -> str:
    """The number behind a test, with its interval."""
    reading = outcome.reading
    if outcome.text:
        return outcome.text
    if reading is None:
        return "not here"
    if reading.estimate is None:
        return "undefined"
    whole = outcome.test.exact and reading.estimate == round(reading.estimate)
    return count(reading.estimate) if whole else shown(reading, 3)


def rule(test: Check) -> str:
    """What a test asks, in words."""
    if test.claimed:
        return f"that of {test.item}"
    if test.spread:
        return f"ratio of standard deviations of {statistic_name(test)} above 1"
    what = f"difference{f' of {statistic_name(test)}' if test.statistic else ''} " if test.is_order else ""
    if test.near is not None:
        whole = test.exact and (test.within or 0.0) < 0.5  # of counts
        return count(test.near) if whole else f"{what}within {test.within:g} of {test.near:g}"
    return f"{what}below {test.below:g}" if test.below is not None else f"{what}above {test.above or 0:g}"


def statistic_name(test: Check) -> str:
    """What an order compares, where it is not the item's own statistic."""
    return test.statistic if test.statistic in SEARCHED else statistic_label(test.statistic)


def shown(reading: Reading, digits: int) -> str:
    """A number with its interval; with its spread over seeds where it has none."""
    if reading.low is None and reading.sd is not None:
        return with_spread(reading.estimate, reading.sd, digits)
    return with_interval(reading.estimate, reading.low, reading.high, digits)


def _claims_data(paper: Paper, claims: Sequence[Judged]) -> pl.DataFrame:
    """A row for each test of each claim."""
    rows = []
    for one in claims:
        for outcome in one.outcomes or (None,):
            reading = (outcome.reading if outcome else None) or Reading(None)
            test = outcome.test if outcome else None
            rows.append((
                one.claim.id, one.claim.says, one.claim.source, one.claim.value, one.word, test.on if test else "",
                outcome.word if outcome else "not tested", rule(test) if test else "", test.item if test else "",
                " / ".join(test.arms) if test else "", test.better if test else "", test.than if test else "",
                reading.estimate, reading.low, reading.high, reading.sd, reading.n, test.level if test else one.level,
                one.share, one.taken, one.why, one.claim.note, paper.commands[one.claim.command],
            ))  # fmt: skip
    words = ("id", "claim", "said_in", "they_say", "verdict", "on", "outcome", "rule", "item", "arms", "better", "than")
    schema = {
        **dict.fromkeys(words, pl.String),
        **dict.fromkeys(("estimate", "ci_low", "ci_high", "sd"), pl.Float64), "n": pl.Int64,
        **dict.fromkeys(("level", "choices", "taken", "why", "note", "command"), pl.String),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


# --- tables ---------------------------------------------------------------------------------------------


def _table(table: PaperTable, rows: Sequence[Beside]) -> Section:
    header = ["row", "space", "searched on", "tested on", "setting", "statistic", "published", "ours",
              "difference", "published lies", "n", "level"]  # fmt: skip
    numeric = [False] * 6 + [True] * 3 + [False, True, False]
    cells = [_line(one) for one in rows]
    heading = title_of(table)
    body = Table(_stem(table.place), heading, header, cells, _cells_data(rows), numeric, _note(table, rows))
    return Section(heading, table.note, (body,))


def title_of(table: PaperTable) -> str:
    """The heading of a published table."""
    return f"{table.place}: {table.title}"


def _stem(place: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in place.lower())


def _line(one: Beside) -> list[str]:
    cell, reading = one.cell, one.reading or Reading(None)
    return [
        ": ".join(filter(None, (cell.method, cell.proxy))) or cell.space or _EMPTY,
        cell.space or _EMPTY,
        cell.data or _EMPTY,
        cell.tested or _EMPTY,
        cell.setting.replace(";", "; ") or _EMPTY,
        statistic_label(cell.metric),
        cell.text,
        shown(reading, max(cell.digits, 2 if reading.low is not None else 0)) if one.reading else _EMPTY,
        _gap(one),
        _lies(one),
        _EMPTY if reading.n is None else f"{reading.n:,}",
        one.level,
    ]


def _gap(one: Beside) -> str:
    """Ours minus theirs, in the digits that they print."""
    if one.reading is None or one.reading.estimate is None or one.level.startswith("other data"):
        return _EMPTY
    gap = one.reading.estimate - one.cell.number
    if abs(gap) >= 1e9:
        return f"{gap:+.1e}"
    return f"{round(gap, one.cell.digits) + 0.0:+.{one.cell.digits}f}"  # + 0.0: no minus before a zero


def _lies(one: Beside) -> str:
    """Whether the published figure, as rounded, lies in our interval."""
    reading = one.reading
    if reading is None or reading.low is None or reading.high is None or one.level.startswith("other data"):
        return _EMPTY
    half = 0.5 * 10**-one.cell.digits
    return "inside" if reading.low - half <= one.cell.number <= reading.high + half else "outside"


def _note(table: PaperTable, rows: Sequence[Beside]) -> str:
    """How each level would be run in full, and why a number of ours is lacking."""
    commands: dict[tuple[str, str], None] = dict.fromkeys((one.level, one.command) for one in rows)
    lines = [f"{level[0].upper()}{level[1:]}: `{command}`." for level, command in commands]
    whys = dict.fromkeys(one.why for one in rows if one.why)
    ours = BRACKETS if any(one.reading for one in rows) else ""
    return " ".join([*([ours] if ours else []), *(f"{why.rstrip('.')}." for why in whys), *lines])


def _cells_data(rows: Sequence[Beside]) -> pl.DataFrame:
    text, real = pl.String, pl.Float64
    schema = {
        **dict.fromkeys(("space", "data", "tested", "method", "proxy", "setting", "metric"), text),
        **dict.fromkeys(("published", "spread"), text),
        **dict.fromkeys(("ours", "ci_low", "ci_high", "sd"), real), "n": pl.Int64,
        **dict.fromkeys(("level", "command", "why", "source"), text),
    }  # fmt: skip
    lines = []
    for one in rows:
        c, r = one.cell, one.reading or Reading(None)
        lines.append((
            c.space, c.data, c.tested, c.method, c.proxy, c.setting, c.metric, c.value, c.spread,
            r.estimate, r.low, r.high, r.sd, r.n, one.level, one.command, one.why, c.source,
        ))  # fmt: skip
    return pl.DataFrame(lines, schema=schema, orient="row")


__all__ = ["counted", "measured", "paper_result", "rule", "section_address", "shown", "title_of"]
