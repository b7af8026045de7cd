"""Files of published works: from TOML and CSV to a checked `Paper`."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from ...core.errors import StudyError, UnknownNameError
from ...core.resources import shipped_toml, toml_file
from ...core.toml import read_toml, validated
from ..diffsearch.items import DiffSearchItem
from ..items import Item
from ..reading import load_study, shipped_studies
from ..supernet.items import PARAMETERS, SupernetItem
from .model import Cell, Check, Look, Paper, PaperHead
from .searched import SEARCHED
from .settings import of_ours

_NUMBER = re.compile(r"^[-+\d.e]+$")
#: The folder of the shipped works.
FOLDER = "reports/papers"


def shipped_papers() -> dict[str, Path]:
    """Name -> file of the works that the package ships."""
    return shipped_toml(FOLDER)


def load_paper(name_or_path: str | Path) -> Paper:
    """A shipped work by name, or a TOML file; `StudyError` says what is wrong in it or in its figures."""
    path = toml_file(name_or_path, FOLDER, kind="published work")
    head = read_toml(path, PaperHead, what="the file of a published work", defaults={"name": path.stem})
    figures = tuple(read_cells(path.parent / head.cells))
    keys = {name: getattr(head, name) for name in PaperHead.model_fields}
    paper = validated(Paper, {**keys, "figures": figures}, where=str(path))
    _check_places(paper, path)
    _check_items(paper, path)
    return paper


def read_cells(path: Path) -> Iterator[Cell]:
    """The published figures of a CSV file with the columns of `Cell`; `StudyError` names the line of a wrong one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: expected published figures as CSV in UTF-8, got {error}") from error
    rows = csv.DictReader(text.splitlines(), strict=True)
    known = list(Cell.model_fields)
    if list(rows.fieldnames or ()) != known:
        raise StudyError(f"{path}: expected the columns {', '.join(known)}, got {', '.join(rows.fieldnames or ())}")
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        if None in row or None in row.values():
            raise StudyError(f"{where}: expected {len(known)} columns, got more or fewer")
        yield validated(Cell, row, where=where)


def item_of(name: str) -> Item | None:
    """``STUDY/ITEM`` of a shipped study; None where there is none such."""
    study, _, item = name.partition("/")
    return _items(study).get(item)


@cache
def _items(study: str) -> dict[str, Item]:
    if study not in shipped_studies():
        return {}
    return {item.name: item for item in load_study(study).items}


def _check_places(paper: Paper, path: Path) -> None:
    """Every figure stands in a table, and every table has figures."""
    places = [table.place for table in paper.tables]
    of_cells = list(dict.fromkeys(cell.place for cell in paper.figures))
    if lost := [place for place in of_cells if place not in places]:
        raise StudyError(f"{path}: tables: expected one of place {lost[0]!r}, which figures of {paper.cells} name")
    if empty := [place for place in places if place not in of_cells]:
        raise StudyError(f"{path}: table {empty[0]}: expected figures of it in {paper.cells}, got none")


def _check_items(paper: Paper, path: Path) -> None:
    """Items that are there, or are said to come; readings and arms that they have."""
    for who, look in _looks(paper):
        check_look(look, f"{path}: {who}", paper.coming)
    for claim in paper.claims:
        if claim.taken:
            of_ours(claim.taken)
    for rest in (rest for table in paper.tables for rest in table.rests if rest.taken):
        if not _NUMBER.match(of_ours(rest.taken)):
            raise StudyError(f"{path}: rests: {rest.taken}: expected a number there, got {of_ours(rest.taken)}")
    for claim in paper.claims:
        if claim.multiverse and item_of(claim.multiverse) is None and claim.multiverse not in paper.coming:
            raise StudyError(f"{path}: claim {claim.id}: expected an item of a study, got {claim.multiverse!r}")


def check_look(look: Look, where: str, coming: Sequence[str] = ()) -> None:
    """`StudyError` unless its item is there, or to come, and has the readings, arms and claims that are named."""
    item = item_of(look.item)
    if item is None:
        if look.item in coming:
            return
        known = [f"{study}/{name}" for study in shipped_studies() for name in _items(study)]
        raise StudyError(f"{where}: {UnknownNameError('item of a study', look.item, known)}")
    if isinstance(look, Check):
        _check_claimed(look, item, where)
        if look.is_order:
            _check_order(look, item, where)


def _looks(paper: Paper) -> Iterator[tuple[str, Look]]:
    for table in paper.tables:
        yield from ((f"table {table.place}", ours) for ours in table.ours)
    for claim in paper.claims:
        yield from ((f"claim {claim.id}", test) for test in claim.tests)


def _check_claimed(test: Check, item: Item, where: str) -> None:
    """A claim that the item has; no order that it judges itself."""
    if not isinstance(item, SupernetItem):
        return
    said = [claim.says for claim in item.claims]
    if test.claimed and test.claimed not in said:
        raise StudyError(f"{where}: {test.item}: expected a claim of {'; '.join(said) or 'none'}, got {test.claimed!r}")
    if test.claimed and (lost := [arm for arm in test.arms if arm not in [a.label for a in item.arms]]):
        raise StudyError(f"{where}: {test.item}: expected an arm of it, got {lost[0]!r}")
    plain = test.is_order and len(test.arms) < 2 and not test.statistic and test.near is None
    for claim in item.claims if plain and test.above is None and test.below is None else ():
        if (claim.better, claim.than) == (test.better, test.than):
            raise StudyError(f"{where}: {test.item} judges this order itself: expected claimed = {claim.says!r}")


def _check_order(test: Check, item: Item, where: str) -> None:
    if isinstance(item, SupernetItem):
        readings, arms = [*(r.label for r in item.readings), PARAMETERS], [arm.label for arm in item.arms]
        for label in (test.better, test.than):
            if label not in readings:
                raise StudyError(f"{where}: expected readings of {', '.join(readings)}, got {label!r}")
        if lost := [arm for arm in test.arms if arm not in arms]:
            raise StudyError(f"{where}: expected arms of {', '.join(arms)}, got {lost[0]!r}")
    elif isinstance(item, DiffSearchItem):
        if test.statistic not in SEARCHED:
            known = ", ".join(name for name in SEARCHED if name)
            raise StudyError(f"{where}: statistic of searches: expected none, {known}, got {test.statistic!r}")
    else:
        raise StudyError(
            f"{where}: expected an item of supernets, of measures or of searches to order by, got {test.item}"
        )
