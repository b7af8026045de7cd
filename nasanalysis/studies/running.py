"""Several studies, each in a process of its own; what they say arrives while they run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ..jobs import unordered
from ..jobs.looking import looking
from ..report.model import Result
from .study import Study

#: Seconds between two looks at what the studies have said.
_PAUSE = 0.3


def run_studies(
    studies: Sequence[Study],
    data: Path | str | None = None,
    *,
    workers: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """`Study.run` of each, in the order of `studies`; the results do not depend on `workers`.

    workers: processes; every one holds the data of the study it runs. say: as `Study.run` has it, of all of them.
    """
    if min(workers, len(studies)) <= 1:
        return [study.run(data, say=say) for study in studies]
    with TemporaryDirectory(prefix="nasanalysis-") as folder:
        longest_first = sorted(range(len(studies)), key=lambda i: -len(studies[i].items))
        calls = [(i, studies[i], data, Path(folder) / f"{i}.jsonl") for i in longest_first]
        with looking(_Heard(Path(folder), say).look, every=_PAUSE):
            results = dict(unordered(_run, calls, workers=workers))
    return [results[i] for i in range(len(studies))]


def _run(number: int, study: Study, data: Path | str | None, words: Path) -> tuple[int, Result]:
    """One study, in this process; what it says goes into `words`, a JSON string a line."""
    with words.open("a", encoding="utf-8", buffering=1) as out:
        return number, study.run(data, say=lambda text: print(json.dumps(text), file=out))


class _Heard:
    """Hands on every line that appears in the files of a folder, once."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._read: dict[Path, int] = {}

    def look(self) -> None:
        for path in sorted(self._folder.glob("*.jsonl")):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            for line in whole[self._read.get(path, 0) :]:
                self._say(json.loads(line))
            self._read[path] = len(whole)
