"""Every door against every kind of input that came from outside: the second table of docs/doors.md, made by asking.

Each kind is a pair of small tables of eight cells of NAS-Bench-201, written as such files are found in the wild. A door
answers with the rank correlation that is right for the pair, or it asks, and then the message is shown.
"""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scipy.stats import kendalltau

from nasanalysis import correlate, load_benchmark, score
from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.studies.cards import proxy_card
from nasanalysis.studies.files import compare
from nasanalysis.studies.study import Study

NAMES = [SPACE.arch(i).key for i in (11, 222, 3333, 5000, 7777, 9000, 12_000, 15_000)]
ACCURACY = [91.5, 85.25, 60.5, 88.0, 70.75, 93.0, 79.5, 82.0]
VALUES = [5.5, 3.25, 4.5, 6.0, 1.75, 8.0, 2.5, 7.0]
LIBRARY = "load_benchmark, score, na.correlate"
TAU = float(kendalltau(ACCURACY, VALUES).statistic)


@dataclass(frozen=True)
class Kind:
    """One kind of input: the text of the two files, what is known of them, and what is right."""

    name: str
    truth: str | bytes
    scores: str | bytes
    #: The right answer; None where nothing is right and every door has to ask.
    right: float | None = TAU
    files: tuple[str, str] = ("t.csv", "s.csv")
    #: What the user says where a door can be told.
    said: dict[str, Any] = field(default_factory=dict)
    #: Doors at which the pair is right as it is, though the others have to ask.
    fine_at: tuple[str, ...] = ()


def table(separator: str = ",", **columns: list[Any]) -> str:
    """CSV text; cells that hold the separator are quoted."""

    def cell(value: Any) -> str:
        text = str(value)
        return f'"{text}"' if separator in text else text

    rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    return "".join(separator.join(map(cell, row)) + "\n" for row in rows)


def truth_table(separator: str = ",", **columns: list[Any]) -> str:
    default: dict[str, list[Any]] = {"arch": NAMES, "accuracy": ACCURACY}
    return table(separator, **(default | columns))


def score_table(separator: str = ",", **columns: list[Any]) -> str:
    default: dict[str, list[Any]] = {"arch": NAMES, "proxy": ["mine"] * 8, "value": VALUES}
    return table(separator, **(default | columns))


def _commas(values: list[float]) -> list[str]:
    return [str(v).replace(".", ",") for v in values]


def _without(position: int, values: list[Any], put: Any) -> list[Any]:
    return [*values[:position], put, *values[position + 1 :]]


def _rest(position: int) -> float:
    rows = [i for i in range(8) if i != position]
    return float(kendalltau([ACCURACY[i] for i in rows], [VALUES[i] for i in rows]).statistic)


def kinds() -> list[Kind]:
    """Every kind, in the order of the page."""
    opaque = ["02012100", "02012101", "1e3", "0", "00", "macro7", "x", "-1"]
    nested = json.dumps([{"arch": a, "mine": {"score": v, "time": 1.5}} for a, v in zip(NAMES, VALUES, strict=True)])
    losses = table(arch=NAMES, value=ACCURACY, quantity=["loss"] * 8, quantity_unit=["nats"] * 8,
                   quantity_direction=[-1] * 8)  # fmt: skip
    return [
        Kind("as documented", truth_table(), score_table()),
        Kind("byte-order mark", truth_table().encode("utf-8-sig"), score_table().encode("utf-8-sig")),
        Kind("UTF-16", truth_table().encode("utf-16"), score_table().encode("utf-16")),
        Kind("Windows line ends", truth_table().replace("\n", "\r\n"), score_table().replace("\n", "\r\n")),
        Kind("tabs", truth_table("\t"), score_table("\t")),
        Kind("semicolons, decimal commas", truth_table(";", accuracy=_commas(ACCURACY)),
             score_table(";", value=_commas(VALUES))),
        Kind("a column for each proxy", truth_table(), table(arch=NAMES, mine=VALUES), said={"proxy": "mine"}),
        Kind("JSON with {score, time}", truth_table(), nested, files=("t.csv", "s.json"), right=None),
        Kind("a number that is no number", truth_table(), score_table(value=_without(2, VALUES, "5.1x")), right=None),
        Kind("NA for one score", truth_table(), score_table(value=_without(2, VALUES, "NA")), right=None),
        Kind("- for one score", truth_table(), score_table(value=_without(2, VALUES, "-")), right=None),
        Kind("an empty cell for one score", truth_table(), score_table(value=_without(2, VALUES, "")), right=_rest(2)),
        Kind("an infinite score", truth_table(), score_table(value=_without(2, VALUES, "inf")), right=_rest(2)),
        Kind("a row twice", truth_table(arch=[*NAMES[:7], NAMES[0]]), score_table(), right=None),
        Kind("an architecture that is none", truth_table(arch=_without(3, NAMES, "|what|")), score_table(),
             right=None),
        Kind("spaces around names", truth_table(arch=[f" {a} " for a in NAMES]), score_table()),
        Kind("a space that nobody knows", truth_table(arch=opaque), score_table(arch=opaque)),
        Kind("nothing in common", truth_table(), score_table(arch=[SPACE.arch(i).key for i in range(8)]), right=None),
        Kind("fractions as accuracies", truth_table(accuracy=[a / 100 for a in ACCURACY]), score_table(), right=None),
        Kind("fractions among percents", truth_table(accuracy=[a / 100 if a > 90 else a for a in ACCURACY]),
             score_table(), right=None),
        Kind("a truth that is a loss", losses, score_table(), right=-TAU),
        Kind("scores of another data set", truth_table(dataset=["cifar10"] * 8), score_table(dataset=["cifar100"] * 8),
             right=None),
        Kind("truth of validation only", truth_table(split=["valid"] * 8), score_table(), right=None,
             fine_at=(LIBRARY,)),
        Kind("a score called neg_loss", truth_table(), score_table(proxy=["neg_loss"] * 8), said={"proxy": "neg_loss"}),
        Kind("a score called top1_err", truth_table(), score_table(proxy=["top1_err"] * 8), right=-TAU,
             said={"proxy": "top1_err"}),
        Kind("a $ in the name of a score", truth_table(), score_table(proxy=["a$b$"] * 8), said={"proxy": "a$b$"}),
        Kind("a name that begins with =", truth_table(), score_table(proxy=["=1+1"] * 8), said={"proxy": "=1+1"}),
        Kind("no column of architectures", truth_table().replace("arch", "net", 1), score_table(), right=None),
        Kind("an empty file", truth_table(), b"", right=None),
        Kind("a header alone", truth_table(), "arch,proxy,value\n", right=None),
        Kind("a picture named .csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", score_table(), right=None),
        Kind("two rows alone", table(arch=NAMES[:2], accuracy=ACCURACY[:2]), score_table(), right=None),
        Kind("all scores equal", truth_table(), score_table(value=[1.0] * 8), right=None),
    ]  # fmt: skip


# --- doors ----------------------------------------------------------------------------------------------


def _compare(truth: Path, scores: Path, said: dict[str, Any]) -> Any:
    frame = compare(str(truth), str(scores), statistics=("kendall_tau",), n_boot=0, warn=lambda _: None)
    return frame["estimate"][0]


def _card(truth: Path, scores: Path, said: dict[str, Any]) -> Any:
    card = proxy_card(str(scores), truth=str(truth), n_boot=0, **said)
    return card.facts["estimate"]


def _library(truth: Path, scores: Path, said: dict[str, Any]) -> Any:
    benchmark = load_benchmark([truth, scores])
    frame = score(benchmark, said.get("proxy", "mine"))
    return correlate(benchmark.truth(), frame, n_boot=0, statistics=["kendall_tau"])["estimate"][0]


def _study(truth: Path, scores: Path, said: dict[str, Any]) -> Any:
    study = truth.parent / "study.toml"
    study.write_text(
        'title = "Mine"\nbootstrap = 0\n[[compare]]\nname = "c"\ntitle = "C"\nstatistics = ["kendall_tau"]\n'
        f'benchmark = "{truth.name}"\nscores = "{scores.name}"\nproxies = ["{said.get("proxy", "mine")}"]\n'
    )
    return Study.load(study).run().sections[0].tables[0].data["estimate"][0]


DOORS: dict[str, Callable[[Path, Path, dict[str, Any]], Any]] = {
    "correlate": _compare,
    "card": _card,
    LIBRARY: _library,
    "report ([[compare]])": _study,
}


def ask(door: str, kind: Kind, folder: Path) -> float | str:
    """The correlation, or what the door says instead, without paths."""
    paths = [folder / name for name in kind.files]
    for path, content in zip(paths, (kind.truth, kind.scores), strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = DOORS[door](paths[0], paths[1], kind.said)
    except NasAnalysisError as error:
        return re.sub(r"/\S*/", "", str(error))
    return "undefined: all scores are equal" if answer is None else answer


def is_right(kind: Kind, door: str, answer: float | str) -> bool:
    """Whether the door did what it should: the right number, or a question where no number can be right."""
    if kind.right is None and door not in kind.fine_at:
        return isinstance(answer, str)
    expected = TAU if kind.right is None else kind.right
    return not isinstance(answer, str) and abs(answer - expected) < 1e-9


def page_table() -> str:
    """The table of the page, in Markdown: yes, or the number of the message below it."""
    lines = ["| input | " + " | ".join(DOORS) + " |", "|---" * (len(DOORS) + 1) + "|"]
    notes: dict[str, int] = {}
    for kind in kinds():
        cells = []
        for door in DOORS:
            with tempfile.TemporaryDirectory() as folder:
                answer = ask(door, kind, Path(folder))
            if not is_right(kind, door, answer):
                raise ValueError(f"{kind.name}, {door}: {answer}")
            text = _short(answer) if isinstance(answer, str) else ""
            cells.append(f"({notes.setdefault(text, len(notes) + 1)})" if text else "yes")
        lines.append(f"| {kind.name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"({number}) {text}" + "  " for text, number in notes.items())])


def _short(message: str) -> str:
    text = re.split(r"(?<=\w)\. (?=[A-Z])", message)[0].replace("|", "¦").replace("\n", " ")
    return text if len(text) <= 200 else text[:197].rsplit(" ", 1)[0] + " ..."
