"""Every door against every spelling of an architecture: the table of docs/doors.md, made by asking.

``python tests/studies/door_cases.py`` writes the page; a test holds it to what the doors answer.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where this file is run as a script

import polars as pl

from nasanalysis.cli.archs import _one
from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.loaders import load_benchmark
from nasanalysis.loaders.samples import read_sample
from nasanalysis.search import TableFitness
from nasanalysis.spaces import SPACES, get_space
from nasanalysis.stats import correlate
from nasanalysis.studies.cards import proxy_card
from nasanalysis.studies.files import compare

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doors.md"
ACCURACIES = (91.0, 85.0, 60.5, 88.0)
DARTS_CELLS = [
    ("sep_conv_3x3", 0),
    ("sep_conv_3x3", 1),
    ("skip_connect", 0),
    ("sep_conv_3x3", 1),
    ("max_pool_3x3", 0),
    ("sep_conv_5x5", 2),
    ("dil_conv_3x3", 0),
    ("dil_conv_5x5", 3),
]
DARTS_OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "avg_pool_3x3")


@dataclass(frozen=True)
class Spelling:
    """One way to write the four architectures of a space; `texts` are what stands in a CSV file."""

    space: str
    name: str
    raw: tuple[Any, ...]

    @property
    def texts(self) -> list[str]:
        return [raw if isinstance(raw, str) else json.dumps(raw) for raw in self.raw]


def _nb201() -> Iterable[Spelling]:
    space: Any = get_space("nb201")
    archs = [space.arch(i) for i in (11, 222, 3333, 15_000)]
    yield Spelling("nb201", "our text", tuple(a.key for a in archs))
    yield Spelling("nb201", "with the prefix", tuple(map(str, archs)))
    yield Spelling("nb201", "official index", tuple(space.index(a) for a in archs))
    operations = [list(space.operations(a)) for a in archs]
    yield Spelling("nb201", "operation names", tuple(operations))
    nested = [[[[o[0], 0]], [[o[1], 0], [o[2], 1]], [[o[3], 0], [o[4], 1], [o[5], 2]]] for o in operations]
    yield Spelling("nb201", "nested pairs", tuple(str(n) for n in nested))
    yield Spelling("nb201", "operation numbers", tuple([3, 3, 0, 1, 0, i] for i in range(4)))


def _sss() -> Iterable[Spelling]:
    widths = [(8, 16, 24, 32, 40), (64, 64, 8, 8, 8), (16, 16, 16, 16, 16), (8, 8, 8, 8, 8)]
    yield Spelling("nats-sss", "our text", tuple(":".join(map(str, w)) for w in widths))
    yield Spelling("nats-sss", "with the prefix", tuple("nats-sss:" + ":".join(map(str, w)) for w in widths))
    yield Spelling("nats-sss", "channels", tuple(list(w) for w in widths))
    space: Any = get_space("nats-sss")
    yield Spelling("nats-sss", "official index", tuple(space.index(":".join(map(str, w))) for w in widths))


def _nb101() -> Iterable[Spelling]:
    space: Any = get_space("nb101")
    archs = [space.arch(i) for i in (12, 3456, 78_901, 400_000)]
    yield Spelling("nb101", "our text", tuple(a.key for a in archs))
    yield Spelling("nb101", "with the prefix", tuple(map(str, archs)))
    yield Spelling("nb101", "module hash", tuple(space.hash(a) for a in archs))
    specs = [space.spec(a) for a in archs]
    yield Spelling("nb101", "matrix and operations", tuple({"matrix": m.tolist(), "ops": list(o)} for m, o in specs))


def _darts() -> Iterable[Spelling]:
    space: Any = get_space("darts")
    cells = [[(operation, DARTS_CELLS[0][1]), *DARTS_CELLS[1:]] for operation in DARTS_OPERATIONS]
    genotypes = [
        f"Genotype(normal={cell}, normal_concat=range(2, 6), reduce={cell}, reduce_concat=range(2, 6))"
        for cell in cells
    ]
    archs = [space.parse(genotype) for genotype in genotypes]
    yield Spelling("darts", "our text", tuple(a.key for a in archs))
    yield Spelling("darts", "with the prefix", tuple(map(str, archs)))
    yield Spelling("darts", "Genotype(...)", tuple(genotypes))
    lists = [[list(edge) for edge in cell] for cell in cells]
    yield Spelling("darts", "dict", tuple({"normal": c, "reduce": c} for c in lists))
    yield Spelling("darts", "nested lists", tuple([c, c] for c in lists))
    yield Spelling("darts", "NAS-Bench-301 configuration", tuple(_configuration(cell) for cell in cells))


def _configuration(cell: list[tuple[str, int]]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for kind in ("normal", "reduce"):
        first = 0
        for node in range(2, 6):
            pair = cell[2 * (node - 2) : 2 * (node - 1)]
            if node > 2:
                settings[f"inputs_node_{kind}_{node}"] = "_".join(str(source) for _, source in pair)
            settings |= {f"edge_{kind}_{first + source}": operation for operation, source in pair}
            first += node
    return settings


def _opaque() -> Iterable[Spelling]:
    yield Spelling("macro", "digits of its own", ("02012100", "02012101", "1e3", "0"))


def spellings() -> list[Spelling]:
    """Every spelling of every space, and a space that we do not know."""
    return [one for make in (_nb201, _sss, _nb101, _darts, _opaque) for one in make()]


# --- doors ----------------------------------------------------------------------------------------------

Door = Callable[[Spelling, Path], list[str]]


def _write(folder: Path, name: str, spelling: Spelling, **columns: list[Any]) -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        raw = list(spelling.raw)
        values = pl.Series("arch", raw if not isinstance(raw[0], dict | list) else spelling.texts)
        pl.DataFrame({"arch": values, **columns}).write_parquet(path)
        return path
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["arch", *columns])
    writer.writerows(zip(spelling.texts, *columns.values(), strict=True))
    path.write_text(text.getvalue(), encoding="utf-16" if "16" in name else "utf-8-sig")
    return path


def _scores(folder: Path, spelling: Spelling, name: str = "s.csv") -> Path:
    return _write(folder, name, spelling, proxy=["mine"] * 4, value=[1.0, 2.0, 3.0, 4.0])


def _truth(folder: Path, spelling: Spelling, name: str = "t.csv") -> Path:
    return _write(folder, name, spelling, accuracy=list(ACCURACIES))


def _compared(spelling: Spelling, folder: Path, name: str) -> list[str]:
    """What the truth of our text and scores in the spelling share, as n_archs."""
    plain = next(one for one in spellings() if one.space == spelling.space)
    frame = compare(
        str(_truth(folder, plain)), str(_scores(folder, spelling, name)), n_boot=0, space=_space(spelling), warn=_quiet
    )
    return spelling.texts[: int(frame["n_archs"][0])]


def _quiet(text: str) -> None:
    """Notes are not what is asked here."""


def _space(spelling: Spelling) -> str | None:
    return spelling.space if spelling.name == "official index" else None


def _sample(spelling: Spelling, folder: Path) -> list[str]:
    path = folder / "sample.txt"
    path.write_text("\n".join(spelling.texts), encoding="utf-16")
    return read_sample(path, spelling.space)


def _descriptor(spelling: Spelling, folder: Path) -> list[str]:
    rows = [{"arch": raw, "acc": acc} for raw, acc in zip(spelling.raw, ACCURACIES, strict=True)]
    (folder / "d.json").write_text(json.dumps(rows))
    (folder / "d.toml").write_text(
        f'file = "d.json"\nbenchmark = "mine"\nspace = "{spelling.space}"\ndataset = "cifar10"\nframe = "TRUTH"\n'
        'split = "test"\nschedule = 1\narch_column = "arch"\nvalues = { accuracy = "acc" }\nunit = "percent"\n'
    )
    return load_benchmark(folder / "d.toml").truth()["arch"].to_list()


def _benchmark(spelling: Spelling, folder: Path) -> list[str]:
    return load_benchmark(_truth(folder, spelling)).truth()["arch"].to_list()


def _card(spelling: Spelling, folder: Path) -> list[str]:
    plain = next(one for one in spellings() if one.space == spelling.space)
    truth = _truth(folder, plain)
    if spelling.name == "official index":
        _descriptor(plain, folder)
        truth = folder / "d.toml"
    card = proxy_card(str(_scores(folder, spelling)), truth=str(truth), n_boot=0)
    return spelling.texts[: int(card.facts["n_archs"])]


def _library(spelling: Spelling, folder: Path) -> list[str]:
    plain = next(one for one in spellings() if one.space == spelling.space)
    truth = pl.DataFrame({"arch": [f"{spelling.space}:{t}" for t in plain.texts], "accuracy": ACCURACIES})
    scores = pl.DataFrame({"arch": spelling.texts, "proxy": "mine", "value": [1.0, 2.0, 3.0, 4.0]})
    return spelling.texts[: int(correlate(truth, scores, n_boot=0)["n_archs"][0])]


def _search(spelling: Spelling, folder: Path) -> list[str]:
    scores = pl.DataFrame({"arch": spelling.texts, "proxy": "mine", "value": [1.0, 2.0, 3.0, 4.0]})
    return list(TableFitness.from_scores(scores).archs)


def _show(spelling: Spelling, folder: Path) -> list[str]:
    return [_one(get_space(spelling.space), text, "cifar10", "published", {})["arch"] for text in spelling.texts]


DOORS: dict[str, Door] = {
    "correlate, CSV": lambda s, f: _compared(s, f, "s.csv"),
    "correlate, UTF-16": lambda s, f: _compared(s, f, "s16.csv"),
    "correlate, Parquet": lambda s, f: _compared(s, f, "s.parquet"),
    "card": _card,
    "--sample .txt": _sample,
    "description (score, report, search)": _descriptor,
    "plain table as benchmark": _benchmark,
    "na.correlate": _library,
    "TableFitness": _search,
    "archs --show": _show,
}


def ask(door: str, spelling: Spelling, folder: Path) -> str:
    """``read`` where all four architectures come out, else the message without paths and values."""
    try:
        read = DOORS[door](spelling, folder)
    except NasAnalysisError as error:
        return _short(str(error))
    if spelling.space in SPACES and any(arch.startswith("user:") for arch in read):
        return "kept as texts: no spelling tells their space; describe the table (space = ...)"
    return "read" if len(set(read)) == 4 else f"{len(set(read))} of 4"


def _short(message: str) -> str:
    message = re.sub(r"/\S*/", "", message)
    first = re.split(r"[;:] public|; write|\. Did|, nats-sss", re.sub(r"^.*?(nb201: |unknown )", r"\1", message))[0]
    return first[:120].replace("|", "¦")


def table() -> str:
    """The table of the page, in Markdown."""
    lines = ["| space | spelling | " + " | ".join(DOORS) + " |", "|---" * (len(DOORS) + 2) + "|"]
    notes: dict[str, int] = {}
    for spelling in spellings():
        cells = []
        for door in DOORS:
            with tempfile.TemporaryDirectory() as folder:
                answer = ask(door, spelling, Path(folder))
            cells.append("yes" if answer == "read" else f"({notes.setdefault(answer, len(notes) + 1)})")
        lines.append(f"| {spelling.space} | {spelling.name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"({number}) {text}" + "  " for text, number in notes.items())])


INTRODUCTION = """# Doors: who reads which spelling

An architecture may be spelt in several ways, and every door reads all of them. This table is made by asking each door
(`python tests/studies/door_cases.py`); a test repeats it. What each spelling looks like stands in
`nasanalysis.spaces.names`. Where two files are compared, the truth is in our text and the scores are in the spelling.

"""

INPUTS = """
## Kinds of input

The same for what is inside a file. Each kind is a pair of small tables as they are found in the wild; `yes` is the
right rank correlation, a number in brackets is what the door says instead of guessing (`tests/studies/door_inputs.py`).

"""


if __name__ == "__main__":
    from door_inputs import page_table  # beside this file

    PAGE.write_text(f"{INTRODUCTION}{table()}\n{INPUTS}{page_table()}\n", encoding="utf-8")
